//! The files that this binary carries for authors: the contract, the SDK and a project per language.

use std::fs;
use std::path::Path;

use super::{Error, Lang};

/// A file by its path in the project and its text.
pub type File = (&'static str, &'static str);

/// Joins a JavaScript agent to the contract.
pub const JAVASCRIPT_COMPONENT: &str = include_str!("../../templates/js/component.js");
/// The part of the contract's world that the JavaScript toolchain can bind.
pub const JAVASCRIPT_WORLD: &str = include_str!("../../templates/js/javascript.wit");
/// Joins a Python agent to the contract.
pub const PYTHON_COMPONENT: &str = include_str!("../../templates/python/component.py");

macro_rules! files {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!($folder, $path)))),*]
    };
}

/// The contract, by the paths inside its folder.
pub const CONTRACT: &[File] = files!("../../../wit/":
    "credentials.wit",
    "handler.wit",
    "model.wit",
    "world.wit",
    "deps/cli.wit",
    "deps/clocks.wit",
    "deps/config.wit",
    "deps/filesystem.wit",
    "deps/http.wit",
    "deps/io.wit",
    "deps/logging.wit",
    "deps/random.wit",
    "deps/sockets.wit",
);

/// The sources of the Rust SDK, by the paths inside its folder; `sdk.rs` makes its manifests.
pub const SDK: &[File] = files!("../../../plugins/sdk/":
    "src/config.rs",
    "src/credentials.rs",
    "src/failure.rs",
    "src/guest.rs",
    "src/http.rs",
    "src/http/exchange.rs",
    "src/lib.rs",
    "src/logger.rs",
    "src/model.rs",
    "src/schema.rs",
    "src/scratch.rs",
    "macros/src/about.rs",
    "macros/src/expand.rs",
    "macros/src/lib.rs",
);

const RUST: &[File] = files!("../../templates/rust/":
    "README.md",
    "input.json",
    "src/lib.rs",
    "tests/agent.rs",
);

const JAVASCRIPT: &[File] = files!("../../templates/js/":
    "README.md",
    "aaasp.d.ts",
    "agent.js",
    "agent.test.js",
    "input.json",
    "jsconfig.json",
    "package.json",
);

const PYTHON: &[File] = files!("../../templates/python/":
    "README.md",
    "aaasp.pyi",
    "agent.py",
    "input.json",
    "pyproject.toml",
    "requirements.txt",
    "test_agent.py",
);

/// A new project's files. Two have other names in our own tree, where cargo and git would obey them.
pub fn project(lang: Lang) -> Vec<File> {
    let (files, renamed): (_, &[File]) = match lang {
        Lang::Rust => (
            RUST,
            &[
                ("Cargo.toml", include_str!("../../templates/rust/Cargo.toml.in")),
                (".gitignore", include_str!("../../templates/rust/gitignore")),
            ],
        ),
        Lang::JavaScript => (JAVASCRIPT, &[(".gitignore", include_str!("../../templates/js/gitignore"))]),
        Lang::Python => (PYTHON, &[(".gitignore", include_str!("../../templates/python/gitignore"))]),
    };
    files.iter().chain(renamed).copied().collect()
}

/// Writes the contract to `wit/` inside a folder.
pub fn write_contract(folder: &Path) -> Result<(), Error> {
    for (path, text) in CONTRACT {
        write(&folder.join("wit").join(path), text)?;
    }
    Ok(())
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    fs::write(path, text).map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    fn tree(folder: &str, extension: &str) -> BTreeSet<String> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut found = BTreeSet::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|it| it == extension) {
                    found.insert(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        found
    }

    fn listed(files: &[File]) -> BTreeSet<String> {
        files.iter().map(|(path, _)| (*path).to_owned()).collect()
    }

    #[test]
    fn the_binary_carries_the_whole_contract_and_the_whole_sdk() {
        assert_eq!(listed(CONTRACT), tree("../wit", "wit"));
        assert_eq!(listed(SDK), tree("../plugins/sdk", "rs"));
    }
}
