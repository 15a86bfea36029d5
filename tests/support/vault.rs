//! The vault of a server that is stopped, opened in the test itself: what runs do with it, without a guest.

use std::sync::Arc;

use aaasp::accounts::Account;
use aaasp::capabilities::egress::{Broker, EgressSettings};
use aaasp::clock::Clock;
use aaasp::config::{Config, Overrides};
use aaasp::folder::Folder;
use aaasp::host::Store;
use aaasp::vault::credentials::Credentials;
use sqlx::{AnyConnection, Connection as _};

use super::Server;

/// Folder, database and keys of a server that is stopped.
pub struct Vault {
    pub store: Store,
    pub account: Arc<Account>,
    database: String,
}

impl Vault {
    /// Opens what a stopped server left, for its first account.
    pub async fn open(server: &Server, account: &str) -> Self {
        let overrides = Overrides { database: server.database().map(Into::into), ..Overrides::default() };
        let config = Config::load(&server.data(), &overrides).unwrap();
        let folder = Folder::take(&server.data()).unwrap();
        let file = || format!("sqlite://{}", folder.database().display());
        let database = server.database().unwrap_or_else(file);
        let store = Store::open(folder, config, Clock::System).await.unwrap();
        let account = store.accounts.load(account.parse().unwrap()).await.unwrap().unwrap();
        Self { store, account: Arc::new(account), database }
    }

    /// The credentials, as a host that has just started sees them.
    pub fn credentials(&self) -> Credentials {
        self.credentials_through(&["127.0.0.1/32"])
    }

    /// The same, on a host whose operator allows these addresses.
    pub fn credentials_through(&self, allowed: &[&str]) -> Credentials {
        let allow_addresses = allowed.iter().map(|range| range.parse().unwrap()).collect();
        let broker = Broker::new(EgressSettings { allow_addresses, ..EgressSettings::default() }).unwrap();
        Credentials::new(self.store.db.clone(), self.store.accounts.clone(), Clock::System, Arc::new(broker))
    }

    /// A statement past all that the host would check.
    pub async fn execute(&self, statement: &'static str) {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.database).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }

    /// Commits what is waiting and lets the folder go.
    pub async fn close(self) {
        self.store.db.close().await;
    }
}
