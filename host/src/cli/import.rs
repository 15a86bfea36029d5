//! `aaasp import`: agents and deployments out of a copy that `aaasp account export` made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use zip::ZipArchive;
use zip::result::ZipError;

use super::agents::VersionView;
use super::client::{Client, ServerArgs};
use super::json::{self, JsonArgs};
use super::{granted, out, upload};
use crate::config::{RetentionOverlay, RunRetention};
use crate::grants::Grants;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Every version of every agent is uploaded, and every deployment is made as it was last. Runs, logs and
credits stay where they are. Values of credentials are in no copy: set them first with
`aaasp credential set`; a deployment whose credentials are not there yet is left out, and said.

Examples:
  aaasp import aaasp-export-2026-11-26.zip
  aaasp import aaasp-export-2026-11-26.zip --dry-run")]
pub(super) struct Args {
    /// The copy.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    json: JsonArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Deserialize)]
struct Agent {
    id: String,
    name: String,
    deleted_at: Option<String>,
}

#[derive(Deserialize)]
struct Version {
    agent_id: String,
    version: i64,
    digest: String,
}

#[derive(Deserialize)]
struct Deployment {
    id: String,
    name: String,
    deleted_at: Option<String>,
}

#[derive(Deserialize)]
struct Revision {
    deployment_id: String,
    revision: i64,
    agent_id: String,
    agent_version: i64,
    config: Option<Value>,
    limits: Value,
    grants: Grants,
    log_output: bool,
    daily_spend: Option<i64>,
    #[serde(default)]
    log_days: Option<u32>,
    #[serde(default)]
    content_days: Option<u32>,
}

/// The account that they are imported into.
#[derive(Deserialize)]
struct Own {
    retention: RunRetention,
}

/// More than a component or a table of agents has; a file that becomes larger when it is unpacked is no copy of ours.
const MOST_BYTES: u64 = 256 << 20;

/// What a copy has of agents and deployments.
struct Found {
    archive: ZipArchive<File>,
    /// Name of each agent by its id.
    agents: BTreeMap<String, String>,
    versions: Vec<Version>,
    deployments: Vec<(String, Revision)>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    let mut found = Found::read(&args.file)?;
    let known = credentials(&client).await?;
    let own: Own = client.get(&["account"], &[]).await?.read()?;
    let (mut uploaded, mut deployed, mut left) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut versions = BTreeMap::new();
    for at in 0..found.versions.len() {
        let Version { agent_id, version, digest } = &found.versions[at];
        let name = found.agents[agent_id].clone();
        let (key, digest) = ((agent_id.clone(), *version), digest.clone());
        if !args.dry_run {
            let component = found.component(&digest)?;
            let made: VersionView = upload::upload(&client, &name, component.path()).await?.read()?;
            versions.insert(key, made.version);
        }
        uploaded.push(json!({"agent": name, "digest": digest}));
    }
    for (name, revision) in &found.deployments {
        let lacks: Vec<String> = revision
            .grants
            .credential_names()
            .into_iter()
            .map(ToString::to_string)
            .filter(|name| !known.contains(name))
            .collect();
        if !lacks.is_empty() {
            left.insert(name.clone(), lacks);
            continue;
        }
        if !args.dry_run {
            let version = versions.get(&(revision.agent_id.clone(), revision.agent_version));
            let body = revision.body(&found.agents[&revision.agent_id], version.copied(), own.retention);
            client.send(Method::PUT, &["deployments", name], &body).await?;
        }
        deployed.push(name.clone());
    }
    if args.json.json {
        json::print(&json!({"uploaded": uploaded, "deployed": deployed, "left_out": left, "dry_run": args.dry_run}))?;
    } else {
        let would = if args.dry_run { "would be " } else { "" };
        let versions = if uploaded.len() == 1 { "version" } else { "versions" };
        out::line(format!("{} {versions} of agents {would}uploaded", uploaded.len()));
        for name in &deployed {
            out::line(format!("{would}deployed  {name}"));
        }
        for (name, lacks) in &left {
            out::line(format!("left out  {name}: it needs {}", lacks.join(", ")));
        }
    }
    if let Some(lacks) = left.values().flatten().next() {
        bail!(
            "{} of {} deployments need credentials that this account does not have; set them with `aaasp credential \
             set {lacks}`, and import again",
            left.len(),
            found.deployments.len()
        );
    }
    Ok(())
}

/// The names of the account's credentials.
async fn credentials(client: &Client) -> anyhow::Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    #[derive(Deserialize)]
    struct Page {
        items: Vec<Named>,
        next: Option<String>,
    }
    let (mut names, mut after) = (BTreeSet::new(), None);
    loop {
        let query: Vec<_> = after.as_deref().map(|after| ("after", after)).into_iter().collect();
        let page: Page = client.get(&["credentials"], &query).await?.read()?;
        names.extend(page.items.into_iter().map(|item| item.name));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(names),
        }
    }
}

impl Found {
    fn read(path: &PathBuf) -> anyhow::Result<Self> {
        let mut file = File::open(path).with_context(|| format!("can't read {}", path.display()))?;
        let mut head = [0; 22];
        let is_encrypted = file.read_exact(&mut head).is_ok() && head.starts_with(b"age-encryption.org/v1");
        if is_encrypted {
            bail!(
                "{} is encrypted; open it first: age --decrypt --identity KEY_FILE --output copy.zip {0}",
                path.display()
            );
        }
        let mut archive = ZipArchive::new(file).with_context(|| {
            format!("{} is no copy of an account, as `aaasp account export` makes it", path.display())
        })?;
        let agents: Vec<Agent> = rows(&mut archive, "agents")?;
        let agents: BTreeMap<_, _> =
            agents.into_iter().filter(|of| of.deleted_at.is_none()).map(|of| (of.id, of.name)).collect();
        let mut versions: Vec<Version> = rows(&mut archive, "agent_versions")?;
        versions.retain(|of| agents.contains_key(&of.agent_id));
        // Versions are numbered as they come.
        versions.sort_by(|one, other| (&one.agent_id, one.version).cmp(&(&other.agent_id, other.version)));
        let deployments: Vec<Deployment> = rows(&mut archive, "deployments")?;
        let there = deployments.into_iter().filter(|of| of.deleted_at.is_none());
        let mut revisions: Vec<Revision> = rows(&mut archive, "deployment_revisions")?;
        revisions.retain(|of| agents.contains_key(&of.agent_id));
        // The latest that is there: a deployment may have been changed while the copy was made.
        revisions.sort_by_key(|of| of.revision);
        let mut latest: BTreeMap<_, _> = revisions.into_iter().map(|of| (of.deployment_id.clone(), of)).collect();
        let deployments = there.filter_map(|of| Some((of.name, latest.remove(&of.id)?))).collect();
        Ok(Self { archive, agents, versions, deployments })
    }

    /// A component, in a file of its own, byte for byte what its digest says.
    fn component(&mut self, digest: &str) -> anyhow::Result<NamedTempFile> {
        let name = format!("components/{digest}.wasm");
        let component = self.archive.by_name(&name).with_context(|| format!("the copy lacks {name}; is it whole?"))?;
        let mut bytes = Vec::new();
        component.take(MOST_BYTES).read_to_end(&mut bytes).with_context(|| format!("can't unpack {name}"))?;
        if hex::encode(Sha256::digest(&bytes)) != digest.trim_start_matches("sha256:") {
            bail!("{name} is not what it was: its SHA-256 differs; have another copy made");
        }
        let mut file = NamedTempFile::new().context("can't make a temporary file")?;
        file.write_all(&bytes).and_then(|()| file.flush()).context("can't write a temporary file")?;
        Ok(file)
    }
}

/// The rows of a table, of which there may be none.
fn rows<T: DeserializeOwned>(archive: &mut ZipArchive<File>, table: &str) -> anyhow::Result<Vec<T>> {
    let name = format!("tables/{table}.jsonl");
    let file = match archive.by_name(&name) {
        Err(ZipError::FileNotFound) => bail!("the copy lacks {name}: `aaasp account export` makes whole ones"),
        file => file.with_context(|| format!("can't read {name} of the copy"))?,
    };
    let lines = BufReader::new(file.take(MOST_BYTES)).lines().enumerate();
    lines
        .map(|(at, line)| {
            let wrong = || format!("{name}, line {}", at + 1);
            serde_json::from_str(&line.with_context(wrong)?).with_context(wrong)
        })
        .collect()
}

impl Revision {
    /// The deployment, as the API takes it.
    fn body(&self, agent: &str, version: Option<i64>, plan: RunRetention) -> Value {
        // What another server's plan let it keep longer, it keeps as long as this one's does.
        let retention = RetentionOverlay { log_days: self.log_days, content_days: self.content_days }.within(plan);
        json!({
            "agent": agent,
            "version": version,
            "config": self.config.clone().unwrap_or_else(|| json!({})),
            "limits": self.limits,
            "capabilities": granted::capabilities(&self.grants),
            "egress": self.grants.egress,
            "credentials": self.grants.credentials,
            "models": self.grants.models,
            "log_output": self.log_output,
            "daily_spend_microcredits": self.daily_spend,
            "retention": retention,
        })
    }
}
