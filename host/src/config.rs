//! The operator's file: typed, checked once, with every error naming file, line, key and reason.

mod audit;
mod check;
mod live;
mod mail;
mod models;
mod operator;
mod payments;
mod plans;
mod regions;
mod retention;
mod settings;
mod show;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use audit::AuditValues;
pub use check::ConfigError;
pub use live::{Change, LiveConfig, Taken};
pub use mail::{MailTls, MailValues};
pub use models::{ModelValues, Provider};
pub use operator::OperatorValues;
pub(crate) use payments::is_plain_and_local;
pub use payments::{CreditPrice, PaymentProcessor, PaymentValues};
pub use plans::{PlanValues, RateValues};
pub use regions::NoSuchRegion;
pub use retention::{RetentionOverlay, RetentionValues, RunRetention};
pub use settings::{Setting, Unset, settings};
pub use show::{Origin, Shown};
pub use tls::{AcmeValues, ClearText, TlsValues};

use crate::grants::Grants;
use crate::ledger::{Microcredits, ModelPrices, Prices};
use crate::limits::{AccountLimits, AccountLimitsOverlay, RunLimits, RunLimitsOverlay};
use crate::names::Name;
use crate::words::words;

/// The name of the operator's file within the data folder.
pub const FILE_NAME: &str = "aaasp.toml";

/// How long billing records are kept at least, in days: seven years, two of which may be leap years.
const BILLING_DAYS: u32 = 2_557;

/// The plan of an account that was given no other.
pub const DEFAULT_PLAN: &str = "default";

/// What flags and their `AAASP_*` twins set; each wins over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--metrics-listen`.
    pub metrics_listen: Option<SocketAddr>,
    /// `--behind-proxy`.
    pub behind_proxy: bool,
    /// `--database`.
    pub database: Option<SecretString>,
    /// `--config`; without it, `aaasp.toml` in the data folder when there is one.
    pub file: Option<PathBuf>,
}

/// The effective configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// What file and flags say, defaults filled in.
    pub values: Values,
    /// A PostgreSQL URL; none is the embedded database in the data folder.
    pub database: Option<SecretString>,
    shown: Vec<Shown>,
    overrides: Overrides,
}

/// The values of the file. `database` is apart, since its URL holds a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Values {
    /// Where the API listens.
    #[schema(value_type = String)]
    pub listen: SocketAddr,
    /// Where Prometheus scrapes; none serves no metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub metrics_listen: Option<SocketAddr>,
    /// Where people reach the API, for links in letters: `https://agents.example.com`. None is where it listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Networks of proxies in front of the API, whose `X-Forwarded-For` is believed.
    #[schema(value_type = Vec<String>)]
    pub trusted_proxies: Vec<IpNet>,
    /// A PostgreSQL URL. Better given as `AAASP_DATABASE_URL`, which no backup of the file holds. A database on another
    /// machine is reached by TLS: `sslmode` is `verify-full` then, unless the URL says `verify-ca` or `require`.
    #[serde(skip_serializing_if = "holds_a_password")]
    pub database: Option<String>,
    /// The region that the host is in. It serves accounts of its region, and those of none; without a region it serves
    /// all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Name>,
    /// Where each region is reached: `eu = "https://eu.example.com"`.
    pub regions: BTreeMap<Name, String>,
    /// How connections to the host are protected.
    pub tls: TlsValues,
    /// What the host takes on.
    pub host: HostValues,
    /// The host's limits, which no plan and no deployment passes.
    pub limits: LimitValues,
    /// Who operates the service, as its policy says.
    pub operator: OperatorValues,
    /// Who may have an account.
    pub accounts: AccountValues,
    /// How mail is sent.
    pub mail: MailValues,
    /// Through whom credits are sold; none sells none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payments: Option<PaymentValues>,
    /// Requests that are taken from one address.
    pub rates: AddressRates,
    /// Plans by name; `default` always exists.
    pub plans: BTreeMap<String, PlanValues>,
    /// What the network is.
    pub egress: EgressValues,
    /// Models that deployments may grant, by name.
    pub models: BTreeMap<Name, ModelValues>,
    /// What work costs.
    pub prices: Prices,
    /// Where each erasure is noted besides the database, so that nobody comes back from an older backup: best on another
    /// disk. None is `erasures.jsonl` in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub erasure_list: Option<PathBuf>,
    /// How long things are kept.
    pub retention: RetentionValues,
    /// What operators and owners did.
    pub audit: AuditValues,
}

fn holds_a_password(_: &Option<String>) -> bool {
    true
}

/// What the host takes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HostValues {
    /// Runs that execute at the same time.
    pub concurrent_runs: u32,
    /// Linear memory that all runs together may reserve, in bytes.
    pub memory_bytes: u64,
    /// Stack of a guest, in bytes. It is the engine's, so no plan and no deployment can set it.
    pub stack_bytes: u64,
    /// Memory for loaded components, in bytes.
    pub component_cache_bytes: u64,
    /// Writable memory of the child process that compiles, in bytes.
    pub compile_memory_bytes: u64,
    /// Time that one compilation may take, in milliseconds.
    pub compile_ms: u64,
    /// How long running runs may go on after a request to stop, in milliseconds.
    pub shutdown_grace_ms: u64,
    /// How long a client of the API may take for a request's head, for a JSON body, for each part of an upload, or to
    /// read more of an answer, in milliseconds. An idle connection is closed after the same time.
    pub slow_client_ms: u64,
}

impl Default for HostValues {
    fn default() -> Self {
        Self {
            concurrent_runs: 64,
            memory_bytes: 8 << 30,
            stack_bytes: 1 << 20,
            component_cache_bytes: 1 << 30,
            compile_memory_bytes: 4 << 30,
            compile_ms: 120_000,
            shutdown_grace_ms: 10_000,
            slow_client_ms: 60_000,
        }
    }
}

/// The host's limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitValues {
    /// Of one run.
    pub run: RunLimitsOverlay,
    /// Of one account.
    pub account: AccountLimitsOverlay,
}

/// Who may have an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountValues {
    /// Whether accounts are made by signing up.
    pub sign_up: SignUp,
    /// The plan of whoever signs up.
    pub plan: String,
    /// Below which balance an owner is warned who has not said so himself; 0 is never.
    pub low_balance_microcredits: Microcredits,
    /// How long the owner of an account that is being deleted can think again, in days: at most 30.
    pub closing_days: u32,
}

impl Default for AccountValues {
    fn default() -> Self {
        Self {
            sign_up: SignUp::Closed,
            plan: DEFAULT_PLAN.to_owned(),
            low_balance_microcredits: Microcredits(1_000_000),
            closing_days: 14,
        }
    }
}

words! {
    /// Whether accounts are made by signing up.
    SignUp {
        /// Only the operator makes accounts.
        Closed = "closed",
        /// Whom the operator invited may sign up.
        Invited = "invited",
        /// Anybody may sign up.
        Open = "open",
    }
}

/// Requests that are taken from one address, whatever their key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AddressRates {
    /// All requests, in a minute and at once after a minute without any; none are as many as come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_requests_per_minute: Option<u32>,
    /// Requests without a key that is valid, in a minute. Past it no key is looked up for the address but those that
    /// were good within an hour.
    pub address_failures_per_minute: u32,
    /// Sign-ups and other requests that send mail to whom nobody knows yet, in an hour.
    pub address_sign_ups_per_hour: u32,
}

impl Default for AddressRates {
    fn default() -> Self {
        Self { address_requests_per_minute: None, address_failures_per_minute: 60, address_sign_ups_per_hour: 10 }
    }
}

/// What the network is to runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EgressValues {
    /// Addresses that runs may reach though they are not public, as networks: `10.1.0.0/16`. Credentials over plain
    /// `http` go to these addresses only.
    #[schema(value_type = Vec<String>)]
    pub allow_addresses: Vec<IpNet>,
    /// A file of certificates in PEM, of authorities that are trusted besides Mozilla's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ca_file: Option<PathBuf>,
}

impl Default for Values {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            metrics_listen: None,
            public_url: None,
            trusted_proxies: Vec::new(),
            database: None,
            region: None,
            regions: BTreeMap::new(),
            tls: TlsValues::default(),
            host: HostValues::default(),
            limits: LimitValues::default(),
            operator: OperatorValues::default(),
            accounts: AccountValues::default(),
            mail: MailValues::default(),
            payments: None,
            rates: AddressRates::default(),
            plans: BTreeMap::from([(DEFAULT_PLAN.to_owned(), PlanValues::default())]),
            egress: EgressValues::default(),
            models: BTreeMap::new(),
            prices: Prices::default(),
            erasure_list: None,
            retention: RetentionValues::default(),
            audit: AuditValues::default(),
        }
    }
}

impl Config {
    /// Reads the operator's file, if there is one, and lays the flags over it.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the line, the key and the reason.
    pub fn load(data: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let default_file = data.join(FILE_NAME);
        let file = overrides.file.clone().or_else(|| default_file.exists().then_some(default_file));
        let text = match &file {
            Some(path) => std::fs::read_to_string(path).map_err(|error| ConfigError::unreadable(path, &error))?,
            None => String::new(),
        };
        let mut values = check::parse(file.as_deref(), &text)?;
        values.plans.entry(DEFAULT_PLAN.to_owned()).or_default();
        let shown = show::effective(&values, file.as_deref(), &text, overrides);
        if let Some(listen) = overrides.listen {
            values.listen = listen;
        }
        values.tls.behind_proxy |= overrides.behind_proxy;
        values.metrics_listen = overrides.metrics_listen.or(values.metrics_listen);
        let database = overrides.database.clone().or_else(|| values.database.take().map(SecretString::from));
        Ok(Self { data: data.to_owned(), file, values, database, shown, overrides: overrides.clone() })
    }

    /// Every effective value, and where it comes from.
    #[must_use]
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// The host's limits of one run.
    #[must_use]
    pub fn host_run_limits(&self) -> RunLimits {
        RunLimits::default().replaced_by(&self.values.limits.run)
    }

    /// The limits of one run under a plan. An unknown plan is the default one.
    #[must_use]
    pub fn run_limits(&self, plan: &str) -> RunLimits {
        let host = self.host_run_limits();
        self.plan(plan).map_or_else(|| host.clone(), |plan| host.min(&plan.limits.run))
    }

    /// The limits of an account under a plan. An unknown plan is the default one.
    #[must_use]
    pub fn account_limits(&self, plan: &str) -> AccountLimits {
        let host = AccountLimits::default().replaced_by(&self.values.limits.account);
        self.plan(plan).map_or_else(|| host.clone(), |plan| host.min(&plan.limits.account))
    }

    /// The models that a deployment grants and a plan may use, with what they cost it.
    #[must_use]
    pub fn model_prices(&self, grants: &Grants, plan: &str) -> ModelPrices {
        let granted = |name: &Name| grants.models.contains_key(name) || (grants.model && grants.models.is_empty());
        let own = |name: &Name| grants.models.get(name).is_some_and(|model| model.credential.is_some());
        let offered = self.values.models.iter().filter(|(name, model)| granted(name) && model.serves(plan));
        offered.map(|(name, model)| (name.clone(), model.price(own(name)))).collect()
    }

    /// What work costs under a plan.
    #[must_use]
    pub fn prices(&self, plan: &str) -> Prices {
        self.plan(plan).and_then(|plan| plan.prices.clone()).unwrap_or_else(|| self.values.prices.clone())
    }

    /// How many days logs of runs are kept under a plan.
    #[must_use]
    pub fn log_days(&self, plan: &str) -> u32 {
        self.plan(plan).and_then(|plan| plan.log_days).unwrap_or(self.values.retention.log_days)
    }

    /// How many days inputs and outputs of runs of a plan are kept.
    #[must_use]
    pub fn content_days(&self, plan: &str) -> u32 {
        self.plan(plan).and_then(|plan| plan.content_days).unwrap_or(self.values.retention.content_days)
    }

    /// How long what runs of a plan leave is kept.
    #[must_use]
    pub fn run_retention(&self, plan: &str) -> RunRetention {
        RunRetention { log_days: self.log_days(plan), content_days: self.content_days(plan) }
    }

    /// How many days the metadata of requests is kept under a plan.
    #[must_use]
    pub fn request_days(&self, plan: &str) -> u32 {
        self.plan(plan).and_then(|plan| plan.request_days).unwrap_or(self.values.retention.request_days)
    }

    /// A plan. An unknown one is the default one.
    #[must_use]
    pub fn plan(&self, name: &str) -> Option<&PlanValues> {
        self.values.plans.get(name).or_else(|| self.values.plans.get(DEFAULT_PLAN))
    }
}
