//! Writes the Rust SDK into a project, so that it builds without our repository.
//!
//! The SDK's manifests inherit from our workspace; outside of it they have to stand alone, so what
//! they inherit is written into them, as `cargo publish` would.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike, value};

use super::{Error, templates};

const WORKSPACE: &str = include_str!("../../../Cargo.toml");
const SDK: &str = include_str!("../../../plugins/sdk/Cargo.toml");
const MACROS: &str = include_str!("../../../plugins/sdk/macros/Cargo.toml");

/// The SDK's folder in our repository and below a project's `.aaasp`: the same, since the SDK finds
/// the contract at `../../wit`.
const FOLDER: &str = "plugins/sdk";

/// Writes the SDK and the contract below a folder.
pub fn write(folder: &Path) -> Result<(), Error> {
    templates::write_contract(folder)?;
    let sdk = folder.join(FOLDER);
    for (path, text) in templates::SDK {
        templates::write(&sdk.join(path), text)?;
    }
    templates::write(&sdk.join("Cargo.toml"), &standing_alone(SDK)?)?;
    templates::write(&sdk.join("macros/Cargo.toml"), &standing_alone(MACROS)?)
}

/// A manifest with everything that it inherits written out, and our lints left out.
fn standing_alone(manifest: &str) -> Result<String, Error> {
    let workspace = parse(WORKSPACE)?;
    let mut document = parse(manifest)?;
    document.remove("lints");
    for section in ["package", "dependencies"] {
        let shared = workspace["workspace"].get(section).and_then(Item::as_table_like);
        let own = document.get_mut(section).and_then(Item::as_table_like_mut);
        if let (Some(own), Some(shared)) = (own, shared) {
            inherit(own, shared);
        }
    }
    Ok(document.to_string())
}

fn parse(manifest: &str) -> Result<DocumentMut, Error> {
    manifest.parse().map_err(|error: toml_edit::TomlError| Error::Project {
        path: PathBuf::from("Cargo.toml"),
        reason: error.to_string(),
    })
}

fn inherit(own: &mut dyn TableLike, shared: &dyn TableLike) {
    for (key, item) in own.iter_mut() {
        let inherits = item.as_table_like().is_some_and(|table| table.contains_key("workspace"));
        let Some(from) = shared.get(key.get()).filter(|_| inherits) else { continue };
        let mut whole = from.clone();
        if let Some(path) = whole.get("path").and_then(Item::as_str) {
            // Paths in the workspace's list begin at its root, here they begin at the SDK.
            let path = path.trim_start_matches(FOLDER).trim_start_matches('/').to_owned();
            whole["path"] = value(path);
        }
        // `serde.workspace = true` is a dotted table; its replacement has to be a plain value.
        *item = match whole {
            Item::Table(table) => Item::Value(table.into_inline_table().into()),
            other => other,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml_edit::Table;

    #[test]
    fn the_manifests_stand_alone() {
        for manifest in [SDK, MACROS] {
            let alone = standing_alone(manifest).unwrap();
            assert!(!alone.contains("workspace"), "{alone}");
            let document = parse(&alone).unwrap();
            assert_eq!(document["package"]["edition"].as_str(), Some("2024"));
            assert!(document["dependencies"].as_table_like().is_some_and(|it| !it.is_empty()));
        }
    }

    #[test]
    fn the_sdk_finds_its_macros_and_its_versions() {
        let document = parse(&standing_alone(SDK).unwrap()).unwrap();
        let dependencies: &Table = document["dependencies"].as_table().unwrap();
        assert_eq!(dependencies["aaasp-sdk-macros"]["path"].as_str(), Some("macros"));
        assert!(dependencies["serde"]["features"].as_array().is_some());
        assert!(dependencies["schemars"].as_str().is_some());
    }
}
