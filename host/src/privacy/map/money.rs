//! Money: what was bought, paid, given back and charged. The law asks for these for years, so that erasure leaves
//! them, under a pseudonym.

use super::{
    About, Category, Column, Erasure, Form, Kept, Purpose, Table, column, count, json, moment, number, of_account,
    technical, text, time,
};

const fn amount(name: &'static str) -> Column {
    number(name, Category::Billing)
}

const fn of_billing(name: &'static str, holds: &'static str, key: &'static [&'static str]) -> Table {
    Table {
        purpose: Purpose::Billing,
        kept: Kept::Billing,
        erasure: Erasure::Pseudonymised,
        ..of_account(name, holds, key)
    }
}

const fn of_tenants(name: &'static str, holds: &'static str, key: &'static [&'static str]) -> Table {
    Table { about: About::Tenant, erasure: Erasure::Untouched, ..of_billing(name, holds, key) }
}

pub(super) const TABLES: &[Table] = &[
    Table {
        columns: &[
            technical("processor_id"),
            text("id", Category::Billing),
            technical("account_id"),
            text("payment_id", Category::Billing),
            text("kind", Category::Billing),
            text("state", Category::Billing),
            moment("told_at"),
            amount("amount"),
            text("currency", Category::Billing),
            count("movements"),
            time("created_at", Category::Billing),
        ],
        ..of_billing("reversals", "a refund or a dispute", &["processor_id"])
    },
    Table {
        columns: &[
            text("id", Category::Billing),
            technical("account_id"),
            text("top_up_id", Category::Billing),
            text("state", Category::Billing),
            moment("told_at"),
            amount("amount"),
            amount("tax"),
            text("currency", Category::Billing),
            amount("credited"),
            amount("taken"),
        ],
        ..of_billing("payments", "a payment, by the processor's id", &["id"])
    },
    Table {
        columns: &[
            text("id", Category::Billing),
            technical("account_id"),
            text("state", Category::Billing),
            amount("amount"),
            text("currency", Category::Billing),
            amount("microcredits_per_minor_unit"),
            column("checkout_url", Some(Category::Billing), Form::Secret),
            time("created_at", Category::Billing),
            time("paid_at", Category::Billing),
            column("automatic", Some(Category::Billing), Form::Flag),
        ],
        ..of_billing("top_ups", "credits that were asked for, at the price of that moment", &["id"])
    },
    Table {
        columns: &[text("id", Category::Billing), technical("account_id"), technical("kind"), moment("received_at")],
        kept: Kept::Webhooks,
        ..of_billing("webhooks", "that the processor told something, so that nothing is taken twice", &["id"])
    },
    Table {
        columns: &[
            technical("account_id"),
            technical("id"),
            text("state", Category::Billing),
            amount("threshold"),
            amount("amount"),
            text("currency", Category::Billing),
            amount("monthly_cap"),
            // With it, money can be taken.
            column("mandate", Some(Category::Billing), Form::Secret),
            column("page_url", Some(Category::Billing), Form::Secret),
            column("armed", None, Form::Flag),
            text("charging", Category::Billing),
            text("off_because", Category::Billing),
            time("changed_at", Category::Billing),
        ],
        kept: Kept::Account,
        erasure: Erasure::Deleted,
        ..of_billing("auto_top_ups", "what an account buys by itself when its balance is low", &["account_id"])
    },
    Table {
        columns: &[technical("account_id"), text("month", Category::Billing)],
        kept: Kept::Expiry,
        ..of_billing("monthly_grants", "a month for which the plan's grant was given", &["account_id", "month"])
    },
    Table {
        columns: &[technical("account_id"), number("tenant", Category::Billing)],
        kept: Kept::Service,
        ..of_billing("tenants", "the only link between an account and its transfers", &["account_id"])
    },
    Table {
        columns: &[count("tenant"), amount("available"), amount("held"), amount("debt")],
        kept: Kept::Service,
        ..of_tenants("balances", "credits that are there, held and owed", &["tenant"])
    },
    Table {
        columns: &[
            count("tenant"),
            technical("id"),
            text("subject", Category::Billing),
            text("verb", Category::Billing),
            amount("amount"),
            time("at", Category::Billing),
            technical("host_id"),
            count("host_sequence"),
            column("chain", None, Form::Bytes),
        ],
        kept: Kept::Service,
        ..of_tenants("transfers", "an amount that moved between two accounts of the ledger", &["tenant", "id"])
    },
    Table {
        columns: &[count("tenant"), amount("bought")],
        kept: Kept::Service,
        ..of_tenants("forgotten_payments", "what payments bought that are deleted", &["tenant"])
    },
    Table {
        columns: &[
            number("number", Category::Billing),
            count("tenant"),
            time("period_end", Category::Billing),
            amount("closing"),
            json("document", Category::Billing),
        ],
        ..of_tenants("statements", "a monthly statement", &["number"])
    },
];
