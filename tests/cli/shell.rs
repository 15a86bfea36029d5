//! A person's shell with a home folder of its own, and what a command left behind.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::server::binary;
use crate::support::{Client, hostile};

/// A home folder in which nothing is configured.
pub struct Shell {
    home: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Shell {
    pub fn open() -> Self {
        Self { home: TempDir::new().unwrap(), environment: Vec::new() }
    }

    /// The shell of somebody who has this account's key.
    pub fn of(account: &Client) -> Self {
        Self::open().with("AAASP_URL", &url(account)).with("AAASP_API_KEY", account.key())
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file of the home folder with the component of a hostile guest.
    pub fn guest(&self, name: &str) -> String {
        self.file(&format!("{name}.wasm"), &hostile::component(name))
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        name.to_owned()
    }

    /// Runs `aaasp` in the home folder.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with_input(arguments, "")
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that wants no input may have ended before it is written.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ended::of(child.wait_with_output().unwrap())
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AAASP_")) {
            command.env_remove(name);
        }
        // Help is as wide as this says where there is no terminal.
        command.env_remove("COLUMNS");
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME").env("HOME", self.home.path());
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command.current_dir(self.home.path()).args(arguments);
        command
    }
}

impl Ended {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The answer, when the status is the expected one.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn json(self, status: i32) -> Value {
        let ended = self.expect(status);
        serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.out))
    }
}

/// The address of an account's server.
pub fn url(account: &Client) -> String {
    let request = account.request(Method::GET, "").build().unwrap();
    request.url().as_str().trim_end_matches('/').to_owned()
}

/// The permissions of a file.
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
