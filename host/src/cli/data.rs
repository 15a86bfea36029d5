//! Flags of the commands that work on the data folder itself.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

use crate::clock::Clock;
use crate::config::{Config, Overrides};
use crate::folder::{Folder, FolderError};
use crate::host::Store;

/// Which data folder, and what wins over its file.
#[derive(Clone, Debug, Args)]
pub(super) struct DataArgs {
    /// Folder that holds everything: keys, database, caches.
    #[arg(long, value_name = "DIR", env = "AAASP_DATA", default_value = "aaasp-data")]
    pub data: PathBuf,
    /// A PostgreSQL URL; without it the database is a file in the data folder.
    #[arg(long, value_name = "URL", env = "AAASP_DATABASE_URL", hide_env_values = true)]
    pub database: Option<SecretString>,
    /// The operator's file [default: aaasp.toml in the data folder, if there is one].
    #[arg(long, value_name = "FILE", env = "AAASP_CONFIG")]
    pub config: Option<PathBuf>,
}

impl DataArgs {
    /// The effective configuration.
    pub(super) fn config(&self, overrides: Overrides) -> anyhow::Result<Config> {
        let overrides = Overrides { database: self.database.clone(), file: self.config.clone(), ..overrides };
        Ok(Config::load(&self.data, &overrides)?)
    }
}

/// Opens a data folder that is there, and its database.
pub(super) async fn open(args: &DataArgs) -> anyhow::Result<Store> {
    let data = &args.data;
    // Taking a folder makes it, which would turn a mistyped name into an empty folder.
    if !data.exists() {
        return Err(FolderError::Empty(data.clone()).into());
    }
    let config = args.config(Overrides::default())?;
    let folder = Folder::take(data)?;
    if !folder.is_initialised() {
        return Err(FolderError::Empty(data.clone()).into());
    }
    Ok(Store::open(folder, config, Clock::System).await?)
}
