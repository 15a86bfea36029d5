//! `aaasp account`: the account, its plan and its limits.

mod export;
mod rights;

use std::collections::BTreeMap;

use anyhow::bail;
use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, ListArgs, Rows, ServerArgs};
use super::input::DailySpend;
use super::json::JsonArgs;
use super::{input, out, readable, table};
use crate::clock::Micros;
use crate::config::RunRetention;
use crate::ledger::Microcredits;
use crate::limits::{AccountLimits, RunLimits};

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  aaasp account
  aaasp account --json
  aaasp account set --email ada@example.org
  aaasp account set --low-balance 5
  aaasp account set --daily-spend 20
  aaasp account export
  aaasp account restrict --reason \"I dispute what is kept\"
  aaasp account accesses
  aaasp account delete"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    json: JsonArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Change the address, the cap on spending, or when you are warned.
    Set {
        /// The new address. Both addresses get a link, and it changes once both were opened.
        #[arg(long, value_name = "E")]
        email: Option<String>,
        /// Be warned when the balance falls below so many credits; 0 is never.
        #[arg(long, value_name = "N", value_parser = input::credits)]
        low_balance: Option<Microcredits>,
        /// Let all runs spend so many credits in a day (UTC); `none` is all that the plan allows.
        #[arg(long, value_name = "N|none", value_parser = input::daily_spend)]
        daily_spend: Option<DailySpend>,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Have a copy of everything that is kept about the account.
    Export(export::Args),
    /// List what operators looked at, and why.
    Accesses(ListArgs),
    /// Delete the account and all that it has.
    #[command(after_help = "\
A link is sent to the account's address. Once it was opened, no more runs start, and everything is
erased when the time to think again is over. Credits that are left are lost.

Example:
  aaasp account delete")]
    Delete {
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Keep an account that is being deleted.
    Keep {
        #[command(flatten)]
        json: JsonArgs,
    },
    #[command(flatten)]
    Rights(rights::Command),
}

/// That an operator opened an access, or looked at something.
#[derive(Deserialize)]
struct Access {
    at: Micros,
    act: String,
    operator: String,
    subject: Option<String>,
    reason: Option<String>,
    contents: Option<bool>,
    until: Option<Micros>,
}

/// What deleting an account begins with.
#[derive(Deserialize)]
struct DeletionAsked {
    closing_days: u32,
    erased_at: Option<Micros>,
    held_back: Option<String>,
}

/// The caller's own account.
#[derive(Deserialize)]
struct OwnAccount {
    #[serde(flatten)]
    account: AccountView,
    low_balance_microcredits: Microcredits,
    daily_spend_microcredits: Option<Microcredits>,
    retention: RunRetention,
    email_change: Option<EmailChange>,
}

#[derive(Deserialize)]
struct EmailChange {
    email: String,
    old_confirmed: bool,
    new_confirmed: bool,
}

/// An account, as the API shows it.
#[derive(Deserialize)]
pub(super) struct AccountView {
    pub id: String,
    pub email: String,
    pub plan: String,
    pub region: Option<String>,
    pub status: String,
    pub created_at: Micros,
    limits: Limits,
}

#[derive(Deserialize)]
struct Limits {
    run: BTreeMap<String, u64>,
    account: BTreeMap<String, u64>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    match args.command {
        Some(Command::Set { email, low_balance, daily_spend, json }) => {
            set(&client, email.as_deref(), low_balance, daily_spend, json).await
        }
        Some(Command::Export(args)) => export::run(&client, args).await,
        Some(Command::Accesses(list)) => accesses(&client, list).await,
        Some(Command::Delete { json }) => client.delete(&["account"]).await?.show(json, |asked: &DeletionAsked| {
            match asked.erased_at {
                Some(at) => out::note(format!("It is being deleted already, and erased on {}.", readable::time(at))),
                None => out::note("A link was sent to the account's address; nothing happens until it is opened."),
            }
            if let Some(why) = &asked.held_back {
                out::note(format!("It is not erased yet: {why}."));
            }
            if asked.closing_days > 0 {
                out::note(format!("To think again, for {} days: aaasp account keep", asked.closing_days));
            }
        }),
        Some(Command::Keep { json }) => {
            client.delete(&["account", "deletion"]).await?;
            json.done("kept", "account", "The account is kept, and everything works as before.")
        }
        Some(Command::Rights(command)) => rights::run(&client, command).await,
        None => client.get(&["account"], &[]).await?.show(args.json, |own: &OwnAccount| {
            table::facts(&own.facts());
            own.account.print_limits();
        }),
    }
}

async fn set(
    client: &Client,
    email: Option<&str>,
    low_balance: Option<Microcredits>,
    daily_spend: Option<DailySpend>,
    json: JsonArgs,
) -> anyhow::Result<()> {
    let mut changes = json!({});
    if let Some(email) = email {
        changes["email"] = json!(email);
    }
    if let Some(threshold) = low_balance {
        changes["low_balance_microcredits"] = json!(threshold);
    }
    if let Some(DailySpend(most)) = daily_spend {
        changes["daily_spend_microcredits"] = json!(most);
    }
    if changes == json!({}) {
        bail!("nothing to set; say --email, --low-balance or --daily-spend");
    }
    client.send(Method::PATCH, &["account"], &changes).await?.show(json, |own: &OwnAccount| {
        table::facts(&own.facts());
        if email.is_some() {
            out::note("Both addresses got a link; the address changes once both were opened (`aaasp confirm`).");
        }
    })
}

impl OwnAccount {
    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = self.account.facts();
        let threshold = self.low_balance_microcredits;
        facts.push((
            "warned",
            match threshold {
                Microcredits::ZERO => "never".to_owned(),
                threshold => format!("below {threshold} credits"),
            },
        ));
        if let Some(most) = self.daily_spend_microcredits {
            facts.push(("may spend", format!("{most} credits a day")));
        }
        let RunRetention { log_days, content_days } = self.retention;
        facts.push(("kept of runs", format!("logs for {log_days} days, inputs and outputs for {content_days}")));
        if let Some(EmailChange { email, old_confirmed, new_confirmed }) = &self.email_change {
            let waits = match (old_confirmed, new_confirmed) {
                (false, false) => "both addresses",
                (true, false) => "the new address",
                _ => "the old address",
            };
            facts.push(("new email", format!("{email}, once confirmed by {waits}")));
        }
        facts
    }
}

impl AccountView {
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let region = self.region.clone().map(|region| ("region", region));
        [("account", self.id.clone()), ("email", self.email.clone()), ("plan", self.plan.clone())]
            .into_iter()
            .chain(region)
            .chain([("status", self.status.clone()), ("since", readable::time(self.created_at))])
            .collect()
    }

    pub(super) fn print_limits(&self) {
        out::line("");
        let run = rows(&RunLimits::default().entries(), &self.limits.run);
        table::print(&["limit of one run", "value"], run);
        out::line("");
        let account = rows(&AccountLimits::default().entries(), &self.limits.account);
        table::print(&["limit of the account", "value"], account);
    }
}

fn rows(known: &[(&'static str, u64)], values: &BTreeMap<String, u64>) -> Vec<Vec<String>> {
    let sorted = readable::in_order(known, values).into_iter();
    sorted.map(|(name, value)| vec![name.to_owned(), readable::limit(name, value)]).collect()
}

async fn accesses(client: &Client, list: ListArgs) -> anyhow::Result<()> {
    let rows = Rows {
        header: &["at", "operator", "what", "contents", "until", "why"],
        right: &[],
        row: |access: Access| {
            let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            let what = match access.subject {
                Some(subject) => format!("looked at {subject}"),
                None => format!("opened an {}", access.act),
            };
            let contents = if access.contents == Some(true) { "yes" } else { "no" }.to_owned();
            let (at, until) = (readable::time(access.at), or_none(access.until.map(readable::time)));
            vec![at, access.operator, what, contents, until, or_none(access.reason)]
        },
        nothing: "no operator looked at anything",
    };
    client.list(&["account", "accesses"], &[], list, &rows).await
}
