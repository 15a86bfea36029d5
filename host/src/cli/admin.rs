//! `aaasp admin`: what an operator does: make accounts, give and correct credits, suspend.

mod access;
mod audit;
mod breach;
mod erasures;
mod hold;
mod keys;
mod mail;
mod money;
mod news;
mod rights;
mod statistics;
mod support;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::account::AccountView;
use super::client::{Client, DEFAULT_URL, ListArgs, Rows};
use super::json::JsonArgs;
use super::{input, out, readable, table};
use crate::config::{Change, Taken};
use crate::folder::operator_key_path;
use crate::ledger::Microcredits;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The operator's key is that of the data folder, or the value of AAASP_OPERATOR_KEY.

Examples:
  aaasp admin accounts create --email ada@example.com --credits 50 --reason \"a customer\"
  aaasp admin grant acc_01h455vb4pex5vsknk084sn02q --credits 20 --reason \"for the beta\"
  aaasp admin accounts suspend acc_01h455vb4pex5vsknk084sn02q --reason \"a stolen card\"
  aaasp admin mail --state dead
  aaasp admin acts")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    /// The server's address.
    #[arg(long, global = true, value_name = "URL", env = "AAASP_URL", default_value = DEFAULT_URL,
          help_heading = "Server")]
    url: String,
    /// The data folder, whose operator's key is used; AAASP_OPERATOR_KEY needs none.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "AAASP_DATA",
        default_value = "aaasp-data",
        help_heading = "Server"
    )]
    data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List, make, invite, show, restrict, suspend and activate accounts.
    #[command(after_help = "\
Examples:
  aaasp admin accounts
  aaasp admin accounts create --email ada@example.com --credits 50 --reason \"a customer\"")]
    Accounts(AccountsArgs),
    /// List letters, and send one again that was given up.
    #[command(after_help = "\
Examples:
  aaasp admin mail
  aaasp admin mail resend ltr_01h455vb4pex5vsknk084sn02q --reason \"the server is up again\"")]
    Mail(mail::Args),
    /// Have the server read its operator's file again.
    #[command(after_help = "\
Plans, prices, rates and retention hold at once. What else the file sets holds when the server is started again. Each server of a database reads its own file.

Example:
  aaasp admin reload --reason \"cheaper fuel\"")]
    Reload {
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Give credits to an account.
    #[command(after_help = "\
Example:
  aaasp admin grant acc_01h455vb4pex5vsknk084sn02q --credits 20 --reason \"for the beta\"")]
    Grant {
        /// The account's id.
        account: String,
        /// How many credits, with up to six decimals.
        #[arg(long, value_name = "N", env = "AAASP_CREDITS", value_parser = input::credits)]
        credits: Microcredits,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    #[command(flatten)]
    Money(money::Command),
    #[command(flatten)]
    News(news::Command),
    /// Note a breach, say whom it concerns, and tell them in time.
    #[command(after_help = "\
The clock is `operator.breach_hours` of the file; it shows here, beside every other answer to an operator, in the log \
and in the metrics.

Examples:
  aaasp admin breach
  aaasp admin breach open --facts \"A backup was left in the open.\" --advice \"Rotate your keys.\" --reason \"found by Ada\"
  aaasp admin breach scope brc_01h455vb4pex5vsknk084sn02q --table runs --from 2026-03-01T00:00:00Z --reason \"the log\"
  aaasp admin breach notify brc_01h455vb4pex5vsknk084sn02q")]
    Breach(breach::Args),
    /// Have what is there of an account kept, however old it is, as the law asks.
    #[command(after_help = "\
While a hold is on, nothing of the account is deleted because of its age, and its deletion does not begin. Its owner sees
that there is one, and not why.

Examples:
  aaasp admin hold
  aaasp admin hold set acc_01h455vb4pex5vsknk084sn02q --until 2027-03-01T00:00:00Z --reason \"an order of the court\"
  aaasp admin hold lift hld_01h455vb4pex5vsknk084sn02q --reason \"the case is closed\"")]
    Hold(hold::Args),
    /// List the accounts that their owners deleted, and what became of them.
    Erasures(ListArgs),
    /// List and answer what owners ask.
    #[command(after_help = "\
Examples:
  aaasp admin support --state open
  aaasp admin support answer sup_01h455vb4pex5vsknk084sn02q --text \"It goes on.\"")]
    Support(support::Args),
    /// List and answer requests by which people use their rights.
    #[command(after_help = "\
What the API does enters by itself. Each request is to be answered within 30 days, or 90 if you say
why before they are over.

Examples:
  aaasp admin rights --state open
  aaasp admin rights open --kind access --reason \"a letter of 3 March, in the file\"")]
    Rights(rights::Args),
    #[command(flatten)]
    Access(access::Command),
    /// List, make and revoke keys of operators, each for a role.
    #[command(after_help = "\
Examples:
  aaasp admin keys create --name ada --role support --reason \"joined the team\"
  aaasp admin keys revoke opk_01h455vb4pex5vsknk084sn02q --reason \"left the team\"")]
    Keys(keys::Args),
    /// Show how the service was used in a month, which says nothing of any account.
    #[command(after_help = "\
Counts of accounts get noise once, a day after the month is over; those below the minimum are not shown.

Examples:
  aaasp admin statistics
  aaasp admin statistics --month 2026-01 --json")]
    Statistics(statistics::Args),
    /// List what operators and owners did: the server's audit.
    #[command(after_help = "\
`aaasp audit verify` checks that it is whole, by heads that are signed each hour.

Examples:
  aaasp admin audit
  aaasp admin audit --heads --json > heads.json
  aaasp admin audit --account acc_01h455vb4pex5vsknk084sn02q --act create_key")]
    Audit(audit::Args),
}

/// Why something is done.
#[derive(Debug, ClapArgs)]
struct Why {
    /// Why; it is kept with what was done.
    #[arg(long, value_name = "TEXT", env = "AAASP_REASON")]
    reason: String,
}

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
struct AccountsArgs {
    #[command(subcommand)]
    command: Option<AccountsCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum AccountsCommand {
    /// List accounts, latest first.
    List(ListArgs),
    /// Make an account with its first key, which is shown once.
    Create {
        /// The account's email address.
        #[arg(long, value_name = "E", env = "AAASP_EMAIL")]
        email: String,
        /// Credits that it gets, with up to six decimals.
        #[arg(long, value_name = "N", env = "AAASP_CREDITS", default_value = "0", value_parser = input::credits)]
        credits: Microcredits,
        /// Its plan [default: default].
        #[arg(long, value_name = "PLAN", env = "AAASP_PLAN")]
        plan: Option<String>,
        /// Where its data stays [default: the plan's region, or else the host's].
        #[arg(long, value_name = "REGION", env = "AAASP_REGION")]
        region: Option<String>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Invite somebody: a letter with a link that opens an account.
    Invite {
        /// The email address.
        #[arg(long, value_name = "E", env = "AAASP_EMAIL")]
        email: String,
        /// The account's plan [default: accounts.plan of the operator's file].
        #[arg(long, value_name = "PLAN", env = "AAASP_PLAN")]
        plan: Option<String>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Show an account, its balance and its limits.
    Show {
        /// The account's id.
        id: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Suspend an account: it can read, but start and change nothing.
    Suspend {
        /// The account's id.
        id: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Restrict an account: it can read, pay and manage its keys, but have no work done.
    Restrict {
        /// The account's id.
        id: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Make a restricted or suspended account active again.
    Activate {
        /// The account's id.
        id: String,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Deserialize)]
struct Reloaded {
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Opened {
    account: String,
    api_key: String,
}

#[derive(Deserialize)]
struct AdminAccount {
    #[serde(flatten)]
    account: AccountView,
    available_microcredits: Microcredits,
    held_microcredits: Microcredits,
    #[serde(default)]
    debt_microcredits: Microcredits,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = Client::connect(&args.url, operator_key(&args.data)?, "the operator's key")?;
    match args.command {
        Command::Accounts(args) => accounts(&client, args.command.unwrap_or(AccountsCommand::List(args.list))).await,
        Command::Mail(args) => mail::run(&client, args).await,
        Command::Reload { why, json } => {
            let answer = client.send(Method::POST, &["admin", "reload"], &json!({"reason": why.reason})).await?;
            answer.show(json, |reloaded: &Reloaded| {
                if reloaded.changes.is_empty() {
                    return out::line("Nothing has changed.");
                }
                let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
                let rows = reloaded.changes.iter().map(|change| {
                    let taken = if change.taken == Taken::Now { "now" } else { "at restart" };
                    vec![change.key.clone(), or_none(&change.before), or_none(&change.after), taken.to_owned()]
                });
                table::print(&["key", "before", "after", "holds"], rows);
            })
        }
        Command::Money(command) => money::run(&client, command).await,
        Command::News(command) => news::run(&client, command).await,
        Command::Rights(args) => rights::run(&client, args).await,
        Command::Support(args) => support::run(&client, args).await,
        Command::Breach(args) => breach::run(&client, args).await,
        Command::Erasures(list) => erasures::run(&client, list).await,
        Command::Hold(args) => hold::run(&client, args).await,
        Command::Statistics(args) => statistics::run(&client, args).await,
        Command::Audit(args) => audit::run(&client, args).await,
        Command::Access(command) => access::run(&client, command).await,
        Command::Keys(args) => keys::run(&client, args).await,
        Command::Grant { account, credits, why, json } => {
            let path = ["admin", "accounts", &account, "grants"];
            let grant = json!({"amount_microcredits": credits, "reason": why.reason});
            let answer = client.send(Method::POST, &path, &grant).await?;
            answer.show(json, |_: &IgnoredAny| out::line(format!("Gave {credits} credits to {account}.")))
        }
    }
}

/// The operator's key: that of the environment, or else that of a data folder.
pub(super) fn operator_key(data: &Path) -> anyhow::Result<SecretString> {
    if let Some(key) = std::env::var("AAASP_OPERATOR_KEY").ok().filter(|key| !key.is_empty()) {
        return Ok(key.trim().into());
    }
    let path = operator_key_path(data);
    let key = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "can't read the operator's key in {}; name the data folder with --data, or set AAASP_OPERATOR_KEY",
            path.display()
        )
    })?;
    Ok(key.trim().into())
}

async fn accounts(client: &Client, command: AccountsCommand) -> anyhow::Result<()> {
    match command {
        AccountsCommand::List(args) => {
            let rows = Rows {
                header: &["id", "email", "plan", "region", "status", "available", "held", "since"],
                right: &[5, 6],
                row: |found: AdminAccount| {
                    let (available, held) = (found.available_microcredits, found.held_microcredits);
                    let (account, since) = (found.account, readable::time);
                    let since = since(account.created_at);
                    let (available, held) = (available.to_string(), held.to_string());
                    let region = account.region.unwrap_or_else(|| "-".to_owned());
                    vec![account.id, account.email, account.plan, region, account.status, available, held, since]
                },
                nothing: "there are no accounts",
            };
            client.list(&["admin", "accounts"], &[], args, &rows).await
        }
        AccountsCommand::Create { email, credits, plan, region, why, json } => {
            let mut body = json!({"email": email, "grant_microcredits": credits, "reason": why.reason});
            if let Some(plan) = plan {
                body["plan"] = json!(plan);
            }
            if let Some(region) = region {
                body["region"] = json!(region);
            }
            let answer = client.send(Method::POST, &["admin", "accounts"], &body).await?;
            answer.show(json, |opened: &Opened| {
                out::note(format!("Made {} with {credits} credits. Its key is shown only now:", opened.account));
                out::line(&opened.api_key);
            })
        }
        AccountsCommand::Invite { email, plan, why, json } => {
            let mut body = json!({"email": email, "reason": why.reason});
            if let Some(plan) = plan {
                body["plan"] = json!(plan);
            }
            let answer = client.send(Method::POST, &["admin", "invitations"], &body).await?;
            answer.show(json, |_: &IgnoredAny| out::line(format!("Invited {email}; the link works for seven days.")))
        }
        AccountsCommand::Show { id, json } => client.get(&["admin", "accounts", &id], &[]).await?.show(json, show),
        AccountsCommand::Suspend { id, why, json } => change(client, &id, "suspended", why, json).await,
        AccountsCommand::Restrict { id, why, json } => change(client, &id, "restricted", why, json).await,
        AccountsCommand::Activate { id, why, json } => change(client, &id, "active", why, json).await,
    }
}

async fn change(client: &Client, id: &str, status: &str, why: Why, json: JsonArgs) -> anyhow::Result<()> {
    let change = json!({"status": status, "reason": why.reason});
    let answer = client.send(Method::PATCH, &["admin", "accounts", id], &change).await?;
    answer.show(json, |_: &IgnoredAny| out::line(format!("{id} is {status}.")))
}

fn show(found: &AdminAccount) {
    let mut facts = found.account.facts();
    facts.push(("available", format!("{} credits", found.available_microcredits)));
    facts.push(("held", format!("{} credits", found.held_microcredits)));
    facts.push(("owed", format!("{} credits", found.debt_microcredits)));
    table::facts(&facts);
    found.account.print_limits();
}
