//! What a run needs to know of its deployment: loaded once, kept for a second.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonschema::Validator;
use moka::future::Cache;

use crate::accounts::{Account, Accounts};
use crate::config::{Config, LiveConfig};
use crate::db::deployments::StoredDeployment;
use crate::db::{Db, DbError, deployments, runs};
use crate::grants::Grants;
use crate::ids::{AccountId, DeploymentId};
use crate::ledger::{Microcredits, Terms};
use crate::limits::{RunLimits, RunLimitsOverlay};
use crate::runtime::{Digest, FUEL_SCHEDULE, Manifest};
use crate::vault::Place;

/// How long a deployment is believed. Another host's change is seen after at most this.
const BELIEVED: Duration = Duration::from_millis(900);

/// A deployment at one revision, ready to run.
pub struct Deployed {
    /// The deployment.
    pub id: DeploymentId,
    /// Its name.
    pub name: String,
    /// The revision.
    pub revision: i64,
    /// The agent's name.
    pub agent: String,
    /// The agent's version.
    pub version: i64,
    /// The component.
    pub digest: Digest,
    /// Configuration values.
    pub config: Arc<BTreeMap<String, String>>,
    /// What it grants.
    pub grants: Arc<Grants>,
    /// Whether what models are asked and answer goes into the log.
    pub log_output: bool,
    /// What its runs may spend in a day.
    pub daily_spend: Option<Microcredits>,
    /// The effective limits: host's, plan's and deployment's.
    pub limits: RunLimits,
    /// Checks inputs; none accepts any JSON.
    pub input_schema: Option<Validator>,
    /// What its runs are admitted under now.
    pub terms: Terms,
    /// Names the terms.
    pub terms_id: String,
    /// The most that a run may cost under them.
    pub held: Microcredits,
}

impl Deployed {
    /// The same deployment under the terms that a run was admitted under earlier.
    pub(super) fn under(&mut self, terms: Terms) {
        self.limits = terms.limits.clone();
        self.terms_id = terms.id();
        self.terms = terms;
    }
}

/// What runs of a deployment are admitted under now.
#[must_use]
pub fn terms(config: &Config, plan: &str, grants: &Grants, limits: RunLimits) -> Terms {
    let models = config.model_prices(grants, plan);
    Terms { prices: config.prices(plan), limits, models, fuel_schedule: FUEL_SCHEDULE }
}

/// Loads deployments.
pub struct Deployments {
    db: Db,
    accounts: Accounts,
    config: LiveConfig,
    by_name: Cache<(AccountId, String), Option<Arc<Deployed>>>,
    stored_terms: Mutex<HashSet<String>>,
}

impl Deployments {
    /// Over a database, under the operator's prices.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, config: LiveConfig) -> Self {
        let by_name = Cache::builder().max_capacity(10_000).time_to_live(BELIEVED).build();
        Self { db, accounts, config, by_name, stored_terms: Mutex::default() }
    }

    /// The account's deployment of a name, at its present revision.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn current(&self, account: &Account, name: &str) -> Result<Option<Arc<Deployed>>, Arc<DbError>> {
        let key = (account.id, name.to_owned());
        if let Some(deployed) = self.by_name.get(&key).await {
            return Ok(deployed);
        }
        let load = async {
            let stored = deployments::get(&self.db, account.id, name).await?;
            let Some(stored) = stored else { return Ok(None) };
            let deployed = self.accounts.opening(account, |account| self.prepared(account, &stored)).await?;
            self.store_terms(&deployed).await?;
            Ok(Some(Arc::new(deployed)))
        };
        self.by_name.try_get_with(key, load).await
    }

    /// A deployment at a revision of its past, for a run that was queued under it.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer, or lacks the revision.
    pub async fn at_revision(
        &self,
        account: &Account,
        deployment: DeploymentId,
        revision: i64,
    ) -> Result<Deployed, DbError> {
        let stored = deployments::at_revision(&self.db, account.id, deployment, revision)
            .await?
            .ok_or(DbError::Missing("deployment revision"))?;
        self.accounts.opening(account, |account| self.prepared(account, &stored)).await
    }

    /// Forgets a deployment that was changed on this host.
    pub async fn forget(&self, account: AccountId, name: &str) {
        self.by_name.invalidate(&(account, name.to_owned())).await;
    }

    fn prepared(&self, account: &Account, stored: &StoredDeployment) -> Result<Deployed, DbError> {
        let limits: RunLimitsOverlay = serde_json::from_str(&stored.limits).map_err(DbError::corrupt)?;
        let manifest: Manifest = serde_json::from_str(&stored.manifest).map_err(DbError::corrupt)?;
        let run_limits = account.run_limits.min(&limits);
        let grants: Grants = serde_json::from_str(&stored.grants).map_err(DbError::corrupt)?;
        let terms = terms(&self.config.now(), &account.plan, &grants, run_limits.clone());
        Ok(Deployed {
            id: stored.id,
            name: stored.name.clone(),
            revision: stored.revision,
            agent: stored.agent_name.clone(),
            version: stored.agent_version,
            digest: stored.digest.parse().map_err(DbError::corrupt)?,
            config: Arc::new(opened_config(account, stored.id, &stored.sealed_config)?),
            grants: Arc::new(grants),
            log_output: stored.log_output,
            daily_spend: stored.daily_spend,
            // Schemas are checked at upload, so one that doesn't compile here is a damaged row.
            input_schema: manifest
                .input_schema
                .as_ref()
                .map(jsonschema::validator_for)
                .transpose()
                .map_err(DbError::corrupt)?,
            terms_id: terms.id(),
            held: terms.most(),
            limits: run_limits,
            terms,
        })
    }

    /// Terms are stored before the first run that names them.
    async fn store_terms(&self, deployed: &Deployed) -> Result<(), DbError> {
        let known = self.stored_terms.lock().unwrap_or_else(PoisonError::into_inner).contains(&deployed.terms_id);
        if !known {
            runs::store_terms(&self.db, deployed.terms_id.clone(), deployed.terms.json()).await?;
            let mut stored = self.stored_terms.lock().unwrap_or_else(PoisonError::into_inner);
            stored.insert(deployed.terms_id.clone());
        }
        Ok(())
    }
}

/// Seals a deployment's configuration. It may hold what a person wrote, so it is sealed like an input. It is
/// bound to the deployment, not to a revision, whose number is only known in the transaction.
///
/// # Errors
/// [`DbError`] when there is no randomness to be had.
pub fn sealed_config(
    account: &Account,
    deployment: DeploymentId,
    config: &BTreeMap<String, String>,
) -> Result<Vec<u8>, DbError> {
    let text = serde_json::to_vec(config).map_err(DbError::corrupt)?;
    let row = deployment.to_string();
    let place = Place { account: account.id, table: "deployment_revisions", row: &row };
    let seal = account.data_key.row(place).map_err(DbError::sealed("deployment_revisions"))?;
    seal.seal("config", &text).map_err(DbError::sealed("deployment_revisions"))
}

/// Opens a deployment's configuration.
///
/// # Errors
/// [`DbError`] when it doesn't open.
pub fn opened_config(
    account: &Account,
    deployment: DeploymentId,
    sealed: &[u8],
) -> Result<BTreeMap<String, String>, DbError> {
    let row = deployment.to_string();
    let place = Place { account: account.id, table: "deployment_revisions", row: &row };
    let seal = account.data_key.row(place).map_err(DbError::sealed("deployment_revisions"))?;
    let text = seal.open("config", sealed).map_err(DbError::sealed("deployment_revisions"))?;
    serde_json::from_slice(&text).map_err(DbError::corrupt)
}
