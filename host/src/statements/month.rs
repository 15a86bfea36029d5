//! A month of the calendar, in UTC.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Micros;

/// A month: `2026-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month {
    year: i16,
    month: u8,
}

const NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Month {
    /// The month of a moment.
    #[must_use]
    pub fn of(at: Micros) -> Self {
        at.rfc3339().get(..7).and_then(|text| text.parse().ok()).unwrap_or(Self { year: 1970, month: 1 })
    }

    /// The month after it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }

    /// The month before it.
    #[must_use]
    pub const fn previous(self) -> Self {
        match self.month {
            1 => Self { year: self.year - 1, month: 12 },
            month => Self { year: self.year, month: month - 1 },
        }
    }

    /// Its first moment, which is that after the last one of the month before.
    #[must_use]
    pub fn begins(self) -> Micros {
        let first = format!("{self}-01T00:00:00Z").parse::<Timestamp>();
        Micros(first.map_or(i64::MAX, Timestamp::as_microsecond))
    }

    /// `January 2026`.
    #[must_use]
    pub fn name(self) -> String {
        format!("{} {}", NAMES[usize::from(self.month) - 1], self.year)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('-').and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)));
        let month = parts.map(|(year, month)| Self { year, month }).filter(|read| (1..=12).contains(&read.month));
        month.ok_or_else(|| format!("`{text}` is not a month like 2026-01"))
    }
}

impl TryFrom<String> for Month {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_at_its_first_midnight_in_utc() {
        let at = |text: &str| Micros(text.parse::<Timestamp>().unwrap().as_microsecond());
        let november = Month::of(at("2026-11-26T12:00:00Z"));
        assert_eq!((november.to_string().as_str(), november.begins()), ("2026-11", at("2026-11-01T00:00:00Z")));
        assert_eq!(Month::of(at("2026-11-01T00:00:00Z")).begins(), november.begins());
        assert_eq!(Month::of(at("2026-10-31T23:59:59.999999Z")).to_string(), "2026-10");
    }

    #[test]
    fn a_month_begins_where_the_one_before_it_ends() {
        let at = |text: &str| Micros(text.parse::<Timestamp>().unwrap().as_microsecond());
        let december = Month::of(at("2025-12-31T23:59:59.999999Z"));
        assert_eq!((december.to_string().as_str(), december.name().as_str()), ("2025-12", "December 2025"));
        let january = Month::of(at("2026-01-01T00:00:00Z"));
        assert_eq!(december.next(), january);
        assert_eq!(january.begins(), at("2026-01-01T00:00:00Z"));
        assert_eq!("2026-01".parse(), Ok(january));
        assert!("2026-13".parse::<Month>().is_err());
    }
}
