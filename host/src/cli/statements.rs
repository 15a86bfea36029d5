//! `aaasp credits statements`: what moved the balance, month by month.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args as ClapArgs;

use super::client::{Client, ListArgs, Rows};
use super::{out, readable, table};
use crate::statements::Statement;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A month in which anything moved the balance has a statement, an hour after it is over.

Examples:
  aaasp credits statements
  aaasp credits statements 12
  aaasp credits statements 12 --pdf january.pdf")]
pub(super) struct StatementsArgs {
    /// Show the statement of this number.
    #[arg(value_name = "NUMBER")]
    number: Option<u64>,
    /// Write it to this file as a page to print.
    #[arg(long, value_name = "FILE", env = "AAASP_PDF", requires = "number", conflicts_with = "json")]
    pdf: Option<PathBuf>,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) async fn run(client: &Client, args: StatementsArgs) -> anyhow::Result<()> {
    let Some(number) = args.number.map(|number| number.to_string()) else { return list(client, args.list).await };
    let path = ["credits", "statements", &number];
    let Some(file) = args.pdf else { return client.get(&path, &[]).await?.show(args.list.json, show) };
    let page = client.bytes(&path, &[("format", "pdf")]).await?;
    std::fs::write(&file, page).with_context(|| format!("can't write {}", file.display()))?;
    out::note(format!("Wrote {}.", file.display()));
    Ok(())
}

async fn list(client: &Client, args: ListArgs) -> anyhow::Result<()> {
    let rows = Rows {
        header: &["number", "month", "opening", "closing", "runs"],
        right: &[0, 2, 3, 4],
        row: |issued: Statement| {
            let (opening, closing) = (issued.opening_microcredits, issued.closing_microcredits);
            let runs = readable::number(issued.runs.unsigned_abs());
            vec![issued.number.to_string(), issued.month.to_string(), opening.to_string(), closing.to_string(), runs]
        },
        nothing: "there are no statements yet; the first is issued when a month is over",
    };
    client.list(&["credits", "statements"], &[], args, &rows).await
}

fn show(statement: &Statement) {
    table::facts(&[
        ("statement", statement.number.to_string()),
        ("month", statement.month.name()),
        ("issued", readable::time(statement.issued_at)),
        ("runs charged", readable::number(statement.runs.unsigned_abs())),
    ]);
    out::line("");
    let total = |what: &str, amount: String| vec![what.to_owned(), String::new(), String::new(), amount];
    let mut rows = vec![total("opening", statement.opening_microcredits.to_string())];
    rows.extend(statement.movements.iter().map(|movement| {
        let (count, change) = (readable::number(movement.count.unsigned_abs()), movement.balance_change_microcredits);
        let sides = format!("{} to {}", movement.from, movement.to);
        vec![movement.reason.replace('_', " "), sides, count, change.to_string()]
    }));
    if statement.booked_late_microcredits.0 != 0 {
        rows.push(total("booked late", statement.booked_late_microcredits.to_string()));
    }
    rows.push(total("closing", statement.closing_microcredits.to_string()));
    let mut lines = table::Table::with(&["what", "from and to", "count", "credits"]).right(&[2, 3]);
    lines.rows(rows);
    if !statement.deployments.is_empty() {
        out::line("");
        let rows = statement
            .deployments
            .iter()
            .map(|of| vec![of.called(), readable::number(of.runs.unsigned_abs()), of.charged_microcredits.to_string()]);
        let mut lines = table::Table::with(&["deployment", "runs", "credits"]).right(&[1, 2]);
        lines.rows(rows.collect());
    }
}
