//! A host of our own, on a fresh folder and a free port, for the demo and the benchmark.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::http::Client;
use crate::{interrupt, postgres, shell};

/// Long enough for the first start on a slow disk, which migrates the database.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How to start a server.
pub struct Options<'a> {
    /// The host's binary.
    pub aaasp: &'a Path,
    /// The data folder.
    pub data: &'a Path,
    /// A PostgreSQL URL; without one, SQLite in the data folder.
    pub database: Option<&'a str>,
    /// The balance that the first account starts with.
    pub credits: u64,
    /// The operator's file; empty for the defaults.
    pub config: &'a str,
}

/// A running `aaasp serve` with one account.
pub struct Server {
    child: Child,
    /// Speaks for the account.
    pub client: Client,
    /// The account's id.
    pub account: String,
    /// Where the server's own log goes.
    log: PathBuf,
}

impl Server {
    /// `aaasp init`, `aaasp serve`, and waits until it is ready.
    pub fn start(options: &Options) -> Result<Self> {
        let mut init = command(options);
        init.args(["init", "--credits", &options.credits.to_string(), "--json"]).arg("--data").arg(options.data);
        let printed: Value = serde_json::from_str(&shell::capture(&mut init)?).context("aaasp init printed no JSON")?;
        let account = printed["account"].as_str().context("aaasp init named no account")?;
        let api_key = printed["api_key"].as_str().context("aaasp init named no API key")?;
        Self::serve(options, account, api_key)
    }

    /// Stops the server and starts it again on the same data.
    pub fn restart(mut self, options: &Options) -> Result<Self> {
        shell::stop(&mut self.child, "TERM");
        Self::serve(options, &self.account, &self.client.api_key)
    }

    fn serve(options: &Options, account: &str, api_key: &str) -> Result<Self> {
        let address = format!("127.0.0.1:{}", postgres::free_port()?);
        let log = options.data.with_extension("log");
        let output = std::fs::File::create(&log)?;
        let mut serve = command(options);
        serve.args(["serve", "--listen", &address]).arg("--data").arg(options.data);
        if !options.config.is_empty() {
            let file = options.data.with_extension("toml");
            std::fs::write(&file, options.config)?;
            serve.arg("--config").arg(file);
        }
        serve.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = serve.spawn().context("cannot start `aaasp serve`")?;
        let client = Client { address, api_key: api_key.to_owned() };
        let mut server = Self { child, client, account: account.to_owned(), log };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Uploads a component as the next version of an agent and deploys it under the same name.
    pub fn deploy(&self, name: &str, component: &Path, settings: Value) -> Result<Value> {
        self.client.deploy(name, component, settings)
    }

    /// What the account can spend and what its unfinished runs hold, in microcredits.
    pub fn credits(&self) -> Result<(u64, u64)> {
        let credits = self.client.json("GET", "/v1/credits", None)?;
        let amount = |name: &str| credits[name].as_u64().with_context(|| format!("/v1/credits has no {name}"));
        Ok((amount("available_microcredits")?, amount("held_microcredits")?))
    }

    /// The process, for reading what it used.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the server ends or the person asks for it, then stops it.
    pub fn wait(mut self) -> Result<()> {
        while !interrupt::asked() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended by itself with {status}:\n{}", self.last_words());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let ready = shell::wait_until(Instant::now() + START_LIMIT, || {
            if interrupt::asked() || self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return Some(false);
            }
            (200..300).contains(&self.client.status("/readyz").ok()?).then_some(true)
        });
        interrupt::check()?;
        if ready == Some(true) { Ok(()) } else { bail!("`aaasp serve` did not become ready:\n{}", self.last_words()) }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        shell::stop(&mut self.child, "TERM");
    }
}

/// The binary without the settings of whoever runs us.
fn command(options: &Options) -> Command {
    let mut command = Command::new(options.aaasp);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AAASP_") {
            command.env_remove(name);
        }
    }
    if let Some(url) = options.database {
        command.env("AAASP_DATABASE_URL", url);
    }
    command
}
