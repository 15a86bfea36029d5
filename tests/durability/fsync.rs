//! A commit reaches the disk before it is acknowledged. A killed process alone would not notice a missing
//! sync, since the kernel keeps what was written; so the system calls are looked at.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::deploy_guests;
use crate::support::{Server, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_synced_before_its_first_acknowledgement() {
    if server::on_postgres() {
        // There the sync is PostgreSQL's; what we owe is to ask for it.
        let preamble = include_str!("../../host/src/db/engine.rs");
        assert!(preamble.contains("SET synchronous_commit = on"));
        return;
    }
    let server = Server::start().await;
    deploy_guests(&server.account, 1_000).await;
    let trace = server.data().join("trace");
    let mut strace = Command::new("strace")
        .args(["-f", "-y", "-s", "16", "-e", "trace=pwrite64,fdatasync,fsync,sendto,write,writev", "-o"])
        .arg(&trace)
        .args(["-p", &server.pid().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace is missing; `apt-get install strace` brings it");
    attached(server.pid()).await;
    let run = server.account.post("/v1/deployments/prompt/runs?wait=60", json!({"input": null})).await.expect(200);
    assert_eq!(run["outcome"], "succeeded");
    Command::new("kill").args(["-INT", &strace.id().to_string()]).status().unwrap();
    strace.wait().unwrap();

    let calls = std::fs::read_to_string(&trace).unwrap();
    let lines: Vec<&str> = calls.lines().collect();
    let position = |from: usize, to: usize, is: &dyn Fn(&str) -> bool| (from..to).rev().find(|&at| is(lines[at]));
    let answer = (0..lines.len())
        .find(|&at| lines[at].contains("\"HTTP/1.1 200"))
        .unwrap_or_else(|| panic!("no answer was traced:\n{calls}"));
    let is_write = |line: &str| line.contains("pwrite64(") && line.contains("aaasp.db-wal");
    let write = position(0, answer, &is_write).expect("the commit was written before the answer");
    let is_sync = |line: &str| line.contains("sync(") && line.contains("aaasp.db-wal");
    assert!(position(write, answer, &is_sync).is_some(), "no sync between line {write} and {answer}:\n{calls}");
}

/// Waits until the process is traced.
async fn attached(pid: u32) {
    for _ in 0..200 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap().trim();
        if tracer != "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("strace did not attach; does the machine allow ptrace?");
}
