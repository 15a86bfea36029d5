//! `aaasp logs`: the log of a run, followed while it goes on.

use std::time::Duration;

use anyhow::bail;
use clap::Args as ClapArgs;
use clap::builder::FalseyValueParser;
use eventsource_stream::Eventsource as _;
use futures::StreamExt as _;
use serde::Deserialize;

use super::client::{Client, Problem, ServerArgs};
use super::json::JsonArgs;
use super::log_lines::LogStyle;
use super::out;
use crate::runs::LogLine;

/// The server says that it is there every 15 seconds; a connection that is silent for longer is dead.
const SILENCE: Duration = Duration::from_secs(45);

/// Tries that bring nothing before we give up.
const TRIES: u32 = 8;

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
With --json each line of the log is one line of JSON.

Examples:
  aaasp logs run_01h455vb4pex5vsknk084sn02q
  aaasp logs -f run_01h455vb4pex5vsknk084sn02q")]
pub(super) struct Args {
    /// The run.
    run: String,
    /// Go on until the run has finished; a connection that breaks is resumed.
    #[arg(long, short, env = "AAASP_FOLLOW", value_parser = FalseyValueParser::new())]
    follow: bool,
    #[command(flatten)]
    json: JsonArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<LogLine>,
    next: Option<String>,
}

/// How a followed run ended.
#[derive(Deserialize)]
struct End {
    outcome: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    let style = LogStyle::of(&std::io::stdout());
    let json = args.json.json;
    let mut show = |line: &LogLine| {
        if json {
            out::line(serde_json::to_string(line)?);
        } else {
            out::line(style.text(line));
        }
        anyhow::Ok(())
    };
    if args.follow {
        let outcome = follow(&client, &args.run, &mut show).await?;
        out::note(format!("{} {}", args.run, outcome.replace('_', " ")));
        return Ok(());
    }
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", "200")];
        if let Some(after) = &after {
            query.push(("after", after));
        }
        let page: Page = client.get(&["runs", &args.run, "logs"], &query).await?.read()?;
        page.items.iter().try_for_each(&mut show)?;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Shows the lines of a run as they come, until it has finished; returns its outcome.
pub(super) async fn follow(
    client: &Client,
    run: &str,
    show: &mut impl FnMut(&LogLine) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let mut last: Option<String> = None;
    let (mut failures, mut pause) = (0, Duration::from_millis(250));
    loop {
        let before = last.clone();
        match followed(client, run, &mut last, show).await {
            Ok(Some(outcome)) => return Ok(outcome),
            // The server broke off, as it does when it stops.
            Ok(None) => {}
            // What the server refuses now it refuses later too; the rest may pass.
            Err(error) if error.downcast_ref::<Problem>().is_some_and(|problem| problem.status < 500) => {
                return Err(error);
            }
            Err(error) if failures + 1 == TRIES => return Err(error),
            Err(_) => {}
        }
        if last != before {
            (failures, pause) = (0, Duration::from_millis(250));
        }
        failures += 1;
        if failures == TRIES {
            bail!("the connection breaks again and again; `aaasp logs -f {run}` resumes it");
        }
        if failures == 1 {
            out::note("the connection broke; resuming");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One connection: `last` is the id of the last event that was shown.
async fn followed(
    client: &Client,
    run: &str,
    last: &mut Option<String>,
    show: &mut impl FnMut(&LogLine) -> anyhow::Result<()>,
) -> anyhow::Result<Option<String>> {
    let response = client.events(&["runs", run, "logs"], &[("follow", "true")], last.as_deref()).await?;
    let mut bytes = Box::pin(response.bytes_stream());
    // A comment of the server is no event but a sign of life, so silence is measured below the events.
    let alive = futures::stream::poll_fn(move |cx| bytes.poll_next_unpin(cx));
    let alive = tokio_stream::StreamExt::timeout(alive, SILENCE)
        .map(|chunk| chunk.map_err(std::io::Error::other).and_then(|chunk| chunk.map_err(std::io::Error::other)));
    let mut events = Box::pin(alive.eventsource());
    while let Some(event) = events.next().await {
        let Ok(event) = event else { return Ok(None) };
        match event.event.as_str() {
            "log" => {
                show(&serde_json::from_str(&event.data)?)?;
                *last = Some(event.id);
            }
            "end" => {
                let end: End = serde_json::from_str(&event.data)?;
                return Ok(Some(end.outcome.unwrap_or_default()));
            }
            _ => {}
        }
    }
    Ok(None)
}
