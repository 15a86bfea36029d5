//! `aaasp admin breach`: what happened, whom it concerns, and that they are told in time.

use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::{Client, ListArgs, Rows};
use super::super::json::JsonArgs;
use super::super::{out, readable, table};
use super::Why;
use crate::clock::Micros;

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List breaches, latest first, and the time that is left.
    List(ListArgs),
    /// Note a breach: the clock runs from when it was known.
    Open {
        /// What happened. Name nobody: all whom it concerns read it.
        #[arg(long, value_name = "TEXT")]
        facts: String,
        /// What it may mean for people, and what they should do.
        #[arg(long, value_name = "TEXT")]
        advice: String,
        /// Since when it is known [default: now].
        #[arg(long, value_name = "TIME")]
        aware: Option<jiff::Timestamp>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Say whom it concerns: by account, by table and time, or everybody.
    Scope {
        /// The breach's id.
        id: String,
        /// This account; again for more.
        #[arg(long, value_name = "ID")]
        account: Vec<String>,
        /// All that have rows in this table of the data map; again for more.
        #[arg(long, value_name = "NAME")]
        table: Vec<String>,
        /// All that there were.
        #[arg(long)]
        everybody: bool,
        /// Only what was written from then on.
        #[arg(long, value_name = "TIME")]
        from: Option<jiff::Timestamp>,
        /// Only what was written until then.
        #[arg(long, value_name = "TIME")]
        until: Option<jiff::Timestamp>,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Show what is told, and by --send write to those whom it concerns.
    Notify {
        /// The breach's id.
        id: String,
        /// Write to all whom it concerns and who were not written to before.
        #[arg(long, requires = "reason")]
        send: bool,
        /// Why; it is kept with what was done.
        #[arg(long, value_name = "TEXT", env = "AAASP_REASON")]
        reason: Option<String>,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Write to the authority, or note that it was told in another way.
    Authority {
        /// Its address: what `notify` shows is sent there. Without it, say with --reason how it was told.
        #[arg(long, value_name = "E")]
        to: Option<String>,
        #[command(flatten)]
        step: StepArgs,
    },
    /// Close a breach.
    Close(StepArgs),
}

#[derive(Debug, ClapArgs)]
struct StepArgs {
    /// The breach's id.
    id: String,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Deserialize)]
struct Breach {
    id: String,
    facts: String,
    tables: Vec<String>,
    aware_at: Micros,
    due_at: Micros,
    overdue: bool,
    told_at: Option<Micros>,
    authority_told_at: Option<Micros>,
    ended_at: Option<Micros>,
    concerned: i64,
    told: i64,
}

#[derive(Deserialize)]
struct Draft {
    #[serde(flatten)]
    breach: Breach,
    authority: String,
    letter: Value,
}

pub(super) async fn run(client: &Client, args: Args) -> anyhow::Result<()> {
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(list) => {
            let rows = Rows {
                header: &["id", "known since", "left", "people", "told", "authority", "what happened"],
                right: &[3, 4],
                row: |row: Breach| {
                    let (since, left) = (readable::time(row.aware_at), row.left());
                    let (people, told) = (row.concerned.to_string(), row.told.to_string());
                    let authority = if row.authority_told_at.is_some() { "told" } else { "not told" };
                    vec![row.id, since, left, people, told, authority.to_owned(), row.facts]
                },
                nothing: "there are no breaches",
            };
            client.list(&["admin", "breaches"], &[], list, &rows).await
        }
        Command::Open { facts, advice, aware, why, json } => {
            let mut body = json!({"facts": facts, "advice": advice, "reason": why.reason});
            if let Some(aware) = aware {
                body["aware_at"] = json!(aware.to_string());
            }
            let answer = client.send(Method::POST, &["admin", "breaches"], &body).await?;
            answer.show(json, Breach::print)
        }
        Command::Scope { id, account, table, everybody, from, until, why, json } => {
            let mut body = json!({"accounts": account, "tables": table, "everybody": everybody, "reason": why.reason});
            for (name, at) in [("from", from), ("until", until)] {
                if let Some(at) = at {
                    body[name] = json!(at.to_string());
                }
            }
            let answer = client.send(Method::POST, &["admin", "breaches", &id, "scope"], &body).await?;
            answer.show(json, Breach::print)
        }
        Command::Notify { id, send: true, reason, json } => {
            let body = json!({"reason": reason});
            let answer = client.send(Method::POST, &["admin", "breaches", &id, "notify"], &body).await?;
            answer.show(json, Breach::print)
        }
        Command::Notify { id, json, .. } => {
            client.get(&["admin", "breaches", &id], &[]).await?.show(json, Draft::print)
        }
        Command::Authority { to, step: args } => {
            let mut body = json!({"reason": args.why.reason});
            if let Some(to) = to {
                body["to"] = json!(to);
            }
            step(client, args, ("authority", body)).await
        }
        Command::Close(args) => {
            let body = json!({"reason": args.why.reason});
            step(client, args, ("close", body)).await
        }
    }
}

async fn step(client: &Client, args: StepArgs, (step, body): (&str, Value)) -> anyhow::Result<()> {
    let answer = client.send(Method::POST, &["admin", "breaches", &args.id, step], &body).await?;
    answer.show(args.json, Breach::print)
}

impl Breach {
    /// How long is left to tell whom it concerns, and the authority.
    fn left(&self) -> String {
        if self.ended_at.is_some() {
            return "closed".to_owned();
        }
        if self.told_at.is_some() && self.authority_told_at.is_some() {
            return "all told".to_owned();
        }
        if self.overdue {
            return "OVERDUE".to_owned();
        }
        let left = self.due_at.0 - jiff::Timestamp::now().as_microsecond();
        format!("{} h {} min", left / 3_600_000_000, left / 60_000_000 % 60)
    }

    fn print(&self) {
        let or_not = |at: Option<Micros>| at.map_or_else(|| "not yet".to_owned(), readable::time);
        let tables = if self.tables.is_empty() { "none is named".to_owned() } else { self.tables.join(", ") };
        table::facts(&[
            ("breach", self.id.clone()),
            ("what happened", self.facts.clone()),
            ("known since", readable::time(self.aware_at)),
            ("to be told by", format!("{} ({})", readable::time(self.due_at), self.left())),
            ("tables", tables),
            ("concerns", format!("{} accounts", self.concerned)),
            ("written to", format!("{} of them, {}", self.told, or_not(self.told_at))),
            ("authority told", or_not(self.authority_told_at)),
        ]);
    }
}

impl Draft {
    fn print(&self) {
        self.breach.print();
        out::line(format!("\nTo the authority:\n\n{}", self.authority));
        let said = |name: &str| self.letter[name].as_str().unwrap_or_default().to_owned();
        out::line("To those whom it concerns:\n");
        table::facts(&[
            ("what happened", said("facts")),
            ("what it concerns", said("concerned")),
            ("what to do", said("advice")),
            ("questions to", said("contact")),
        ]);
        out::note(format!("To send it: aaasp admin breach notify {} --send --reason …", self.breach.id));
        out::note(format!(
            "and to the authority: aaasp admin breach authority {} --to ADDRESS --reason …",
            self.breach.id
        ));
    }
}
