//! The servers that are pressed: our own on both databases, and `wasmtime serve`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::load::{Load, Request};
use super::process;
use super::report::Measurement;
use crate::http::Client;
use crate::postgres::{self, Cluster};
use crate::server::{Options, Server};
use crate::workspace::Workspace;
use crate::{setup, shell};

/// Enough for every run of a long benchmark: a trivial run costs some tens of microcredits.
const CREDITS: u64 = 1_000_000;

/// As many runs at once as there are clients: the host's defaults would make 256 of one account wait in line.
/// Memory is reserved by limit, so that limit is lowered to let 256 fit.
const CONFIG: &str = "\
[host]
concurrent_runs = 256

[limits.account]
concurrent_runs = 256

[limits.run]
concurrent_runs = 256
memory_bytes = 16777216
";

/// What the trivial agent is given, and what every answer of ours contains.
const INPUT: &str = r#"{"input":{"name":"bench"}}"#;
const SUCCEEDED: &str = r#""outcome":"succeeded""#;

/// A server that answers a request with one run of a trivial guest.
pub struct Target {
    /// As the table names it.
    pub name: &'static str,
    kind: Kind,
}

enum Kind {
    Ours { server: Server, agent: &'static str, input: &'static str, expected: &'static str, cluster: Option<Cluster> },
    WithoutDatabase { child: Child, client: Client },
    WasmtimeServe { child: Child, client: Client },
}

impl Target {
    /// Starts all of them, each on data of its own.
    pub fn all(workspace: &Workspace, aaasp: &Path, folder: &Path, agent: &Path, http: &Path) -> Result<Vec<Self>> {
        let cluster = Cluster::start()?;
        let start = |name: &str, database| {
            let data = folder.join(name);
            Server::start(&Options { aaasp, data: &data, database, credits: CREDITS, config: CONFIG })
        };
        let sqlite = start("sqlite", None)?;
        let database = format!("{}/postgres", cluster.url());
        let on_postgres = start("postgres", Some(&database))?;
        let with_http = start("sqlite-http", None)?;
        for server in [&sqlite, &on_postgres] {
            server.deploy("hello", agent, json!({}))?;
        }
        with_http.deploy("hello-http", http, json!({}))?;

        let hello = |server, cluster| Kind::Ours { server, agent: "hello", input: INPUT, expected: SUCCEEDED, cluster };
        let proxy = Kind::Ours {
            server: with_http,
            agent: "hello-http",
            input: r#"{"input":{"method":"GET","path":"/"}}"#,
            expected: SUCCEEDED,
            cluster: None,
        };
        Ok(vec![
            Self { name: "aaasp on SQLite", kind: hello(sqlite, None) },
            Self { name: "aaasp on PostgreSQL", kind: hello(on_postgres, Some(cluster)) },
            Self { name: "aaasp without a database", kind: without_database(aaasp, agent)? },
            Self { name: "aaasp on SQLite, wasi:http guest", kind: proxy },
            Self { name: "wasmtime serve, wasi:http guest", kind: wasmtime_serve(workspace, http)? },
        ])
    }

    /// Resident memory in bytes before the first run.
    pub fn idle_memory(&self) -> Result<u64> {
        process::resident_bytes(self.process())
    }

    /// One measurement.
    pub fn measure(&self, load: &Load) -> Result<Measurement> {
        let (process, database) = (self.process(), self.database_process());
        process::forget_peak(process)?;
        let cpu = || -> Result<(u64, u64)> {
            Ok((process::cpu_us(process)?, database.map(process::cpu_us).transpose()?.unwrap_or_default()))
        };
        let before = cpu()?;
        let seen = load.press(&self.request())?;
        let after = cpu()?;
        Ok(Measurement {
            runs_per_second: seen.requests as f64 * 1e6 / seen.duration_us as f64,
            p50_us: seen.p50_us,
            p99_us: seen.p99_us,
            cpu_us_per_run: (after.0 - before.0) as f64 / seen.requests as f64,
            database_cpu_us_per_run: (after.1 - before.1) as f64 / seen.requests as f64,
            peak_bytes: process::peak_bytes(process)?,
        })
    }

    /// Adds up what every run was charged and compares it with what the account has less than at first.
    pub fn verify_balance(&self) -> Result<()> {
        let Kind::Ours { server, .. } = &self.kind else { return Ok(()) };
        // The load ends with requests under way, whose runs still settle.
        let deadline = Instant::now() + Duration::from_secs(60);
        let left = shell::wait_until(deadline, || server.credits().ok().filter(|(_, held)| *held == 0));
        let (available, _) = left.context("holds are left after the load has ended")?;

        let (mut runs, mut charges, mut after) = (0_u64, 0_u64, String::new());
        loop {
            let page = server.client.json("GET", &format!("/v1/runs?limit=100{after}"), None)?;
            let items = page["items"].as_array().context("/v1/runs has no items")?;
            for run in items {
                ensure!(run["outcome"] == "succeeded", "{} is no successful run", run["id"]);
                charges += run["charge_microcredits"].as_u64().context("a run has no charge")?;
                runs += 1;
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let spent = CREDITS * 1_000_000 - available;
        ensure!(charges == spent, "{}: {runs} runs were charged {charges}, but {spent} are gone", self.name);
        println!(
            "{}: {runs} runs, all succeeded; charges and change of balance are both {spent} microcredits",
            self.name
        );
        Ok(())
    }

    fn request(&self) -> Request<'_> {
        match &self.kind {
            Kind::Ours { server, agent, input, expected, .. } => Request {
                url: format!("http://{}/v1/deployments/{agent}/runs?wait=60", server.client.address),
                method: "POST",
                api_key: &server.client.api_key,
                body: input,
                expected,
            },
            Kind::WithoutDatabase { client, .. } => Request {
                url: format!("http://{}/", client.address),
                method: "POST",
                api_key: "",
                body: INPUT,
                expected: SUCCEEDED,
            },
            Kind::WasmtimeServe { client, .. } => Request {
                url: format!("http://{}/", client.address),
                method: "GET",
                api_key: "",
                body: "",
                expected: "hello",
            },
        }
    }

    fn process(&self) -> u32 {
        match &self.kind {
            Kind::Ours { server, .. } => server.process(),
            Kind::WithoutDatabase { child, .. } | Kind::WasmtimeServe { child, .. } => child.id(),
        }
    }

    fn database_process(&self) -> Option<u32> {
        match &self.kind {
            Kind::Ours { cluster, .. } => cluster.as_ref().map(Cluster::process),
            Kind::WithoutDatabase { .. } | Kind::WasmtimeServe { .. } => None,
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Kind::WithoutDatabase { child, .. } | Kind::WasmtimeServe { child, .. } = &mut self.kind {
            shell::stop(child, "TERM");
        }
    }
}

/// Our own path without account, ledger and database.
fn without_database(aaasp: &Path, component: &Path) -> Result<Kind> {
    let address = format!("127.0.0.1:{}", postgres::free_port()?);
    let mut serve = Command::new(aaasp);
    serve.args(["bench", "--listen", &address]).arg(component).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = serve.spawn().context("cannot start `aaasp bench --listen`")?;
    let client = Client { address, api_key: String::new() };
    // It knows no GET, and says so.
    wait_for(&mut child, &client, 405)?;
    Ok(Kind::WithoutDatabase { child, client })
}

fn wasmtime_serve(workspace: &Workspace, component: &Path) -> Result<Kind> {
    let address = format!("127.0.0.1:{}", postgres::free_port()?);
    let mut serve = Command::new(setup::wasmtime(workspace));
    // Its guest logs one line as ours does; where that line goes is not what is compared.
    serve.args(["serve", "--addr", &address]).arg(component).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = serve.spawn().context("cannot start `wasmtime serve`")?;
    let client = Client { address, api_key: String::new() };
    wait_for(&mut child, &client, 200)?;
    Ok(Kind::WasmtimeServe { child, client })
}

/// Waits for a server that answers `GET /` with the status.
fn wait_for(child: &mut Child, client: &Client, status: u16) -> Result<()> {
    let answered = shell::wait_until(Instant::now() + Duration::from_secs(60), || client.status("/").ok());
    if answered != Some(status) {
        shell::stop(child, "TERM");
        bail!("the server does not answer: {answered:?}");
    }
    Ok(())
}
