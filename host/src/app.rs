//! App: what every handler shares.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::accounts::{Accounts, Callers, SignUps};
use crate::audit::Anchors;
use crate::clock::Clock;
use crate::config::{Change, ConfigError, LiveConfig};
use crate::db::{Db, spending};
use crate::folder::Disk;
use crate::http::Rates;
use crate::ids::HostId;
use crate::payments::Payments;
use crate::privacy::{Erasures, Exports, Files, Mailings, Policy};
use crate::receipts::SigningKey;
use crate::request_log::RequestLog;
use crate::runs::Runs;
use crate::runtime::Runtime;
use crate::server_log::ServerLog;
use crate::statements::Statements;
use crate::statistics::Aggregates;
use crate::tls::Tls;
use crate::vault::rotation::Rotation;

/// What every handler shares.
pub struct App {
    /// The operator's configuration.
    pub config: LiveConfig,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// Accounts, keys and grants.
    pub accounts: Accounts,
    /// Sign-ups that are worked on.
    pub sign_ups: SignUps,
    /// Who callers are.
    pub callers: Callers,
    /// The disk of the data folder.
    pub disk: Disk,
    /// The life of the keys.
    pub rotation: Arc<Rotation>,
    /// What is bought, and what the payment processor tells.
    pub payments: Arc<Payments>,
    /// The sandbox.
    pub runtime: Arc<Runtime>,
    /// Copies of what is kept of accounts.
    pub exports: Arc<Exports>,
    /// Runs and deployments.
    pub runs: Arc<Runs>,
    /// The privacy policy.
    pub policy: Arc<Policy>,
    /// What was asked for.
    pub requests: Arc<RequestLog>,
    /// Where requests came from.
    pub server_log: Arc<ServerLog>,
    /// Signs receipts.
    pub receipts: Arc<SigningKey>,
    /// How many requests are taken.
    pub rates: Rates,
    /// TLS, where the host does it itself.
    pub tls: Option<Arc<Tls>>,
}

impl App {
    /// What erases accounts.
    #[must_use]
    pub fn erasures(&self) -> Erasures {
        let by = (Arc::clone(&self.rotation), Arc::clone(&self.payments), Arc::clone(&self.runs));
        Erasures::new((self.db.clone(), self.accounts.clone()), (self.config.clone(), self.clock.clone()), by)
    }

    /// What writes letters to many accounts, and looks whether the policy says something new.
    #[must_use]
    pub fn mailings(&self) -> Mailings {
        Mailings::new(self.db.clone(), self.accounts.clone(), self.clock.clone(), Arc::clone(&self.policy))
    }

    /// What signs where the audit is.
    #[must_use]
    pub fn anchors(&self) -> Anchors {
        Anchors::new(self.db.clone(), (self.config.clone(), self.clock.clone()), Arc::clone(&self.receipts))
    }

    /// What the host keeps beside the database.
    #[must_use]
    pub fn files(&self) -> Files {
        Files::new(self.db.clone(), Arc::clone(&self.runtime), self.config.now().data.clone())
    }

    /// What makes statistics, and shows them.
    #[must_use]
    pub fn aggregates(&self) -> Aggregates {
        Aggregates::new(self.db.clone(), self.clock.clone())
    }

    /// Begins what a host does by itself, each in a task that never ends.
    pub fn do_duties(self: &Arc<Self>, host: HostId, tasks: &mut JoinSet<()>) {
        tasks.spawn(Arc::clone(&self.runs).do_duties());
        tasks.spawn(Arc::clone(&self.runs).forget_by_itself());
        tasks.spawn(Arc::clone(&self.rotation).do_duties());
        tasks.spawn(Arc::clone(&self.payments).do_duties());
        tasks.spawn(Arc::clone(&self.payments).top_up_by_itself());
        tasks.spawn(self.callers.clone().do_duties());
        tasks.spawn(Arc::clone(&self.requests).do_duties());
        tasks.spawn(Arc::clone(&self.server_log).do_duties());
        tasks.spawn(Statements::new(self.db.clone(), self.clock.clone()).do_duties());
        tasks.spawn(self.accounts.clone().do_duties(host));
        tasks.spawn(self.erasures().do_duties(host));
        tasks.spawn(self.aggregates().do_duties(host));
        tasks.spawn(self.anchors().do_duties(host));
        tasks.spawn(self.mailings().do_duties(host));
        tasks.spawn(Arc::clone(&self.exports).do_duties());
        tasks.spawn(self.files().do_duties());
        tasks.spawn(Arc::clone(self).forget_the_idle());
        if let Some(tls) = &self.tls {
            tasks.spawn(Arc::clone(tls).do_duties());
        }
    }

    /// Keeps what is counted of callers as small as those who ask.
    async fn forget_the_idle(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_mins(1)).await;
            self.rates.forget_the_idle();
        }
    }

    /// Takes what has changed in the operator's file, as far as it can be taken without a restart.
    ///
    /// # Errors
    /// [`ConfigError`] says what is wrong with the file; then nothing is taken.
    pub fn reload(&self) -> Result<Vec<Change>, ConfigError> {
        if let Some(tls) = &self.tls {
            tls.look_again();
        }
        let changes = self.config.reload()?;
        self.rates.take(&self.config.now());
        // Plans are part of what is known of callers.
        self.callers.forget();
        for Change { key, taken, .. } in &changes {
            tracing::info!(key, ?taken, "the operator's file has changed");
        }
        if changes.iter().any(|change| change.key.ends_with(".daily_spend_microcredits")) {
            let db = self.db.clone();
            tokio::spawn(async move {
                // What was spent while there was no cap has to count.
                if let Err(error) = db.write(|tx| Box::pin(spending::forget_accounts(tx))).await {
                    tracing::error!(%error, "what was spent today could not be counted anew; read the file again");
                }
            });
        }
        Ok(changes)
    }
}
