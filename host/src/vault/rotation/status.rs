//! Where the master keys stand: what `aaasp key list` shows.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Ordering, Rotation, RotationError, in_use};
use crate::clock::Micros;
use crate::db::{data_keys, master_keys};

/// Where the master keys stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Names the keyring.
    pub keyring: String,
    /// The version that wraps.
    pub current: u32,
    /// The newest version; it wraps once every live host has it.
    pub newest: u32,
    /// The lowest version that opens anything.
    pub lowest: u32,
    /// Data keys of all accounts.
    pub data_keys: u64,
    /// Those of them that are to be wrapped anew, since an older master key has wrapped them.
    pub older_data_keys: u64,
    /// Those of them that did not open when this host looked at them last.
    pub damaged_data_keys: u64,
    /// Live hosts that lack the newest version.
    pub hosts_lacking: Vec<String>,
    /// The master keys, oldest first.
    pub master_keys: Vec<MasterKeyStatus>,
}

/// One version of the master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MasterKeyStatus {
    /// The version.
    pub version: u32,
    /// Names the key.
    pub fingerprint: String,
    /// What it is for now.
    pub state: MasterKeyState,
    /// When it was added.
    pub created_at: Micros,
    /// How many data keys it wraps.
    pub data_keys: u64,
}

/// What a master key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MasterKeyState {
    /// It opens what it wrapped.
    Old,
    /// It wraps.
    Current,
    /// It waits until every live host has it.
    Next,
}

impl Status {
    /// True when the newest master key wraps everything.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.newest == self.current && self.older_data_keys == 0
    }

    /// True when nothing more will happen by itself: a host lacks the key, or a data key does not open.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        let waits = self.newest != self.current && !self.hosts_lacking.is_empty();
        waits || (self.damaged_data_keys > 0 && self.damaged_data_keys >= self.older_data_keys)
    }
}

impl Rotation {
    /// Where the master keys stand.
    ///
    /// # Errors
    /// [`RotationError`] when the database doesn't answer.
    pub async fn status(&self) -> Result<Status, RotationError> {
        let known = master_keys::all(&self.db).await?;
        let counts = data_keys::counts(&self.db).await?;
        let newest = known.last().map_or(0, |key| key.version);
        let current = in_use(&known);
        let count = |version| counts.iter().find(|(counted, _)| *counted == version).map_or(0, |(_, count)| *count);
        let master_keys = known.into_iter().map(|key| MasterKeyStatus {
            data_keys: count(key.version),
            version: key.version,
            fingerprint: key.fingerprint,
            state: match key.version {
                version if version > current => MasterKeyState::Next,
                version if version < current => MasterKeyState::Old,
                _ => MasterKeyState::Current,
            },
            created_at: key.created_at,
        });
        Ok(Status {
            keyring: self.keyring.fingerprint(),
            current,
            newest,
            lowest: self.keyring.lowest(),
            data_keys: counts.iter().map(|(_, count)| count).sum(),
            older_data_keys: counts.iter().filter(|(version, _)| *version < current).map(|(_, count)| count).sum(),
            damaged_data_keys: self.damaged.load(Ordering::Relaxed),
            hosts_lacking: master_keys::hosts_lacking(&self.db, newest, self.clock.now()).await?,
            master_keys: master_keys.collect(),
        })
    }
}
