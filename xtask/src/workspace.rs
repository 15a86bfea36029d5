//! Where the workspace and its build outputs are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{setup, shell};

/// The folders of this clone.
pub struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

impl Workspace {
    /// Asks cargo for the workspace that this program was built in.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in no workspace")?.to_path_buf();
        let mut metadata = Command::new("cargo");
        metadata.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(&root);
        let metadata: serde_json::Value = serde_json::from_str(&shell::capture(&mut metadata)?)?;
        let target = metadata["target_directory"].as_str().context("cargo metadata names no target folder")?.into();
        Ok(Self { root, target })
    }

    /// A command that runs at the workspace's root.
    pub fn command(&self, program: &str) -> Command {
        let mut command = shell::command(program);
        command.current_dir(&self.root);
        command
    }

    /// `cargo`, at the workspace's root.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("cargo");
        command.args(arguments);
        command
    }

    /// Builds the host in the profile that the tests and the demo share, and says where the binary is.
    ///
    /// All of the workspace is selected, here and for the tests: cargo chooses the features of dependencies by what
    /// is selected, so that another selection would build them all again.
    pub fn build_host(&self) -> Result<PathBuf> {
        shell::run(&mut self.cargo(&["build", "--workspace", "--all-targets"]))?;
        self.built(&self.target.join("debug").join("aaasp"))
    }

    /// The same, optimised: what the benchmark measures.
    pub fn build_host_release(&self) -> Result<PathBuf> {
        shell::run(&mut self.cargo(&["build", "--release", "--package", "aaasp"]))?;
        self.built(&self.target.join("release").join("aaasp"))
    }

    /// Builds the agent in `folder` with `aaasp build` and copies its component to `target/components`.
    pub fn build_agent(&self, aaasp: &Path, folder: &str) -> Result<PathBuf> {
        let mut build = shell::command(aaasp);
        build.current_dir(&self.root).args(["build", folder, "--json"]);
        // A Python agent without an environment of its own takes this one.
        build.env("VIRTUAL_ENV", setup::python_environment(self));
        let printed = shell::capture(&mut build)?;
        let built: serde_json::Value =
            serde_json::from_str(&printed).with_context(|| format!("aaasp build {folder} printed: {printed}"))?;
        let component = built["path"].as_str().with_context(|| format!("aaasp build {folder} named no path"))?;
        let component = self.built(&self.root.join(component))?;

        let name = Path::new(folder).file_name().context("an agent's folder has a name")?;
        let copy = self.components().join(name).with_extension("wasm");
        std::fs::create_dir_all(self.components())?;
        std::fs::copy(&component, &copy).with_context(|| format!("cannot copy {}", component.display()))?;
        Ok(copy)
    }

    /// Where built components are collected.
    pub fn components(&self) -> PathBuf {
        self.target.join("components")
    }

    fn built(&self, path: &Path) -> Result<PathBuf> {
        if path.is_file() { Ok(path.to_path_buf()) } else { bail!("the build made no {}", path.display()) }
    }
}
