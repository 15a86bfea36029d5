//! `aaasp support`: ask the operator, and read the answers. `aaasp admin support` shows the same to operators.

use std::io::Read as _;

use anyhow::Context as _;
use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::client::{ListArgs, Rows, ServerArgs};
use super::json::JsonArgs;
use super::{out, readable, table};
use crate::clock::Micros;

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Each answer comes by a letter, too.

Examples:
  aaasp support new \"a run that is stuck\" --text \"It waits since noon.\"
  aaasp support
  aaasp support show sup_01h455vb4pex5vsknk084sn02q"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask something.
    New {
        /// What it is about.
        subject: String,
        #[command(flatten)]
        text: TextArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// List what you asked, latest first.
    List(ListArgs),
    /// Show what you asked, and the answers.
    Show {
        /// The thread's id.
        id: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Say more about it.
    Say {
        /// The thread's id.
        id: String,
        #[command(flatten)]
        text: TextArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
}

/// What is said.
#[derive(Debug, ClapArgs)]
pub(super) struct TextArgs {
    /// What to say; without it, what standard input says.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

impl TextArgs {
    pub(super) fn said(self) -> anyhow::Result<String> {
        if let Some(text) = self.text {
            return Ok(text);
        }
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("can't read standard input")?;
        Ok(text)
    }
}

#[derive(Deserialize)]
struct Begun {
    id: String,
}

/// A thread.
#[derive(Deserialize)]
pub(super) struct Thread {
    pub id: String,
    pub account: String,
    pub subject: String,
    pub state: String,
    pub changed_at: Micros,
}

/// A thread with all that was said.
#[derive(Deserialize)]
pub(super) struct Whole {
    #[serde(flatten)]
    thread: Thread,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    by: String,
    text: String,
    at: Micros,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::New { subject, text, json } => {
            let question = json!({"subject": subject, "text": text.said()?});
            client.send(Method::POST, &["support"], &question).await?.show(json, |begun: &Begun| {
                out::line(&begun.id);
                out::note("The answer comes by a letter; to read it here: aaasp support show");
            })
        }
        Command::List(list) => {
            let rows = Rows {
                header: &["id", "last", "state", "about"],
                right: &[],
                row: |row: Thread| vec![row.id, readable::time(row.changed_at), row.state, row.subject],
                nothing: "you asked nothing",
            };
            client.list(&["support"], &[], list, &rows).await
        }
        Command::Show { id, json } => client.get(&["support", &id], &[]).await?.show(json, Whole::print),
        Command::Say { id, text, json } => {
            let answer = client.send(Method::POST, &["support", &id], &json!({"text": text.said()?})).await?;
            answer.show(json, |_: &IgnoredAny| out::line("Said."))
        }
    }
}

impl Whole {
    pub(super) fn print(&self) {
        let Thread { id, subject, state, .. } = &self.thread;
        table::facts(&[("thread", id.clone()), ("about", subject.clone()), ("state", state.clone())]);
        for Message { by, text, at } in &self.messages {
            out::line(format!("\n{by}, {}:\n{text}", readable::time(*at)));
        }
    }
}
