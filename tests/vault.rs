//! The custody of keys, through the command line and the API: what is sealed opens through every change of keys.

mod data_keys;
mod keyring;
mod retire;
mod rotate;

use std::process::Output;

use serde_json::Value;

use crate::support::Server;

/// Runs `aaasp key …` on the server's folder, or through the server when it runs.
fn key(server: &Server, arguments: &[&str]) -> Output {
    let mut command = server.command();
    command.arg("key").args(arguments);
    if let Some(url) = server.url() {
        command.args(["--url", &url]);
    }
    command.output().unwrap()
}

/// What the command answers as JSON.
#[track_caller]
fn key_json(server: &Server, arguments: &[&str]) -> Value {
    let output = key(server, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the command says when it refuses.
#[track_caller]
fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&output.stdout));
    said
}

/// How many data keys each master key wraps, read past the host, by the version of the master key.
pub async fn wrapped(server: &Server) -> Vec<(i64, i64)> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT master_version, COUNT(*) FROM data_keys GROUP BY master_version ORDER BY master_version",
    )
    .fetch_all(&mut server.connect().await)
    .await
    .unwrap();
    rows
}

/// The master keys in the keyring's file, as it writes them.
pub fn keys_in_file(server: &Server) -> Vec<String> {
    let text = std::fs::read_to_string(server.data().join("keys/keyring.toml")).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("key = ")).map(str::to_owned).collect()
}
