//! `aaasp start`: start a run of a deployment on the server, and show what came of it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use clap::builder::FalseyValueParser;
use reqwest::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::client::{Answer, Client, ServerArgs};
use super::credits::Balance;
use super::json::{self, JsonArgs};
use super::log_lines::LogStyle;
use super::{AlreadySaid, input, logs, out, readable, run_view};
use crate::ids::RunId;
use crate::runs::Run;

/// The longest that the server keeps a request waiting for its run, in seconds.
const LONGEST_REQUEST_S: u64 = 60;

/// How often a run that goes on is asked for after that.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The output goes to standard output, all else to standard error. The status is 0 when the run succeeded, or when the \
wait was over before it had finished. `aaasp run` runs a component on this machine instead.

Examples:
  aaasp start word-count --input '{\"text\": \"a b a\"}'
  aaasp start word-count --input input.json --follow
  aaasp start word-count --input - --wait 0 < input.json")]
pub(super) struct Args {
    /// The deployment.
    deployment: String,
    /// The input: a file, - for standard input, or JSON.
    #[arg(long, value_name = "FILE|-|JSON", env = "AAASP_INPUT")]
    input: String,
    /// How long to wait for the run to finish, in seconds.
    #[arg(long, value_name = "SECONDS", env = "AAASP_WAIT", default_value_t = 60)]
    wait: u64,
    /// Makes the command safe to repeat: the same key and input are the same run.
    #[arg(long, value_name = "K", env = "AAASP_IDEMPOTENCY_KEY")]
    idempotency_key: Option<String>,
    /// Show the log while the run goes on, and wait for its end.
    #[arg(long, short, env = "AAASP_FOLLOW", value_parser = FalseyValueParser::new())]
    follow: bool,
    #[command(flatten)]
    json: JsonArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// The input as it was given, to the last digit and space: the guest meters what it reads.
#[derive(Serialize)]
struct Body {
    input: Box<RawValue>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    let mut known = None;
    let (answer, run) = tokio::select! {
        ended = started(&client, &args, &mut known) => ended?,
        _ = tokio::signal::ctrl_c() => match known {
            Some(id) => bail!("{id} goes on; `aaasp logs -f {id}` follows it, `aaasp runs cancel {id}` ends it"),
            None => bail!("a run that has started goes on; `aaasp runs` shows it, `aaasp runs cancel RUN` ends it"),
        },
    };
    if args.json.json {
        json::print_text(&answer.text);
    } else {
        show(&client, &run).await?;
    }
    if run.is_finished() && !run_view::succeeded(&run) { Err(AlreadySaid.into()) } else { Ok(()) }
}

/// Starts a run and waits for its end, or until the wait is over; `known` is its id as soon as there is one.
async fn started(client: &Client, args: &Args, known: &mut Option<RunId>) -> anyhow::Result<(Answer, Run)> {
    let input = input::json(&args.input)?;
    let until = Instant::now() + Duration::from_secs(args.wait);
    let wait = if args.follow { 0 } else { args.wait.min(LONGEST_REQUEST_S) };
    let mut request = client
        .request(Method::POST, &["deployments", &args.deployment, "runs"])?
        .query(&[("wait", wait)])
        .json(&Body { input });
    if let Some(key) = &args.idempotency_key {
        request = request.header("idempotency-key", key);
    }
    let mut answer = client.answer(request).await?;
    let mut run: Run = answer.read()?;
    *known = Some(run.id);
    if args.follow {
        let style = LogStyle::of(&std::io::stderr());
        logs::follow(client, &run.id.to_string(), &mut |line| {
            out::note(style.text(line));
            Ok(())
        })
        .await?;
        (answer, run) = shown(client, run.id).await?;
    }
    while !run.is_finished() && Instant::now() < until {
        tokio::time::sleep(LOOK.min(until.saturating_duration_since(Instant::now()))).await;
        (answer, run) = shown(client, run.id).await?;
    }
    Ok((answer, run))
}

async fn shown(client: &Client, run: RunId) -> anyhow::Result<(Answer, Run)> {
    let answer = client.get(&["runs", &run.to_string()], &[]).await?;
    let run = answer.read().context("the run can't be shown")?;
    Ok((answer, run))
}

async fn show(client: &Client, run: &Run) -> anyhow::Result<()> {
    if !run.is_finished() {
        out::line(run.id);
        out::note(format!("{} is {}; follow it with `aaasp logs -f {}`", run.id, run.status, run.id));
        return Ok(());
    }
    if let Some(output) = run_view::output(run) {
        json::print_text(output);
    }
    out::note("");
    if let Some(error) = &run.error {
        for line in run_view::error_lines(&run_view::state(run), error) {
            out::note(line);
        }
        out::note("");
    }
    for line in run_view::charge_lines(&run.charges) {
        out::note(line);
    }
    let balance: Balance = client.get(&["credits"], &[]).await?.read()?;
    let took = readable::between(run.started_at, run.finished_at);
    out::note(format!("\n{} {} in {took}", run.id, run_view::state(run)));
    out::note(format!("{} credits are left", balance.available_microcredits));
    Ok(())
}
