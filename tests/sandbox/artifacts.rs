//! Compiled artifacts survive a restart, and none is loaded that the host did not seal.

use std::path::{Path, PathBuf};

use aaasp::limits::RunLimits;
use aaasp::runtime::{Digest, LoadError, Outcome, Runtime};
use bytes::Bytes;

use crate::support::hostile::component;
use crate::support::sandbox::{invocation, settings};

fn start(folder: &Path) -> Runtime {
    Runtime::new(settings(folder.to_owned())).unwrap()
}

async fn succeeds(runtime: &Runtime, bytes: Option<&Bytes>, digest: &Digest) -> Result<(), LoadError> {
    let bytes = bytes.cloned();
    let fetch = || async move { bytes.ok_or("fetched, though an artifact is there") };
    let loaded = runtime.load(digest, fetch).await?;
    assert_eq!(runtime.invoke(&loaded, invocation(RunLimits::default())).await.outcome, Outcome::Succeeded);
    Ok(())
}

fn artifact(folder: &Path, ending: &str) -> PathBuf {
    let engine = std::fs::read_dir(folder.join("artifacts")).unwrap().next().unwrap().unwrap().path();
    let mut files = std::fs::read_dir(engine).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|extension| extension == ending)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = component("honest");
    let digest = Digest::of(&bytes);
    succeeds(&start(folder.path()), Some(&bytes), &digest).await.unwrap();
    succeeds(&start(folder.path()), None, &digest).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_was_changed_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = component("honest");
    let digest = Digest::of(&bytes);
    succeeds(&start(folder.path()), Some(&bytes), &digest).await.unwrap();
    for ending in ["cwasm", "seal"] {
        let path = artifact(folder.path(), ending);
        let mut changed = std::fs::read(&path).unwrap();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(&path, changed).unwrap();
        let runtime = start(folder.path());
        assert!(succeeds(&runtime, None, &digest).await.is_err(), "{ending}: it was loaded all the same");
        succeeds(&runtime, Some(&bytes), &digest).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_of_another_host_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = component("honest");
    let digest = Digest::of(&bytes);
    succeeds(&start(folder.path()), Some(&bytes), &digest).await.unwrap();
    let mut settings = settings(folder.path().to_owned());
    settings.artifact_key = [8; 32];
    assert!(succeeds(&Runtime::new(settings).unwrap(), None, &digest).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_the_digests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = Digest::of(b"something else");
    let error = succeeds(&start(folder.path()), Some(&component("honest")), &wrong).await.unwrap_err();
    assert!(matches!(&error, LoadError::Shared(shared) if matches!(**shared, LoadError::Digest(_))), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_host_left_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("scratch/run_1/deep/deeper");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("file"), "left").unwrap();
    start(folder.path());
    assert_eq!(std::fs::read_dir(folder.path().join("scratch")).unwrap().count(), 0);
}
