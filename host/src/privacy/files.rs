//! What a host keeps beside the database: compiled components, and letters while there is no mail server. It goes when
//! the rows that it belongs to have gone, whichever host deleted them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::db::{Db, DbError, agents, letters};
use crate::mail;
use crate::runtime::Runtime;

/// How often a host looks at its files.
const EVERY: Duration = Duration::from_secs(600);

/// The files of a host.
pub struct Files {
    db: Db,
    runtime: Arc<Runtime>,
    data: PathBuf,
}

impl Files {
    /// Those of a data folder.
    #[must_use]
    pub fn new(db: Db, runtime: Arc<Runtime>, data: PathBuf) -> Self {
        Self { db, runtime, data }
    }

    /// Deletes what belongs to nothing any more, for as long as the host lives.
    pub async fn do_duties(self) {
        loop {
            if let Err(error) = self.forget().await {
                tracing::warn!(%error, "files of what was deleted could not be looked for; it will be tried again");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn forget(&self) -> Result<(), DbError> {
        let wanted = agents::digests(&self.db).await?;
        if let Err(error) = self.runtime.forget_artifacts(&wanted) {
            tracing::error!(%error, "compiled components that nobody has any more could not be deleted");
        }
        for letter in mail::kept_as_files(&self.data) {
            if letters::is_there(&self.db, letter).await? {
                continue;
            }
            if let Err(error) = mail::forget_file(&self.data, letter) {
                tracing::error!(%letter, %error, "a letter that was kept as a file could not be deleted");
            }
        }
        Ok(())
    }
}
