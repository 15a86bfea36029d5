//! What a deployment grants, as a person reads it, and the consent to what an agent asks for.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::settings::{Capability, Part};
use super::{out, readable};
use crate::grants::{Asked, Grants, Missing, Target};
use crate::runtime::Manifest;

/// Asks for each thing that the agent asks for and nothing grants. With `yes` each is granted; where nobody can be
/// asked, none is.
pub(super) fn consent(grants: &mut Grants, manifest: &Manifest, yes: bool) -> anyhow::Result<()> {
    let asked =
        Asked { hosts: &manifest.hosts, credentials: &manifest.credentials, capabilities: &manifest.capabilities };
    let asks = !yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    for item in grants.missing(asked).iter().flat_map(items) {
        // Without the host, the credential would go nowhere.
        if item.target.as_ref().is_some_and(|target| !grants.allows(target)) {
            continue;
        }
        if (yes && item.alone) || (asks && agreed(&item.question)?) {
            let part: Part = serde_json::from_value(item.grant)?;
            part.grant(grants)?;
        }
    }
    Ok(())
}

/// One thing to agree to.
struct Item {
    question: String,
    grant: Value,
    /// Where a credential would go.
    target: Option<Target>,
    /// Whether it is all that the agent can mean. Of several hosts that a credential could go to, a person picks.
    alone: bool,
}

fn items(missing: &Missing) -> Vec<Item> {
    let Some(grant) = &missing.grant else { return Vec::new() };
    let bindings = grant.get("credentials").and_then(Value::as_object).into_iter().flatten();
    let targets: Vec<(&String, &Value)> = bindings
        .flat_map(|(name, binding)| binding["to"].as_array().into_iter().flatten().map(move |target| (name, target)))
        .collect();
    if targets.is_empty() {
        return vec![Item { question: missing.detail.clone(), grant: grant.clone(), target: None, alone: true }];
    }
    let alone = targets.len() == 1;
    let item = |(name, target): (&String, &Value)| {
        let to: Option<Target> = serde_json::from_value(target.clone()).ok();
        let shown = to.as_ref().map(ToString::to_string).unwrap_or_default();
        let question = format!("the agent asks for the credential `{name}`, which would be sent to {shown}");
        Item { question, grant: json!({"credentials": {name: {"to": [target]}}}), target: to, alone }
    };
    targets.into_iter().map(item).collect()
}

fn agreed(question: &str) -> anyhow::Result<bool> {
    let mut stderr = std::io::stderr();
    // The agent's author chose the names in it, and may not move the cursor.
    write!(stderr, "{}\n  Grant it? [y/N] ", readable::printable(question)).and_then(|()| stderr.flush())?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("can't read the answer")?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Says what is missing and how to grant it.
pub(super) fn warn(detail: &str, grant: Option<&Value>) {
    out::note(format!("warning: {}", readable::printable(detail)));
    if let Some(flags) = grant.and_then(flags) {
        out::note(format!("  to grant it: aaasp deploy … {}", readable::printable(&flags)));
    }
}

/// The flags of `aaasp deploy` that grant what a warning names.
fn flags(grant: &Value) -> Option<String> {
    let part: Part = serde_json::from_value(grant.clone()).ok()?;
    let capabilities = part.capabilities.iter().map(|capability| match capability {
        Capability::Scratch => "--grant scratch".to_owned(),
        Capability::Model => "--grant model".to_owned(),
    });
    let rules = part.egress.allow.iter().map(|rule| format!("--allow '{rule}'"));
    let credentials = part
        .credentials
        .iter()
        .flat_map(|(name, binding)| binding.to.iter().map(move |target| format!("--credential '{name}={target}'")));
    let flags: Vec<_> = capabilities.chain(rules).chain(credentials).collect();
    (!flags.is_empty()).then(|| flags.join(" "))
}

/// The names of the capabilities that are granted.
pub(super) fn capabilities(grants: &Grants) -> Vec<&'static str> {
    [(grants.scratch, "scratch"), (grants.model, "model")]
        .into_iter()
        .filter(|(granted, _)| *granted)
        .map(|(_, name)| name)
        .collect()
}

/// Everything that is granted, one thing a line.
pub(super) fn lines(grants: &Grants) -> Vec<String> {
    let rules = grants.egress.allow.iter().map(|rule| format!("requests to {rule}"));
    let credentials = grants.credentials.iter().map(|(name, binding)| {
        let to: Vec<_> = binding.to.iter().map(ToString::to_string).collect();
        let use_of = if to.is_empty() { ", to sign".to_owned() } else { format!(" to {}", to.join(", ")) };
        format!("credential {name}{use_of}")
    });
    let models = grants.models.iter().map(|(name, model)| match &model.credential {
        Some(credential) => format!("model {name} with the credential {credential}"),
        None => format!("model {name}"),
    });
    capabilities(grants).into_iter().map(str::to_owned).chain(rules).chain(credentials).chain(models).collect()
}
