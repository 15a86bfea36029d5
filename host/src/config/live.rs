//! The configuration as it is now. The operator's file is read again while the host serves; what holds for accounts is
//! taken from it at once, and what the host is built on is left as it was started with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Config, ConfigError, Shown, Values};

/// What is taken at once, as the first part of its key.
const AT_ONCE: [&str; 6] = ["accounts", "audit", "plans", "prices", "rates", "retention"];

/// A handle to the configuration, which may change between two looks at it.
#[derive(Clone, Debug)]
pub struct LiveConfig(Arc<ArcSwap<Config>>);

/// A value that the file sets otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// The dotted key.
    pub key: String,
    /// The value before, as TOML has it; none where there was none.
    pub before: Option<String>,
    /// The value in the file; none where there is none any more.
    pub after: Option<String>,
    /// When it holds.
    pub taken: Taken,
}

/// When a change holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// For every request and every run that is admitted from now on.
    Now,
    /// When the host is started again.
    AtRestart,
}

impl LiveConfig {
    /// Begins with a configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(config)))
    }

    /// The configuration as it is now.
    #[must_use]
    pub fn now(&self) -> Arc<Config> {
        self.0.load_full()
    }

    /// Notes where the host listens: port 0 in the file is a free one, which links in letters must name.
    pub fn listens_on(&self, address: SocketAddr) {
        let mut config = Config::clone(&self.now());
        config.values.listen = address;
        self.0.store(Arc::new(config));
    }

    /// Reads the operator's file again, and takes from it what can be taken at once. A file with a mistake changes
    /// nothing.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the line, the key and the reason.
    pub fn reload(&self) -> Result<Vec<Change>, ConfigError> {
        let before = self.now();
        let read = Config::load(&before.data, &before.overrides)?;
        let changes = changes(&before.shown, &read.shown);
        let shown = with_taken(&before.shown, &read.shown);
        let Values { accounts, plans, prices, rates, retention, .. } = read.values;
        let values = Values { accounts, plans, prices, rates, retention, ..before.values.clone() };
        self.0.store(Arc::new(Config { values, shown, ..Config::clone(&before) }));
        Ok(changes)
    }
}

pub(super) fn is_taken_at_once(key: &str) -> bool {
    AT_ONCE.contains(&key.split('.').next().unwrap_or_default())
}

fn changes(before: &[Shown], after: &[Shown]) -> Vec<Change> {
    let values = |shown: &[Shown]| -> BTreeMap<String, String> {
        shown.iter().map(|shown| (shown.key.clone(), shown.value.clone())).collect()
    };
    let (before, after) = (values(before), values(after));
    let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed
        .map(|key| Change {
            key: key.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
            taken: if is_taken_at_once(key) { Taken::Now } else { Taken::AtRestart },
        })
        .collect()
}

/// The effective values, of which some are taken at once and the rest stay.
fn with_taken(before: &[Shown], after: &[Shown]) -> Vec<Shown> {
    let stays = before.iter().filter(|shown| !is_taken_at_once(&shown.key));
    let mut all: Vec<_> = stays.chain(after.iter().filter(|shown| is_taken_at_once(&shown.key))).cloned().collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

#[cfg(test)]
mod tests {
    use super::super::Overrides;
    use super::*;

    #[test]
    fn what_holds_for_accounts_is_taken_and_the_rest_waits_for_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("aaasp.toml");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write("[plans.default]\nlog_days = 5\n");
        let live = LiveConfig::new(Config::load(data.path(), &Overrides::default()).unwrap());
        assert_eq!(live.now().log_days("default"), 5);

        write("[plans.default]\nlog_days = 7\n[host]\nconcurrent_runs = 9\n");
        let changes = live.reload().unwrap();
        let told: Vec<_> = changes.iter().map(|change| (change.key.as_str(), change.taken)).collect();
        assert_eq!(told, [("host.concurrent_runs", Taken::AtRestart), ("plans.default.log_days", Taken::Now)]);
        assert_eq!((live.now().log_days("default"), live.now().values.host.concurrent_runs), (7, 64));

        // What waits for a restart is told each time, since it still waits.
        assert_eq!(live.reload().unwrap().len(), 1);

        write("[plans.default]\nlog_days = \"a week\"\n");
        let error = live.reload().unwrap_err().to_string();
        assert!(error.contains("aaasp.toml:2"), "{error}");
        assert_eq!(live.now().log_days("default"), 7);
    }
}
