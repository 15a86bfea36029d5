//! `aaasp account`: the account, its plan and its limits.

use std::collections::BTreeMap;

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::client::ServerArgs;
use super::json::JsonArgs;
use super::{out, readable, table};
use crate::clock::Micros;
use crate::limits::{AccountLimits, RunLimits};

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  aaasp account
  aaasp account --json")]
pub(super) struct Args {
    #[command(flatten)]
    json: JsonArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// An account, as the API shows it.
#[derive(Deserialize)]
pub(super) struct AccountView {
    pub id: String,
    pub email: String,
    pub plan: String,
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
    let answer = args.server.client()?.get(&["account"], &[]).await?;
    answer.show(args.json, |account: &AccountView| {
        table::facts(&account.facts());
        account.print_limits();
    })
}

impl AccountView {
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        vec![
            ("account", self.id.clone()),
            ("email", self.email.clone()),
            ("plan", self.plan.clone()),
            ("status", self.status.clone()),
            ("since", readable::time(self.created_at)),
        ]
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
