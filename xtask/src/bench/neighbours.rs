//! What a hostile account costs a polite one: the same polite load on an idle host, and beside each attack.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::load::{Load, Request, Seen};
use crate::http::Client;
use crate::server::{Options, Server};
use crate::shell;

/// Connections of the polite account, fewer than the cores' runs at once: it is one that does nothing extreme.
const POLITE_CLIENTS: u32 = 2;

/// Connections of the hostile account: four times the runs that it may have at once.
const HOSTILE_CLIENTS: u32 = 64;

/// What happens beside the polite account.
#[derive(Clone, Copy)]
enum Attack {
    /// Nothing: the idle host.
    None,
    /// The machine's cores are busy with programs of lowest priority that are not the host's. What a polite run waits
    /// here, the machine makes it wait, and no host can spare it.
    Machine,
    /// Runs of the hostile account, whose agent takes this input.
    Runs(&'static str),
}

/// All of them, as the table calls them.
const ATTACKS: [(&str, Attack); 5] = [
    ("nothing", Attack::None),
    ("nothing, but other programs (`nice -n 19`) keep the cores busy", Attack::Machine),
    ("endless loops", Attack::Runs("loop")),
    ("floods of log lines", Attack::Runs("log")),
    ("all memory", Attack::Runs("memory")),
];

/// The polite account beside one attack, in microseconds; the first row is the idle host.
pub struct Neighbour {
    /// What the hostile account did.
    pub attack: &'static str,
    /// Polite runs in a second.
    pub runs_per_second: f64,
    /// Median latency of each turn's polite runs.
    pub p50_us: u64,
    /// 99th percentile of the latency, the median of all turns.
    pub p99_us: u64,
}

/// Measures with the limits that a host has by default.
pub fn measure(
    aaasp: &Path,
    folder: &Path,
    polite: &Path,
    hostile: &Path,
    (seconds, turns): (u32, usize),
) -> Result<Vec<Neighbour>> {
    let data = folder.join("neighbours");
    let server = Server::start(&Options { aaasp, data: &data, database: None, credits: 1_000_000, config: "" })?;
    server.deploy("hello", polite, json!({}))?;
    let neighbour = another_account(&server, &data, "neighbour@example.org")?;
    neighbour.deploy("hostile", hostile, json!({}))?;

    let load = Load { clients: POLITE_CLIENTS, seconds, folder };
    let request = Request {
        url: format!("http://{}/v1/deployments/hello/runs?wait=60", server.client.address),
        method: "POST",
        api_key: &server.client.api_key,
        body: r#"{"input":{"name":"bench"}}"#,
        expected: r#""outcome":"succeeded""#,
    };
    let mut seen: Vec<(&str, Vec<Seen>)> = Vec::new();
    // The idle host takes its turn in each round, so that a slow minute of the machine slows all alike.
    for _ in 0..turns {
        for (name, attack) in ATTACKS {
            let pressed = match attack {
                Attack::None => load.press(&request)?,
                Attack::Machine => {
                    let _busy = Busy::start()?;
                    load.press(&request)?
                }
                Attack::Runs(input) => {
                    let attacker = Attacker::start(&neighbour, folder, input)?;
                    let pressed = load.press(&request)?;
                    attacker.stop()?;
                    wait_until_calm(&neighbour)?;
                    pressed
                }
            };
            match seen.iter_mut().find(|(known, _)| *known == name) {
                Some((_, all)) => all.push(pressed),
                None => seen.push((name, vec![pressed])),
            }
        }
    }
    Ok(seen.into_iter().map(|(attack, all)| summed(attack, &all)).collect())
}

fn summed(attack: &'static str, all: &[Seen]) -> Neighbour {
    let middle = |value: fn(&Seen) -> u64| {
        let mut values: Vec<u64> = all.iter().map(value).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let per_second = middle(|seen| seen.requests * 1_000_000 / seen.duration_us.max(1));
    Neighbour {
        attack,
        runs_per_second: per_second as f64,
        p50_us: middle(|seen| seen.p50_us),
        p99_us: middle(|seen| seen.p99_us),
    }
}

/// The operator of a server.
pub(super) fn operator(server: &Server, data: &Path) -> Result<Client> {
    let key = std::fs::read_to_string(data.join("keys/operator.key")).context("the folder has no operator's key")?;
    Ok(Client { address: server.client.address.clone(), api_key: key.trim().to_owned() })
}

/// Another account on the same host, with credits for a long attack.
pub(super) fn another_account(server: &Server, data: &Path, email: &str) -> Result<Client> {
    let operator = operator(server, data)?;
    let account = json!({ "email": email, "grant_microcredits": 1_000_000_000_000_u64, "reason": "a bench" });
    let made = operator.json("POST", "/v1/admin/accounts", Some(&account))?;
    let api_key = made["api_key"].as_str().context("the new account has no API key")?.to_owned();
    Ok(Client { address: operator.address, api_key })
}

/// The attack ends with the hostile runs, not with the connections that asked for them.
fn wait_until_calm(neighbour: &Client) -> Result<()> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(90);
    let calm = shell::wait_until(deadline, || {
        let unfinished = ["running", "queued"].iter().all(|status| {
            let runs = neighbour.json("GET", &format!("/v1/runs?status={status}&limit=100"), None).ok();
            let ids = runs.as_ref().and_then(|page| page["items"].as_array()).map(Vec::as_slice).unwrap_or_default();
            for id in ids.iter().filter_map(|run| run["id"].as_str()) {
                // One that has ended meanwhile needs no cancelling.
                let _ = neighbour.json("POST", &format!("/v1/runs/{id}/cancel"), Some(&json!({})));
            }
            runs.is_some() && ids.is_empty()
        });
        unfinished.then_some(())
    });
    calm.context("hostile runs go on after the attack")
}

/// A program for each core that does nothing but take its time, until it is dropped.
struct Busy(Vec<Child>);

impl Busy {
    fn start() -> Result<Self> {
        let cores = std::thread::available_parallelism()?.get();
        let mut busy = Self(Vec::with_capacity(cores));
        for _ in 0..cores {
            let mut program = Command::new("nice");
            program.args(["-n", "19", "sh", "-c", "while :; do :; done"]);
            busy.0.push(program.spawn().context("cannot start `nice`")?);
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for program in &mut self.0 {
            shell::stop(program, "KILL");
        }
    }
}

/// wrk with the hostile account's requests, until it is stopped.
struct Attacker {
    wrk: Child,
}

impl Attacker {
    fn start(neighbour: &Client, folder: &Path, input: &str) -> Result<Self> {
        let script = folder.join("attack.lua");
        let body = json!({ "input": input });
        std::fs::write(
            &script,
            format!(
                "wrk.method = \"POST\"\nwrk.body = [==[{body}]==]\nwrk.headers[\"Content-Type\"] = \"application/json\"\n\
                 wrk.headers[\"Authorization\"] = \"Bearer {}\"\n",
                neighbour.api_key
            ),
        )?;
        let mut wrk = Command::new("wrk");
        wrk.args(["--threads", "1", "--connections", &HOSTILE_CLIENTS.to_string(), "--duration", "1h"]);
        wrk.args(["--timeout", "70s", "--script"]).arg(&script);
        wrk.arg(format!("http://{}/v1/deployments/hostile/runs?wait=60", neighbour.address));
        let wrk = wrk.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot start wrk")?;
        let attacker = Self { wrk };
        let running = || {
            let runs = neighbour.json("GET", "/v1/runs?status=running&limit=1", None).ok()?;
            runs["items"].as_array().is_some_and(|runs| !runs.is_empty()).then_some(())
        };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        shell::wait_until(deadline, running).context("the hostile account started no runs")?;
        Ok(attacker)
    }

    fn stop(mut self) -> Result<()> {
        ensure!(self.wrk.try_wait()?.is_none(), "the attack ended before the measurement");
        shell::stop(&mut self.wrk, "INT");
        Ok(())
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        shell::stop(&mut self.wrk, "INT");
    }
}
