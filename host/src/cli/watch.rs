//! Watches the files of a project, without those that tools make.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::folder;

/// Folders that tools make, besides those whose names begin with a dot.
const MADE_FOLDERS: [&str; 5] = ["build", "target", "node_modules", "__pycache__", "dist"];

/// Files that a build itself may write.
const MADE_FILES: [&str; 2] = ["Cargo.lock", "package-lock.json"];

/// Editors write a file in several steps; this long after the last one it is whole.
const QUIET: Duration = Duration::from_millis(150);

/// Files with their lengths and times: equal when nothing has changed.
type Files = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Watches a folder, and a file outside of it.
pub(super) struct Watch {
    folder: PathBuf,
    file: Option<PathBuf>,
    watcher: RecommendedWatcher,
    events: mpsc::Receiver<()>,
    seen: Files,
}

impl Watch {
    pub(super) fn start(folder: &Path, file: Option<&Path>) -> anyhow::Result<Self> {
        // One waiting event says all: that something happened.
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |_: notify::Result<notify::Event>| {
            let _ = sender.try_send(());
        })
        .context("can't watch files")?;
        let file = file.map(Path::to_owned);
        let mut watch = Self { folder: folder.to_owned(), file, watcher, events, seen: Files::new() };
        watch.seen = watch.look()?;
        Ok(watch)
    }

    /// Waits until a file of the project is another than at the last look.
    pub(super) async fn changed(&mut self) -> anyhow::Result<()> {
        loop {
            // What changed while nobody waited counts too.
            let files = self.look()?;
            if files != self.seen {
                self.seen = files;
                return Ok(());
            }
            self.events.recv().await.context("can't watch files any more")?;
            while let Ok(Some(())) = tokio::time::timeout(QUIET, self.events.recv()).await {}
        }
    }

    /// The files as they are, whose folders are watched from now on.
    fn look(&mut self) -> anyhow::Result<Files> {
        let mut files = Files::new();
        let mut folders = vec![self.folder.clone()];
        if let Some(file) = &self.file {
            note(&mut files, file);
            // Editors replace a file by another one of its name, so the folder is watched.
            self.watcher.watch(folder::of_file(file), RecursiveMode::NonRecursive)?;
        }
        while let Some(folder) = folders.pop() {
            self.watcher
                .watch(&folder, RecursiveMode::NonRecursive)
                .with_context(|| format!("can't watch {}", folder.display()))?;
            for entry in std::fs::read_dir(&folder)?.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if name.starts_with('.') || name.ends_with('~') {
                    continue;
                }
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && !MADE_FOLDERS.contains(&&*name) => folders.push(entry.path()),
                    Ok(kind) if kind.is_file() && !MADE_FILES.contains(&&*name) => note(&mut files, &entry.path()),
                    _ => {}
                }
            }
        }
        Ok(files)
    }
}

fn note(files: &mut Files, path: &Path) {
    if let Ok(metadata) = std::fs::metadata(path) {
        files.insert(path.to_owned(), (metadata.len(), metadata.modified().ok()));
    }
}
