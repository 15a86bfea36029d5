//! Reads the text of a Cargo.lock into packages with their sources and dependents.

use std::collections::BTreeMap;

use aaasp_sdk::Failure;
use serde::Deserialize;

use crate::SourceKind;

/// A lock file: its format and its packages, in the file's order.
pub struct Lock {
    pub version: u32,
    pub packages: Vec<Package>,
}

/// One locked package.
pub struct Package {
    pub name: String,
    pub version: String,
    pub source: Option<String>,
    pub checksum: Option<String>,
    /// As the file writes them: `name`, `name version` or `name version (source)`.
    pub dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    version: Option<u32>,
    #[serde(default)]
    package: Vec<Entry>,
    /// Format 1 keeps the checksums here, under `checksum name version (source)`.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Reads a lock file of any format that Cargo has written so far.
pub fn parse(text: &str) -> Result<Lock, Failure> {
    let file: File =
        toml::from_str(text).map_err(|error| Failure::InvalidInput(format!("/lock: no Cargo.lock: {error}")))?;
    if file.package.is_empty() {
        return Err(Failure::InvalidInput("/lock: no Cargo.lock: it has no [[package]]".into()));
    }
    // Formats 1 and 2 name no version; only format 1 has the table of checksums.
    let version = file.version.unwrap_or(if file.metadata.is_empty() { 2 } else { 1 });
    let packages = file.package.into_iter().map(|entry| {
        let checksum = entry.checksum.or_else(|| {
            let source = entry.source.as_deref()?;
            let key = format!("checksum {} {} ({source})", entry.name, entry.version);
            file.metadata.get(&key).filter(|sum| *sum != "<none>").cloned()
        });
        Package {
            name: entry.name,
            version: entry.version,
            source: entry.source,
            checksum,
            dependencies: entry.dependencies,
        }
    });
    Ok(Lock { version, packages: packages.collect() })
}

impl Package {
    pub fn kind(&self) -> SourceKind {
        match self.source.as_deref().and_then(|source| source.split_once('+')) {
            None if self.source.is_none() => SourceKind::Local,
            Some(("registry" | "sparse", _)) => SourceKind::Registry,
            Some(("git", _)) => SourceKind::Git,
            _ => SourceKind::Other,
        }
    }

    /// The source's address without its kind, query and commit.
    pub fn url(&self) -> Option<&str> {
        let source = self.source.as_deref()?;
        let url = source.split_once('+').map_or(source, |(_, url)| url);
        url.split(['?', '#']).next()
    }

    /// What a git source was asked for, `branch=main`, and the commit it is locked to.
    pub fn git_reference(&self) -> (Option<&str>, Option<&str>) {
        let source = self.source.as_deref().unwrap_or_default();
        let (front, commit) = match source.split_once('#') {
            Some((front, commit)) => (front, Some(commit)),
            None => (source, None),
        };
        (front.split_once('?').map(|(_, reference)| reference), commit)
    }

    /// Whether this package asks for that version of that crate. The file leaves the version out
    /// where the name alone is unambiguous.
    pub fn depends_on(&self, name: &str, version: &str) -> bool {
        self.dependencies.iter().any(|dependency| {
            let mut parts = dependency.split(' ');
            parts.next() == Some(name) && parts.next().is_none_or(|asked| asked == version)
        })
    }
}
