//! `aaasp audit`: each use of the account's credentials; `aaasp audit verify`: whether the server's audit is whole.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args as ClapArgs, Subcommand};
use serde::Deserialize;

use super::client::{ListArgs, Rows, ServerArgs};
use super::data::{DataArgs, open};
use super::json::{self, JsonArgs};
use super::{AlreadySaid, out, readable, table};
use crate::audit::Head;
use crate::audit::verify::{Report, verify};
use crate::clock::Micros;
use crate::receipts::SigningKey;

#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  aaasp audit --limit 20
  aaasp audit --credential github
  aaasp audit --run run_01h455vb4pex5vsknk084sn02q --json
  aaasp audit verify --data /srv/aaasp"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only uses of this credential.
    #[arg(long, value_name = "NAME", env = "AAASP_CREDENTIAL")]
    credential: Option<String>,
    /// Only uses by runs of this deployment.
    #[arg(long, value_name = "NAME", env = "AAASP_DEPLOYMENT")]
    deployment: Option<String>,
    /// Only uses by this run.
    #[arg(long, value_name = "RUN", env = "AAASP_RUN")]
    run: Option<String>,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify the audit of a data folder: for operators. Its host must be stopped.
    #[command(after_help = "\
Every entry is hashed again and compared with the chain, the chain with its signed heads, and what is not
erased of contents with its digest. `aaasp admin audit` lists the entries. The status is 0 when the audit
is whole and 1 when it is not.

Examples:
  aaasp audit verify
  aaasp audit verify --data /srv/aaasp --json
  aaasp audit verify --heads heads.json")]
    Verify(VerifyArgs),
}

#[derive(Debug, ClapArgs)]
struct VerifyArgs {
    /// Signed heads that were kept elsewhere, as `aaasp admin audit --heads --json` prints them.
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Deserialize)]
struct Use {
    at: Micros,
    deployment: String,
    run: String,
    credential: String,
    version: u32,
    purpose: Option<String>,
    method: Option<String>,
    host: Option<String>,
    path: Option<String>,
    status: Option<u16>,
    ended_at: Option<Micros>,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Some(Command::Verify(args)) => super::block_on(verified(args)),
        None => super::block_on(uses(args)),
    }
}

async fn verified(args: VerifyArgs) -> anyhow::Result<()> {
    let kept = args.heads.as_deref().map(kept).transpose()?.unwrap_or_default();
    let store = open(&args.data).await?;
    let report = verify(&store.db, &SigningKey::of(&store.keyring).public(), &kept).await;
    store.db.close().await;
    let report = report?;
    if args.json.json {
        json::print(&report)?;
    } else {
        show(&report);
    }
    if report.is_sound() { Ok(()) } else { Err(AlreadySaid.into()) }
}

fn kept(file: &Path) -> anyhow::Result<Vec<Head>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} holds no list of signed heads", file.display()))
}

fn show(report: &Report) {
    match report.findings.first() {
        None => out::line("The audit is whole."),
        Some(first) => {
            let head = first.head.map(|head| format!("; the signed head at {head} contradicts it")).unwrap_or_default();
            out::line(format!("The audit is not whole, from position {} on: {}{head}.", first.position, first.detail));
        }
    }
    out::line("");
    table::facts(&[
        ("entries", readable::number(report.entries)),
        ("contents", format!("{}, erased: {}", readable::number(report.contents), readable::number(report.erased))),
        ("signed heads", readable::number(report.heads)),
    ]);
    if !report.findings.is_empty() {
        out::line("");
        let head = |head: Option<i64>| head.map_or_else(|| "-".to_owned(), |head| head.to_string());
        let rows = report
            .findings
            .iter()
            .map(|found| vec![found.position.to_string(), head(found.head), found.detail.clone()]);
        table::print(&["position", "head", "what is wrong"], rows);
    }
}

async fn uses(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    let filter: Vec<(&str, &str)> =
        [("credential", &args.credential), ("deployment", &args.deployment), ("run", &args.run)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect();
    let rows = Rows {
        header: &["at", "credential", "version", "for", "status", "deployment", "run"],
        right: &[2],
        row: |used: Use| {
            let (what, status) = (what(&used), status(&used));
            let version = used.version.to_string();
            vec![readable::time(used.at), used.credential, version, what, status, used.deployment, used.run]
        },
        nothing: "no credential was used",
    };
    client.list(&["audit"], &filter, args.list, &rows).await
}

fn what(used: &Use) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    match &used.host {
        // A guest chose the path, and may not move the cursor of whoever reads it.
        Some(host) => readable::printable(&format!("{} {host}{}", text(&used.method), text(&used.path))).into_owned(),
        None => text(&used.purpose),
    }
}

fn status(used: &Use) -> String {
    match (used.status, used.ended_at, used.purpose.as_deref()) {
        (Some(status), ..) => status.to_string(),
        (None, None, _) => "unknown".to_owned(),
        (None, Some(_), Some("signature")) => "signed".to_owned(),
        (None, Some(_), _) => "no answer".to_owned(),
    }
}
