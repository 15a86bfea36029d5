//! A run as a person reads it: how it ended, why, where the guest was, and what each line of the charge is for.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::readable;
use super::table::Table;
use crate::clock::Micros;
use crate::ledger::{Charge, Microcredits};
use crate::runs::Failure;

/// A run, as the API shows it.
#[derive(Debug, Deserialize)]
pub(super) struct RunView {
    pub id: String,
    pub deployment: String,
    pub deployment_revision: i64,
    pub agent: String,
    pub version: i64,
    pub status: String,
    pub outcome: Option<String>,
    pub output: Option<Box<RawValue>>,
    pub error: Option<Failure>,
    pub fuel: Option<u64>,
    pub held_microcredits: Microcredits,
    pub charge_microcredits: Option<Microcredits>,
    pub charges: Charge,
    pub created_at: Micros,
    pub started_at: Option<Micros>,
    pub finished_at: Option<Micros>,
}

impl RunView {
    pub(super) fn is_finished(&self) -> bool {
        self.status == "finished"
    }

    pub(super) fn succeeded(&self) -> bool {
        self.outcome.as_deref() == Some("succeeded")
    }

    /// The outcome, once there is one.
    pub(super) fn state(&self) -> &str {
        self.outcome.as_deref().unwrap_or(&self.status)
    }
}

/// Why a run did not succeed, with the guest's backtrace.
pub(super) fn error_lines(outcome: &str, error: &Failure) -> Vec<String> {
    let mut title = outcome.replace('_', " ");
    if let Some(limit) = &error.limit {
        title.push_str(&format!(" ({limit})"));
    }
    if error.error.code != outcome {
        title.push_str(&format!(" ({})", error.error.code.replace('_', " ")));
    }
    let mut lines = vec![format!("{title}: {}", readable::printable(&error.error.message))];
    for frame in &error.error.backtrace {
        let place = match (&frame.file, frame.line) {
            (Some(file), Some(line)) => format!("\n        at {file}:{line}"),
            (Some(file), None) => format!("\n        at {file}"),
            _ => String::new(),
        };
        lines.push(readable::printable(&format!("    in {}{place}", frame.function)).into_owned());
    }
    lines
}

/// The charge as a table, its sum below.
pub(super) fn charge_lines(charge: &Charge) -> Vec<String> {
    let mut rows: Vec<_> = charge
        .lines
        .iter()
        .map(|line| {
            let quantity = format!("{} {}", readable::number(line.quantity), line.unit);
            vec![line.item.replace('_', " "), quantity, line.amount_microcredits.to_string()]
        })
        .collect();
    rows.push(vec!["total".to_owned(), String::new(), charge.total().to_string()]);
    Table::with(&["charge", "quantity", "credits"]).right(&[1, 2]).lines(rows)
}
