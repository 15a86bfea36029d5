//! `aaasp deploy`: upload a component and bind it to configuration, limits and grants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use clap::builder::FalseyValueParser;
use reqwest::Method;
use serde_json::json;

use super::agents::VersionView;
use super::client::{Client, Problem, ServerArgs};
use super::deployments::DeploymentView;
use super::input::{DailySpend, Days};
use super::json::JsonArgs;
use super::settings::{Part, Settings};
use super::{build, granted, input, out, upload};
use crate::config::RetentionOverlay;
use crate::names::Name;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A deployment that exists keeps the configuration, limits and grants that are not named here; --reset drops them. \
JavaScript and Python components hold a snapshot of their interpreter, which differs from build to build, so that each \
build of the same source is a new version. What the agent asks for and nothing grants is asked for one by one. Where \
nobody can be asked it is not granted, unless --yes grants all of it.

Examples:
  aaasp deploy                                   # builds the agent in this folder
  aaasp deploy build/word-count.wasm --config language=en --limit fuel=50000000
  aaasp deploy --name word-count-large --grant scratch
  aaasp deploy --allow 'GET api.github.com/repos' --credential github=api.github.com")]
pub(super) struct Args {
    /// A component, or the folder of a project, which is built first.
    #[arg(value_name = "COMPONENT|DIR", default_value = ".")]
    component: PathBuf,
    /// The deployment [default: the agent's name].
    #[arg(long, value_name = "NAME", env = "AAASP_NAME")]
    name: Option<String>,
    /// The agent [default: the project's or the file's name].
    #[arg(long, value_name = "NAME", env = "AAASP_AGENT")]
    agent: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Let its runs spend so many credits in a day (UTC), or `none`: as much as there is.
    #[arg(long, value_name = "N|none", env = "AAASP_DAILY_SPEND", value_parser = input::daily_spend)]
    daily_spend: Option<DailySpend>,
    /// Keep logs of its runs for so many days, or `plan`: as long as the plan says.
    #[arg(long, value_name = "N|plan", env = "AAASP_LOG_DAYS", value_parser = input::days)]
    log_days: Option<Days>,
    /// Keep inputs, outputs and errors of its runs for so many days, or `plan`: as long as the plan says.
    #[arg(long, value_name = "N|plan", env = "AAASP_CONTENT_DAYS", value_parser = input::days)]
    content_days: Option<Days>,
    /// Grant what the agent asks for without asking. Of several hosts that a credential could go to, none is picked.
    #[arg(long, env = "AAASP_YES", value_parser = FalseyValueParser::new())]
    yes: bool,
    /// Drop what the deployment has and this command does not name.
    #[arg(long, env = "AAASP_RESET", value_parser = FalseyValueParser::new())]
    reset: bool,
    #[command(flatten)]
    json: JsonArgs,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.server.client()?;
    let (file, project) = component(&args.component)?;
    let agent = match &args.agent {
        Some(agent) => agent.clone(),
        None => project.map_or_else(|| named_after(&file), Ok)?,
    };
    let name = args.name.clone().unwrap_or_else(|| agent.clone());
    let version: VersionView = upload::upload(&client, &agent, &file).await?.read()?;
    let before = if args.reset { None } else { existing(&client, &name).await? };
    let part = args.settings.part()?;
    let mut body = body(&part, (&agent, &version), before.as_ref(), args.yes)?;
    if let Some(DailySpend(most)) = args.daily_spend {
        body["daily_spend_microcredits"] = json!(most);
    }
    body["retention"] = json!(args.retention(&part, before.as_ref()));
    let answer = client.send(Method::PUT, &["deployments", &name], &body).await?;
    answer.read::<DeploymentView>()?.warn();
    answer.show(args.json, |deployed: &DeploymentView| {
        out::line(format!("uploaded  {} version {}, {}", version.name, version.version, version.digest));
        out::line(format!("deployed  {} revision {}", deployed.name, deployed.revision));
        for line in granted::lines(&deployed.grants()) {
            out::line(format!("granted   {line}"));
        }
        if let Some(kept) = before.and_then(|before| kept(&part, &before)) {
            out::line(format!("kept      {kept}"));
        }
        if let Some(most) = deployed.daily_spend_microcredits {
            out::line(format!("capped    {most} credits a day"));
        }
        for (what, days) in [("logs", deployed.retention.log_days), ("contents", deployed.retention.content_days)] {
            if let Some(days) = days {
                out::line(format!("forgets   {what} of runs after {days} days"));
            }
        }
        out::line(format!("hold      {} credits for each run, until it has finished", deployed.hold_microcredits));
        out::note(format!("\nStart a run with\n\n  aaasp start {} --input …", deployed.name));
    })
}

impl Args {
    /// What is kept less long than the plan says: as before, as the file says, or as the flags do.
    fn retention(&self, part: &Part, before: Option<&DeploymentView>) -> RetentionOverlay {
        let before = before.map(|before| before.retention).unwrap_or_default();
        let RetentionOverlay { log_days, content_days } = before.replaced_by(part.retention);
        RetentionOverlay {
            log_days: self.log_days.map_or(log_days, |Days(days)| days),
            content_days: self.content_days.map_or(content_days, |Days(days)| days),
        }
    }
}

/// The component's file, and the project's name when it was built just now.
fn component(path: &Path) -> anyhow::Result<(PathBuf, Option<String>)> {
    if path.is_dir() {
        let built = build::build(path)?;
        return Ok((built.path, Some(built.name.into())));
    }
    if !path.exists() {
        bail!("there is no file or folder `{}`", path.display());
    }
    Ok((path.to_owned(), None))
}

/// Compilers write `word_count.wasm` where an agent is called `word-count`.
fn named_after(file: &Path) -> anyhow::Result<String> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().replace(['_', '.', ' '], "-").to_lowercase();
    let name: Name =
        stem.parse().with_context(|| format!("can't name an agent after {}; give --agent NAME", file.display()))?;
    Ok(name.into())
}

async fn existing(client: &Client, name: &str) -> anyhow::Result<Option<DeploymentView>> {
    match client.get(&["deployments", name], &[]).await {
        Ok(answer) => answer.read().map(Some),
        Err(error) if error.downcast_ref::<Problem>().is_some_and(|problem| problem.status == 404) => Ok(None),
        Err(error) => Err(error),
    }
}

fn body(
    part: &Part,
    (agent, version): (&str, &VersionView),
    before: Option<&DeploymentView>,
    yes: bool,
) -> anyhow::Result<serde_json::Value> {
    let mut config: BTreeMap<_, _> = before.map(|before| before.config.clone()).unwrap_or_default();
    config.extend(part.config.clone());
    let mut limits: BTreeMap<_, _> = before.map(|before| before.limits.clone()).unwrap_or_default();
    limits.extend(part.limits());
    let mut grants = before.map(DeploymentView::grants).unwrap_or_default();
    part.grant(&mut grants)?;
    granted::consent(&mut grants, &version.manifest, yes)?;
    Ok(json!({
        "agent": agent,
        "version": version.version,
        "config": config,
        "limits": limits,
        "capabilities": granted::capabilities(&grants),
        "egress": grants.egress,
        "credentials": grants.credentials,
        "models": grants.models,
        "daily_spend_microcredits": part
            .daily_spend_microcredits
            .or_else(|| before.and_then(|before| before.daily_spend_microcredits)),
        "log_output": part.log_output.unwrap_or_else(|| before.is_some_and(|before| before.log_output)),
    }))
}

/// What the deployment had and still has, besides what it grants.
fn kept(part: &Part, before: &DeploymentView) -> Option<String> {
    let given_limits = part.limits();
    let config = before.config.keys().filter(|key| !part.config.contains_key(*key));
    let limits = before.limits.keys().filter(|name| !given_limits.contains_key(*name));
    let parts: Vec<String> =
        config.map(|key| format!("config {key}")).chain(limits.map(|name| format!("limit {name}"))).collect();
    (!parts.is_empty()).then(|| format!("{} (--reset drops them)", parts.join(", ")))
}
