//! The files of this repository, by their paths from its root.

use std::path::Path;

use super::source::SourceFile;

/// Folders that hold what tools made.
const MADE: [&str; 4] = ["build", "node_modules", "__pycache__", "target"];

/// Top-level folders whose every file is ours.
const OURS: [&str; 6] = ["host", "migrations", "plugins", "tests", "wit", "xtask"];

/// The text of one file.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Rust files below a folder.
pub fn rust(folder: &str) -> Vec<SourceFile> {
    files(folder, &["rs"])
}

/// Every Rust file of ours.
pub fn all_rust() -> Vec<SourceFile> {
    OURS.iter().filter(|folder| !["migrations", "wit"].contains(folder)).flat_map(|folder| rust(folder)).collect()
}

/// Files below a folder whose names end so; there has to be one.
pub fn files(folder: &str, extensions: &[&str]) -> Vec<SourceFile> {
    let matching = |path: &String| path.rsplit_once('.').is_some_and(|(_, end)| extensions.contains(&end));
    let found: Vec<_> =
        paths_below(folder).into_iter().filter(matching).map(|path| SourceFile { text: read(&path), path }).collect();
    assert!(!found.is_empty(), "found no {extensions:?} in {folder}");
    found
}

/// Every path of ours.
pub fn paths() -> Vec<String> {
    OURS.iter().flat_map(|folder| paths_below(folder)).collect()
}

/// The documents at the root and below `docs`.
pub fn documents() -> Vec<String> {
    let at_root = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    at_root.chain(paths_below("docs")).filter(|path| path.ends_with(".md")).collect()
}

/// Whether there is such a file or folder.
pub fn exists(path: &str) -> bool {
    root().join(path).exists()
}

fn paths_below(folder: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    for entry in entries {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if entry.file_type().unwrap().is_file() {
            paths.push(path);
        } else if !name.starts_with('.') && !MADE.contains(&name.as_str()) {
            paths.extend(paths_below(&path));
        }
    }
    paths.sort();
    paths
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
