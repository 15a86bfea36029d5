//! Accounts: who they are, how they come in, what is written to them.

use super::{
    About, Beside, Category, Column, Erasure, Form, Inside, Kept, Purpose, Table, column, count, moment, number,
    of_account, sealed, secret, technical, text, time,
};

const fn flag(name: &'static str) -> Column {
    column(name, Some(Category::Correspondence), Form::Flag)
}

pub(super) const TABLES: &[Table] = &[
    Table {
        purpose: Purpose::Authentication,
        kept: Kept::Expiry,
        columns: &[
            technical("account_id"),
            sealed("sealed_email", Category::Contact, ("email_changes", "account_id", "email"), Inside::Text),
            secret("email_lookup"),
            column("confirmed_by_old", Some(Category::Security), Form::Flag),
            column("confirmed_by_new", Some(Category::Security), Form::Flag),
            time("expires_at", Category::Security),
        ],
        ..of_account("email_changes", "a change of the email address that is not confirmed yet", &["account_id"])
    },
    Table {
        purpose: Purpose::Authentication,
        kept: Kept::Expiry,
        columns: &[
            secret("digest"),
            technical("account_id"),
            text("purpose", Category::Security),
            time("created_at", Category::Security),
            time("expires_at", Category::Security),
        ],
        ..of_account("links", "a link that works once", &["digest"])
    },
    Table {
        purpose: Purpose::Rights,
        columns: &[
            text("id", Category::Correspondence),
            technical("account_id"),
            text("purpose", Category::Correspondence),
            flag("given"),
            text("policy", Category::Correspondence),
            text("source", Category::Correspondence),
            time("created_at", Category::Correspondence),
        ],
        ..of_account("consents", "what the account's owner said yes or no to, when and where", &["id"])
    },
    Table {
        purpose: Purpose::Rights,
        kept: Kept::Billing,
        erasure: Erasure::Itself,
        columns: &[
            text("id", Category::Security),
            technical("account_id"),
            text("kind", Category::Correspondence),
            text("source", Category::Correspondence),
            text("state", Category::Correspondence),
            text("identity", Category::Security),
            time("received_at", Category::Correspondence),
            time("due_at", Category::Correspondence),
            column("extended", Some(Category::Correspondence), Form::Flag),
            time("ended_at", Category::Correspondence),
        ],
        ..of_account("rights_requests", "that a right was used, when it was answered, and how", &["id"])
    },
    Table {
        purpose: Purpose::Rights,
        columns: &[technical("account_id"), text("breach_id", Category::Security)],
        ..of_account("breach_accounts", "that a breach concerns the account", &["account_id", "breach_id"])
    },
    Table {
        purpose: Purpose::Letters,
        columns: &[technical("account_id"), text("mailing_id", Category::Correspondence)],
        ..of_account("mailed", "that the account was written a letter that went to many", &["account_id", "mailing_id"])
    },
    Table {
        purpose: Purpose::Letters,
        kept: Kept::Letters,
        columns: &[
            technical("id"),
            technical("account_id"),
            text("kind", Category::Correspondence),
            text("state", Category::Correspondence),
            // A letter that waits may hold a link, which is for the mailbox alone.
            secret("sealed_letter"),
            count("attempts"),
            count("turn"),
            secret("recipient_lookup"),
            moment("next_attempt_at"),
            technical("last_error"),
            time("created_at", Category::Correspondence),
            time("ended_at", Category::Correspondence),
        ],
        ..of_account("letters", "a letter to the account; its content is gone once it is sent", &["id"])
    },
    Table {
        purpose: Purpose::Security,
        kept: Kept::Billing,
        columns: &[
            technical("id"),
            technical("account_id"),
            secret("salt"),
            sealed("sealed_content", Category::Security, ("audit_contents", "id", "content"), Inside::Json),
            technical("content"),
        ],
        beside: Some(Beside {
            table: "audit_entries",
            columns: &[time("at", Category::Security), text("act", Category::Security)],
        }),
        ..of_account("audit_contents", "what an entry of the audit is about: who did what, and why", &["id"])
    },
    Table {
        purpose: Purpose::Security,
        columns: &[
            technical("id"),
            technical("account_id"),
            technical("operator_key_id"),
            column("contents", Some(Category::Security), Form::Flag),
            time("created_at", Category::Security),
            time("expires_at", Category::Security),
            time("used_at", Category::Security),
        ],
        ..of_account("operator_accesses", "for how long an operator may look at what the account has", &["id"])
    },
    Table {
        columns: &[
            text("id", Category::Correspondence),
            technical("account_id"),
            text("thread_id", Category::Correspondence),
            text("said_by", Category::Correspondence),
            technical("operator_key_id"),
            sealed("sealed_text", Category::Correspondence, ("support_messages", "id", "text"), Inside::Text),
            time("created_at", Category::Correspondence),
        ],
        ..of_account("support_messages", "what was asked of the operator, or answered", &["id"])
    },
    Table {
        columns: &[
            text("id", Category::Correspondence),
            technical("account_id"),
            sealed("sealed_subject", Category::Correspondence, ("support_threads", "id", "subject"), Inside::Text),
            text("state", Category::Correspondence),
            time("created_at", Category::Correspondence),
            time("changed_at", Category::Correspondence),
        ],
        ..of_account("support_threads", "that something was asked of the operator, and what it is about", &["id"])
    },
    Table {
        purpose: Purpose::Rights,
        columns: &[
            technical("account_id"),
            text("set_by", Category::Security),
            sealed("sealed_reason", Category::Correspondence, ("restrictions", "account_id", "reason"), Inside::Text),
            time("created_at", Category::Security),
        ],
        ..of_account(
            "restrictions",
            "that the account's data are kept and not worked with, and who asked for it",
            &["account_id", "set_by"],
        )
    },
    Table {
        purpose: Purpose::Rights,
        columns: &[
            text("id", Category::Security),
            technical("account_id"),
            // A reason may be a secret of the law's.
            secret("sealed_reason"),
            secret("sealed_lift_reason"),
            time("created_at", Category::Security),
            time("expires_at", Category::Security),
            time("ended_at", Category::Security),
        ],
        ..of_account("holds", "that the law asks to keep what is there of the account for now", &["id"])
    },
    Table {
        purpose: Purpose::Authentication,
        kept: Kept::EndedKeys,
        columns: &[
            text("id", Category::Security),
            technical("account_id"),
            text("name", Category::Security),
            secret("digest"),
            text("scopes", Category::Security),
            text("addresses", Category::Security),
            time("created_at", Category::Security),
            time("expires_at", Category::Security),
            time("last_used_at", Category::Usage),
            time("revoked_at", Category::Security),
        ],
        ..of_account("api_keys", "an API key, of which only a digest is kept", &["id"])
    },
    Table {
        purpose: Purpose::Security,
        columns: &[
            technical("account_id"),
            count("version"),
            count("master_version"),
            secret("wrapped"),
            moment("created_at"),
        ],
        ..of_account(
            "data_keys",
            "the key that opens what is sealed of the account, itself sealed by a master key",
            &["account_id", "version"],
        )
    },
    Table {
        purpose: Purpose::Rights,
        kept: Kept::Exports,
        columns: &[
            technical("account_id"),
            technical("export_id"),
            count("attempt"),
            count("position"),
            // A copy of copies would grow without end.
            column("sealed_part", Some(Category::Content), Form::Secret),
        ],
        ..of_account(
            "export_parts",
            "a part of a copy of what is kept of the account",
            &["account_id", "export_id", "attempt", "position"],
        )
    },
    Table {
        purpose: Purpose::Rights,
        columns: &[
            technical("id"),
            technical("account_id"),
            text("recipient", Category::Security),
            text("state", Category::Usage),
            count("attempt"),
            count("rows_total"),
            count("rows_done"),
            count("bytes"),
            technical("sha256"),
            time("asked_at", Category::Usage),
            time("state_at", Category::Usage),
            time("expires_at", Category::Usage),
        ],
        ..of_account("exports", "the copy of what is kept of the account that was asked for last", &["id"])
    },
    Table {
        purpose: Purpose::Rights,
        kept: Kept::Service,
        erasure: Erasure::Itself,
        columns: &[
            text("id", Category::Security),
            technical("account_id"),
            technical("pseudonym"),
            secret("account_digest"),
            text("state", Category::Security),
            technical("status_before"),
            time("asked_at", Category::Security),
            time("state_at", Category::Security),
            time("due_at", Category::Security),
            time("erased_at", Category::Security),
            technical("certificate"),
        ],
        ..of_account("erasures", "that an account is being, or was, erased, and what was done", &["id"])
    },
    Table {
        about: About::Itself,
        columns: &[
            text("id", Category::Contact),
            sealed("sealed_email", Category::Contact, ("accounts", "id", "email"), Inside::Text),
            secret("email_lookup"),
            text("plan", Category::Billing),
            text("region", Category::Usage),
            technical("contents_until"),
            text("status", Category::Usage),
            time("created_at", Category::Usage),
            time("pending_until", Category::Usage),
            number("low_balance", Category::Billing),
            flag("low_balance_told"),
            number("daily_spend", Category::Billing),
            time("objected_at", Category::Correspondence),
        ],
        ..of_account("accounts", "an account: an email address, a plan and a status", &["id"])
    },
];
