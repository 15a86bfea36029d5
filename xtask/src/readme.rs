//! Runs the README's blocks, verbatim and in order, in a fresh clone.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::shell;
use crate::temporary::TemporaryFolder;
use crate::workspace::Workspace;

/// What stands before the first block: servers that a block leaves in the background end with the script.
const PRELUDE: &str = "trap 'jobs -p | xargs --no-run-if-empty kill; wait' EXIT\nset -x\n";

/// Clones what is committed and runs every `sh` block of its README as one script; `console` blocks are only shown.
pub fn run(workspace: &Workspace) -> Result<()> {
    let folder = TemporaryFolder::create("readme")?;
    let clone = folder.path().join("aaasp");
    shell::run(Command::new("git").args(["clone", "--quiet", "--no-hardlinks"]).arg(&workspace.root).arg(&clone))?;
    // The clone is fresh, the registry's crates are built once: what differs between clones are our own crates.
    std::os::unix::fs::symlink(&workspace.target, clone.join("target"))?;

    let readme = std::fs::read_to_string(clone.join("README.md")).context("the clone has no README.md")?;
    let blocks = blocks(&readme);
    ensure!(!blocks.is_empty(), "README.md has no ```sh block");
    eprintln!("{} blocks", blocks.len());
    let script = folder.path().join("readme.sh");
    std::fs::write(&script, format!("{PRELUDE}{}", blocks.join("\n")))?;

    let mut bash = shell::command("bash");
    bash.args(["-euo", "pipefail"]).arg(&script).current_dir(&clone).stdin(std::process::Stdio::null());
    bash.env_remove("CARGO_TARGET_DIR").env("XDG_CONFIG_HOME", folder.path().join("config"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AAASP_")) {
        bash.env_remove(name);
    }
    // Its own process group, so that nothing which it started outlives it.
    bash.process_group(0);
    let mut child = bash.spawn().context("cannot start bash")?;
    let group = format!("-{}", child.id());
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if crate::interrupt::asked() {
            shell::stop(&mut child, "TERM");
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    let _ = shell::attempt(Command::new("kill").args(["-s", "KILL", "--", &group]));
    crate::interrupt::check()?;
    ensure!(status.success(), "the README's blocks ended with {status}");
    Ok(())
}

/// The contents of the fenced blocks whose info string is `sh`.
fn blocks(markdown: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let body: Vec<_> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
        if info.trim() == "sh" {
            blocks.push(body.join("\n") + "\n");
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn only_sh_blocks_run() {
        let readme = "# Title\n```sh\necho 1\necho 2\n```\ntext\n```console\n$ never\n```\n```sh\necho 3\n```\n";
        assert_eq!(blocks(readme), ["echo 1\necho 2\n", "echo 3\n"]);
    }
}
