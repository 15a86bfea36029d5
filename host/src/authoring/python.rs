//! Builds a Python agent with `componentize-py`, which puts it on CPython.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::{Component, Error, Progress, checked_name, templates, tool};

/// The tool inside a virtual environment.
const PROGRAM: &str = ".venv/bin/componentize-py";
/// The release that the templates were written against.
const PACKAGE: &str = "componentize-py==0.25.1";

#[derive(Deserialize)]
struct Manifest {
    project: Option<Project>,
}

#[derive(Deserialize)]
struct Project {
    name: Option<String>,
    #[serde(default)]
    description: String,
}

/// Builds the project in a folder; what joins it to the contract is written to `folder`.
pub fn build(project: &Path, folder: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Component, Error> {
    let path = project.join("pyproject.toml");
    let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
    let manifest: Manifest =
        toml::from_str(&text).map_err(|error| Error::Project { path: path.clone(), reason: error.to_string() })?;
    let Some(about) = manifest.project else {
        return Err(Error::Project { path, reason: "it has no [project]".into() });
    };
    let name = checked_name(about.name.as_deref(), &path)?;
    if !project.join("agent.py").is_file() {
        return Err(Error::Project { path, reason: "there is no agent.py beside it".into() });
    }
    let program = find(project)?;
    templates::write_contract(folder)?;
    // Both words stay inside string literals of Python, which reads JSON's escapes as its own.
    let joined = templates::PYTHON_COMPONENT
        .replace("\"{{name}}\"", &serde_json::Value::from(name.as_str()).to_string())
        .replace("\"{{description}}\"", &serde_json::Value::from(about.description).to_string());
    let component = folder.join("aaasp_component.py");
    fs::write(&component, joined).map_err(Error::io(&component))?;
    progress(Progress::Step("putting agent.py on CPython"));
    let output = folder.join("component.wasm");
    let mut command = Command::new(&program);
    // Packages of the project's environment can be imported, wherever the tool itself lies.
    if let Some(environment) = environment(project) {
        command.env("VIRTUAL_ENV", environment);
    }
    command
        .current_dir(project)
        .arg("--wit-path")
        .arg(folder.join("wit"))
        .args(["--world", "aaasp:agent/agent", "componentize", "aaasp_component", "--python-path"])
        .arg(folder)
        .arg("--python-path")
        .arg(project)
        .arg("--output")
        .arg(&output);
    tool::run(&mut command, false, progress)?;
    let bytes = fs::read(&output).map_err(Error::io(&output))?;
    fs::remove_file(&output).map_err(Error::io(&output))?;
    Ok(Component { name, bytes })
}

fn find(project: &Path) -> Result<PathBuf, Error> {
    let active = env::var_os("VIRTUAL_ENV").map(|it| PathBuf::from(it).join("bin/componentize-py"));
    let found = tool::above(project, PROGRAM)
        .or_else(|| active.filter(|program| program.is_file()))
        .or_else(|| tool::on_path("componentize-py"));
    if let Some(program) = found {
        return Ok(program);
    }
    if tool::on_path("python3").is_none() {
        let install = tool::debian_or("python3 python3-venv", "brew install python");
        return Err(Error::Missing { what: "Python 3".into(), install });
    }
    // Debian's Python lacks what fills a new environment, without one more package.
    let mut ask = Command::new("python3");
    if tool::printed(ask.args(["-c", "import venv, ensurepip"])).is_none() {
        let install = tool::debian_or("python3-venv", "python3 -m ensurepip");
        return Err(Error::Missing { what: "Python's venv".into(), install });
    }
    let venv = tool::quoted(&project.join(".venv"));
    let requirements = project.join("requirements.txt");
    let wanted =
        if requirements.is_file() { format!("-r {}", tool::quoted(&requirements)) } else { PACKAGE.to_owned() };
    Err(Error::Missing {
        what: "componentize-py".into(),
        install: format!("python3 -m venv {venv} && {venv}/bin/pip install {wanted}"),
    })
}

fn environment(project: &Path) -> Option<PathBuf> {
    let own = project.join(".venv");
    if own.is_dir() { Some(own) } else { env::var_os("VIRTUAL_ENV").map(PathBuf::from) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(manifest: &str, files: &[&str]) -> Error {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("pyproject.toml"), manifest).unwrap();
        for file in files {
            fs::write(dir.path().join(file), "").unwrap();
        }
        build(dir.path(), &dir.path().join("build"), &mut |_| {}).err().unwrap()
    }

    #[test]
    fn what_a_project_lacks_is_named() {
        for (manifest, files, lack) in [
            ("", &[][..], "no [project]"),
            ("[project]", &[], "no name"),
            ("[project]\nname = \"a\"", &[], "no agent.py"),
            ("[project", &[], "line 1"),
        ] {
            let refused = refusal(manifest, files).to_string();
            assert!(refused.contains(lack), "{manifest}: {refused}");
        }
    }

    #[test]
    fn a_missing_tool_comes_with_the_one_command_that_installs_it() {
        if tool::on_path("componentize-py").is_some() || env::var_os("VIRTUAL_ENV").is_some() {
            return;
        }
        match refusal("[project]\nname = \"a\"", &["agent.py"]) {
            Error::Missing { what, install } if what == "componentize-py" => {
                assert!(install.starts_with("python3 -m venv "), "{install}");
                assert!(install.ends_with(PACKAGE), "{install}");
            }
            Error::Missing { what, .. } => assert!(what.starts_with("Python"), "{what}"),
            other => panic!("{other}"),
        }
    }
}
