//! Components that the suite runs: the agents, built by `cargo xtask test`, and small ones made of text.

use std::path::PathBuf;

/// One of the agents of `plugins/`, or a guest of the benchmark: `lock-audit`, `hello-rust`, ….
pub fn built(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("AAASP_TEST_COMPONENTS").map_or_else(default_folder, PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask test --only guests` builds it", path.display());
    })
}

fn default_folder() -> PathBuf {
    let suite = std::env::current_exe().unwrap();
    suite.ancestors().nth(3).unwrap().join("components")
}
