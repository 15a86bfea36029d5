//! What runs leave behind.

use super::{
    Category, Column, Field, Form, Inside, Kept, Purpose, Seal, Table, column, count, field, json, moment, number,
    of_account, sealed, secret, technical, text, time,
};

const fn content(name: &'static str, bound: &'static str, inside: Inside) -> Column {
    let column = sealed(name, Category::Content, ("runs", "id", bound), inside);
    Column { kept: Some(Kept::Content), ..column }
}

const LINES: Seal = Seal {
    table: "runs",
    row: "run_id",
    name: "log",
    number: Some("first_sequence"),
    inside: Inside::Rows(&[
        field("seq", 0, Form::Number),
        field("at", 1, Form::Text),
        field("level", 2, Form::Text),
        field("source", 3, Form::Text),
        field("message", 4, Form::Text),
    ]),
};

/// As `db/requests.rs` writes them.
const REQUESTS: &[Field] = &[
    field("at", 0, Form::Time),
    field("id", 0, Form::Text),
    field("api_key", 1, Form::Text),
    field("method", 2, Form::Text),
    field("route", 3, Form::Text),
    field("status", 4, Form::Number),
    field("duration_us", 5, Form::Number),
];

pub(super) const TABLES: &[Table] = &[
    Table {
        kept: Kept::Logs,
        columns: &[
            technical("account_id"),
            text("run_id", Category::Usage),
            count("first_sequence"),
            count("entries"),
            column("sealed_entries", Some(Category::Content), Form::Sealed(LINES)),
            moment("created_at"),
        ],
        ..of_account("log_chunks", "lines of a run's log", &["account_id", "run_id", "first_sequence"])
    },
    Table {
        columns: &[
            technical("account_id"),
            text("id", Category::Usage),
            text("deployment_id", Category::Usage),
            number("deployment_revision", Category::Usage),
            text("status", Category::Usage),
            text("outcome", Category::Usage),
            text("cause", Category::Usage),
            number("attempt", Category::Usage),
            text("parent_run_id", Category::Usage),
            text("root_run_id", Category::Usage),
            technical("host_id"),
            count("host_epoch"),
            technical("terms_id"),
            number("held", Category::Billing),
            content("sealed_input", "input", Inside::Json),
            content("sealed_output", "output", Inside::Json),
            content("sealed_error", "error", Inside::Json),
            number("fuel", Category::Usage),
            number("charged", Category::Billing),
            json("charges", Category::Billing),
            time("cancel_requested_at", Category::Usage),
            time("created_at", Category::Usage),
            time("started_at", Category::Usage),
            time("finished_at", Category::Usage),
        ],
        ..of_account("runs", "a run: what it was given, what it returned, what it cost", &["account_id", "id"])
    },
    Table {
        purpose: Purpose::Security,
        kept: Kept::Audit,
        columns: &[
            technical("account_id"),
            technical("id"),
            text("deployment_id", Category::Usage),
            text("run_id", Category::Usage),
            text("credential", Category::Security),
            number("version", Category::Security),
            sealed("sealed_purpose", Category::Usage, ("credential_uses", "id", "purpose"), Inside::Json),
            number("status", Category::Usage),
            time("used_at", Category::Usage),
            time("ended_at", Category::Usage),
        ],
        ..of_account(
            "credential_uses",
            "a use of a credential: by which run, for what, and how it ended",
            &["account_id", "id"],
        )
    },
    Table {
        purpose: Purpose::Security,
        kept: Kept::Requests,
        columns: &[
            technical("account_id"),
            technical("last_id"),
            technical("first_id"),
            column("requests", Some(Category::Usage), Form::Rows(REQUESTS)),
        ],
        ..of_account(
            "request_batches",
            "metadata of requests: when, which route, how it was answered, with which key",
            &["account_id", "last_id", "first_id"],
        )
    },
    Table {
        kept: Kept::Idempotency,
        columns: &[
            technical("caller_id"),
            text("name", Category::Usage),
            technical("account_id"),
            secret("request_digest"),
            technical("subject"),
            // It may be the answer that shows a new key, once.
            secret("sealed_answer"),
            time("created_at", Category::Usage),
        ],
        ..of_account(
            "answered_requests",
            "an answer that is given again when a request is repeated under its idempotency key",
            &["caller_id", "name"],
        )
    },
];
