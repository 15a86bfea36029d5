//! An agent that reads a Cargo.lock and says what deserves a look.

mod advisories;
mod audit;
mod lock;
mod summary;

use aaasp_sdk::{Failure, config, log};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A lock file, and what to leave out of the findings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The text of a Cargo.lock.
    pub lock: String,
    /// Crates whose duplicate versions are known and accepted.
    #[serde(default)]
    pub ignore: Vec<String>,
}

/// What the lock file holds and what deserves a look.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// The report as text, to read as it is.
    pub summary: String,
    /// True when there is nothing to look at: no finding of any kind.
    pub clean: bool,
    /// The `version` of the lock file's format.
    pub lock_version: u32,
    /// How many packages of which kind.
    pub counts: Counts,
    /// Where the packages come from, the largest source first.
    pub sources: Vec<Source>,
    /// Crates that are there in more than one version.
    pub duplicates: Vec<Duplicate>,
    /// Packages of a registry that carry no checksum: nothing says that they are what was locked.
    pub checksum_gaps: Vec<PackageId>,
    /// Packages from git repositories: no registry keeps them available.
    pub git: Vec<GitPackage>,
    /// What an advisory API knows of the packages; absent when the deployment names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advisories: Option<Advisories>,
}

/// How many packages of which kind.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Counts {
    /// Every package in the file.
    pub packages: usize,
    /// Distinct crate names.
    pub crates: usize,
    /// Members of the workspace and other folders on disk.
    pub local: usize,
    /// Packages from a registry.
    pub registry: usize,
    /// Packages from a git repository.
    pub git: usize,
    /// Versions that would go if each crate had one: the price of the duplicates.
    pub superfluous_versions: usize,
}

/// One place that packages come from.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Source {
    /// `local`, `registry`, `git` or `other`.
    pub kind: SourceKind,
    /// The address; none for local packages.
    pub url: Option<String>,
    /// How many packages come from it.
    pub packages: usize,
}

/// What kind of place a package comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A folder on disk: a workspace member or a path dependency.
    Local,
    /// A registry, by git index or sparse.
    Registry,
    /// A git repository.
    Git,
    /// A kind that this agent does not know.
    Other,
}

/// A package by name and version.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PackageId {
    /// The crate.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A crate that is there in more than one version.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Duplicate {
    /// The crate.
    pub name: String,
    /// Its versions, the oldest first, each with who asks for it.
    pub versions: Vec<DuplicateVersion>,
    /// Two of the versions are compatible by semver: `cargo update` alone may unite them.
    pub compatible: bool,
}

/// One version of a duplicate crate.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct DuplicateVersion {
    /// The version.
    pub version: String,
    /// The packages that depend on this version directly.
    pub dependents: Vec<String>,
}

/// A package from a git repository.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct GitPackage {
    /// The crate.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The repository.
    pub repository: String,
    /// `branch=…`, `tag=…` or `rev=…` as the manifest asks; none for the default branch.
    pub reference: Option<String>,
    /// The commit that is locked; none when the file names none.
    pub commit: Option<String>,
}

/// What an advisory API knows of the packages.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Advisories {
    /// How many packages it was asked about: those from registries.
    pub packages_checked: usize,
    /// What it knows, in the order of the packages.
    pub found: Vec<Advisory>,
}

/// One advisory that concerns one package.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Advisory {
    /// The package.
    pub package: PackageId,
    /// The advisory's id: `RUSTSEC-2020-0071`.
    pub id: String,
    /// Ids of the same in other databases.
    pub aliases: Vec<String>,
    /// What it is about, where the API says so.
    pub summary: Option<String>,
    /// Versions that it was fixed in.
    pub fixed: Vec<String>,
}

/// Audits a lock file. With the configuration `advisory_url`, the API there is asked about its packages too.
///
/// # Errors
/// [`Failure::InvalidInput`] when the text is no Cargo.lock; [`Failure::Retryable`] or [`Failure::Failed`] when the
/// advisory API gives no answer: a report that left it out in silence would look clean.
#[aaasp_sdk::agent(hosts = ["api.osv.dev"], credentials = ["advisories"])]
pub fn lock_audit(input: Input) -> Result<Report, Failure> {
    log::debug!("reading {} bytes of Cargo.lock", input.lock.len());
    let lock = lock::parse(&input.lock)?;
    let mut report = audit::audit(&lock, &input.ignore);
    log::info!(
        "{} packages from {} sources, format {}",
        report.counts.packages,
        report.sources.len(),
        report.lock_version
    );
    for gap in &report.checksum_gaps {
        log::warn!("{} {} has no checksum", gap.name, gap.version);
    }
    for package in report.git.iter().filter(|package| package.commit.is_none()) {
        log::warn!("{} {} is locked to no commit", package.name, package.version);
    }
    log::info!(
        "{} duplicate crates, {} git packages, {} checksum gaps",
        report.duplicates.len(),
        report.git.len(),
        report.checksum_gaps.len()
    );
    if let Some(url) = config::get("advisory_url")? {
        let advisories = advisories::look_up(&lock, &url)?;
        log::info!("{} advisories for {} packages", advisories.found.len(), advisories.packages_checked);
        report.clean &= advisories.found.is_empty();
        report.advisories = Some(advisories);
    }
    report.summary = summary::text(&report);
    Ok(report)
}
