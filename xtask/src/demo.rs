//! One agent from source to a settled charge: built, uploaded, deployed, run on this workspace's Cargo.lock.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::server::{Options, Server};
use crate::setup::{self, Tool};
use crate::temporary::TemporaryFolder;
use crate::workspace::Workspace;

const CREDITS: u64 = 5;
const MICROCREDITS: u64 = 1_000_000;
const AGENT: &str = "lock-audit";

/// Runs the demo; serves until Ctrl-C unless it is to run `once`.
pub fn run(workspace: &Workspace, once: bool) -> Result<()> {
    title("Set-up");
    setup::provide(workspace, &[Tool::WasmTarget])?;

    title("Build the host and the agent");
    let aaasp = workspace.build_host()?;
    let component = workspace.build_agent(&aaasp, &format!("plugins/{AGENT}"))?;
    println!("{}", component.display());

    title("Start a server on an embedded database");
    let folder = TemporaryFolder::create("demo")?;
    let data = folder.path().join("data");
    let options = Options { aaasp: &aaasp, data: &data, database: None, credits: CREDITS, config: "" };
    let server = Server::start(&options)?;
    println!("http://{} with one account, {}, of {CREDITS} credits", server.client.address, server.account);

    title("Upload and deploy");
    let version = server.deploy(AGENT, &component, json!({}))?;
    println!("{AGENT} version {} is {}", version["version"], text(&version["digest"]));

    title("Run it on this workspace's Cargo.lock");
    let lockfile = std::fs::read_to_string(workspace.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let (before, _) = server.credits()?;
    let path = format!("/v1/deployments/{AGENT}/runs?wait=60");
    let run = server.client.json("POST", &path, Some(&json!({ "input": { "lock": lockfile } })))?;
    ensure!(run["outcome"] == "succeeded", "the run did not succeed: {run:#}");
    show_output(&run["output"]);
    show_log(&server, text(&run["id"]))?;
    show_charge(&run)?;
    show_balance(&server, before, &run)?;

    if once {
        return Ok(());
    }
    title("Serving until Ctrl-C");
    println!("In another terminal:\n");
    println!("  export AAASP_URL=http://{}", server.client.address);
    println!("  export AAASP_API_KEY={}", server.client.api_key);
    println!("  {} runs", aaasp.display());
    println!("  {} logs {}", aaasp.display(), text(&run["id"]));
    server.wait()
}

/// The agent's own summary as it is: all of the output as JSON is some hundred lines, and one command away.
fn show_output(output: &Value) {
    match output["summary"].as_str() {
        Some(summary) => println!("{summary}"),
        None => println!("{output:#}"),
    }
}

fn show_log(server: &Server, run: &str) -> Result<()> {
    title("Its log");
    let logs = server.client.json("GET", &format!("/v1/runs/{run}/logs"), None)?;
    let lines = logs["items"].as_array().context("the log is no list")?;
    ensure!(!lines.is_empty(), "the run logged nothing");
    for line in lines {
        println!("{}  {:5}  {}", text(&line["at"]), text(&line["level"]), text(&line["message"]));
    }
    Ok(())
}

fn show_charge(run: &Value) -> Result<()> {
    title("Its charge");
    let charges = run["charges"].as_array().context("the run has no charges")?;
    let mut sum = 0;
    for line in charges {
        let amount = line["amount_microcredits"].as_u64().context("a charge has no amount")?;
        let quantity = format!("{} {}", line["quantity"], text(&line["unit"]));
        println!("{:<12} {quantity:>28} {amount:>14} microcredits", text(&line["item"]));
        sum += amount;
    }
    println!("{:<12} {:>28} {sum:>14} microcredits", "charge", format!("{} fuel burned", run["fuel"]));
    ensure!(run["charge_microcredits"] == sum, "the lines do not add up to the charge, {}", run["charge_microcredits"]);
    Ok(())
}

fn show_balance(server: &Server, before: u64, run: &Value) -> Result<()> {
    title("The balance");
    let charge = run["charge_microcredits"].as_u64().context("the run has no charge")?;
    let (after, held) = server.credits()?;
    println!("before {} − charge {} = after {} credits", credits(before), credits(charge), credits(after));
    ensure!(charge > 0, "the run cost nothing");
    ensure!(before.checked_sub(charge) == Some(after), "{before} − {charge} is not {after} microcredits");
    ensure!(held == 0, "{held} microcredits are still held");
    Ok(())
}

/// Microcredits as credits, exactly.
fn credits(microcredits: u64) -> String {
    format!("{}.{:06}", microcredits / MICROCREDITS, microcredits % MICROCREDITS)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn title(words: &str) {
    println!("\n== {words}");
}
