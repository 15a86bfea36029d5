//! `aaasp runs`: list, show and cancel runs.

use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::client::{Client, ListArgs, Rows, ServerArgs};
use super::json::{self, JsonArgs};
use super::{out, readable, run_view, table};
use crate::ledger::Microcredits;
use crate::runs::{Run, RunCharges};

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  aaasp runs --limit 20
  aaasp runs --deployment word-count --outcome trapped
  aaasp runs show run_01h455vb4pex5vsknk084sn02q

`aaasp start` starts a run, `aaasp logs` shows its log."
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: RunsArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List runs, latest first.
    List(RunsArgs),
    /// Show a run with its output and each line of its charge.
    Show {
        /// The run.
        id: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Explain what a run cost, with the prices that it was admitted under.
    #[command(after_help = "\
Example:
  aaasp runs charges run_01h455vb4pex5vsknk084sn02q")]
    Charges {
        /// The run.
        id: String,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// Cancel a run. What it burned is charged; a finished run stays as it is.
    Cancel {
        /// The run.
        id: String,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Debug, ClapArgs)]
struct RunsArgs {
    /// Runs of this deployment only.
    #[arg(long, value_name = "NAME", env = "AAASP_DEPLOYMENT")]
    deployment: Option<String>,
    /// Runs of this status only: queued, running or finished.
    #[arg(long, value_name = "STATUS", env = "AAASP_STATUS", value_parser = ["queued", "running", "finished"],
          hide_possible_values = true)]
    status: Option<String>,
    /// Runs that ended so only: succeeded, failed, trapped, out_of_fuel …
    #[arg(long, value_name = "OUTCOME", env = "AAASP_OUTCOME", hide_possible_values = true,
          value_parser = ["succeeded", "failed", "trapped", "out_of_fuel", "out_of_memory", "timed_out",
                          "limit_exceeded", "cancelled", "lost"])]
    outcome: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    match args.command.unwrap_or(Command::List(args.list)) {
        Command::List(args) => list(&client, &args).await,
        Command::Show { id, json } => client.get(&["runs", &id], &[]).await?.show(json, show),
        Command::Charges { id, json } => client.get(&["runs", &id, "charges"], &[]).await?.show(json, charges),
        Command::Cancel { id, json } => {
            let answer = client.send(Method::POST, &["runs", &id, "cancel"], &json!({})).await?;
            answer.show(json, |run: &Run| {
                let state = if run.is_finished() { run_view::state(run) } else { "is being cancelled".to_owned() };
                out::line(format!("{id} {state}"));
            })
        }
    }
}

async fn list(client: &Client, args: &RunsArgs) -> anyhow::Result<()> {
    let given = [("deployment", &args.deployment), ("status", &args.status), ("outcome", &args.outcome)];
    let filter: Vec<_> =
        given.iter().filter_map(|(name, value)| value.as_deref().map(|value| (*name, value))).collect();
    let rows = Rows {
        header: &["id", "deployment", "state", "created", "took", "fuel", "credits"],
        right: &[4, 5, 6],
        row: |run: Run| {
            let (state, fuel) = (run_view::state(&run), run_view::fuel(&run));
            let took = readable::between(run.started_at, run.finished_at);
            let charge = run.charge_microcredits.map(|charge| charge.to_string()).unwrap_or_default();
            vec![run.id.to_string(), run.deployment, state, readable::time(run.created_at), took, fuel, charge]
        },
        nothing: "there are no such runs; `aaasp start` starts one",
    };
    client.list(&["runs"], &filter, args.list, &rows).await
}

fn charges(explained: &RunCharges) {
    let charge = |amount: Option<Microcredits>| amount.map(|amount| format!("{amount} credits")).unwrap_or_default();
    table::facts(&[
        ("run", explained.run.to_string()),
        ("prices", format!("version {}", explained.price_version)),
        ("fuel schedule", explained.fuel_schedule.to_string()),
        ("held", charge(Some(explained.held_microcredits))),
        ("charged", charge(explained.charge_microcredits)),
        ("released", charge(explained.released_microcredits)),
    ]);
    if explained.lines.is_empty() {
        return;
    }
    out::line("");
    for line in run_view::explained_lines(&explained.lines) {
        out::line(line);
    }
}

fn show(run: &Run) {
    let hold = if run.is_finished() { ", released" } else { "" };
    table::facts(&[
        ("run", run.id.to_string()),
        ("deployment", format!("{} revision {}", run.deployment, run.deployment_revision)),
        ("agent", format!("{} version {}", run.agent, run.version)),
        ("state", run_view::state(run)),
        ("created", readable::time(run.created_at)),
        ("waited", readable::between(Some(run.created_at), run.started_at)),
        ("took", readable::between(run.started_at, run.finished_at)),
        ("fuel", run_view::fuel(run)),
        ("hold", format!("{} credits{hold}", run.held_microcredits)),
    ]);
    if let Some(error) = &run.error {
        out::line("");
        for line in run_view::error_lines(&run_view::state(run), error) {
            out::line(line);
        }
    }
    if run.is_finished() {
        out::line("");
        for line in run_view::charge_lines(&run.charges) {
            out::line(line);
        }
    }
    if let Some(output) = run_view::output(run) {
        out::line("\noutput");
        json::print_text(output);
    }
}
