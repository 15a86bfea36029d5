//! A real server: the binary, a data folder of its own, and the database that the suite runs on.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{AnyConnection, Connection as _};
use tempfile::TempDir;

use super::Client;
use super::database::Database;
use super::outbox::{self, Letter};
use super::tiny_disk::TinyDisk;
use super::until::until;

/// Says at which step of which duty the process dies, where it is built for debugging.
const DEATH: &str = "AAASP_DIE_AT";

/// A server process. Dropping it kills the process and removes its folder.
pub struct Server {
    folder: Place,
    database: Option<Database>,
    process: Option<Child>,
    said: Arc<Mutex<String>>,
    /// Reads what the process says.
    reader: Option<std::thread::JoinHandle<()>>,
    environment: Vec<(String, String)>,
    /// The first account, which `init` made.
    pub account: Client,
}

/// Where a server's data folder is.
enum Place {
    Temporary(TempDir),
    Tiny(TinyDisk),
}

impl Place {
    /// The folder, for this process.
    fn data(&self) -> PathBuf {
        match self {
            Self::Temporary(folder) => folder.path().to_owned(),
            Self::Tiny(disk) => disk.outside(),
        }
    }

    fn command(&self, database: Option<&Database>) -> Command {
        let url = database.map(Database::url);
        match self {
            Self::Temporary(folder) => command(folder.path(), url.as_deref()),
            Self::Tiny(disk) => on_folder(disk.enter(&binary()), disk.inside(), url.as_deref()),
        }
    }
}

impl Server {
    /// A server with the default configuration and plenty of credits.
    pub async fn start() -> Self {
        Self::with("", 1_000_000).await
    }

    /// A server with an operator's file.
    pub async fn with_config(config: &str) -> Self {
        Self::with(config, 1_000_000).await
    }

    /// A server with an operator's file, whose first account has so many credits.
    pub async fn with(config: &str, credits: i64) -> Self {
        Self::made(Place::Temporary(TempDir::new().unwrap()), Database::fresh().await, config, credits)
    }

    /// A server whose data folder is on a disk of a few MiB.
    pub async fn on_tiny_disk(mib: u32, config: &str) -> Self {
        Self::made(Place::Tiny(TinyDisk::new(mib)), Database::fresh().await, config, 1_000_000)
    }

    /// A server on this database.
    pub fn on_database(database: Database, config: &str) -> Self {
        Self::made(Place::Temporary(TempDir::new().unwrap()), Some(database), config, 1_000_000)
    }

    /// A server on a folder, and perhaps a database, that somebody else has made.
    pub fn on_folder(folder: TempDir, database: Option<Database>, account: &Client) -> Self {
        Self::served(Place::Temporary(folder), database, account.clone())
    }

    fn served(folder: Place, database: Option<Database>, account: Client) -> Self {
        let (said, environment) = (Arc::default(), Vec::new());
        let mut server = Self { folder, database, process: None, said, reader: None, environment, account };
        server.serve();
        server
    }

    fn made(folder: Place, database: Option<Database>, config: &str, credits: i64) -> Self {
        std::fs::write(folder.data().join("aaasp.toml"), config).unwrap();
        let init = folder
            .command(database.as_ref())
            .args(["init", "--json", "--credits", &credits.to_string()])
            .output()
            .unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let made: Value = serde_json::from_slice(&init.stdout).unwrap();
        let account = Client::new("", made["api_key"].as_str());
        Self::served(folder, database, account)
    }

    /// Starts the process on the folder as it is.
    pub fn serve(&mut self) {
        self.serve_with(&["--listen", "127.0.0.1:0"]);
    }

    /// The same, with these arguments.
    pub fn serve_with(&mut self, arguments: &[&str]) {
        let mut process =
            self.command().arg("serve").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stderr, said) = (process.stderr.take().unwrap(), Arc::clone(&self.said));
        self.reader = Some(std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("{line}");
                let mut said = said.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        }));
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("it did not start: {line:?}"));
        self.account = Client::new(base, Some(self.account.key()));
        self.process = Some(process);
    }

    /// The same, but the process dies before a step of a duty, counted from its start.
    pub fn serve_to_die(&mut self, duty: &str, step: usize) {
        self.set(DEATH, &format!("{duty}:{step}"));
        self.serve();
        self.set(DEATH, "");
    }

    /// Waits until the process has died. False when something else is done first.
    pub async fn dies_before(&mut self, done: impl AsyncFn(&Self) -> bool) -> bool {
        let started = Instant::now();
        while self.is_running() {
            if done(self).await {
                return !self.is_running();
            }
            assert!(started.elapsed() < Duration::from_secs(60), "it neither died nor was done");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }

    /// SIGKILL: what a power cut looks like to everybody else.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// SIGTERM, and the wait for a graceful end; returns how long it took.
    pub fn stop(&mut self) -> Duration {
        let started = Instant::now();
        let mut process = self.process.take().unwrap();
        Command::new("kill").arg(process.id().to_string()).status().unwrap();
        let status = process.wait().unwrap();
        assert!(status.success(), "{status}");
        let took = started.elapsed();
        // What it said last may still be on its way.
        self.reader.take().map(std::thread::JoinHandle::join);
        took
    }

    /// True while the process has not ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_none())
    }

    /// What the process has written to stderr: all of it once it is stopped, before that what has come so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until the process has said something.
    pub async fn says(&self, what: &str) {
        until(what, || async { self.said().contains(what).then_some(()) }).await;
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.data()
    }

    /// The disk of a server that was made on a tiny one.
    pub fn disk(&self) -> &TinyDisk {
        match &self.folder {
            Place::Tiny(disk) => disk,
            Place::Temporary(_) => panic!("the server is on no disk of its own"),
        }
    }

    /// The URL of its database, when that is PostgreSQL.
    pub fn database(&self) -> Option<String> {
        self.database.as_ref().map(Database::url)
    }

    /// The operator's view.
    pub fn operator(&self) -> Client {
        self.account.with_key(Some(self.operator_key().trim()))
    }

    /// The operator's key.
    pub fn operator_key(&self) -> String {
        std::fs::read_to_string(self.data().join("keys/operator.key")).unwrap()
    }

    /// Another account with so many microcredits.
    pub async fn another_account(&self, email: &str, microcredits: i64) -> Client {
        let body = serde_json::json!({"email": email, "grant_microcredits": microcredits, "reason": "a test"});
        let made = self.operator().post("/v1/admin/accounts", body).await.expect(201);
        self.account.with_key(made["api_key"].as_str())
    }

    /// The binary with this server's folder and database.
    pub fn command(&self) -> Command {
        let mut command = self.folder.command(self.database.as_ref());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Sets a variable for the processes that are started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Where the API is, while the process runs.
    pub fn url(&self) -> Option<String> {
        let request = self.account.request(reqwest::Method::GET, "").build().unwrap();
        self.process.as_ref().map(|_| request.url().as_str().trim_end_matches('/').to_owned())
    }

    /// The database's URL: PostgreSQL's, or that of the file in the folder.
    pub fn database_url(&self) -> String {
        let embedded = || format!("sqlite://{}", self.data().join("aaasp.db").display());
        self.database.as_ref().map_or_else(embedded, Database::url)
    }

    /// A connection to its database, past all that the host would check.
    pub async fn connect(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        AnyConnection::connect(&self.database_url()).await.unwrap()
    }

    /// Changes the database behind the server's back.
    pub async fn execute(&self, statement: &str) {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::query(statement).execute(&mut self.connect().await).await.unwrap();
    }

    /// Changes what belongs to one row behind the server's back.
    pub async fn execute_with(&self, statement: &'static str, id: &str) {
        sqlx::query(statement).bind(id.to_owned()).execute(&mut self.connect().await).await.unwrap();
    }

    /// What a question of the database counts.
    pub async fn count(&self, question: &'static str) -> i64 {
        sqlx::query_scalar(question).fetch_one(&mut self.connect().await).await.unwrap()
    }

    /// What the server has sent, while it has no mail server.
    pub fn letters(&self) -> Vec<Letter> {
        outbox::letters(&self.data())
    }

    /// A second host on the same PostgreSQL database and keyring; none on SQLite, which is one host's.
    pub fn second_host(&self) -> Option<Self> {
        let config = std::fs::read_to_string(self.data().join("aaasp.toml")).unwrap();
        self.second_host_with(&config)
    }

    /// The same, with an operator's file of its own.
    pub fn second_host_with(&self, config: &str) -> Option<Self> {
        let database = self.database.clone()?;
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("keys")).unwrap();
        std::fs::copy(self.data().join("keys/keyring.toml"), folder.path().join("keys/keyring.toml")).unwrap();
        std::fs::write(folder.path().join("aaasp.toml"), config).unwrap();
        let account = self.account.clone();
        let folder = Place::Temporary(folder);
        Some(Self::served(folder, Some(database), account))
    }

    /// Fails unless every invariant of the ledger holds. The server must be stopped.
    pub fn verify_ledger(&self) {
        let verified = self.command().args(["ledger", "verify"]).output().unwrap();
        let said = String::from_utf8_lossy(&verified.stdout);
        assert!(verified.status.success(), "{said}{}", String::from_utf8_lossy(&verified.stderr));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary under test, on a folder and a database.
pub fn command(folder: &Path, database: Option<&str>) -> Command {
    on_folder(Command::new(binary()), folder, database)
}

fn on_folder(mut command: Command, folder: &Path, database: Option<&str>) -> Command {
    command.env("AAASP_DATA", folder).env_remove("AAASP_DATABASE_URL").env("AAASP_LOG", "warn");
    if let Some(url) = database {
        command.env("AAASP_DATABASE_URL", url);
    }
    command
}

/// `AAASP_BIN`, or what cargo built beside the suite.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("AAASP_BIN") {
        return path.into();
    }
    let suite = std::env::current_exe().unwrap();
    let path = suite.ancestors().nth(2).unwrap().join("aaasp");
    assert!(path.exists(), "{} is missing: `cargo build -p aaasp` makes it", path.display());
    path
}

/// True when the suite runs on PostgreSQL.
pub fn on_postgres() -> bool {
    std::env::var_os("AAASP_TEST_DATABASE_URL").is_some()
}
