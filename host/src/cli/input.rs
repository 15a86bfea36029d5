//! Values on the command line: an input, `KEY=VALUE` pairs, limits, amounts of credits.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::value::RawValue;

use crate::ledger::Microcredits;
use crate::limits::RunLimits;

/// The input that `FILE`, `-` (standard input) or JSON stands for, as JSON text.
pub(super) fn json(argument: &str) -> anyhow::Result<Box<RawValue>> {
    if argument == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("can't read the input from standard input")?;
        return parsed(&text).context("standard input is not JSON");
    }
    let path = Path::new(argument);
    if path.is_file() {
        let text = std::fs::read_to_string(path).with_context(|| format!("can't read {argument}"))?;
        return parsed(&text).with_context(|| format!("{argument} is not JSON"));
    }
    match parsed(argument) {
        Ok(value) => Ok(value),
        // What begins like JSON was meant as JSON; anything else rather as a file.
        Err(error) if argument.trim_start().starts_with(['{', '[', '"']) => Err(error).context("the input is not JSON"),
        Err(_) => bail!("there is no file `{argument}`, and it is not JSON either; a string needs quotes: '\"…\"'"),
    }
}

fn parsed(text: &str) -> serde_json::Result<Box<RawValue>> {
    serde_json::from_str::<Box<RawValue>>(text.trim())
}

/// Configuration values: one as `KEY=VALUE`, or any number as a JSON object of strings, which is how an environment
/// variable can hold several whatever they contain.
pub(super) fn config(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| format!("not a JSON object of strings: {error}"));
    }
    let (key, value) = pair(text).map_err(|wrong| format!("{wrong}, or as a JSON object of strings"))?;
    Ok(BTreeMap::from([(key, value)]))
}

/// `KEY=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

/// `NAME=N`, where the name is that of a limit of one run.
pub(super) fn limit(text: &str) -> Result<(String, u64), String> {
    let (name, value) = pair(text).map_err(|_| "write it as NAME=N".to_owned())?;
    let names: Vec<_> = RunLimits::default().entries().into_iter().map(|(name, _)| name).collect();
    if !names.contains(&name.as_str()) {
        return Err(format!("there is no limit `{name}`; there are {}", names.join(", ")));
    }
    let value = value.replace('_', "").parse().map_err(|_| format!("`{value}` is not a whole number"))?;
    Ok((name, value))
}

/// The most that is given at once, in credits: the API's own limit.
const MOST_CREDITS: i64 = 1_000_000_000;

/// An amount of credits, with up to six decimals.
pub(super) fn credits(text: &str) -> Result<Microcredits, String> {
    let wrong = || format!("an amount is at most {MOST_CREDITS} credits with at most six decimals, like 5 or 0.25");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 6 || !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    let whole = whole.parse().ok().filter(|whole| *whole <= MOST_CREDITS).and_then(Microcredits::from_credits);
    let whole = whole.ok_or_else(wrong)?;
    let fraction = format!("{fraction:0<6}").parse().map_err(|_| wrong())?;
    let amount = whole + Microcredits(fraction);
    if amount > Microcredits(MOST_CREDITS * Microcredits::PER_CREDIT) { Err(wrong()) } else { Ok(amount) }
}

/// What may be spent in a day; none is as much as there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct DailySpend(pub Option<Microcredits>);

/// An amount of credits, or `none`.
pub(super) fn daily_spend(text: &str) -> Result<DailySpend, String> {
    if text == "none" { Ok(DailySpend(None)) } else { credits(text).map(|most| DailySpend(Some(most))) }
}

/// How many days something is kept; none is as many as the plan says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Days(pub Option<u32>);

/// A number of days, or `plan`.
pub(super) fn days(text: &str) -> Result<Days, String> {
    if text == "plan" {
        return Ok(Days(None));
    }
    text.parse().map(|days| Days(Some(days))).map_err(|_| "write it as a whole number of days, or `plan`".to_owned())
}

/// An amount of credits, which may be below zero.
pub(super) fn signed_credits(text: &str) -> Result<Microcredits, String> {
    match text.strip_prefix('-') {
        Some(text) => credits(text).map(|amount| Microcredits::ZERO - amount),
        None => credits(text.strip_prefix('+').unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        assert_eq!(credits("5"), Ok(Microcredits(5_000_000)));
        assert_eq!(credits("0.25"), Ok(Microcredits(250_000)));
        assert_eq!(signed_credits("-0.25"), Ok(Microcredits(-250_000)));
        assert_eq!(signed_credits("+5"), Ok(Microcredits(5_000_000)));
        assert!(signed_credits("--5").is_err());
        for wrong in ["", ".5", "-1", "1.0000001", "1e3", "x", "1000000000.000001", "99999999999999999999"] {
            assert!(credits(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_limit_that_there_is_not_is_refused_with_those_that_there_are() {
        assert_eq!(limit("fuel=1_000"), Ok(("fuel".to_owned(), 1_000)));
        assert!(limit("feul=1").unwrap_err().contains("fuel, memory_bytes"));
        assert!(limit("fuel=much").unwrap_err().contains("whole number"));
    }

    #[test]
    fn configuration_is_a_pair_or_an_object_of_strings() {
        let both = config(r#"{"a": "1,b=2", "c": ""}"#).unwrap();
        assert_eq!(both, BTreeMap::from([("a".into(), "1,b=2".into()), ("c".into(), String::new())]));
        assert_eq!(config("a=b=c").unwrap(), BTreeMap::from([("a".into(), "b=c".into())]));
        for wrong in ["a", "=1", r#"{"a": 1}"#, r#"{"a": "1""#] {
            assert!(config(wrong).unwrap_err().contains("JSON object of strings"), "{wrong}");
        }
    }

    #[test]
    fn an_input_is_json_or_a_file() {
        assert_eq!(json("{\"a\": 1}").unwrap().get(), "{\"a\": 1}");
        assert!(json("no-such-file").unwrap_err().to_string().contains("there is no file"));
        assert!(json("{oops").unwrap_err().to_string().contains("not JSON"));
    }
}
