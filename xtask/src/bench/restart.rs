//! What the first run after a restart takes longer than a warm one.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::server::{Options, Server};

/// Warm runs, of which the median counts.
const WARM: usize = 21;

/// First and warm run of one guest, as a client sees them.
pub struct Restart {
    /// The guest's name.
    pub guest: String,
    /// The first run after the server has started, in microseconds.
    pub first_us: u64,
    /// A run after that, in microseconds.
    pub warm_us: u64,
}

/// Restarts a server before each guest's first run.
pub fn measure(aaasp: &Path, folder: &Path, agents: &[&PathBuf]) -> Result<Vec<Restart>> {
    let data = folder.join("restart");
    let options = Options { aaasp, data: &data, database: None, credits: 1_000, config: "" };
    let mut server = Server::start(&options)?;
    let names: Vec<String> = agents.iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    for (name, component) in names.iter().zip(agents) {
        server.deploy(name, component, json!({}))?;
        run(&server, name)?;
    }
    let mut restarts = Vec::new();
    for guest in names {
        server = server.restart(&options)?;
        let first_us = run(&server, &guest)?;
        let mut warm: Vec<u64> = (0..WARM).map(|_| run(&server, &guest)).collect::<Result<_>>()?;
        warm.sort_unstable();
        restarts.push(Restart { guest, first_us, warm_us: warm[WARM / 2] });
    }
    Ok(restarts)
}

/// One run over a connection of its own; returns its time in microseconds.
fn run(server: &Server, name: &str) -> Result<u64> {
    let started = Instant::now();
    let path = format!("/v1/deployments/{name}/runs?wait=60");
    let run = server.client.json("POST", &path, Some(&json!({ "input": { "name": "bench" } })))?;
    let took = started.elapsed();
    ensure!(run["outcome"] == "succeeded", "the run of {name} did not succeed: {run:#}");
    Ok(u64::try_from(took.as_micros())?)
}
