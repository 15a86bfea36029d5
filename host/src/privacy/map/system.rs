//! What the service keeps for itself, and nobody is in.

use super::{About, Column, Erasure, Form, Kept, Purpose, Table, column, count, moment, of_account, technical};

const fn of_nobody(name: &'static str, holds: &'static str, key: &'static [&'static str]) -> Table {
    Table {
        about: About::Nobody,
        purpose: Purpose::Operation,
        kept: Kept::Service,
        erasure: Erasure::Untouched,
        ..of_account(name, holds, key)
    }
}

const fn bytes(name: &'static str) -> Column {
    column(name, None, Form::Secret)
}

pub(super) const TABLES: &[Table] = &[
    Table {
        columns: &[technical("name"), technical("value")],
        ..of_nobody("settings", "what all hosts have agreed on", &["name"])
    },
    Table {
        columns: &[
            technical("id"),
            count("epoch"),
            moment("started_at"),
            moment("lease_until"),
            count("master_version"),
            technical("region"),
        ],
        ..of_nobody("hosts", "a host, and until when it is alive", &["id"])
    },
    Table {
        columns: &[technical("id"), technical("terms")],
        ..of_nobody("terms", "prices and limits that runs were admitted under", &["id"])
    },
    Table {
        columns: &[technical("host_id"), count("host_group"), count("host_sequence"), bytes("chain")],
        ..of_nobody("chain_heads", "the end of a host's chain of transfers", &["host_id"])
    },
    Table {
        columns: &[
            count("position"),
            technical("id"),
            moment("at"),
            technical("actor"),
            technical("act"),
            bytes("digest"),
            bytes("chain"),
        ],
        ..of_nobody("audit_entries", "that something was done, chained to what was done before it", &["position"])
    },
    Table {
        columns: &[count("one"), count("position"), bytes("chain")],
        ..of_nobody("audit_end", "the end of the audit's chain", &["one"])
    },
    Table {
        columns: &[count("position"), bytes("chain"), moment("at"), bytes("signature")],
        ..of_nobody("audit_heads", "where the audit's chain was at a moment, signed", &["position"])
    },
    Table {
        columns: &[count("version"), technical("fingerprint"), moment("created_at"), moment("ready_at")],
        ..of_nobody("master_keys", "a version of the master keys, which are in no database", &["version"])
    },
    Table {
        columns: &[
            technical("id"),
            technical("audience"),
            technical("letter"),
            technical("about"),
            moment("created_at"),
        ],
        ..of_nobody("mailings", "a letter to many accounts", &["id"])
    },
    Table {
        columns: &[
            technical("id"),
            technical("facts"),
            technical("advice"),
            technical("tables"),
            moment("aware_at"),
            moment("due_at"),
            moment("told_at"),
            moment("authority_told_at"),
            moment("ended_at"),
        ],
        ..of_nobody("breaches", "a breach of the protection of data: what happened, and who was told when", &["id"])
    },
    Table {
        columns: &[
            technical("version"),
            technical("text"),
            moment("since"),
            technical("summary"),
            column("material", None, Form::Flag),
            moment("said_at"),
        ],
        ..of_nobody("policies", "a version of the privacy policy, as it was shown", &["version"])
    },
    Table {
        columns: &[technical("region"), technical("month"), technical("document"), moment("made_at")],
        ..of_nobody("statistics", "how the service was used in a month: counts with noise", &["region", "month"])
    },
    Table {
        columns: &[technical("series"), count("last")],
        ..of_nobody("statement_numbers", "the last number of a series", &["series"])
    },
    Table {
        columns: &[
            technical("id"),
            technical("name"),
            technical("role"),
            bytes("digest"),
            moment("created_at"),
            moment("revoked_at"),
        ],
        ..of_nobody("operator_keys", "a key of an operator, of which only a digest is kept", &["id"])
    },
];
