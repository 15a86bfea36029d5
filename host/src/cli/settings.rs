//! What a deployment sets for its runs, and `aaasp run` in the place of one: configuration, grants and limits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args as ClapArgs, ValueEnum};
use serde::Deserialize;

use super::input;
use crate::config::RetentionOverlay;
use crate::grants::{Binding, Egress, Grants, InvalidRule, ModelGrant, Rule, Target};
use crate::ledger::Microcredits;
use crate::limits::RunLimitsOverlay;
use crate::names::{InvalidName, Name};

/// The flags, the same for a deployment and for a run on this machine.
#[derive(Debug, ClapArgs)]
pub(super) struct Settings {
    /// A value that the agent reads through wasi:config, or a JSON object of such; may be given several times.
    #[arg(long, value_name = "KEY=VALUE|JSON", env = "AAASP_AGENT_CONFIG", hide_env_values = true,
          value_parser = input::config)]
    config: Vec<BTreeMap<String, String>>,
    /// A limit of one run; may be given several times.
    #[arg(long, value_name = "NAME=N", env = "AAASP_LIMITS", value_delimiter = ',', value_parser = input::limit)]
    limit: Vec<(String, u64)>,
    /// A capability to grant; may be given several times.
    #[arg(long, value_name = "CAPABILITY", env = "AAASP_GRANT", value_delimiter = ',')]
    grant: Vec<Capability>,
    /// Allow requests: `[METHOD,… ][https://]HOST[:PORT][/PATH]`, where HOST may be `*.example.org`; may be given
    /// several times.
    #[arg(long, value_name = "RULE", env = "AAASP_ALLOW", value_parser = rule)]
    allow: Vec<Rule>,
    /// Let a credential go along with requests to a host, and allow these: NAME=[https://]HOST[:PORT][/PATH]; may be
    /// given several times.
    #[arg(long, value_name = "NAME=HOST", env = "AAASP_GRANT_CREDENTIAL", value_parser = binding)]
    credential: Vec<(Name, Target)>,
    /// Configuration, limits, capabilities, egress and credentials in one file, as the API takes them.
    #[arg(long, value_name = "deployment.json", env = "AAASP_DEPLOYMENT_FILE")]
    file: Option<PathBuf>,
}

/// A capability that can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Capability {
    /// A folder that exists for the length of a run.
    Scratch,
    /// Models, through the account's credential or the operator's.
    Model,
}

/// A part of a deployment, as the API takes it: of the file and the flags, or what a warning would grant.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Part {
    pub config: BTreeMap<String, String>,
    limits: RunLimitsOverlay,
    pub capabilities: Vec<Capability>,
    pub egress: Egress,
    pub credentials: BTreeMap<Name, Binding>,
    pub models: BTreeMap<Name, ModelGrant>,
    pub log_output: Option<bool>,
    pub daily_spend_microcredits: Option<Microcredits>,
    pub retention: RetentionOverlay,
    /// Targets that are allowed where no rule allows them.
    #[serde(skip)]
    reached: Vec<Target>,
}

impl Settings {
    /// What the file says, and the flags over it. What is given later wins.
    pub(super) fn part(&self) -> anyhow::Result<Part> {
        let mut part = self.file.as_deref().map_or_else(|| Ok(Part::default()), read)?;
        part.config.extend(self.config.iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
        let mut limits = part.limits();
        limits.extend(self.limit.iter().cloned());
        part.limits = serde_json::from_value(serde_json::to_value(limits)?)?;
        part.capabilities.extend(&self.grant);
        part.egress.allow.extend(self.allow.iter().cloned());
        for (name, target) in &self.credential {
            part.credentials.entry(name.clone()).or_default().to.push(target.clone());
            part.reached.push(target.clone());
        }
        Ok(part)
    }
}

impl Part {
    /// Limits by name.
    pub(super) fn limits(&self) -> BTreeMap<String, u64> {
        let limits = serde_json::to_value(&self.limits).and_then(serde_json::from_value);
        limits.unwrap_or_default()
    }

    /// Limits in the place of others.
    pub(super) const fn overlay(&self) -> &RunLimitsOverlay {
        &self.limits
    }

    /// Adds what it grants.
    ///
    /// # Errors
    /// When the result is nothing that a deployment may grant.
    pub(super) fn grant(&self, grants: &mut Grants) -> anyhow::Result<()> {
        for capability in &self.capabilities {
            match capability {
                Capability::Scratch => grants.scratch = true,
                Capability::Model => grants.model = true,
            }
        }
        grants.models.extend(self.models.iter().map(|(name, model)| (name.clone(), model.clone())));
        grants.model |= !grants.models.is_empty();
        for rule in &self.egress.allow {
            if !grants.egress.allow.contains(rule) {
                grants.egress.allow.push(rule.clone());
            }
        }
        for (name, binding) in &self.credentials {
            let bound = grants.credentials.entry(name.clone()).or_default();
            for target in &binding.to {
                if !bound.to.contains(target) {
                    bound.to.push(target.clone());
                }
            }
            if binding.place.is_some() {
                bound.place.clone_from(&binding.place);
            }
        }
        for target in &self.reached {
            if !grants.allows(target) {
                grants.egress.allow.push(target.clone().into());
            }
        }
        match grants.faults().into_iter().next() {
            Some((pointer, reason)) => Err(anyhow::anyhow!("{pointer}: {reason}")),
            None => Ok(()),
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Part> {
    let text = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no part of a deployment", file.display()))
}

fn rule(text: &str) -> Result<Rule, String> {
    let rule: Rule = text.parse().map_err(|error: InvalidRule| error.to_string())?;
    let grants = Grants { egress: Egress { allow: vec![rule.clone()] }, ..Grants::default() };
    grants.faults().into_iter().next().map_or(Ok(rule), |(_, reason)| Err(reason))
}

fn binding(text: &str) -> Result<(Name, Target), String> {
    let (name, target) = text.split_once('=').ok_or("write it as NAME=HOST")?;
    let name: Name = name.parse().map_err(|error: InvalidName| error.to_string())?;
    let allowed = rule(target)?;
    let target = Target::from(allowed.clone());
    let binding = Binding { to: vec![target.clone()], place: None };
    let credentials = BTreeMap::from([(name.clone(), binding)]);
    let grants = Grants { egress: Egress { allow: vec![allowed] }, credentials, ..Grants::default() };
    grants.faults().into_iter().next().map_or(Ok((name, target)), |(_, reason)| Err(reason))
}
