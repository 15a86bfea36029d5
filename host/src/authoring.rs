//! Authoring agents: start a project in Rust, JavaScript or Python, and build it into a component.
//!
//! [`scaffold`] writes a project that builds and runs unchanged, [`detect`] tells the language of
//! one, [`build`] makes its component with the language's own toolchain. Nothing here installs
//! anything: what is missing is [`Error::Missing`], with the one command that installs it.

mod javascript;
mod python;
mod rust;
mod scaffold;
mod sdk;
mod templates;
mod tool;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use scaffold::scaffold;

use crate::names::{InvalidName, Name};
use crate::runtime::Digest;

/// The folder, inside a project, that [`build`] writes to.
pub const BUILD_FOLDER: &str = "build";

/// A language that agents are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// Rust, against the crate `aaasp-sdk`.
    Rust,
    /// JavaScript, run by QuickJS.
    JavaScript,
    /// Python, run by CPython.
    Python,
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
        })
    }
}

impl FromStr for Lang {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "rust" => Ok(Self::Rust),
            "js" => Ok(Self::JavaScript),
            "python" => Ok(Self::Python),
            _ => Err(Error::Lang { word: word.into() }),
        }
    }
}

/// Something to show while a build goes on.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// What is done now, in a few words.
    Step(&'a str),
    /// One line that the toolchain printed.
    Output(&'a str),
}

/// A component that was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// What it was written in.
    pub lang: Lang,
    /// The project's name.
    pub name: Name,
    /// Where the component is.
    pub path: PathBuf,
    /// How large it is.
    pub size_bytes: u64,
    /// What an upload of it is named by.
    pub digest: Digest,
}

/// Why a project could not be written or built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The language is none that agents are written in.
    #[error("`{word}` is no language for agents; there are rust, js and python")]
    Lang {
        /// What was asked for.
        word: String,
    },
    /// The name breaks the API's rule for names.
    #[error("`{name}` can't be the name of an agent: {source}")]
    Name {
        /// The name.
        name: String,
        /// The rule.
        source: InvalidName,
    },
    /// The folder for the project is there and holds something.
    #[error("{} exists and is not empty; choose another name or folder", dir.display())]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder holds no project.
    #[error(
        "{} holds no agent: there is no Cargo.toml, package.json or pyproject.toml; `aaasp new` starts one",
        dir.display()
    )]
    NoProject {
        /// The folder.
        dir: PathBuf,
    },
    /// A file of the project says something that can't be built.
    #[error("{}: {reason}", path.display())]
    Project {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that the build needs is not installed.
    #[error("{what} is missing; install it with\n\n    {install}\n")]
    Missing {
        /// What is missing.
        what: String,
        /// The one command that installs it.
        install: String,
    },
    /// The toolchain ran and refused the project; what it printed went through [`Progress::Output`].
    #[error("{tool} failed ({status}):\n{output}")]
    Failed {
        /// The tool.
        tool: String,
        /// Its exit status, in words.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// The toolchain made a module that is no agent.
    #[error("what was built is no agent: {reason}")]
    NotAgent {
        /// Why not.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// The language of the project in a folder, told by its manifest.
///
/// # Errors
/// [`Error::NoProject`] when there is no manifest that we know.
pub fn detect(dir: &Path) -> Result<Lang, Error> {
    [("Cargo.toml", Lang::Rust), ("package.json", Lang::JavaScript), ("pyproject.toml", Lang::Python)]
        .into_iter()
        .find(|(manifest, _)| dir.join(manifest).is_file())
        .map(|(_, lang)| lang)
        .ok_or_else(|| Error::NoProject { dir: dir.to_owned() })
}

/// Builds the project in a folder and leaves its component at `build/NAME.wasm` in there.
///
/// Blocks until the toolchain is done and calls `progress` along the way. The component is put in
/// place by one rename, so that who watches it never reads half of it.
///
/// # Errors
/// [`Error::Missing`] when a tool is not installed, [`Error::Failed`] when one refuses the project,
/// and the others as they say.
pub fn build(dir: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Built, Error> {
    let lang = detect(dir)?;
    // The tools run inside the folder, where a relative path would mean something else.
    let project = fs::canonicalize(dir).map_err(Error::io(dir))?;
    let folder = project.join(BUILD_FOLDER);
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    let component = match lang {
        Lang::Rust => rust::build(&project, progress)?,
        Lang::JavaScript => javascript::build(&project, &folder, progress)?,
        Lang::Python => python::build(&project, &folder, progress)?,
    };
    check_agent(&component.bytes)?;
    let path = folder.join(format!("{}.wasm", component.name));
    let part = folder.join(format!("{}.wasm.part", component.name));
    fs::write(&part, &component.bytes).map_err(Error::io(&part))?;
    fs::rename(&part, &path).map_err(Error::io(&path))?;
    Ok(Built {
        lang,
        name: component.name,
        path,
        size_bytes: component.bytes.len() as u64,
        digest: Digest::of(&component.bytes),
    })
}

/// What a toolchain made of a project.
struct Component {
    name: Name,
    bytes: Vec<u8>,
}

/// A module without an agent in it links well and makes a component that does nothing.
fn check_agent(bytes: &[u8]) -> Result<(), Error> {
    let not_agent = |reason: String| Error::NotAgent { reason };
    let decoded = wit_component::decode(bytes).map_err(|error| not_agent(format!("{error:#}")))?;
    let wit_component::DecodedWasm::Component(resolve, world) = decoded else {
        return Err(not_agent("it is a WIT package".into()));
    };
    let exports = &resolve.worlds[world].exports;
    // What an upload of it would be taken for: an agent, a command or an HTTP handler.
    let kinds = ["aaasp:agent/handler@", "wasi:cli/run@", "wasi:http/incoming-handler@"];
    let names: Vec<_> = exports.keys().map(|key| resolve.name_world_key(key)).collect();
    if names.iter().any(|name| kinds.iter().any(|kind| name.starts_with(kind))) {
        return Ok(());
    }
    let hint = "it does not export aaasp:agent/handler; in Rust, a function with #[aaasp_sdk::agent] does";
    Err(not_agent(hint.into()))
}

/// The project's name where it is written, checked against the API's rule.
fn checked_name(name: Option<&str>, manifest: &Path) -> Result<Name, Error> {
    let name = name.ok_or_else(|| Error::Project { path: manifest.to_owned(), reason: "it has no name".into() })?;
    name.parse().map_err(|source| Error::Name { name: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_told_by_the_manifest() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(detect(dir.path()), Err(Error::NoProject { .. })));
        for (manifest, lang) in
            [("pyproject.toml", Lang::Python), ("package.json", Lang::JavaScript), ("Cargo.toml", Lang::Rust)]
        {
            fs::write(dir.path().join(manifest), "").unwrap();
            assert_eq!(detect(dir.path()).unwrap(), lang);
        }
    }

    #[test]
    fn a_language_that_there_is_not_is_refused_with_those_that_there_are() {
        let refused = Lang::from_str("cobol").unwrap_err().to_string();
        assert!(refused.contains("cobol") && refused.contains("rust, js and python"), "{refused}");
    }

    #[test]
    fn a_component_without_a_handler_is_refused_with_a_hint() {
        let empty = b"\0asm\x0d\0\x01\0";
        let refused = check_agent(empty).unwrap_err().to_string();
        assert!(refused.contains("#[aaasp_sdk::agent]"), "{refused}");
    }

    #[test]
    fn a_name_that_the_api_would_refuse_is_refused_before_anything_is_built() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = r#"{ "name": "@scope/thing", "main": "agent.js" }"#;
        fs::write(dir.path().join("package.json"), manifest).unwrap();
        fs::write(dir.path().join("agent.js"), "").unwrap();
        let refused = build(dir.path(), &mut |_| {}).unwrap_err();
        assert!(matches!(&refused, Error::Name { name, .. } if name == "@scope/thing"), "{refused}");
    }
}
