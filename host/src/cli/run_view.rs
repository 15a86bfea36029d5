//! A run as a person reads it: how it ended, why, where the guest was, and what each line of the charge is for.

use serde_json::value::RawValue;

use super::readable;
use super::table::Table;
use crate::ledger::{Charge, ExplainedLine, Microcredits};
use crate::runs::{Failure, Run};

pub(super) fn succeeded(run: &Run) -> bool {
    run.outcome.as_deref() == Some("succeeded")
}

/// The output as JSON, when there is one. An output of `null` reads like none, but a run that succeeded has one.
pub(super) fn output(run: &Run) -> Option<&str> {
    succeeded(run).then(|| run.output.as_deref().map_or("null", RawValue::get))
}

/// How the run ended, or how far it is.
pub(super) fn state(run: &Run) -> String {
    run.outcome.as_deref().unwrap_or(&run.status).replace('_', " ")
}

/// Fuel, once it is known.
pub(super) fn fuel(run: &Run) -> String {
    run.fuel.and_then(|fuel| u64::try_from(fuel).ok()).map(readable::number).unwrap_or_default()
}

/// Why a run did not succeed, with the guest's backtrace.
pub(super) fn error_lines(state: &str, error: &Failure) -> Vec<String> {
    let mut title = state.to_owned();
    if let Some(limit) = error.limit.as_deref().filter(|limit| *limit != "fuel") {
        title.push_str(&format!(" ({limit})"));
    }
    let code = error.error.code.replace('_', " ");
    if code != state {
        title.push_str(&format!(" ({code})"));
    }
    let mut lines = vec![format!("{title}: {}", readable::printable(&error.error.message))];
    for frame in &error.error.backtrace {
        let place = match (&frame.file, frame.line) {
            (Some(file), Some(line)) => format!("\n        at {}:{line}", source(file)),
            (Some(file), None) => format!("\n        at {}", source(file)),
            _ => String::new(),
        };
        lines.push(readable::printable(&format!("    in {}{place}", function(&frame.function))).into_owned());
    }
    lines
}

/// A function's name without the types that a generic one was made for, when they are longer than a line.
fn function(name: &str) -> String {
    if name.chars().count() <= 80 {
        return name.to_owned();
    }
    match name.split_once('<') {
        Some((start, _)) if !start.is_empty() => format!("{start}<…>"),
        _ => name.chars().take(79).chain(['…']).collect(),
    }
}

/// A source file without the places that every crate and the standard library are unpacked to.
fn source(file: &str) -> &str {
    if let Some((_, rest)) = file.split_once("/registry/src/") {
        return rest.split_once('/').map_or(rest, |(_, path)| path);
    }
    match file.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/')) {
        Some((_, path)) => path,
        None => file,
    }
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

/// The charge as a table with prices, its sum below.
pub(super) fn explained_lines(lines: &[ExplainedLine]) -> Vec<String> {
    let mut rows: Vec<_> = lines
        .iter()
        .map(|explained| {
            let line = &explained.line;
            let price = match (explained.price_microcredits, &explained.price_for) {
                (Some(price), Some(quantity)) => format!("{price} for 1 {quantity}"),
                _ => String::new(),
            };
            let quantity = format!("{} {}", readable::number(line.quantity), line.unit);
            vec![line.item.replace('_', " "), quantity, price, line.amount_microcredits.to_string()]
        })
        .collect();
    let sum: Microcredits = lines.iter().map(|explained| explained.line.amount_microcredits).sum();
    rows.push(vec!["total".to_owned(), String::new(), String::new(), sum.to_string()]);
    Table::with(&["charge", "quantity", "price", "credits"]).right(&[1, 3]).lines(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{Frame, RunError};

    #[test]
    fn a_backtrace_names_what_its_reader_can_find() {
        let frame = |function: &str, file: &str| Frame {
            function: function.to_owned(),
            file: Some(file.to_owned()),
            line: Some(7),
        };
        let long = format!("deserialize<{}>", "x".repeat(80));
        let backtrace = vec![
            frame(&long, "/home/me/.cargo/registry/src/index-1/serde-1.0/src/de.rs"),
            frame("run", "/rustc/123/library/core/src/ops.rs"),
            frame("agent::run", "src/lib.rs"),
        ];
        let error = RunError { code: "trapped".to_owned(), message: "unreachable".to_owned(), backtrace };
        let expected = "trapped: unreachable\n    in deserialize<…>\n        at serde-1.0/src/de.rs:7\n    in run\n        \
                        at library/core/src/ops.rs:7\n    in agent::run\n        at src/lib.rs:7";
        assert_eq!(error_lines("trapped", &Failure { limit: None, error }).join("\n"), expected);
    }
}
