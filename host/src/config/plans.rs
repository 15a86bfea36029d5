//! Plans: what an account may use, what that costs it, and what it is given.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::LimitValues;
use crate::ledger::{Microcredits, Prices};
use crate::names::Name;

/// A plan. What it leaves out is as the rest of the file has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlanValues {
    /// The region of its accounts; none is the one that is said when an account is opened, or else the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Name>,
    /// Limits below the host's.
    pub limits: LimitValues,
    /// What work costs, all of it; none are the prices of everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// How many requests.
    pub rates: RateValues,
    /// How long logs of runs are kept, in days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_days: Option<u32>,
    /// How long inputs, outputs and errors of runs are kept, in days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_days: Option<u32>,
    /// How long the metadata of requests is kept, in days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_days: Option<u32>,
    /// What an account may spend in a day (UTC), by all of its runs; none is as much as it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_spend_microcredits: Option<Microcredits>,
    /// What an account gets when its email address is confirmed.
    pub starting_grant_microcredits: Microcredits,
    /// What an account gets at the beginning of each month (UTC) that it has not begun in.
    pub monthly_grant_microcredits: Microcredits,
}

/// Requests that are taken in a minute, and at once after a minute without any; none are as many as come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateValues {
    /// Of an account, by all of its keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_requests_per_minute: Option<u32>,
    /// Of one key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_requests_per_minute: Option<u32>,
}
