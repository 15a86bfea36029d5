//! A period of time that a list is about.

use clap::Args;
use jiff::Timestamp;

use crate::clock::Micros;

/// From when to when.
#[derive(Clone, Debug, Args)]
pub(super) struct PeriodArgs {
    /// Only from this day in UTC, or this moment, on: 2026-01-31, 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", env = "AAASP_FROM", value_parser = moment)]
    from: Option<String>,
    /// Only before this day, or this moment.
    #[arg(long, value_name = "TIME", env = "AAASP_TO", value_parser = moment)]
    to: Option<String>,
}

impl PeriodArgs {
    /// The parameters of a list's query.
    pub(super) fn filter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("from", &self.from), ("to", &self.to)].into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// A day or a moment, as the API takes moments.
fn moment(text: &str) -> Result<String, String> {
    let read = |text: &str| text.parse::<Timestamp>().map(|at| Micros(at.as_microsecond()).rfc3339());
    let is_day = text.len() == "2026-01-31".len();
    let moment = if is_day { read(&format!("{text}T00:00:00Z")) } else { read(text) };
    moment.map_err(|_| "expected a day, 2026-01-31, or a moment, 2026-01-31T12:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_day_is_its_beginning_and_a_moment_is_itself() {
        assert_eq!(moment("2026-01-31").unwrap(), "2026-01-31T00:00:00.000000Z");
        assert_eq!(moment("2026-01-31T12:00:00+01:00").unwrap(), "2026-01-31T11:00:00.000000Z");
        for wrong in ["yesterday", "2026-13-01", "2026-01-31T12:00:00", "12"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
