//! What the rights of one large account cost: a copy of a million log lines, and their erasure beside a polite account.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::load::{Load, Request, Seen};
use super::{neighbours, process};
use crate::http::Client;
use crate::server::{Options, Server};
use crate::shell;

/// Lines of the large account, and of each of its runs.
const LINES: u64 = 1_000_000;
const LINES_OF_A_RUN: u64 = 100_000;

/// Connections of the polite account.
const POLITE_CLIENTS: u32 = 2;

/// Longer than either may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long the server is left alone after an erasure.
const SETTLES: Duration = Duration::from_secs(3);

/// Erased as soon as it is confirmed.
const CONFIG: &str = "
[accounts]
closing_days = 0
[host]
slow_client_ms = 1000
[limits.run]
log_lines = 100000
log_bytes = 67108864
fuel = 100000000000
wall_clock_ms = 60000
";

/// One account's copy and erasure.
pub struct Rights {
    /// From asking for the copy to having it, in milliseconds.
    pub export_ms: u64,
    /// What the host took of memory meanwhile, on top of before, in bytes.
    pub export_memory: u64,
    /// How long the copy is, in bytes.
    pub export_bytes: u64,
    /// From the confirmation until nothing is left, in milliseconds.
    pub erasure_ms: u64,
    /// The polite account before, meanwhile and after. A machine is faster or slower by the minute, so that what the
    /// erasure costs shows beside both.
    pub before: Seen,
    pub meanwhile: Seen,
    pub after: Seen,
}

impl Rights {
    /// How many times as long the slowest hundredth of the polite account's runs took meanwhile.
    pub fn times_p99(&self) -> f64 {
        2.0 * self.meanwhile.p99_us as f64 / (self.before.p99_us + self.after.p99_us) as f64
    }
}

/// Measures as many large accounts, one after the other.
pub fn measure(
    aaasp: &Path,
    folder: &Path,
    polite: &Path,
    noisy: &Path,
    (seconds, turns): (u32, usize),
) -> Result<Vec<Rights>> {
    let data = folder.join("rights");
    let server = Server::start(&Options { aaasp, data: &data, database: None, credits: 1_000_000, config: CONFIG })?;
    server.deploy("hello", polite, json!({}))?;
    let load = Load { clients: POLITE_CLIENTS, seconds, folder };
    let request = Request {
        url: format!("http://{}/v1/deployments/hello/runs?wait=60", server.client.address),
        method: "POST",
        api_key: &server.client.api_key,
        body: r#"{"input":{"name":"bench"}}"#,
        expected: r#""outcome":"succeeded""#,
    };
    (0..turns)
        .map(|turn| {
            eprintln!("a copy and an erasure of {LINES} log lines, {} of {turns}", turn + 1);
            let email = format!("large{turn}@example.org");
            let large = neighbours::another_account(&server, &data, &email)?;
            fill(&large, noisy)?;
            let (export_ms, export_memory, export_bytes) = export(&large, server.process())?;
            let before = load.press(&request)?;
            let link = deletion_link(&large, &data, &email)?;
            let (erasure_ms, meanwhile) = std::thread::scope(|scope| {
                let erased = scope.spawn(|| erase(&server, &data, &link));
                wait_until_erasing(&server, &data)?;
                let meanwhile = load.press(&request)?;
                anyhow::Ok((erased.join().map_err(|_| anyhow::anyhow!("the erasure failed"))??, meanwhile))
            })?;
            // The log of what was written is written out by then.
            std::thread::sleep(SETTLES);
            let after = load.press(&request)?;
            Ok(Rights { export_ms, export_memory, export_bytes, erasure_ms, before, meanwhile, after })
        })
        .collect()
}

/// Runs that write as many lines as they may, until there are enough.
fn fill(large: &Client, noisy: &Path) -> Result<()> {
    large.deploy("noisy", noisy, json!({}))?;
    for _ in 0..LINES / LINES_OF_A_RUN {
        let run = large.json("POST", "/v1/deployments/noisy/runs?wait=60", Some(&json!({"input": "log"})))?;
        ensure!(run["outcome"] == "limit_exceeded", "the run did not write all lines that it may: {run:#}");
    }
    Ok(())
}

/// Milliseconds, memory on top, and bytes of a copy.
fn export(large: &Client, server: u32) -> Result<(u64, u64, u64)> {
    let resident = process::resident_bytes(server)?;
    process::forget_peak(server)?;
    let started = Instant::now();
    large.json("POST", "/v1/privacy/exports", Some(&json!({})))?;
    let ready = shell::wait_until(started + PATIENCE, || {
        let export = large.json("GET", "/v1/privacy/exports", None).ok()?;
        (export["state"] == "ready").then_some(export)
    });
    let export = ready.context("the copy does not become ready")?;
    ensure!(export["rows"].as_u64().is_some_and(|rows| rows > 100), "the copy has too few rows: {export:#}");
    let link = large.json("POST", "/v1/privacy/exports/links", Some(&json!({})))?;
    let link = link["link"].as_str().context("no link")?.to_owned();
    let path = link.find("/downloads/").map(|at| link[at..].to_owned()).context("no link")?;
    let bytes = large.bytes("POST", &path)?;
    ensure!(export["bytes"] == json!(bytes), "the copy is cut: {bytes} bytes of {export:#}");
    let took = u64::try_from(started.elapsed().as_millis())?;
    Ok((took, process::peak_bytes(server)?.saturating_sub(resident), bytes))
}

/// Asks for the deletion; the link is in the letter, which is a file while there is no mail server.
fn deletion_link(large: &Client, data: &Path, email: &str) -> Result<String> {
    large.json("DELETE", "/v1/account", None)?;
    let found = shell::wait_until(Instant::now() + PATIENCE, || {
        let letters = std::fs::read_dir(data.join("outbox")).ok()?.flatten();
        let mut texts = letters.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
        let text = texts.find(|text| text.contains(email) && text.contains("Delete your account"))?;
        // Quoted-printable may break a long line.
        let text = text.replace("=\r\n", "");
        let secret: String = text.split("/confirm/").nth(1)?.chars().take(43).collect();
        Some(secret)
    });
    found.context("there is no letter with the link")
}

/// Confirms the deletion and waits until nothing is left; milliseconds.
fn erase(server: &Server, data: &Path, link: &str) -> Result<u64> {
    let operator = neighbours::operator(server, data)?;
    let already = erasures(&operator, "erased").unwrap_or_default();
    let started = Instant::now();
    server.client.json("POST", "/v1/accounts/confirm", Some(&json!({"link": link})))?;
    let done = shell::wait_until(started + PATIENCE, || (erasures(&operator, "erased")? > already).then_some(()));
    done.context("the account is not erased")?;
    Ok(u64::try_from(started.elapsed().as_millis())?)
}

/// Until rows are deleted.
fn wait_until_erasing(server: &Server, data: &Path) -> Result<()> {
    let operator = neighbours::operator(server, data)?;
    let begun = shell::wait_until(Instant::now() + PATIENCE, || (erasures(&operator, "erasing")? > 0).then_some(()));
    begun.context("the erasure does not begin")
}

fn erasures(operator: &Client, state: &str) -> Option<usize> {
    let list: Value = operator.json("GET", "/v1/admin/erasures?limit=200", None).ok()?;
    Some(list["items"].as_array()?.iter().filter(|erasure| erasure["state"] == state).count())
}
