//! A host from start to stop: open folder and database, recover, serve, and end gracefully.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::accounts::{Accounts, Callers, Opening, Role, SignUps};
use crate::app::App;
use crate::capabilities::egress::EgressSettings;
use crate::capabilities::model::Mark;
use crate::clock::Clock;
use crate::config::{Config, DEFAULT_PLAN, LiveConfig, NoSuchRegion};
use crate::db::{DatabaseUrl, Db, DbError, hosts, settings};
use crate::folder::{Folder, FolderError};
use crate::http;
use crate::ids::{AccountId, HostId};
use crate::ledger::Microcredits;
use crate::mail::{Outbox, SMTP_PASSWORD, Transport, TransportError};
use crate::models::{Models, ModelsError};
use crate::payments::{Payments, Seller, SellerError};
use crate::privacy::{Exports, Policy};
use crate::receipts::SigningKey;
use crate::request_log::RequestLog;
use crate::runs::{LEASE_MS, Runs};
use crate::runtime::{CompileLimits, Runtime, RuntimeError, RuntimeSettings};
use crate::server_log::ServerLog;
use crate::tls::{Tls, TlsError};
use crate::vault::Keyring;
use crate::vault::rotation::{Rotation, RotationError};

/// How long open connections may take to end once every run has.
const CONNECTIONS_GRACE: Duration = Duration::from_secs(2);

/// How long letters may take that are being handed over.
const MAIL_GRACE: Duration = Duration::from_secs(5);

/// Why a host can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The database can't be used.
    #[error("{location}: {source}")]
    Db {
        /// Where the database is.
        location: String,
        /// What went wrong.
        source: DbError,
    },
    /// The keys are not those of the database.
    #[error(
        "this host's keyring ({here}) is not the database's ({there}); copy the folder `keys` of a host that works"
    )]
    OtherKeyring {
        /// Fingerprint of the keyring here.
        here: String,
        /// Fingerprint of the database's.
        there: String,
    },
    /// The keys are not those that the database needs.
    #[error(transparent)]
    Keys(#[from] RotationError),
    /// The sandbox can't start.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// Credits can't be sold.
    #[error(transparent)]
    Payments(#[from] SellerError),
    /// The models can't be offered.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// Letters can't be sent.
    #[error(transparent)]
    Mail(#[from] TransportError),
    /// The first account can't be where it should.
    #[error(transparent)]
    Region(#[from] NoSuchRegion),
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// A task that the host can't do without has ended, so that the host did too.
#[derive(Debug, thiserror::Error)]
#[error("a task of the host ended, and the host with it: {0}")]
pub struct TaskEnded(String);

/// A folder and a database that belong together: what every command on the folder needs.
pub struct Store {
    /// The folder, which is this process's alone.
    pub folder: Folder,
    /// The database.
    pub db: Db,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// This host.
    pub host: HostId,
    /// Accounts, keys and grants.
    pub accounts: Accounts,
    /// The life of the keys.
    pub rotation: Arc<Rotation>,
    /// The operator's configuration.
    pub config: LiveConfig,
    /// The time.
    pub clock: Clock,
}

/// The first account, with the secrets that are shown once.
pub struct FirstAccount {
    /// The account.
    pub account: AccountId,
    /// Its key.
    pub api_key: String,
    /// Where the operator's key was written.
    pub operator_key: std::path::PathBuf,
}

impl Store {
    /// Opens the folder and its database, and makes both when the folder is empty.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong and what to do.
    pub async fn open(folder: Folder, config: Config, clock: Clock) -> Result<Self, StartError> {
        let keyring = Arc::new(folder.keyring()?);
        let host = folder.host()?;
        let url = match &config.database {
            Some(url) => DatabaseUrl::parse(url.expose_secret()).map_err(failed("the database URL"))?,
            None => DatabaseUrl::sqlite(&folder.database()),
        };
        let location = url.redacted();
        let db = Db::open(url, host).await.map_err(failed(&location))?.in_region(config.values.region.as_ref());
        let here = keyring.fingerprint();
        let there = settings::agree(&db, "keyring_fingerprint", here.clone()).await.map_err(failed(&location))?;
        if here != there {
            return Err(StartError::OtherKeyring { here, there });
        }
        let config = LiveConfig::new(config);
        let accounts = Accounts::new(db.clone(), Arc::clone(&keyring), config.clone(), clock.clone());
        let (keys, known) = (Arc::clone(&keyring), accounts.clone());
        let rotation = Arc::new(Rotation::new(db.clone(), keys, known, host, clock.clone()));
        rotation.agree().await?;
        Ok(Self { folder, db, keyring, host, accounts, rotation, config, clock })
    }

    /// Makes the first account, its key, its credits and the operator's key.
    ///
    /// # Errors
    /// [`StartError`] when the address is taken or the key file exists.
    pub async fn first_account(&self, email: &str, grant: Microcredits) -> Result<FirstAccount, StartError> {
        let location = self.db.location();
        let made = self.accounts.create_operator_key("first", Role::Admin, None).await;
        let (_, operator) = made.map_err(failed(&location))?;
        let operator_key = self.folder.write_operator_key(operator.expose())?;
        let region = self.config.now().region_of(DEFAULT_PLAN, None)?;
        let opening = Opening { email, plan: DEFAULT_PLAN, region: region.as_ref(), grant, because: None };
        let opened = self.accounts.open(&opening, None).await.map_err(failed(&location))?;
        Ok(FirstAccount { account: opened.account, api_key: opened.api_key.expose().to_owned(), operator_key })
    }
}

/// A host that serves.
pub struct Host {
    app: Arc<App>,
    id: HostId,
    outbox: Outbox,
    // Held until the host has stopped, so that no other process takes the folder meanwhile.
    _folder: Folder,
    listener: TcpListener,
    /// Where it tells whoever comes in clear text to come by TLS.
    redirects: Option<TcpListener>,
}

impl Host {
    /// Begins a new epoch, recovers what an older one left behind, and listens.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong and what to do.
    pub async fn start(store: Store) -> Result<Self, StartError> {
        let location = store.db.location();
        let now = store.clock.now();
        let (newest, until) = (store.keyring.newest(), now.plus_ms(LEASE_MS));
        let epoch = hosts::begin_epoch(&store.db, store.host, newest, now, until).await.map_err(failed(&location))?;
        // From now on no master key becomes ready that this host lacks; one may have until now.
        store.rotation.agree().await?;
        let runtime = Arc::new(Runtime::new(runtime_settings(&store)?)?);
        let runs = Runs::new(
            store.db.clone(),
            Arc::clone(&runtime),
            store.accounts.clone(),
            store.config.clone(),
            store.clock.clone(),
            (store.host, epoch),
        );
        let recovered = runs.recover().await.map_err(failed(&location))?;
        if recovered > 0 {
            tracing::warn!(runs = recovered, "settled as lost what the last start left running");
        }
        let values = store.config.now().values.clone();
        let tls = Tls::new(&store.config.now(), &store.folder.subfolder("keys")?)?;
        let listener = listen(values.listen).await?;
        store.config.listens_on(listener.local_addr().map_err(unknown_address)?);
        let redirects = match values.tls.redirect_from {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let password = std::env::var(SMTP_PASSWORD).ok().filter(|password| !password.is_empty()).map(Into::into);
        let config = store.config.now();
        let transport = Transport::new(&config.values.mail, &config.data, password.as_ref())?;
        let outbox = Outbox::new(store.db.clone(), store.accounts.clone(), store.clock.clone(), transport);
        let rates = http::Rates::new(&store.config.now());
        let seller = Seller::new(&store.config.now())?;
        let app = App {
            payments: Payments::new(store.db.clone(), store.accounts.clone(), store.clock.clone(), seller),
            exports: Arc::new(Exports::new(
                store.db.clone(),
                store.accounts.clone(),
                store.config.clone(),
                store.clock.clone(),
            )),
            receipts: Arc::new(SigningKey::of(&store.keyring)),
            requests: RequestLog::new(store.db.clone()),
            server_log: ServerLog::new(store.db.clone(), store.config.clone(), store.clock.clone()),
            callers: Callers::new(store.db.clone(), store.accounts.clone(), store.clock.clone()),
            policy: Arc::new(Policy::new(store.db.clone(), store.config.clone(), store.clock.clone())),
            sign_ups: SignUps::new(store.accounts.clone()),
            config: store.config,
            clock: store.clock,
            db: store.db,
            accounts: store.accounts,
            disk: store.folder.disk(),
            rotation: store.rotation,
            runtime,
            runs,
            rates,
            tls,
        };
        Ok(Self { app: Arc::new(app), id: store.host, outbox, _folder: store.folder, listener, redirects })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        self.app.config.now().listens_at()
    }

    /// Reads the operator's file again, each time that this is called.
    pub fn reloader(&self) -> impl Fn() + Send + Sync + 'static {
        let app = Arc::clone(&self.app);
        move || {
            if let Err(error) = app.reload() {
                tracing::error!(%error, "the operator's file has a mistake, so that nothing of it was taken");
            }
        }
    }

    /// Serves until the signal, then stops admitting, lets runs finish within the grace period, settles the
    /// rest as lost, and closes.
    ///
    /// # Errors
    /// [`TaskEnded`] when it closed before the signal, because one of its tasks had ended.
    pub async fn serve(self, signal: impl Future<Output = ()> + Send + 'static) -> Result<(), TaskEnded> {
        let mut tasks = JoinSet::new();
        self.app.do_duties(self.id, &mut tasks);
        let no_more_mail = CancellationToken::new();
        tasks.spawn(self.outbox.do_duties(no_more_mail.clone()));
        let (stopping, stopped) = tokio::sync::watch::channel(false);
        let config = self.app.config.now();
        let patience = Duration::from_millis(config.values.host.slow_client_ms);
        if let Some(listener) = self.redirects {
            let router = http::redirects(config.link(""));
            tokio::spawn(http::serve(listener, router, patience, None, stopped.clone()));
        }
        let mut router = http::router(Arc::clone(&self.app));
        if config.values.tls.is_done_here() || config.values.tls.behind_proxy {
            router = http::by_tls_only(router, config.values.tls.hsts_seconds);
        }
        let server = tokio::spawn(http::serve(self.listener, router, patience, self.app.tls.clone(), stopped));
        let told = told_to_stop(signal, &mut tasks).await;
        tracing::info!(runs = self.app.runs.executing(), "stopping: no new runs; waiting for those that execute");
        self.app.runs.stop().await;
        let _ = stopping.send(true);
        if tokio::time::timeout(CONNECTIONS_GRACE, server).await.is_err() {
            tracing::info!("closing connections that are still open");
        }
        self.app.sign_ups.settle().await;
        // Of all the tasks only the outbox ends by itself, once no letter is half handed over.
        no_more_mail.cancel();
        let _ = tokio::time::timeout(MAIL_GRACE, tasks.join_next()).await;
        tasks.shutdown().await;
        self.app.runs.credentials.settle().await;
        if let Err(error) = self.app.requests.write().await {
            tracing::warn!(%error, "the metadata of the last requests could not be written");
        }
        self.app.server_log.write().await;
        self.app.db.close().await;
        told
    }
}

/// Waits for the signal, or for the end of a task, which is one that should not have ended.
async fn told_to_stop(signal: impl Future<Output = ()>, tasks: &mut JoinSet<()>) -> Result<(), TaskEnded> {
    tokio::select! {
        () = signal => Ok(()),
        Some(ended) = tasks.join_next() => {
            let why = ended.err().map_or_else(|| "it had nothing more to do".to_owned(), |error| error.to_string());
            tracing::error!(why, "a task of the host has ended; the host stops");
            Err(TaskEnded(why))
        }
    }
}

fn runtime_settings(store: &Store) -> Result<RuntimeSettings, StartError> {
    let folder = &store.folder;
    let config = store.config.now();
    let values = &config.values.host;
    let limits = config.host_run_limits();
    let program =
        std::env::current_exe().map_err(|source| FolderError::Io { path: "the aaasp binary".into(), source })?;
    let mut settings = RuntimeSettings::new(
        folder.subfolder("artifacts")?,
        folder.subfolder("scratch")?,
        folder.artifact_key()?,
        program.clone(),
    );
    // A component may have several memories; twice the runs leaves room before the pool is asked to refuse.
    settings.pool_slots = values.concurrent_runs.saturating_mul(2).max(64);
    settings.max_memory_bytes = limits.memory_bytes;
    settings.max_table_elements = limits.table_elements;
    settings.max_core_instances = u32::try_from(limits.core_instances).unwrap_or(u32::MAX);
    settings.stack_bytes = values.stack_bytes;
    settings.cache_bytes = values.component_cache_bytes;
    let network = &config.values.egress;
    let ca_file = network.ca_file.as_ref().map(|file| config.data.join(file));
    settings.egress =
        EgressSettings::new(network.allow_addresses.clone(), ca_file.as_deref()).map_err(RuntimeError::Egress)?;
    settings.models = Arc::new(Models::load(&config.values.models, &config.data)?);
    settings.mark = Some(Mark::new(&store.keyring.derived_key("opaque")));
    settings.compile = CompileLimits {
        memory_bytes: values.compile_memory_bytes,
        cpu_seconds: values.compile_ms.div_ceil(1_000),
        wall_clock_ms: values.compile_ms,
        ..CompileLimits::with_program(program)
    };
    Ok(settings)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address: address.to_string(), source })
}

fn unknown_address(source: std::io::Error) -> StartError {
    StartError::Listen { address: "the listener".to_owned(), source }
}

fn failed(location: &str) -> impl Fn(DbError) -> StartError {
    move |source| StartError::Db { location: location.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_whose_duties_end_badly_does_not_go_on_without_them() {
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        assert!(told_to_stop(std::future::ready(()), &mut tasks).await.is_ok());
        tasks.spawn(async { panic!("the duties can't be done") });
        let ended = told_to_stop(std::future::pending(), &mut tasks).await.unwrap_err();
        assert!(ended.to_string().contains("the duties can't be done"), "{ended}");
    }
}
