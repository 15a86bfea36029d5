//! The effective values as a flat list, each with where it comes from.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use toml::{Table, Value};

use super::{Overrides, Values};
use crate::limits::{AccountLimits, RunLimits};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The release.
    Default,
    /// The operator's file.
    File,
    /// A flag or its `AAASP_*` twin.
    Flag,
}

/// One effective value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The dotted key.
    pub key: String,
    /// The value, as TOML has it.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The file, when it comes from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

pub(super) fn effective(values: &Values, file: Option<&Path>, text: &str, overrides: &Overrides) -> Vec<Shown> {
    let written = flattened(&text.parse::<Table>().unwrap_or_default());
    let mut all = flattened(&Table::try_from(values).unwrap_or_default());
    let run = RunLimits::default().replaced_by(&values.limits.run);
    let account = AccountLimits::default().replaced_by(&values.limits.account);
    for (group, entries) in [("run", run.entries()), ("account", account.entries())] {
        for (name, value) in entries {
            all.insert(format!("limits.{group}.{name}"), value.to_string());
        }
    }
    let mut flags = BTreeMap::new();
    if let Some(listen) = overrides.listen {
        flags.insert("listen", format!("\"{listen}\""));
    }
    if let Some(listen) = overrides.metrics_listen {
        flags.insert("metrics_listen", format!("\"{listen}\""));
    }
    if overrides.behind_proxy {
        flags.insert("tls.behind_proxy", "true".to_owned());
    }
    let database = if overrides.database.is_some() || values.database.is_some() {
        "\"postgres://…\" (hidden)"
    } else {
        "(embedded, in the data folder)"
    };
    all.insert("database".to_owned(), database.to_owned());
    if overrides.database.is_some() {
        flags.insert("database", database.to_owned());
    }
    for (key, value) in &flags {
        all.insert((*key).to_owned(), value.clone());
    }
    all.into_iter()
        .map(|(key, value)| {
            let origin = if flags.contains_key(key.as_str()) {
                Origin::Flag
            } else if written.contains_key(&key) {
                Origin::File
            } else {
                Origin::Default
            };
            let file = file.filter(|_| origin == Origin::File).map(|path| path.display().to_string());
            Shown { key, value, origin, file }
        })
        .collect()
}

fn flattened(table: &Table) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    flatten(&mut flat, "", table);
    flat
}

fn flatten(flat: &mut BTreeMap<String, String>, prefix: &str, table: &Table) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => flatten(flat, &key, inner),
            value => {
                flat.insert(key, value.to_string());
            }
        }
    }
}
