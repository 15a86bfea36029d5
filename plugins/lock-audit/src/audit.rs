//! Finds what deserves a look in a lock file.

use std::collections::BTreeMap;

use semver::Version;

use crate::lock::{Lock, Package};
use crate::{Counts, Duplicate, DuplicateVersion, GitPackage, PackageId, Report, Source, SourceKind};

/// The findings in the file; the summary is left for `summary::text`, advisories for `advisories::look_up`.
pub fn audit(lock: &Lock, ignore: &[String]) -> Report {
    let mut by_name: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in &lock.packages {
        by_name.entry(&package.name).or_default().push(package);
    }
    let duplicates: Vec<Duplicate> = by_name
        .iter()
        .filter(|(name, packages)| packages.len() > 1 && !ignore.iter().any(|it| it == *name))
        .map(|(name, packages)| duplicate(name, packages, lock))
        .collect();
    let checksum_gaps: Vec<PackageId> = of_kind(lock, SourceKind::Registry)
        .filter(|package| package.checksum.is_none())
        .map(|package| PackageId { name: package.name.clone(), version: package.version.clone() })
        .collect();
    let git: Vec<GitPackage> = of_kind(lock, SourceKind::Git).map(git_package).collect();
    Report {
        summary: String::new(),
        clean: duplicates.is_empty() && checksum_gaps.is_empty() && git.is_empty(),
        lock_version: lock.version,
        counts: Counts {
            packages: lock.packages.len(),
            crates: by_name.len(),
            local: of_kind(lock, SourceKind::Local).count(),
            registry: of_kind(lock, SourceKind::Registry).count(),
            git: git.len(),
            superfluous_versions: duplicates.iter().map(|it| it.versions.len() - 1).sum(),
        },
        sources: sources(lock),
        duplicates,
        checksum_gaps,
        git,
        advisories: None,
    }
}

fn of_kind(lock: &Lock, kind: SourceKind) -> impl Iterator<Item = &Package> {
    lock.packages.iter().filter(move |package| package.kind() == kind)
}

fn sources(lock: &Lock) -> Vec<Source> {
    let mut counted: BTreeMap<(SourceKind, Option<&str>), usize> = BTreeMap::new();
    for package in &lock.packages {
        *counted.entry((package.kind(), package.url())).or_default() += 1;
    }
    let mut sources: Vec<Source> = counted
        .into_iter()
        .map(|((kind, url), packages)| Source { kind, url: url.map(str::to_owned), packages })
        .collect();
    sources.sort_by_key(|source| std::cmp::Reverse(source.packages));
    sources
}

fn duplicate(name: &str, packages: &[&Package], lock: &Lock) -> Duplicate {
    let mut ordered = packages.to_vec();
    // A version that semver can't read sorts first and is compatible with none.
    ordered.sort_by_key(|package| Version::parse(&package.version).ok());
    let parsed: Vec<Version> = ordered.iter().filter_map(|package| Version::parse(&package.version).ok()).collect();
    let versions = ordered
        .iter()
        .map(|package| DuplicateVersion { version: package.version.clone(), dependents: dependents(lock, package) });
    Duplicate {
        name: name.to_owned(),
        versions: versions.collect(),
        compatible: parsed.windows(2).any(|pair| compatible(&pair[0], &pair[1])),
    }
}

fn dependents(lock: &Lock, wanted: &Package) -> Vec<String> {
    let asking = lock.packages.iter().filter(|it| it.depends_on(&wanted.name, &wanted.version));
    let mut names: Vec<String> = asking.map(|it| it.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Cargo's rule: the left-most part that is not zero has to be the same.
fn compatible(a: &Version, b: &Version) -> bool {
    if !a.pre.is_empty() || !b.pre.is_empty() {
        return false;
    }
    match (a.major, a.minor) {
        (0, 0) => a == b,
        (0, minor) => b.major == 0 && b.minor == minor,
        (major, _) => b.major == major,
    }
}

fn git_package(package: &Package) -> GitPackage {
    let (reference, commit) = package.git_reference();
    GitPackage {
        name: package.name.clone(),
        version: package.version.clone(),
        repository: package.url().unwrap_or_default().to_owned(),
        reference: reference.map(str::to_owned),
        commit: commit.map(str::to_owned),
    }
}
