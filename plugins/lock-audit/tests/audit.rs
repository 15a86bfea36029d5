//! The agent on lock files that a person could have.

use aaasp_sdk::Failure;
use lock_audit::{Input, SourceKind, lock_audit};

const SAMPLE: &str = include_str!("../sample.json");

fn audit(lock: &str, ignore: &[&str]) -> Result<lock_audit::Report, Failure> {
    let ignore = ignore.iter().map(|it| (*it).to_owned()).collect();
    lock_audit(Input { lock: lock.to_owned(), ignore })
}

#[test]
fn the_sample_shows_every_kind_of_finding() {
    let input: Input = serde_json::from_str(SAMPLE).unwrap();
    let report = lock_audit(input).unwrap();
    assert!(!report.clean);
    assert_eq!((report.counts.packages, report.counts.local), (9, 1));
    let names: Vec<_> = report.duplicates.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["itoa", "rand"]);
    assert_eq!(report.checksum_gaps[0].name, "ryu");
    assert_eq!(report.git[0].reference.as_deref(), Some("branch=main"));
    assert_eq!(report.git[0].repository, "https://example.org/acme/feeds");
    assert!(report.summary.contains("2 crates in more than one version"), "{}", report.summary);
    assert!(!serde_json::to_string(&report).unwrap().contains("advisories"), "nothing was asked about them");
}

#[test]
fn a_duplicate_names_who_asks_for_each_version() {
    let input: Input = serde_json::from_str(SAMPLE).unwrap();
    let report = lock_audit(input).unwrap();
    let rand = report.duplicates.iter().find(|it| it.name == "rand").unwrap();
    assert_eq!(rand.versions[0].version, "0.8.5");
    assert_eq!(rand.versions[0].dependents, ["feeds"]);
    assert_eq!(rand.versions[1].dependents, ["shop"]);
    assert!(!rand.compatible);
    let itoa = report.duplicates.iter().find(|it| it.name == "itoa").unwrap();
    assert!(itoa.compatible, "1.0.9 and 1.0.11 can be one");
    assert!(report.summary.contains("cargo update"));
}

#[test]
fn an_ignored_crate_is_no_finding() {
    let input: Input = serde_json::from_str(SAMPLE).unwrap();
    let report = audit(&input.lock, &["rand", "itoa"]).unwrap();
    assert!(report.duplicates.is_empty());
    assert_eq!(report.counts.superfluous_versions, 0);
}

#[test]
fn checksums_of_the_first_format_are_found_in_its_metadata() {
    let report = audit(
        r#"
        [[package]]
        name = "a"
        version = "1.0.0"
        source = "registry+https://example.org/index"

        [[package]]
        name = "b"
        version = "1.0.0"
        source = "registry+https://example.org/index"

        [metadata]
        "checksum a 1.0.0 (registry+https://example.org/index)" = "00ff"
        "checksum b 1.0.0 (registry+https://example.org/index)" = "<none>"
        "#,
        &[],
    )
    .unwrap();
    assert_eq!(report.lock_version, 1);
    assert_eq!(report.checksum_gaps.len(), 1);
    assert_eq!(report.checksum_gaps[0].name, "b");
}

#[test]
fn a_file_without_findings_is_clean() {
    let report = audit("version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n", &[]).unwrap();
    assert!(report.clean);
    assert_eq!(report.sources[0].kind, SourceKind::Local);
    assert!(report.summary.contains("Nothing to look at"));
}

#[test]
fn a_text_that_is_no_lock_file_is_refused_with_the_reason() {
    for text in ["", "version = 4", "[[package]]\nname = 1", "<html>"] {
        match audit(text, &[]) {
            Err(Failure::InvalidInput(message)) => assert!(message.starts_with("/lock: "), "{message}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn this_workspace_can_be_audited() {
    let report = audit(include_str!("../../../Cargo.lock"), &[]).unwrap();
    assert!(report.counts.registry > 100);
    assert!(report.checksum_gaps.is_empty(), "{}", report.summary);
}
