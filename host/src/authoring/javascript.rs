//! Builds a JavaScript agent with `componentize-qjs`, which puts it on QuickJS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::{Component, Error, Progress, checked_name, templates, tool};

/// The tool, where npm leaves it.
const PROGRAM: &str = "node_modules/.bin/componentize-qjs";
/// The release that a project without a word on it gets; the template pins the same.
pub const PACKAGE: &str = "componentize-qjs@0.4.5";

#[derive(Deserialize)]
struct Manifest {
    name: Option<String>,
    #[serde(default)]
    description: String,
    main: Option<String>,
    #[serde(default, rename = "devDependencies")]
    dev_dependencies: std::collections::BTreeMap<String, String>,
}

/// Builds the project in a folder; what joins it to the contract is written to `folder`.
pub fn build(project: &Path, folder: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Component, Error> {
    let path = project.join("package.json");
    let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| Error::Project { path: path.clone(), reason: error.to_string() })?;
    let name = checked_name(manifest.name.as_deref(), &path)?;
    let main = manifest.main.as_deref().unwrap_or("agent.js").trim_start_matches("./").to_owned();
    if !project.join(&main).is_file() {
        let reason = format!("`main` names {main}, which is not there");
        return Err(Error::Project { path, reason });
    }
    let program = find(project, &manifest)?;
    templates::write_contract(folder)?;
    let world = folder.join("wit/javascript.wit");
    fs::write(&world, templates::JAVASCRIPT_WORLD).map_err(Error::io(&world))?;
    let model = folder.join("wit/model.wit");
    let text = fs::read_to_string(&model).map_err(Error::io(&model))?;
    fs::write(&model, without_pollables(&text)).map_err(Error::io(&model))?;
    let component = folder.join("component.js");
    let joined = templates::JAVASCRIPT_COMPONENT
        .replace("{{main}}", &main)
        .replace("\"{{name}}\"", &serde_json::Value::from(name.as_str()).to_string())
        .replace("\"{{description}}\"", &serde_json::Value::from(manifest.description).to_string());
    fs::write(&component, joined).map_err(Error::io(&component))?;
    progress(Progress::Step(&format!("putting {main} on QuickJS")));
    let output = folder.join("component.wasm");
    let mut command = Command::new(&program);
    command
        .current_dir(project)
        .args(["--sync", "--world", "javascript", "--wit"])
        .arg(folder.join("wit"))
        .arg("--js")
        .arg(&component)
        .arg("--module-root")
        .arg(project)
        .arg("--output")
        .arg(&output);
    tool::run(&mut command, false, progress)?;
    let bytes = fs::read(&output).map_err(Error::io(&output))?;
    fs::remove_file(&output).map_err(Error::io(&output))?;
    Ok(Component { name, bytes })
}

/// An interface without what needs a pollable, which componentize-qjs can't bind. A component may import less of an
/// interface than there is, and an agent in JavaScript waits for one thing at a time.
fn without_pollables(interface: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for line in interface.lines() {
        if !line.contains("pollable") {
            kept.push(line);
            continue;
        }
        while kept.last().is_some_and(|above| above.trim_start().starts_with("///")) {
            kept.pop();
        }
    }
    kept.join("\n")
}

fn find(project: &Path, manifest: &Manifest) -> Result<PathBuf, Error> {
    if tool::on_path("node").is_none() {
        let install = tool::debian_or("nodejs npm", "brew install node");
        return Err(Error::Missing { what: "Node.js".into(), install });
    }
    tool::above(project, PROGRAM).ok_or_else(|| {
        // What the project's manifest asks for comes with it; else the package has to be named.
        let named = if manifest.dev_dependencies.contains_key("componentize-qjs") {
            String::new()
        } else {
            format!(" --save-dev --save-exact {PACKAGE}")
        };
        Error::Missing {
            what: "componentize-qjs".into(),
            install: format!("npm install --prefix {}{named}", tool::quoted(project)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(manifest: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("package.json"), manifest).unwrap();
        fs::write(dir.path().join("agent.js"), "export function run() {}").unwrap();
        dir
    }

    fn refusal(dir: &tempfile::TempDir) -> Error {
        build(dir.path(), &dir.path().join("build"), &mut |_| {}).err().unwrap()
    }

    #[test]
    fn only_what_needs_a_pollable_is_left_out() {
        let (_, model) = templates::CONTRACT.iter().find(|(path, _)| *path == "model.wit").unwrap();
        let left = without_pollables(model);
        let gone: Vec<&str> = model.lines().filter(|line| !left.lines().any(|kept| kept == *line)).collect();
        assert_eq!(gone.len(), 3, "a use, a function and its comment: {gone:#?}");
        assert!(left.contains("next: func() -> result<option<event>, error>;"));
    }

    #[test]
    fn a_missing_main_is_named() {
        let dir = project(r#"{ "name": "a", "main": "./lib/main.js" }"#);
        let refused = refusal(&dir).to_string();
        assert!(refused.contains("lib/main.js"), "{refused}");
    }

    #[test]
    fn a_manifest_that_is_no_json_is_refused_with_its_line() {
        let refused = refusal(&project("{\n \"name\": }")).to_string();
        assert!(refused.contains("package.json") && refused.contains("line 2"), "{refused}");
    }

    #[test]
    fn a_missing_tool_comes_with_the_one_command_that_installs_it() {
        let dir = project(r#"{ "name": "a" }"#);
        match refusal(&dir) {
            Error::Missing { install, .. } if tool::on_path("node").is_some() => {
                assert!(install.starts_with("npm install --prefix "), "{install}");
                assert!(install.ends_with(PACKAGE), "{install}");
            }
            Error::Missing { what, .. } => assert_eq!(what, "Node.js"),
            other => panic!("{other}"),
        }
    }
}
