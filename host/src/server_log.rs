//! The server log: which address asked for what, with which program. It is for finding misuse, and nothing else: a file
//! a day in the data folder, JSON Lines, kept for days and not for as long as anything else. Nobody waits for it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Micros};
use crate::config::LiveConfig;
use crate::db::{Db, DbError, accounts};
use crate::ids::{AccountId, RequestId};

/// The folder, in the data folder.
pub const FOLDER: &str = "server-log";

/// Lines that may wait to be written. What comes on top is dropped and counted.
const WAITING: usize = 16_384;
/// How long a line waits to be written.
const WRITTEN_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked which files are old enough.
const LOOKED_EVERY: Duration = Duration::from_secs(600);
/// A day's file grows no larger: what comes on top is dropped and counted, so that nobody fills the disk by asking.
const DAY_BYTES: u64 = 1 << 30;
/// A longer name of a program is cut.
const USER_AGENT_BYTES: usize = 256;
const DAY_MS: i64 = 24 * 3_600_000;

const DROPPED: &str = "aaasp_server_log_dropped_total";

/// One request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// When it was answered.
    pub at: Micros,
    /// The request.
    pub request: RequestId,
    /// The account whose key it came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The program, as it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The method.
    pub method: String,
    /// The route's pattern: without names and ids.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
}

/// The log of a host.
pub struct ServerLog {
    folder: PathBuf,
    config: LiveConfig,
    clock: Clock,
    db: Db,
    waiting: Mutex<Vec<Line>>,
    /// Whoever changes the files holds it.
    files: Mutex<()>,
}

impl ServerLog {
    /// That of a data folder.
    #[must_use]
    pub fn new(db: Db, config: LiveConfig, clock: Clock) -> Arc<Self> {
        let folder = config.now().data.join(FOLDER);
        Arc::new(Self { folder, config, clock, db, waiting: Mutex::default(), files: Mutex::default() })
    }

    /// Whether the operator has one written.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.config.now().values.retention.server_log_days > 0
    }

    /// Remembers a request.
    pub fn note(&self, line: Line) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING {
            drop(waiting);
            metrics::counter!(DROPPED).increment(1);
            return;
        }
        waiting.push(line);
    }

    /// Writes what is remembered and deletes what is old, for as long as the host lives.
    pub async fn do_duties(self: Arc<Self>) {
        tokio::join!(self.write_on(), self.look_through());
    }

    async fn write_on(self: &Arc<Self>) {
        loop {
            self.write().await;
            tokio::time::sleep(WRITTEN_EVERY).await;
        }
    }

    async fn look_through(self: &Arc<Self>) {
        loop {
            if let Err(error) = self.forget().await {
                tracing::warn!(%error, "the server log could not be looked through; it will be tried again");
            }
            tokio::time::sleep(LOOKED_EVERY).await;
        }
    }

    /// Writes down what is remembered.
    pub async fn write(self: &Arc<Self>) {
        let lines = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if lines.is_empty() {
            return;
        }
        let log = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || log.append(&lines)).await;
        if let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            tracing::error!(%error, "the server log could not be written");
        }
    }

    fn append(&self, lines: &[Line]) -> io::Result<()> {
        let _alone = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        fs::create_dir_all(&self.folder)?;
        let mut file = private(OpenOptions::new().create(true).append(true), &self.file(self.clock.now()))?;
        if file.metadata()?.len() + text.len() as u64 > DAY_BYTES {
            metrics::counter!(DROPPED).increment(lines.len() as u64);
            return Ok(());
        }
        file.write_all(&text)
    }

    fn file(&self, at: Micros) -> PathBuf {
        self.folder.join(format!("{}.jsonl", day(at)))
    }

    /// Deletes files that are old enough, and takes out of the others what was of accounts that are erased.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn forget(self: &Arc<Self>) -> Result<(), DbError> {
        let kept = i64::from(self.config.now().values.retention.server_log_days);
        let oldest = day(self.clock.now().plus_ms(-kept * DAY_MS));
        let mut there = HashMap::new();
        for file in self.kept() {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            // A file of that day has lines that are younger.
            let done = if kept == 0 || name < oldest {
                fs::remove_file(&file)
            } else {
                self.redact(&file, &mut there).await?
            };
            if let Err(error) = done {
                tracing::error!(file = %file.display(), %error, "a file of the server log could not be looked after");
            }
        }
        Ok(())
    }

    fn kept(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        // One that was being written anew when its host died is of no use.
        files.iter().filter(|path| path.extension().is_some_and(|ending| ending == "new")).for_each(|path| {
            let _ = fs::remove_file(path);
        });
        files.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
        files.sort();
        files
    }

    /// Takes out of a file what was of accounts that are erased; which accounts are there is asked once for all files.
    async fn redact(
        self: &Arc<Self>,
        file: &Path,
        there: &mut HashMap<AccountId, bool>,
    ) -> Result<io::Result<()>, DbError> {
        let (log, path) = (Arc::clone(self), file.to_owned());
        let named = tokio::task::spawn_blocking(move || log.accounts(&path)).await.map_err(DbError::corrupt)?;
        let named = match named {
            Ok(named) => named,
            Err(error) => return Ok(Err(error)),
        };
        let mut gone = HashSet::new();
        for account in named {
            let is_there = match there.get(&account) {
                Some(known) => *known,
                None => accounts::is_there(&self.db, account).await?,
            };
            there.insert(account, is_there);
            if !is_there {
                gone.insert(account);
            }
        }
        if gone.is_empty() {
            return Ok(Ok(()));
        }
        let (log, path) = (Arc::clone(self), file.to_owned());
        tokio::task::spawn_blocking(move || log.rewrite(&path, &gone)).await.map_err(DbError::corrupt)
    }

    /// The accounts that a file names.
    fn accounts(&self, file: &Path) -> io::Result<BTreeSet<AccountId>> {
        let mut named = BTreeSet::new();
        for line in BufReader::new(fs::File::open(file)?).lines() {
            named.extend(serde_json::from_str::<Line>(&line?).ok().and_then(|line| line.account));
        }
        Ok(named)
    }

    /// Leaves of the requests of some accounts only that there were some.
    fn rewrite(&self, file: &Path, gone: &HashSet<AccountId>) -> io::Result<()> {
        let _alone = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let beside = file.with_extension("new");
        let mut written =
            io::BufWriter::new(private(OpenOptions::new().create(true).write(true).truncate(true), &beside)?);
        for line in BufReader::new(fs::File::open(file)?).lines() {
            let line = line?;
            match serde_json::from_str::<Line>(&line) {
                Ok(mut told) if told.account.is_some_and(|account| gone.contains(&account)) => {
                    (told.account, told.address, told.user_agent) = (None, None, None);
                    serde_json::to_writer(&mut written, &told)?;
                }
                Ok(_) => written.write_all(line.as_bytes())?,
                // Half a line tells nobody anything, and may be of whom nothing is to be left.
                Err(_) => continue,
            }
            written.write_all(b"\n")?;
        }
        written.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(beside, file)
    }
}

/// As much of a program's name as is kept.
#[must_use]
pub fn user_agent(name: &str) -> String {
    let mut end = name.len().min(USER_AGENT_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

fn private(options: &mut OpenOptions, path: &Path) -> io::Result<fs::File> {
    options.mode(0o600).open(path)
}

/// The day of a moment, as files are named.
fn day(at: Micros) -> String {
    at.rfc3339().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_of_a_program_is_cut_between_characters() {
        assert_eq!(user_agent("curl/8"), "curl/8");
        let cut = user_agent(&"ä".repeat(400));
        assert!(cut.len() <= USER_AGENT_BYTES && cut.chars().all(|c| c == 'ä'));
    }
}
