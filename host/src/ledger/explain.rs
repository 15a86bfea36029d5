//! Explains a charge: what each line's price was, and under which version of the prices.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{Charge, ChargeLine, Microcredits, Prices, Terms};

/// One line of a charge with its price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedLine {
    /// The line.
    #[serde(flatten)]
    pub line: ChargeLine,
    /// The price of a round quantity.
    pub price_microcredits: Option<Microcredits>,
    /// That quantity: `million fuel`, `GiB·second`. The amount is rounded up to a microcredit.
    pub price_for: Option<String>,
}

impl Terms {
    /// The lines of a charge under these terms, each with its price.
    #[must_use]
    pub fn explain(&self, charge: Charge) -> Vec<ExplainedLine> {
        let explained = |line: ChargeLine| {
            let (price, quantity) = self.price_of(&line).unzip();
            let price_microcredits = price.map(|price| Microcredits(i64::from(price)));
            ExplainedLine { line, price_microcredits, price_for: quantity.map(str::to_owned) }
        };
        charge.lines.into_iter().map(explained).collect()
    }

    fn price_of(&self, line: &ChargeLine) -> Option<(u32, &'static str)> {
        if let Some(price) = self.prices.of(&line.item) {
            return Some(price);
        }
        let model = self.models.iter().find(|(name, _)| line.unit == format!("tokens of {name}"));
        let (_, price) = model?;
        match line.item.as_str() {
            "model_input" => Some((price.million_input_tokens_microcredits, "million tokens")),
            "model_output" => Some((price.million_output_tokens_microcredits, "million tokens")),
            _ => None,
        }
    }
}

impl Prices {
    /// The price of what a line of a charge is for, and the quantity that it is the price of.
    fn of(&self, item: &str) -> Option<(u32, &'static str)> {
        Some(match item {
            "run" => (self.run_microcredits, "run"),
            "fuel" | "trap_slack" => (self.million_fuel_microcredits, "million fuel"),
            "memory" => (self.gib_second_microcredits, "GiB·second"),
            "logs" => (self.log_mib_microcredits, "MiB"),
            "http_requests" => (self.http_request_microcredits, "request"),
            "http_bytes" => (self.http_mib_microcredits, "MiB"),
            _ => return None,
        })
    }
}

/// Names the prices of stored terms by their content: 16 hexadecimal digits of a SHA-256. Runs that were admitted
/// under the same prices have the same version, whatever their limits.
///
/// # Errors
/// When the text holds no terms.
pub fn price_version(terms: &str) -> Result<String, serde_json::Error> {
    #[derive(Deserialize)]
    struct Priced<'t> {
        #[serde(borrow)]
        prices: &'t RawValue,
        #[serde(borrow)]
        models: Option<&'t RawValue>,
    }
    // The text as it was stored: a price that a later release adds changes no version of the past.
    let priced: Priced<'_> = serde_json::from_str(terms)?;
    let mut hasher = Sha256::new();
    hasher.update(priced.prices.get());
    hasher.update(priced.models.map_or("", RawValue::get));
    Ok(hex::encode(&hasher.finalize()[..8]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ledger::{Metered, ModelPrice, Tokens};
    use crate::limits::RunLimits;
    use crate::names::Name;

    fn terms() -> Terms {
        let model = ModelPrice { million_input_tokens_microcredits: 3, million_output_tokens_microcredits: 4 };
        let models = BTreeMap::from([("fast".parse::<Name>().unwrap(), model)]);
        Terms { prices: Prices::default(), limits: RunLimits::default(), models, fuel_schedule: 1 }
    }

    #[test]
    fn every_line_that_there_can_be_has_a_price() {
        let metered = Metered {
            fuel: 5,
            trap_slack_fuel: 5,
            peak_memory_bytes: 5,
            wall_clock_us: 5,
            log_bytes: 5,
            http_requests: 5,
            http_bytes: 5,
        };
        let used = BTreeMap::from([("fast".parse::<Name>().unwrap(), Tokens { input: 7, output: 8 })]);
        let lines = terms().explain(terms().charge(metered, &used));
        assert_eq!(lines.len(), 9);
        assert!(lines.iter().all(|line| line.price_microcredits.is_some()), "{lines:?}");
        let of_model = &lines[8];
        assert_eq!((of_model.price_microcredits, of_model.line.quantity), (Some(Microcredits(4)), 8));
    }

    #[test]
    fn a_version_is_that_of_the_prices_alone() {
        let version = |terms: &Terms| price_version(&terms.json()).unwrap();
        let mut other = terms();
        other.limits.fuel = 1;
        assert_eq!(version(&other), version(&terms()));
        other.prices.run_microcredits += 1;
        assert_ne!(version(&other), version(&terms()));
        other = terms();
        other.models.clear();
        assert_ne!(version(&other), version(&terms()));
    }
}
