//! A server's folder and database, served in the test itself under a clock that is set.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use aaasp::clock::{Clock, Micros};
use aaasp::config::{Config, Overrides};
use aaasp::folder::Folder;
use aaasp::host::{Host, Store};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Client, Server};

const DAY_MICROS: i64 = 86_400_000_000;

/// A host whose clock stands still, days from now.
pub struct Later {
    now: Micros,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    /// The first account.
    pub account: Client,
}

impl Later {
    /// Serves what a stopped server left, so many days from now.
    pub async fn serve(server: &Server, days: i64) -> Self {
        let now = Micros(Clock::System.now().0 + days * DAY_MICROS);
        let overrides = Overrides {
            database: server.database().map(Into::into),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            ..Overrides::default()
        };
        let config = Config::load(&server.data(), &overrides).unwrap();
        let folder = Folder::take(&server.data()).unwrap();
        let store = Store::open(folder, config, Clock::Fixed(Arc::new(AtomicI64::new(now.0)))).await.unwrap();
        let host = Host::start(store).await.unwrap();
        let account = Client::new(&host.url(), Some(server.account.key()));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            host.serve(async { drop(stopped.await) }).await.unwrap();
        });
        Self { now, stop, served, account }
    }

    /// Now.
    pub const fn now(&self) -> Micros {
        self.now
    }

    /// Stops gracefully, so that the folder is free again.
    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}
