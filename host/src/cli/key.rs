//! `aaasp key`: the master keys that everything hangs on, and the data keys of accounts.
//!
//! With a running server these go through its API, since it holds the folder; without one they work on the folder.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::{Args as ClapArgs, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::json;

use super::admin::operator_key;
use super::client::{Client, DEFAULT_URL};
use super::data::DataArgs;
use super::json::{self, JsonArgs};
use super::{out, progress, readable, table};
use crate::audit::Actor;
use crate::clock::Clock;
use crate::config::Overrides;
use crate::folder::{Folder, FolderError};
use crate::host::Store;
use crate::ids::AccountId;
use crate::vault::rotation::{MasterKeyState, Rotated, Rotation, Status};

/// How often a rotation is asked how far it is.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
While a server has the folder, the command goes through its API with the operator's key, as `aaasp admin` does.

Examples:
  aaasp key list
  aaasp key rotate
  aaasp key retire --below 2")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    /// Go through the API of the server at this address [default: the folder, or the server that has it].
    #[arg(long, global = true, value_name = "URL", env = "AAASP_URL", help_heading = "Server")]
    url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the master keys, and what each of them wraps.
    #[command(after_help = "\
Example:
  aaasp key list --json")]
    List(PlaceArgs),
    /// Add a master key and wrap every data key with it, while runs go on.
    #[command(after_help = "\
It may be repeated after any failure: it goes on where it stopped, and so does a server that starts. When hosts lack
the new key, they are named, and it wraps nothing before each has a copy of the keyring.

Examples:
  aaasp key rotate
  aaasp key rotate --account acc_01h455vb4pex5vsknk084sn02q")]
    Rotate {
        /// Rotate the data key of this account instead.
        #[arg(long, value_name = "ID", env = "AAASP_ACCOUNT")]
        account: Option<AccountId>,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Remove master keys for good. Refused while anything needs one of them.
    #[command(after_help = "\
Backups of the database that were made before the rotation can't be opened any more: keep a copy of the keyring for as
long as you want to be able to.

Example:
  aaasp key retire --below 2")]
    Retire {
        /// The lowest version that is kept.
        #[arg(long, value_name = "VERSION", env = "AAASP_BELOW")]
        below: u32,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

#[derive(Debug, ClapArgs)]
struct PlaceArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    json: JsonArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let place = match &args.command {
        Command::List(place) | Command::Rotate { place, .. } | Command::Retire { place, .. } => place,
    };
    let json = place.json.json;
    let keys = Keys::reach(args.url.as_deref(), &place.data).await?;
    let done = match args.command {
        Command::List(_) => keys.status().await.and_then(|status| list(&status, json)),
        Command::Rotate { account: Some(account), .. } => {
            keys.rotate_data_key(account).await.and_then(|rotated| show_rotated(rotated, json))
        }
        Command::Rotate { account: None, .. } => rotate(&keys, json).await,
        Command::Retire { below, .. } => keys.retire(below).await.and_then(|status| show_retired(&status, json)),
    };
    if let Keys::Folder(store) = keys {
        store.db.close().await;
    }
    done
}

/// The keys of a folder, or those of the server that has it.
enum Keys {
    Server(Client),
    Folder(Box<Store>),
}

impl Keys {
    async fn reach(url: Option<&str>, data: &DataArgs) -> anyhow::Result<Self> {
        if let Some(url) = url {
            return Self::server(url, &data.data);
        }
        // Taking a folder makes it, which would turn a mistyped name into an empty folder.
        if !data.data.exists() {
            return Err(FolderError::Empty(data.data.clone()).into());
        }
        let folder = match Folder::take(&data.data) {
            Err(FolderError::Locked(_)) => return Self::server(DEFAULT_URL, &data.data),
            taken => taken?,
        };
        if !folder.is_initialised() {
            return Err(FolderError::Empty(data.data.clone()).into());
        }
        let config = data.config(Overrides::default())?;
        Ok(Self::Folder(Box::new(Store::open(folder, config, Clock::System).await?)))
    }

    fn server(url: &str, data: &Path) -> anyhow::Result<Self> {
        Ok(Self::Server(Client::connect(url, operator_key(data)?, "the operator's key")?))
    }

    async fn status(&self) -> anyhow::Result<Status> {
        match self {
            Self::Server(client) => client.get(&MASTER_KEYS, &[]).await?.read(),
            Self::Folder(store) => Ok(store.rotation.status().await?),
        }
    }

    async fn begin(&self) -> anyhow::Result<Status> {
        match self {
            Self::Server(client) => client.send(Method::POST, &MASTER_KEYS, &json!({})).await?.read(),
            Self::Folder(store) => Ok(store.rotation.begin(Actor::System).await?),
        }
    }

    async fn retire(&self, below: u32) -> anyhow::Result<Status> {
        match self {
            Self::Server(client) => {
                let path = [MASTER_KEYS[0], MASTER_KEYS[1], "retire"];
                client.send(Method::POST, &path, &json!({"below": below})).await?.read()
            }
            Self::Folder(store) => Ok(store.rotation.retire(below, Actor::System).await?),
        }
    }

    async fn rotate_data_key(&self, account: AccountId) -> anyhow::Result<Rotated> {
        match self {
            Self::Server(client) => {
                let path = ["admin", "accounts", &account.to_string(), "data-keys"];
                client.send(Method::POST, &path, &json!({})).await?.read()
            }
            Self::Folder(store) => Ok(store.rotation.rotate_data_key(account, Actor::System, None).await?),
        }
    }
}

const MASTER_KEYS: [&str; 2] = ["admin", "master-keys"];

async fn rotate(keys: &Keys, json: bool) -> anyhow::Result<()> {
    let mut status = keys.begin().await?;
    let bar = progress::on_stderr(ProgressBar::new(status.data_keys));
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} data keys wrapped by the new master key") {
        bar.set_style(style);
    }
    let work = match keys {
        Keys::Folder(store) => Some(advance(Arc::clone(&store.rotation))),
        Keys::Server(_) => None,
    };
    while !status.is_done() && !status.is_stuck() {
        bar.set_position(status.data_keys.saturating_sub(status.older_data_keys));
        if work.as_ref().is_some_and(tokio::task::JoinHandle::is_finished) {
            break;
        }
        tokio::time::sleep(LOOK).await;
        status = keys.status().await?;
    }
    if let Some(work) = work {
        work.await??;
        status = keys.status().await?;
    }
    bar.finish_and_clear();
    if json {
        json::print(&status)?;
    }
    refuse_unfinished(&status)?;
    if !json {
        out::line(format!(
            "Master key {} wraps every data key ({}).",
            status.current,
            readable::number(status.data_keys)
        ));
        if status.master_keys.len() > 1 {
            out::note(format!("Remove the older ones with `aaasp key retire --below {}`.", status.current));
        }
    }
    Ok(())
}

/// Does on the folder what a server would do.
fn advance(rotation: Arc<Rotation>) -> tokio::task::JoinHandle<anyhow::Result<()>> {
    tokio::spawn(async move { Ok(rotation.advance().await?) })
}

fn refuse_unfinished(status: &Status) -> anyhow::Result<()> {
    if status.is_done() {
        return Ok(());
    }
    if status.damaged_data_keys > 0 {
        bail!(
            "{} data keys can't be opened and stay under the older master key; the log names them",
            status.damaged_data_keys
        );
    }
    bail!(
        "master key {} was added but is not in use yet: {} lack it. Put a copy of this keyring on each of them; they \
         notice it within seconds, and then the rotation goes on by itself",
        status.newest,
        status.hosts_lacking.join(", ")
    )
}

fn list(status: &Status, json: bool) -> anyhow::Result<()> {
    if json {
        return json::print(status);
    }
    let rows = status.master_keys.iter().map(|key| {
        let state = match key.state {
            MasterKeyState::Old => "old",
            MasterKeyState::Current => "current",
            MasterKeyState::Next => "next",
        };
        let (version, count) = (key.version.to_string(), readable::number(key.data_keys));
        vec![version, state.to_owned(), count, key.fingerprint.clone(), readable::time(key.created_at)]
    });
    table::print(&["version", "state", "data keys", "fingerprint", "since"], rows);
    if !status.hosts_lacking.is_empty() {
        out::line("");
        out::line(format!("Without master key {}: {}", status.newest, status.hosts_lacking.join(", ")));
    }
    Ok(())
}

fn show_rotated(rotated: Rotated, json: bool) -> anyhow::Result<()> {
    if json {
        return json::print(&rotated);
    }
    let Rotated { account, version } = rotated;
    out::line(format!("Version {version} of {account}'s data key seals from now on."));
    Ok(())
}

fn show_retired(status: &Status, json: bool) -> anyhow::Result<()> {
    if json {
        return json::print(status);
    }
    out::line(format!("Master keys below {} are gone.", status.lowest));
    Ok(())
}
