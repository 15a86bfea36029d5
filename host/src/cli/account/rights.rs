//! `aaasp account restrict` and its like: what the owner says about the account's data.

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::super::client::{Client, ListArgs, Rows};
use super::super::json::JsonArgs;
use super::super::{out, readable, table};
use crate::clock::Micros;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Have the account's data kept and not worked with.
    #[command(after_help = "\
No run starts from now on, those that run or wait are cancelled, nothing is bought by itself, and
nothing is deleted because of its age, until you lift it.

Example:
  aaasp account restrict --reason \"I dispute what is kept\"")]
    Restrict {
        /// Why; nobody has to say so.
        #[arg(long, value_name = "TEXT", env = "AAASP_REASON")]
        reason: Option<String>,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Have the account's data worked with again.
    Unrestrict {
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Take the account's use out of what is analysed.
    Object {
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Let the account's use be analysed again.
    Unobject {
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Show what you said yes or no to, or say it.
    #[command(after_help = "\
Examples:
  aaasp account consents
  aaasp account consents --news yes")]
    Consents {
        /// Whether news of the service come to your address.
        #[arg(long, value_enum, value_name = "yes|no")]
        news: Option<YesOrNo>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show what you have said about the account's data.
    Privacy {
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum YesOrNo {
    Yes,
    No,
}

/// Something that was said.
#[derive(Deserialize)]
struct Consent {
    purpose: String,
    given: bool,
    source: String,
    policy: Option<String>,
    at: Micros,
}

/// What the owner of an account says about its data.
#[derive(Deserialize)]
struct Privacy {
    restrictions: Vec<Restriction>,
    hold: Option<Hold>,
    objected_at: Option<Micros>,
    consents: Vec<String>,
}

/// That the law asks to keep what is there.
#[derive(Deserialize)]
struct Hold {
    since: Micros,
    until: Option<Micros>,
}

#[derive(Deserialize)]
struct Restriction {
    by: String,
    since: Micros,
    reason: Option<String>,
}

pub(super) async fn run(client: &Client, command: Command) -> anyhow::Result<()> {
    const RESTRICTION: &[&str] = &["privacy", "restriction"];
    const OBJECTION: &[&str] = &["privacy", "objection"];
    match command {
        Command::Restrict { reason, json } => {
            let answer = client.send(Method::PUT, RESTRICTION, &json!({"reason": reason})).await?;
            answer.show(json, Privacy::print)
        }
        Command::Unrestrict { json } => {
            client.delete(RESTRICTION).await?;
            json.done("lifted", "restriction", "The restriction that you asked for is lifted.")
        }
        Command::Object { json } => client.send(Method::PUT, OBJECTION, &json!({})).await?.show(json, Privacy::print),
        Command::Unobject { json } => {
            client.delete(OBJECTION).await?;
            json.done("withdrawn", "objection", "The account's use may be analysed again.")
        }
        Command::Consents { news, list } => {
            if let Some(news) = news {
                let said = json!({"purpose": "news", "given": matches!(news, YesOrNo::Yes)});
                client.send(Method::PUT, &["privacy", "consents"], &said).await?;
            }
            let rows = Rows {
                header: &["at", "what", "said", "by", "policy"],
                right: &[],
                row: |row: Consent| {
                    let said = if row.given { "yes" } else { "no" }.to_owned();
                    let policy = row.policy.unwrap_or_else(|| "-".to_owned());
                    vec![readable::time(row.at), row.purpose, said, row.source, policy]
                },
                nothing: "you said yes to nothing, so no news come",
            };
            client.list(&["privacy", "consents"], &[], list, &rows).await
        }
        Command::Privacy { json } => client.get(&["privacy"], &[]).await?.show(json, Privacy::print),
    }
}

impl Privacy {
    fn print(&self) {
        let mut facts = Vec::new();
        for Restriction { by, since, reason } in &self.restrictions {
            let because = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            facts.push(("restricted", format!("by the {by} since {}{because}", readable::time(*since))));
        }
        if self.restrictions.is_empty() {
            facts.push(("restricted", "no".to_owned()));
        }
        if let Some(Hold { since, until }) = &self.hold {
            let until = until.map(|until| format!(" until {}", readable::time(until))).unwrap_or_default();
            facts.push(("kept by law", format!("since {}{until}: nothing goes by its age", readable::time(*since))));
        }
        let objected =
            self.objected_at.map_or_else(|| "yes".to_owned(), |at| format!("no, since {}", readable::time(at)));
        facts.push(("analysed", objected));
        facts.push(("consents", if self.consents.is_empty() { "none".to_owned() } else { self.consents.join(", ") }));
        table::facts(&facts);
        if !self.restrictions.is_empty() {
            out::note("No run starts while the account is restricted: aaasp account unrestrict");
        }
    }
}
