//! The price list: how metered work becomes credits, and the most that a run may cost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::tokens::{self, ModelPrices, Tokens};
use super::{Charge, ChargeLine, Microcredits};
use crate::limits::RunLimits;
use crate::names::Name;

const GIB: u128 = 1 << 30;
const MIB: u128 = 1 << 20;
const MICROS_PER_SECOND: u128 = 1_000_000;

/// What the operator asks for. Each price is an integer of microcredits for a round quantity, and each line
/// of a charge is rounded up on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// One run, whatever it does.
    pub run_microcredits: u32,
    /// One million fuel.
    pub million_fuel_microcredits: u32,
    /// One GiB of peak linear memory for one second.
    pub gib_second_microcredits: u32,
    /// One MiB of log messages.
    pub log_mib_microcredits: u32,
    /// One outgoing request that left the host.
    pub http_request_microcredits: u32,
    /// One MiB of outgoing requests and their answers.
    pub http_mib_microcredits: u32,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            run_microcredits: 10,
            million_fuel_microcredits: 1_000,
            gib_second_microcredits: 1_000,
            log_mib_microcredits: 1_000,
            http_request_microcredits: 10,
            http_mib_microcredits: 1_000,
        }
    }
}

/// What a run used, in the quantities that have a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// Fuel that was burned, host calls included.
    pub fuel: u64,
    /// Fuel that a trap may have hidden, charged as its own line.
    pub trap_slack_fuel: u64,
    /// Peak of the linear memory, in bytes.
    pub peak_memory_bytes: u64,
    /// Wall-clock time, in microseconds.
    pub wall_clock_us: u64,
    /// Bytes of log messages.
    pub log_bytes: u64,
    /// Outgoing requests that left the host.
    pub http_requests: u64,
    /// Bytes of outgoing requests and their answers.
    pub http_bytes: u64,
}

impl Metered {
    /// The most that the limits let a run use.
    #[must_use]
    pub fn most(limits: &RunLimits) -> Self {
        Self {
            fuel: limits.fuel,
            trap_slack_fuel: 0,
            peak_memory_bytes: limits.memory_bytes,
            wall_clock_us: limits.wall_clock_ms.saturating_mul(1_000),
            log_bytes: limits.log_bytes,
            http_requests: limits.http_requests,
            http_bytes: limits.http_request_bytes.saturating_add(limits.http_response_bytes),
        }
    }

    /// What was used, but no more than the limits allowed: time passes between reaching a limit and its
    /// effect, and that time is the host's.
    #[must_use]
    pub fn within(self, limits: &RunLimits) -> Self {
        let most = Self::most(limits);
        let fuel = self.fuel.min(most.fuel);
        Self {
            fuel,
            trap_slack_fuel: self.trap_slack_fuel.min(most.fuel - fuel),
            peak_memory_bytes: self.peak_memory_bytes.min(most.peak_memory_bytes),
            wall_clock_us: self.wall_clock_us.min(most.wall_clock_us),
            log_bytes: self.log_bytes.min(most.log_bytes),
            http_requests: self.http_requests.min(most.http_requests),
            http_bytes: self.http_bytes.min(most.http_bytes),
        }
    }
}

impl Prices {
    /// The charge for metered work, line by line.
    #[must_use]
    pub fn charge(&self, metered: &Metered) -> Charge {
        let fuel = per(metered.fuel, self.million_fuel_microcredits, 1_000_000);
        let fuel_and_slack =
            per(metered.fuel.saturating_add(metered.trap_slack_fuel), self.million_fuel_microcredits, 1_000_000);
        let byte_micros = u128::from(metered.peak_memory_bytes) * u128::from(metered.wall_clock_us);
        let memory = rounded_up(byte_micros, self.gib_second_microcredits, GIB * MICROS_PER_SECOND);
        let logs = rounded_up(u128::from(metered.log_bytes), self.log_mib_microcredits, MIB);
        let mut lines = vec![
            ChargeLine::new("run", 1, "run", Microcredits(i64::from(self.run_microcredits))),
            ChargeLine::new("fuel", metered.fuel, "fuel", fuel),
        ];
        if metered.trap_slack_fuel > 0 {
            lines.push(ChargeLine::new("trap_slack", metered.trap_slack_fuel, "fuel", fuel_and_slack - fuel));
        }
        let kib_ms = u64::try_from(byte_micros / (1024 * 1_000)).unwrap_or(u64::MAX);
        lines.push(ChargeLine::new("memory", kib_ms, "KiB·ms", memory));
        lines.push(ChargeLine::new("logs", metered.log_bytes, "bytes", logs));
        if metered.http_requests > 0 {
            let amount = per(metered.http_requests, self.http_request_microcredits, 1);
            lines.push(ChargeLine::new("http_requests", metered.http_requests, "requests", amount));
        }
        if metered.http_bytes > 0 {
            let amount = per(metered.http_bytes, self.http_mib_microcredits, MIB);
            lines.push(ChargeLine::new("http_bytes", metered.http_bytes, "bytes", amount));
        }
        Charge { lines }
    }

    /// The most that a run under these limits can be charged: what is held before it starts.
    #[must_use]
    pub fn most(&self, limits: &RunLimits) -> Microcredits {
        self.charge(&Metered::most(limits)).total()
    }
}

/// The terms that a run was admitted under: kept with it, so that a later price list changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The price list.
    pub prices: Prices,
    /// The effective limits.
    pub limits: RunLimits,
    /// The models that the deployment grants, with their prices.
    #[serde(default, skip_serializing_if = "ModelPrices::is_empty")]
    pub models: ModelPrices,
    /// The release's fuel schedule.
    pub fuel_schedule: u32,
}

impl Terms {
    /// The charge for what a run used, as far as the limits allowed it.
    #[must_use]
    pub fn charge(&self, metered: Metered, models: &BTreeMap<Name, Tokens>) -> Charge {
        let mut charge = self.prices.charge(&metered.within(&self.limits));
        charge.lines.extend(tokens::lines(&self.models, models, self.limits.model_tokens));
        charge
    }

    /// The most that a run can be charged: what is held before it starts.
    #[must_use]
    pub fn most(&self) -> Microcredits {
        self.prices.most(&self.limits) + tokens::most(&self.models, self.limits.model_tokens)
    }

    /// Names the terms by their content, so that equal terms are stored once.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(&Sha256::digest(self.json().as_bytes())[..16])
    }

    /// The canonical text: fields in the order of their declaration.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn per(quantity: u64, price: u32, unit: u128) -> Microcredits {
    rounded_up(u128::from(quantity), price, unit)
}

fn rounded_up(quantity: u128, price: u32, unit: u128) -> Microcredits {
    let amount = quantity.saturating_mul(u128::from(price)).div_ceil(unit);
    Microcredits(i64::try_from(amount).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_and_their_bytes_are_lines_of_their_own() {
        let metered = Metered { http_requests: 2, http_bytes: (1 << 20) + 1, ..Metered::default() };
        let charge = Prices::default().charge(&metered);
        let amount = |item| charge.lines.iter().find(|line| line.item == item).map(|line| line.amount_microcredits.0);
        assert_eq!((amount("http_requests"), amount("http_bytes")), (Some(20), Some(1_001)));
        let without = Prices::default().charge(&Metered::default());
        assert!(without.lines.iter().all(|line| !line.item.starts_with("http")));
    }

    #[test]
    fn the_default_list_asks_ten_a_run_and_one_for_a_thousand_fuel() {
        let charge = Prices::default().charge(&Metered { fuel: 2_001, ..Metered::default() });
        assert_eq!(charge.total(), Microcredits(10 + 3));
    }

    proptest! {
        #[test]
        fn a_charge_is_never_more_than_what_was_held(
            fuel in 0..10_000_000_u64, slack in 0..200_000_u64, memory in 0..1_u64 << 36,
            wall in 0..100_000_000_u64, logs in 0..1_u64 << 30,
            fuel_limit in 0..10_000_000_u64, memory_limit in 0..1_u64 << 36, wall_limit in 0..100_000_u64,
            log_limit in 0..1_u64 << 30, prices in any::<[u32; 6]>(),
            requests in 0..200_u64, sent in 0..1_u64 << 30, received in 0..1_u64 << 30,
            request_limit in 0..100_u64, sent_limit in 0..1_u64 << 30, received_limit in 0..1_u64 << 30,
        ) {
            let prices = Prices {
                run_microcredits: prices[0], million_fuel_microcredits: prices[1],
                gib_second_microcredits: prices[2], log_mib_microcredits: prices[3],
                http_request_microcredits: prices[4], http_mib_microcredits: prices[5],
            };
            let limits = RunLimits {
                fuel: fuel_limit, memory_bytes: memory_limit, wall_clock_ms: wall_limit,
                log_bytes: log_limit, http_requests: request_limit, http_request_bytes: sent_limit,
                http_response_bytes: received_limit, ..RunLimits::default()
            };
            let metered = Metered {
                fuel, trap_slack_fuel: slack, peak_memory_bytes: memory, wall_clock_us: wall, log_bytes: logs,
                http_requests: requests, http_bytes: sent + received,
            };
            prop_assert!(prices.charge(&metered.within(&limits)).total() <= prices.most(&limits));
        }
    }
}
