//! A run as people see it, and the sealing of what it was given and what it said.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::accounts::Account;
use crate::clock::Micros;
use crate::db::DbError;
use crate::db::runs::StoredRun;
use crate::ids::{AccountId, RunId};
use crate::ledger::{Charge, ChargeLine, Microcredits};
use crate::runtime::RunError;
use crate::vault::{DataKey, Place, RowSeal};
use crate::words::{RunOutcome, RunStatus};

/// A run as the API shows it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// The run.
    pub id: RunId,
    /// The deployment's name.
    pub deployment: String,
    /// The deployment's revision.
    pub deployment_revision: i64,
    /// The agent's name.
    pub agent: String,
    /// The agent's version.
    pub version: i64,
    /// `queued`, `running` or `finished`.
    #[schema(value_type = RunStatus)]
    pub status: String,
    /// How it ended, once it has.
    #[schema(value_type = Option<RunOutcome>)]
    pub outcome: Option<String>,
    /// What it returned, when it succeeded.
    #[schema(value_type = serde_json::Value)]
    pub output: Option<Box<RawValue>>,
    /// Why it did not succeed.
    pub error: Option<Failure>,
    /// Fuel that it burned.
    pub fuel: Option<i64>,
    /// What is, or was, held for it.
    pub held_microcredits: Microcredits,
    /// What it cost.
    pub charge_microcredits: Option<Microcredits>,
    /// The charge, line by line.
    #[schema(value_type = Vec<ChargeLine>)]
    pub charges: Charge,
    /// When it was admitted.
    pub created_at: Micros,
    /// When it started.
    pub started_at: Option<Micros>,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

impl Run {
    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.status == "finished"
    }
}

/// Why a run did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// The limit that was reached, if one ended the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// What happened and where.
    #[serde(flatten)]
    pub error: RunError,
}

/// The seal of a run's row; its log chunks are sealed with it too.
pub(super) fn seal_of(key: &DataKey, account: AccountId, run: RunId) -> Result<RowSeal, DbError> {
    let row = run.to_string();
    key.row(Place { account, table: "runs", row: &row }).map_err(DbError::sealed("runs"))
}

/// Opens what is stored of a run.
pub(super) fn opened(account: &Account, stored: &StoredRun) -> Result<Run, DbError> {
    let seal = seal_of(&account.data_key, stored.account, stored.id)?;
    let open = |column: &str, sealed: Option<&Vec<u8>>| {
        let Some(sealed) = sealed else { return Ok(None) };
        let bytes = seal.open(column, sealed).map_err(DbError::sealed("runs"))?;
        String::from_utf8(bytes).map(Some).map_err(DbError::corrupt)
    };
    let output = open("output", stored.sealed_output.as_ref())?;
    let error = open("error", stored.sealed_error.as_ref())?;
    Ok(Run {
        id: stored.id,
        deployment: stored.deployment_name.clone(),
        deployment_revision: stored.revision,
        agent: stored.agent_name.clone(),
        version: stored.agent_version,
        status: stored.status.clone(),
        outcome: stored.outcome.clone(),
        output: output.map(RawValue::from_string).transpose().map_err(DbError::corrupt)?,
        error: error.map(|error| serde_json::from_str(&error)).transpose().map_err(DbError::corrupt)?,
        fuel: stored.fuel,
        held_microcredits: stored.held,
        charge_microcredits: stored.charged,
        charges: stored
            .charges
            .as_ref()
            .map(|lines| serde_json::from_str(lines))
            .transpose()
            .map_err(DbError::corrupt)?
            .unwrap_or_default(),
        created_at: stored.created_at,
        started_at: stored.started_at,
        finished_at: stored.finished_at,
    })
}

/// Opens the input of a run.
pub(super) fn opened_input(account: &Account, run: RunId, sealed: &[u8]) -> Result<String, DbError> {
    let seal = seal_of(&account.data_key, account.id, run)?;
    let input = seal.open("input", sealed).map_err(DbError::sealed("runs"))?;
    String::from_utf8(input).map_err(DbError::corrupt)
}
