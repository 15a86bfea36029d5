//! Starts a project: the language's template with the agent's name in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Error, Lang, sdk, templates};
use crate::names::Name;

/// Writes a project that builds and runs unchanged, and returns the paths of its files relative to
/// `dir`, sorted, those of the SDK's copy left out.
///
/// `dir` is made when it is not there. A Rust project carries the SDK and the contract in `.aaasp`.
///
/// # Errors
/// [`Error::Name`] for a name that the API would refuse, [`Error::Exists`] when `dir` holds
/// something already, [`Error::Io`] when a file can't be written.
pub fn scaffold(lang: Lang, name: &str, dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let name: Name = name.parse().map_err(|source| Error::Name { name: name.to_owned(), source })?;
    if !is_free(dir)? {
        return Err(Error::Exists { dir: dir.to_owned() });
    }
    let mut written = Vec::new();
    for (path, text) in templates::project(lang) {
        templates::write(&dir.join(path), &filled(text, name.as_str()))?;
        written.push(PathBuf::from(path));
    }
    if lang == Lang::Rust {
        sdk::write(&dir.join(".aaasp"))?;
    }
    written.sort();
    Ok(written)
}

fn is_free(dir: &Path) -> Result<bool, Error> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Error::io(dir)(error)),
    }
}

fn filled(text: &str, name: &str) -> String {
    // Cargo takes no package whose name begins with a digit; the agent keeps its name all the same.
    let begins_with_digit = name.starts_with(|c: char| c.is_ascii_digit());
    let package = if begins_with_digit { format!("agent-{name}") } else { name.to_owned() };
    text.replace("{{package}}", &package).replace("{{name}}", name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authoring::detect;

    fn text(dir: &Path, file: &str) -> String {
        fs::read_to_string(dir.join(file)).unwrap()
    }

    #[test]
    fn every_language_gets_a_manifest_a_test_a_readme_and_types() {
        for (lang, files) in [
            (Lang::Rust, ["Cargo.toml", "tests/agent.rs", "README.md", "src/lib.rs"]),
            (Lang::JavaScript, ["package.json", "agent.test.js", "README.md", "aaasp.d.ts"]),
            (Lang::Python, ["pyproject.toml", "test_agent.py", "README.md", "aaasp.pyi"]),
        ] {
            let parent = tempfile::tempdir().unwrap();
            let dir = parent.path().join("word-count");
            let written = scaffold(lang, "word-count", &dir).unwrap();
            assert_eq!(detect(&dir).unwrap(), lang);
            for file in files {
                assert!(written.contains(&PathBuf::from(file)), "{lang}: {file}");
            }
            for file in &written {
                let text = fs::read_to_string(dir.join(file)).unwrap();
                let filled = !text.contains("{{name}}") && !text.contains("{{package}}");
                assert!(filled, "{lang}: {}", file.display());
            }
            assert!(text(&dir, "README.md").contains("word-count"));
        }
    }

    #[test]
    fn a_rust_project_carries_the_sdk_and_the_contract() {
        let dir = tempfile::tempdir().unwrap();
        scaffold(Lang::Rust, "3d-print", dir.path()).unwrap();
        assert!(text(dir.path(), "Cargo.toml").contains("name = \"agent-3d-print\""));
        assert!(text(dir.path(), "src/lib.rs").contains("name = \"3d-print\""));
        assert!(text(dir.path(), ".aaasp/plugins/sdk/Cargo.toml").contains("aaasp-sdk"));
        assert!(text(dir.path(), ".aaasp/wit/world.wit").contains("world agent"));
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine.txt"), "").unwrap();
        let refused = scaffold(Lang::Python, "a", dir.path());
        assert!(matches!(refused, Err(Error::Exists { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_name_that_the_api_would_refuse_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "A", "a_b", "-a", "a-", "../a", &"a".repeat(64)] {
            let refused = scaffold(Lang::Rust, name, &dir.path().join("x"));
            assert!(matches!(refused, Err(Error::Name { .. })), "{name}");
        }
        assert!(!dir.path().join("x").exists());
    }
}
