//! Accounts: who they are, how they come in, what is written to them.

use super::{
    About, Category, Column, Erasure, Form, Inside, Kept, Purpose, Table, column, count, moment, number, of_account,
    sealed, secret, technical, text, time,
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
        ],
        ..of_account("accounts", "an account: an email address, a plan and a status", &["id"])
    },
];
