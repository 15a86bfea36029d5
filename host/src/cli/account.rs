//! `aaasp account`: the account, its plan and its limits.

use std::collections::BTreeMap;

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::client::ServerArgs;
use super::json::{self, JsonArgs};
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
    if args.json.json {
        json::print_text(&answer.text);
        return Ok(());
    }
    let account: AccountView = answer.read()?;
    table::facts(&account.facts());
    account.print_limits();
    Ok(())
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

/// In the order in which the limits are documented, and after them those that only the server knows.
fn rows(known: &[(&str, u64)], values: &BTreeMap<String, u64>) -> Vec<Vec<String>> {
    let position = |name: &str| known.iter().position(|(known, _)| *known == name).unwrap_or(usize::MAX);
    let mut sorted: Vec<_> = values.iter().collect();
    sorted.sort_by_key(|(name, _)| position(name));
    sorted.into_iter().map(|(name, value)| vec![name.clone(), readable::limit(name, *value)]).collect()
}
