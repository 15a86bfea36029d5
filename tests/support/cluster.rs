//! A PostgreSQL of a test's own, to be killed and started again.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::authority::Issued;
use super::database::Database;

/// A cluster in a folder of its own, on a free loopback port.
pub struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl Cluster {
    pub fn start() -> Self {
        let programs = programs();
        let folder = TempDir::new().unwrap();
        if rustix::process::geteuid().is_root() {
            // PostgreSQL refuses to run as root.
            done(Command::new("chown").arg("postgres:").arg(folder.path()));
        }
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut cluster = Self { programs, folder, port, server: None };
        let mut initdb = cluster.command("initdb");
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        done(initdb.stdout(Stdio::null()));
        cluster.restart();
        cluster
    }

    pub fn database(&self) -> Database {
        Database::of_server(&format!("postgres://postgres@127.0.0.1:{}", self.port), "postgres")
    }

    /// Where it is, by an address that leads to this machine and does not say so.
    pub fn url_from_elsewhere(&self) -> String {
        format!("postgres://postgres@0.0.0.0:{}/postgres", self.port)
    }

    /// Starts it anew, with TLS.
    pub fn speak_tls(&mut self, issued: &Issued) {
        let data = self.folder.path().join("data");
        issued.put(&data);
        done(Command::new("chmod").arg("600").arg(data.join("key.pem")));
        if rustix::process::geteuid().is_root() {
            done(Command::new("chown").arg("postgres:").arg(data.join("key.pem")).arg(data.join("cert.pem")));
        }
        let settings = "ssl = on\nssl_cert_file = 'cert.pem'\nssl_key_file = 'key.pem'\n";
        std::fs::write(data.join("postgresql.auto.conf"), settings).unwrap();
        self.kill();
        self.restart();
    }

    /// SIGKILL for the server's first process; its children notice and end, whatever they were at.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Starts the server on the folder as it is, and waits until it answers.
    pub fn restart(&mut self) {
        let started = Instant::now();
        loop {
            let mut server = self.command("postgres");
            server.args(["-p", &self.port.to_string(), "-h", "127.0.0.1", "-c", "unix_socket_directories="]);
            let mut server = server.stderr(Stdio::null()).spawn().unwrap();
            while server.try_wait().unwrap().is_none() {
                let mut ready = Command::new(self.programs.join("pg_isready"));
                ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
                if ready.status().unwrap().success() {
                    self.server = Some(server);
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            // While a child of the one before still lives, a new one refuses to start.
            assert!(started.elapsed() < Duration::from_secs(60), "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if rustix::process::geteuid().is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        }
        command.arg(self.programs.join(program)).arg("-D").arg(self.folder.path().join("data")).current_dir("/");
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The folder with `initdb` and `postgres`: that of the first on the path, or where Debian has them.
fn programs() -> PathBuf {
    let on_path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .filter_map(|folder| folder.join("initdb").canonicalize().ok())
        .filter_map(|initdb| initdb.parent().map(Path::to_path_buf))
        .next();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    on_path.or(debian.pop()).expect("no PostgreSQL programs; `cargo xtask setup` installs them")
}

fn done(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}
