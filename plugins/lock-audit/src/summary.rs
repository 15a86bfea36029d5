//! The report as text for a person.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::{Advisories, Duplicate, PackageId, Report, SourceKind};

/// Dependents of one version that are named; more than these hide the others.
const DEPENDENTS_SHOWN: usize = 4;

/// The report, one finding a line.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string can't fail, hence the results that are dropped here and below.
    let counts = &report.counts;
    let _ = writeln!(
        text,
        "{} packages, {} crates: {} local, {} from registries, {} from git.",
        counts.packages, counts.crates, counts.local, counts.registry, counts.git
    );
    for source in report.sources.iter().filter(|source| source.kind != SourceKind::Local) {
        let url = source.url.as_deref().unwrap_or("unknown");
        let _ = writeln!(text, "  {:>5} from {url}", source.packages);
    }
    if let Some(advisories) = &report.advisories {
        let _ = writeln!(text, "{} checked for advisories.", packages(advisories.packages_checked));
    }
    if report.clean {
        text.push_str("Nothing to look at: no duplicates, no checksum gaps, no git sources.\n");
        return text;
    }
    advisories(&mut text, report);
    duplicates(&mut text, report);
    if !report.checksum_gaps.is_empty() {
        let _ = writeln!(text, "\n{} without a checksum:", packages(report.checksum_gaps.len()));
        for gap in &report.checksum_gaps {
            let _ = writeln!(text, "  {} {}", gap.name, gap.version);
        }
    }
    if !report.git.is_empty() {
        let _ = writeln!(text, "\n{} from git:", packages(report.git.len()));
        for package in &report.git {
            let at = match (&package.commit, &package.reference) {
                (Some(commit), _) => commit.get(..12).unwrap_or(commit).to_owned(),
                (None, Some(reference)) => format!("no commit, {reference}"),
                (None, None) => "no commit".to_owned(),
            };
            let _ = writeln!(text, "  {} {} {} ({at})", package.name, package.version, package.repository);
        }
    }
    text
}

fn advisories(text: &mut String, report: &Report) {
    let Some(advisories) = report.advisories.as_ref().filter(|it| !it.found.is_empty()) else { return };
    let _ = writeln!(text, "\n{} with advisories:", packages(affected(advisories)));
    for advisory in &advisories.found {
        let summary = advisory.summary.as_deref().unwrap_or("no summary");
        let fixed = if advisory.fixed.is_empty() { "no version yet".to_owned() } else { advisory.fixed.join(", ") };
        let PackageId { name, version } = &advisory.package;
        let _ = writeln!(text, "  {name} {version} {}: {summary} (fixed in: {fixed})", advisory.id);
    }
}

fn affected(advisories: &Advisories) -> usize {
    let packages: BTreeSet<_> = advisories.found.iter().map(|it| (&it.package.name, &it.package.version)).collect();
    packages.len()
}

fn duplicates(text: &mut String, report: &Report) {
    if report.duplicates.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{} crates in more than one version ({} more to compile than needed):",
        report.duplicates.len(),
        report.counts.superfluous_versions
    );
    for duplicate in &report.duplicates {
        let hint = if duplicate.compatible { "  <- `cargo update` may unite these" } else { "" };
        let _ = writeln!(text, "  {}{hint}", duplicate.name);
        versions(text, duplicate);
    }
}

fn versions(text: &mut String, duplicate: &Duplicate) {
    for version in &duplicate.versions {
        let shown = version.dependents.iter().take(DEPENDENTS_SHOWN);
        let names: Vec<&str> = shown.map(String::as_str).collect();
        let more = match version.dependents.len().saturating_sub(DEPENDENTS_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let by = if names.is_empty() { "nothing in the file".to_owned() } else { names.join(", ") };
        let _ = writeln!(text, "    {:<10} for {by}{more}", version.version);
    }
}

fn packages(count: usize) -> String {
    format!("{count} package{}", if count == 1 { "" } else { "s" })
}
