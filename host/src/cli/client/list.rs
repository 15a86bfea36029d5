//! Lists, read a page at a time: each page is shown before the next one is asked for.

use clap::Args;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Client;
use crate::cli::json::{self, JsonArgs};
use crate::cli::out;
use crate::cli::table::Table;

/// The most that the API gives at once.
const PAGE: u64 = 200;

/// How much of a list, and for whom.
#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Stop after so many [default: all].
    #[arg(long, value_name = "N", env = "AAASP_LIMIT")]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// How a list is shown to a person.
pub(in crate::cli) struct Rows<'a, T> {
    pub header: &'a [&'a str],
    /// Columns of numbers.
    pub right: &'a [usize],
    pub row: fn(T) -> Vec<String>,
    /// What is said when there is nothing.
    pub nothing: &'a str,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
}

impl Client {
    /// Shows the list at a path: a table for a person, one array for a program.
    pub(in crate::cli) async fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        filter: &[(&str, &str)],
        args: ListArgs,
        rows: &Rows<'_, T>,
    ) -> anyhow::Result<()> {
        let mut table = Table::with(rows.header).right(rows.right);
        let mut left = args.limit.unwrap_or(u64::MAX);
        let mut shown = 0_u64;
        let mut after: Option<String> = None;
        while left > 0 {
            let limit = left.min(PAGE).to_string();
            let mut query = filter.to_vec();
            query.push(("limit", &limit));
            if let Some(after) = &after {
                query.push(("after", after));
            }
            let page: Page = self.get(path, &query).await?.read()?;
            if args.json.json {
                for item in &page.items {
                    let opening = if shown == 0 { "[\n  " } else { ",\n  " };
                    out::part(format_args!("{opening}{}", json::indented(item.get(), 1)));
                    shown += 1;
                }
            } else if !page.items.is_empty() {
                let items = page.items.iter().map(|item| serde_json::from_str(item.get()).map(rows.row));
                table.rows(items.collect::<Result<_, _>>()?);
                shown += page.items.len() as u64;
            }
            left -= left.min(page.items.len() as u64);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        match (args.json.json, shown) {
            (true, 0) => out::line("[]"),
            (true, _) => out::line("\n]"),
            (false, 0) => out::note(rows.nothing),
            (false, _) if after.is_some() => out::note("… there are more; raise --limit to see them"),
            (false, _) => {}
        }
        Ok(())
    }
}
