//! A folder that is removed with its owner, however deep its guest has made it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A run's folder; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder; its name must be a single one.
    pub(crate) fn create(path: PathBuf) -> io::Result<Self> {
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.0) {
            tracing::error!(folder = %self.0.display(), %error, "a scratch folder could not be removed");
        }
    }
}

/// Makes the folder of all scratch folders, and removes what an earlier process left in it.
pub(crate) fn sweep(root: &Path) -> io::Result<()> {
    fs::create_dir_all(root)?;
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes a folder and all in it. The nesting is a guest's choice, so nothing here recurses or holds
/// a descriptor per level: folders are moved up beside their parent until none is left inside another.
fn remove_tree(root: &Path) -> io::Result<()> {
    let mut moved = 0_u64;
    loop {
        let mut nested = false;
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
                continue;
            }
            for child in fs::read_dir(entry.path())? {
                let child = child?;
                if child.file_type()?.is_dir() {
                    let target = free_name(root, &mut moved);
                    fs::rename(child.path(), target)?;
                    nested = true;
                } else {
                    fs::remove_file(child.path())?;
                }
            }
            fs::remove_dir(entry.path())?;
        }
        if !nested {
            break;
        }
    }
    fs::remove_dir(root)
}

fn free_name(root: &Path, moved: &mut u64) -> PathBuf {
    loop {
        *moved += 1;
        let name = root.join(format!(".removing-{moved}"));
        if fs::symlink_metadata(&name).is_err() {
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_tree_goes_with_its_folder() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("run");
        let folder = Folder::create(path.clone()).unwrap();
        let mut deep = path.clone();
        for _ in 0..300 {
            deep.push("d");
            fs::create_dir(&deep).unwrap();
            fs::write(deep.join("f"), "x").unwrap();
        }
        std::os::unix::fs::symlink("/", path.join("root")).unwrap();
        drop(folder);
        assert!(!path.exists());
        assert!(parent.path().exists());
    }
}
