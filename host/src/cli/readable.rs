//! Quantities as people read them: sizes, durations, times, fuel.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::clock::Micros;

/// `1.4 MiB`.
pub(super) fn bytes(count: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut size = count;
    for unit in units {
        // Kept in tenths, so that no size needs a float.
        let tenths = (u128::from(size) * 10).div_ceil(1024);
        if tenths < 10_240 || unit == "TiB" {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        size /= 1024;
    }
    format!("{count} B")
}

/// `350 µs`, `12.3 ms`, `4.56 s`, `2 m 3 s`.
pub(super) fn duration_us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        1_000_000..60_000_000 => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
        60_000_000..3_600_000_000 => format!("{} m {} s", us / 60_000_000, us / 1_000_000 % 60),
        _ => format!("{} h {} m", us / 3_600_000_000, us / 60_000_000 % 60),
    }
}

/// From one moment to another; nothing when either is missing.
pub(super) fn between(start: Option<Micros>, end: Option<Micros>) -> String {
    match (start, end) {
        (Some(start), Some(end)) => duration_us(u64::try_from(end.0 - start.0).unwrap_or_default()),
        _ => String::new(),
    }
}

/// `2026-01-31 12:00:00Z`.
pub(super) fn time(at: Micros) -> String {
    let text = at.rfc3339();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{}Z", seconds.replace('T', " ")),
        None => text,
    }
}

/// The time of day, to the millisecond: `12:00:00.123`.
pub(super) fn time_of_day(at: Micros) -> String {
    at.rfc3339().get(11..23).unwrap_or_default().to_owned()
}

/// `12 345 678`.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for (position, digit) in digits[first..].chars().enumerate() {
        if position % 3 == 0 && !text.is_empty() {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The text without what a terminal would act on: a guest may not move the cursor of whoever reads its log.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let acts = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if acts(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// The value of a limit, in the unit that its name ends in.
pub(super) fn limit(name: &str, value: u64) -> String {
    if name.ends_with("_bytes") {
        bytes(value)
    } else if name.ends_with("_ms") {
        duration_us(value.saturating_mul(1_000))
    } else {
        number(value)
    }
}

/// Limits in the order in which they are documented, and after them those that only the server knows.
pub(super) fn in_order<'a>(known: &[(&'static str, u64)], values: &'a BTreeMap<String, u64>) -> Vec<(&'a str, u64)> {
    let position = |name: &str| known.iter().position(|(known, _)| *known == name).unwrap_or(usize::MAX);
    let mut sorted: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    sorted.sort_by_key(|(name, _)| position(name));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!([bytes(0), bytes(1023), bytes(1024), bytes(1 << 20)], ["0 B", "1023 B", "1.0 KiB", "1.0 MiB"]);
        assert_eq!([bytes(1_600_000), bytes(128 << 20), bytes(3 << 30)], ["1.6 MiB", "128.0 MiB", "3.0 GiB"]);
        assert_eq!([number(0), number(999), number(1_000), number(12_345_678)], ["0", "999", "1 000", "12 345 678"]);
        let spans = [12, 12_345, 4_567_000, 123_000_000, 7_260_000_000].map(duration_us);
        assert_eq!(spans, ["12 µs", "12.3 ms", "4.56 s", "2 m 3 s", "2 h 1 m"]);
        let at = Micros(1_767_225_600_123_000);
        assert_eq!(time(at), "2026-01-01 00:00:00Z");
        assert_eq!(time_of_day(at), "00:00:00.123");
        assert_eq!(printable("a\tb\u{1b}[2J"), "a\tb\\u{1b}[2J");
    }
}
