//! A PostgreSQL cluster of our own: made in a temporary folder, on a free loopback port, gone at the end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell;
use crate::temporary::TemporaryFolder;

/// The oldest major version that the migrations and queries are for.
const OLDEST_MAJOR: u32 = 15;

/// A running cluster. Its durability settings are PostgreSQL's defaults, since tests rely on them.
pub struct Cluster {
    server: Child,
    url: String,
    // Dropped after `drop` has stopped the server that writes into it.
    folder: TemporaryFolder,
}

impl Cluster {
    /// `initdb`, then `postgres`; returns once it answers.
    pub fn start() -> Result<Self> {
        let programs = programs().context("no PostgreSQL programs; run `cargo xtask setup`")?;
        let folder = TemporaryFolder::create("postgres")?;
        let owner = Owner::of(folder.path())?;
        let data = folder.path().join("data");

        let mut initdb = owner.command(&programs.join("initdb"));
        initdb.arg("--pgdata").arg(&data);
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        initdb.stdout(Stdio::null());
        shell::run(&mut initdb)?;

        let port = free_port()?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut postgres = owner.command(&programs.join("postgres"));
        postgres.arg("-D").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
        postgres.args(["-c", "unix_socket_directories=", "-c", "max_connections=300"]);
        postgres.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let server = postgres.spawn().context("cannot start postgres")?;
        let url = format!("postgres://postgres@127.0.0.1:{port}");
        let mut cluster = Self { server, url, folder };
        cluster.wait_until_ready(&programs, port)?;
        eprintln!("PostgreSQL listens on {}", cluster.url);
        Ok(cluster)
    }

    /// Where to connect as its superuser; it names no database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its first process, whose children do the work.
    pub fn process(&self) -> u32 {
        self.server.id()
    }

    fn wait_until_ready(&mut self, programs: &Path, port: u16) -> Result<()> {
        let port = port.to_string();
        let ready = shell::wait_until(Instant::now() + Duration::from_secs(60), || {
            if self.server.try_wait().is_ok_and(|ended| ended.is_some()) {
                return Some(false);
            }
            let mut ask = Command::new(programs.join("pg_isready"));
            ask.args(["-q", "-h", "127.0.0.1", "-p", &port]);
            shell::attempt(&mut ask).filter(|output| output.status.success()).map(|_| true)
        });
        if ready == Some(true) {
            return Ok(());
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        bail!("PostgreSQL did not start:\n{log}")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: it disconnects clients and checkpoints.
        shell::stop(&mut self.server, "INT");
    }
}

/// The folder with `initdb` and `postgres`, of the newest version that is new enough.
pub fn programs() -> Option<PathBuf> {
    let on_path = shell::find("initdb").and_then(|initdb| initdb.canonicalize().ok());
    let mut folders: Vec<PathBuf> =
        on_path.and_then(|initdb| initdb.parent().map(Path::to_path_buf)).into_iter().collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let candidates = folders.into_iter().filter(|folder| folder.join("postgres").is_file());
    candidates
        .filter_map(|folder| Some((major(&folder)?, folder)))
        .filter(|(major, _)| *major >= OLDEST_MAJOR)
        .max_by_key(|(major, _)| *major)
        .map(|(_, folder)| folder)
}

/// `postgres (PostgreSQL) 15.18 (…)` → 15
fn major(folder: &Path) -> Option<u32> {
    let printed = shell::attempt(Command::new(folder.join("postgres")).arg("--version"))?.stdout;
    let printed = String::from_utf8(printed).ok()?;
    let version = printed.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Who runs the cluster: PostgreSQL refuses to run as root.
enum Owner {
    Ourselves,
    Postgres,
}

impl Owner {
    /// Gives the folder to the `postgres` user when we are root.
    fn of(folder: &Path) -> Result<Self> {
        if !shell::is_root() {
            return Ok(Self::Ourselves);
        }
        shell::capture(Command::new("chown").arg("postgres:").arg(folder))
            .context("as root, the cluster runs under the user `postgres`")?;
        Ok(Self::Postgres)
    }

    /// The program under its owner. `setpriv` also ends the server should this process die without a chance to.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if matches!(self, Self::Postgres) {
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        }
        command.arg(program).current_dir("/");
        command
    }
}

/// A port that nothing listens on right now.
pub fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no free loopback port")?;
    Ok(listener.local_addr()?.port())
}
