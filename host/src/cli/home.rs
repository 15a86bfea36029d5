//! The person's own folders, after the XDG Base Directory Specification.

use std::path::PathBuf;

use anyhow::Context as _;

/// `aaasp` in the folder that the variable names, or in its default place below the home folder.
pub(super) fn folder(variable: &str, default: &str) -> anyhow::Result<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let parent = match named {
        Some(path) => path,
        None => {
            let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
            PathBuf::from(home.with_context(|| format!("neither {variable} nor HOME is set"))?).join(default)
        }
    };
    Ok(parent.join("aaasp"))
}
