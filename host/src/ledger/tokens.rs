//! Tokens of models: what each model asks for them, what a run used, and the most that it may cost.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChargeLine, Microcredits};
use crate::names::Name;

/// Prices are for so many tokens.
const MILLION: u128 = 1_000_000;

/// What a model asks for its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelPrice {
    /// One million tokens of questions.
    pub million_input_tokens_microcredits: u32,
    /// One million tokens of answers.
    pub million_output_tokens_microcredits: u32,
}

/// The models that a run may ask, with their prices.
pub type ModelPrices = BTreeMap<Name, ModelPrice>;

/// Tokens of one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Of questions.
    pub input: u64,
    /// Of answers.
    pub output: u64,
}

impl Tokens {
    /// Both together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
    }
}

/// The lines of a charge for the tokens of a run, two for each model. No more than `limit` tokens are charged: what a
/// provider counts beyond the limit is the host's.
pub(super) fn lines(prices: &ModelPrices, used: &BTreeMap<Name, Tokens>, limit: u64) -> Vec<ChargeLine> {
    let mut left = limit;
    let mut lines = Vec::new();
    for (name, tokens) in used {
        let Some(price) = prices.get(name) else { continue };
        for (item, quantity, price) in [
            ("model_input", tokens.input, price.million_input_tokens_microcredits),
            ("model_output", tokens.output, price.million_output_tokens_microcredits),
        ] {
            let quantity = quantity.min(left);
            left -= quantity;
            if quantity > 0 {
                lines.push(ChargeLine::new(item, quantity, &format!("tokens of {name}"), amount(quantity, price)));
            }
        }
    }
    lines
}

/// The most that [`lines`] can come to: every token at the highest price, and a microcredit for each further line
/// that is rounded up.
pub(super) fn most(prices: &ModelPrices, limit: u64) -> Microcredits {
    let each = |price: &ModelPrice| [price.million_input_tokens_microcredits, price.million_output_tokens_microcredits];
    let highest = prices.values().flat_map(each).max().unwrap_or(0);
    if highest == 0 || limit == 0 {
        return Microcredits(0);
    }
    let further_lines = i64::try_from(prices.len() * 2 - 1).unwrap_or(i64::MAX);
    Microcredits(amount(limit, highest).0.saturating_add(further_lines))
}

fn amount(tokens: u64, price: u32) -> Microcredits {
    let amount = (u128::from(tokens) * u128::from(price)).div_ceil(MILLION);
    Microcredits(i64::try_from(amount).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(input: u32, output: u32) -> ModelPrice {
        ModelPrice { million_input_tokens_microcredits: input, million_output_tokens_microcredits: output }
    }

    fn name(number: usize) -> Name {
        format!("m{number}").parse().unwrap()
    }

    #[test]
    fn each_model_has_a_line_for_questions_and_one_for_answers() {
        let prices = ModelPrices::from([(name(0), price(250_000, 2_000_000))]);
        let used = BTreeMap::from([(name(0), Tokens { input: 1_001, output: 10 })]);
        let lines = lines(&prices, &used, 200_000);
        let said: Vec<_> = lines
            .iter()
            .map(|line| (line.item.as_str(), line.quantity, line.unit.as_str(), line.amount_microcredits.0))
            .collect();
        assert_eq!(said, [("model_input", 1_001, "tokens of m0", 251), ("model_output", 10, "tokens of m0", 20)]);
    }

    #[test]
    fn tokens_beyond_the_limit_are_not_charged() {
        let prices = ModelPrices::from([(name(0), price(1_000_000, 1_000_000))]);
        let used = BTreeMap::from([(name(0), Tokens { input: 90, output: 90 })]);
        let charged: u64 = lines(&prices, &used, 100).iter().map(|line| line.quantity).sum();
        assert_eq!(charged, 100);
    }

    proptest! {
        #[test]
        fn tokens_are_never_charged_more_than_what_was_held(
            models in prop::collection::vec((any::<u32>(), any::<u32>(), 0..1_u64 << 40, 0..1_u64 << 40), 0..5),
            limit in 0..1_u64 << 40,
        ) {
            let prices = models.iter().enumerate().map(|(at, m)| (name(at), price(m.0, m.1))).collect();
            let used = models.iter().enumerate().map(|(at, m)| (name(at), Tokens { input: m.2, output: m.3 })).collect();
            let charged: i64 = lines(&prices, &used, limit).iter().map(|line| line.amount_microcredits.0).sum();
            prop_assert!(charged <= most(&prices, limit).0);
        }
    }
}
