//! Writes what of the documents is generated.

use anyhow::{Context, Result};

use crate::shell;
use crate::workspace::Workspace;

/// Builds the host, and writes `docs/reference.md` as it says it is.
pub fn run(workspace: &Workspace) -> Result<()> {
    let aaasp = workspace.build_host()?;
    let text = shell::capture(shell::command(aaasp).arg("reference"))?;
    let file = workspace.root.join("docs").join("reference.md");
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}
