//! App: what every handler shares.

use std::sync::Arc;

use crate::accounts::{Accounts, Callers};
use crate::clock::Clock;
use crate::config::LiveConfig;
use crate::db::Db;
use crate::folder::Disk;
use crate::runs::Runs;
use crate::runtime::Runtime;
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
    /// Who callers are.
    pub callers: Callers,
    /// The disk of the data folder.
    pub disk: Disk,
    /// The life of the keys.
    pub rotation: Arc<Rotation>,
    /// The sandbox.
    pub runtime: Arc<Runtime>,
    /// Runs and deployments.
    pub runs: Arc<Runs>,
}
