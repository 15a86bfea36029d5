//! What accounts bring and make: agents, deployments, credentials.

use super::{
    Category, Column, Form, Inside, Purpose, Table, column, count, json, moment, number, of_account, sealed, secret,
    technical, text, time,
};

const fn flag(name: &'static str) -> Column {
    column(name, Some(Category::Content), Form::Flag)
}

pub(super) const TABLES: &[Table] = &[
    Table {
        purpose: Purpose::Letters,
        columns: &[
            technical("account_id"),
            technical("deployment_id"),
            text("credential", Category::Security),
            time("told_at", Category::Correspondence),
        ],
        ..of_account(
            "first_uses",
            "that the owner was told of a deployment's first use of a credential",
            &["account_id", "deployment_id", "credential"],
        )
    },
    Table {
        purpose: Purpose::Billing,
        columns: &[
            technical("account_id"),
            technical("deployment_id"),
            number("day", Category::Billing),
            number("spent", Category::Billing),
        ],
        ..of_account(
            "spending",
            "what was spent on the last day of a capped account or deployment",
            &["account_id", "deployment_id"],
        )
    },
    Table {
        columns: &[
            technical("account_id"),
            text("deployment_id", Category::Content),
            text("credential", Category::Content),
        ],
        ..of_account("deployment_credentials", "a credential that a deployment names", &["deployment_id", "credential"])
    },
    Table {
        columns: &[
            technical("account_id"),
            text("deployment_id", Category::Content),
            number("revision", Category::Content),
            text("agent_id", Category::Content),
            number("agent_version", Category::Content),
            sealed(
                "sealed_config",
                Category::Content,
                ("deployment_revisions", "deployment_id", "config"),
                Inside::Json,
            ),
            json("limits", Category::Content),
            json("grants", Category::Content),
            flag("log_output"),
            number("daily_spend", Category::Content),
            number("log_days", Category::Content),
            number("content_days", Category::Content),
            time("created_at", Category::Usage),
        ],
        ..of_account(
            "deployment_revisions",
            "what a deployment was at one of its revisions",
            &["deployment_id", "revision"],
        )
    },
    Table {
        columns: &[
            text("id", Category::Content),
            technical("account_id"),
            text("name", Category::Content),
            number("revision", Category::Content),
            time("created_at", Category::Usage),
            time("updated_at", Category::Usage),
            time("deleted_at", Category::Usage),
            technical("logs_until"),
            technical("contents_until"),
        ],
        ..of_account("deployments", "a deployment", &["id"])
    },
    Table {
        columns: &[
            technical("account_id"),
            text("agent_id", Category::Content),
            number("version", Category::Content),
            text("digest", Category::Content),
            text("kind", Category::Content),
            json("manifest", Category::Content),
            number("bytes", Category::Content),
            time("created_at", Category::Usage),
        ],
        ..of_account("agent_versions", "a version of an agent", &["agent_id", "version"])
    },
    Table {
        columns: &[
            text("id", Category::Content),
            technical("account_id"),
            text("name", Category::Content),
            time("created_at", Category::Usage),
            time("deleted_at", Category::Usage),
        ],
        ..of_account("agents", "an agent", &["id"])
    },
    Table {
        columns: &[
            technical("account_id"),
            text("digest", Category::Content),
            count("position"),
            column("chunk", Some(Category::Content), Form::Bytes),
        ],
        ..of_account("component_chunks", "a part of a component", &["account_id", "digest", "position"])
    },
    Table {
        columns: &[
            technical("account_id"),
            text("digest", Category::Content),
            number("bytes", Category::Content),
            count("complete"),
            time("created_at", Category::Usage),
        ],
        ..of_account("components", "a component, which versions of agents are", &["account_id", "digest"])
    },
    Table {
        columns: &[
            technical("account_id"),
            text("credential_id", Category::Content),
            number("version", Category::Content),
            text("kind", Category::Content),
            secret("sealed_secret"),
            moment("created_at"),
        ],
        ..of_account("credential_versions", "a value of a credential", &["credential_id", "version"])
    },
    Table {
        columns: &[
            text("id", Category::Content),
            technical("account_id"),
            text("name", Category::Content),
            number("last_version", Category::Content),
            time("created_at", Category::Usage),
        ],
        ..of_account("credentials", "a credential's name", &["id"])
    },
];
