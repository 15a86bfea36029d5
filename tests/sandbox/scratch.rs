//! The scratch folder: its quota holds before the write, nothing outside of it exists, and it is gone
//! after the run.

use aaasp::grants::Grants;
use aaasp::limits::RunLimits;
use aaasp::runtime::{Finished, Outcome};

use crate::support::hostile::component;
use crate::support::sandbox::{FOLDER, RUNTIME, invocation, load};

/// What a climbing guest answers when it got through.
const THROUGH: &str = "99";

async fn run_with(guest: &str, input: &str, limits: RunLimits, scratch: bool) -> Finished {
    let mut invocation = invocation(limits);
    invocation.input = format!("\"{input}\"");
    invocation.grants = Grants { scratch, ..Grants::default() }.into();
    let folder = FOLDER.join("scratch").join(&invocation.run_id);
    let finished = RUNTIME.invoke(&load(&component(guest)).await, invocation).await;
    assert!(!folder.exists(), "{guest} {input} left its folder behind");
    finished
}

async fn reaches(limit: &str, input: &str, limits: RunLimits) -> Finished {
    let finished = run_with("scratch-bomb", input, limits, true).await;
    assert_eq!(finished.outcome, Outcome::LimitExceeded(limit.into()), "{input}: {:?}", finished.error);
    finished
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_end_at_their_limit_however_they_are_written() {
    for how in ["w", "s", "z", "u"] {
        let limits = RunLimits { scratch_bytes: 4 << 20, ..RunLimits::default() };
        let finished = reaches("scratch_bytes", how, limits).await;
        assert_eq!(finished.usage.scratch_bytes_peak, 4 << 20, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_end_at_their_limit_whatever_they_name() {
    for what in ["f", "d", "k", "l"] {
        reaches("scratch_files", what, RunLimits { scratch_files: 20, ..RunLimits::default() }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_files_end_at_their_limit() {
    reaches("open_files", "o", RunLimits::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_grant_there_is_no_folder() {
    let finished = run_with("scratch-bomb", "w", RunLimits::default(), false).await;
    assert_eq!((finished.outcome, finished.output.as_deref()), (Outcome::Succeeded, Some("null")));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out() {
    let outside = FOLDER.join("outside");
    std::fs::write(&outside, "not yours").unwrap();
    let absolute = outside.to_str().unwrap().to_owned();
    let paths = [
        "../outside",
        "../../outside",
        "../../../../../../../../etc/passwd",
        "/etc/passwd",
        &absolute,
        "file/../../outside",
    ];
    for how in ["o", "c", "s", "l", "r", "m"] {
        for path in paths {
            let finished = run_with("climb", &format!("{how}{path}"), RunLimits::default(), true).await;
            assert_eq!(finished.outcome, Outcome::Succeeded, "{how}{path}: {:?}", finished.error);
            assert_ne!(finished.output.as_deref(), Some(THROUGH), "{how}{path}");
        }
    }
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "not yours");
    let stray: Vec<_> = std::fs::read_dir(FOLDER.join("scratch"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("run_"))
        .collect();
    assert!(stray.is_empty(), "{stray:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_within_the_folder_work() {
    for path in ["ofile", "o./file", "cother", "sfile", "lfile", "rmoved", "mdirectory"] {
        let finished = run_with("climb", path, RunLimits::default(), true).await;
        assert_eq!(finished.output.as_deref(), Some(THROUGH), "{path}: {:?}", finished.error);
    }
}
