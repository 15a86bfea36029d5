//! Amounts of money: integers of a currency's smallest unit, and how they are written.

use std::fmt;

/// Currencies whose smallest unit is the currency itself, and those that have a thousand (ISO 4217).
const WHOLE: [&str; 16] =
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// Decimals of a currency.
fn decimals(currency: &str) -> usize {
    if WHOLE.contains(&currency) {
        0
    } else if THOUSANDTHS.contains(&currency) {
        3
    } else {
        2
    }
}

/// Whether a text is a currency's code: three capital letters.
#[must_use]
pub fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// An amount of a currency, written as people do: `12.00 EUR`.
pub struct Money<'a> {
    /// In the currency's smallest unit; never negative.
    pub amount: i64,
    /// The currency's code.
    pub currency: &'a str,
}

impl fmt::Display for Money<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = decimals(self.currency);
        let digits = format!("{:0>width$}", self.amount, width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let point = if decimals == 0 { "" } else { "." };
        write!(f, "{whole}{point}{fraction} {}", self.currency)
    }
}

/// What people write, in the smallest unit; none when it is no amount of the currency.
#[must_use]
pub fn parsed(text: &str, currency: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let decimals = decimals(currency);
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > decimals {
        return None;
    }
    format!("{whole}{fraction:0<decimals$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_survives_its_text() {
        for (amount, currency, text) in
            [(1200, "EUR", "12.00"), (5, "USD", "0.05"), (12, "JPY", "12"), (1500, "KWD", "1.500"), (0, "EUR", "0.00")]
        {
            assert_eq!(Money { amount, currency }.to_string(), format!("{text} {currency}"));
            assert_eq!(parsed(text, currency), Some(amount));
        }
        assert_eq!(parsed("12", "EUR"), Some(1200));
        assert_eq!(parsed("12.5", "EUR"), Some(1250));
        for wrong in ["", ".5", "-1", "1.001", "1e3", "99999999999999999999"] {
            assert_eq!(parsed(wrong, "EUR"), None, "{wrong}");
        }
    }
}
