//! What one run is given.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Gate;
use crate::capabilities::log::RunLog;
use crate::grants::Grants;
use crate::ids::AccountId;
use crate::ledger::ModelPrices;
use crate::limits::RunLimits;
use crate::vault::custody::Custody;

/// One run: its input, what it may use, and how it is stopped.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Names the run's scratch folder.
    pub run_id: String,
    /// JSON text.
    pub input: String,
    /// What the run may use.
    pub limits: RunLimits,
    /// The deployment's configuration, which the guest reads by key.
    pub config: Arc<BTreeMap<String, String>>,
    /// What the deployment grants.
    pub grants: Arc<Grants>,
    /// Whose run it is: connections are shared within an account and never between two.
    pub account: AccountId,
    /// Requests that all runs of the account may have in flight on this host.
    pub account_http_in_flight: u64,
    /// The models that it may ask, with the prices that it was admitted under.
    pub models: Arc<ModelPrices>,
    /// Whether what models are asked and answer goes into the log.
    pub log_output: bool,
    /// Lends the account's credentials.
    pub custody: Arc<dyn Custody>,
    /// Takes the run's lines.
    pub log: Arc<RunLog>,
    /// Held until the run is paid for.
    pub gate: Gate,
    /// Stops the run.
    pub cancel: CancellationToken,
}
