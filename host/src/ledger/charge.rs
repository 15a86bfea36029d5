//! A charge, explained line by line.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Microcredits;

/// One line of a charge: so much of something, and what it cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChargeLine {
    /// What is charged for: `run`, `fuel`, `trap_slack`, `memory`, `logs`, `http_requests`, `http_bytes`,
    /// `model_input`, `model_output`.
    pub item: String,
    /// How much of it.
    pub quantity: u64,
    /// What the quantity counts.
    pub unit: String,
    /// What it cost, rounded up.
    pub amount_microcredits: Microcredits,
}

impl ChargeLine {
    pub(super) fn new(item: &str, quantity: u64, unit: &str, amount: Microcredits) -> Self {
        Self { item: item.to_owned(), quantity, unit: unit.to_owned(), amount_microcredits: amount }
    }
}

/// What a run is charged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Charge {
    /// The lines; their sum is what moves in the ledger.
    pub lines: Vec<ChargeLine>,
}

impl Charge {
    /// The sum of the lines.
    #[must_use]
    pub fn total(&self) -> Microcredits {
        self.lines.iter().map(|line| line.amount_microcredits).sum()
    }
}
