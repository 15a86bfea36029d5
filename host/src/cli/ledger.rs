//! `aaasp ledger verify`: whether every credit is where it must be.

use clap::{Args as ClapArgs, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::data::{DataArgs, open};
use super::json::{self, JsonArgs};
use super::{AlreadySaid, out, progress, readable, table};
use crate::ledger::verify::{Check, Progress, Report, verify};

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  aaasp ledger verify --data aaasp-data")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify balances, holds, charges and hash chains. The host of the folder must be stopped.
    #[command(after_help = "\
The status is 0 when the ledger is sound and 1 when it is not.

Examples:
  aaasp ledger verify
  aaasp ledger verify --data /srv/aaasp --json")]
    Verify(VerifyArgs),
}

#[derive(Debug, ClapArgs)]
struct VerifyArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let Command::Verify(args) = args.command;
    let report = super::block_on(async {
        let store = open(&args.data).await?;
        let bar = progress::on_stderr(ProgressBar::no_length().with_style(style()?));
        let report = verify(&store.db, &|progress: Progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        })
        .await;
        bar.finish_and_clear();
        store.db.close().await;
        Ok(report?)
    })?;
    if args.json.json {
        json::print(&report)?;
    } else {
        show(&report);
    }
    if report.is_sound() { Ok(()) } else { Err(AlreadySaid.into()) }
}

fn style() -> anyhow::Result<ProgressStyle> {
    Ok(ProgressStyle::with_template("verifying {bar:40} {human_pos} of {human_len}, {eta} left")?)
}

fn show(report: &Report) {
    for check in Check::ALL {
        let broken = report.findings.iter().any(|finding| finding.check == check);
        out::line(format!("{:5}  {}", if broken { "WRONG" } else { "ok" }, check.rule()));
    }
    out::line("");
    table::facts(&[
        ("tenants", readable::number(report.tenants)),
        ("transfers", format!("{}, hash chains: {}", readable::number(report.transfers), report.chains)),
        ("granted", format!("{} credits", report.granted_microcredits)),
        ("bought", format!("{} credits", report.bought_microcredits)),
        ("adjusted", format!("{} credits", report.adjusted_microcredits)),
        ("available", format!("{} credits", report.available_microcredits)),
        ("held", format!("{} credits", report.held_microcredits)),
        ("revenue", format!("{} credits", report.revenue_microcredits)),
        ("owed", format!("{} credits", report.owed_microcredits)),
    ]);
    if !report.findings.is_empty() {
        out::line("");
        let rows = report
            .findings
            .iter()
            .map(|finding| vec![finding.check.rule().to_owned(), finding.subject.clone(), finding.detail.clone()]);
        table::print(&["broken rule", "subject", "what is wrong"], rows);
    }
}
