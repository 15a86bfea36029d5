//! Profiles: servers and keys that `aaasp login` keeps in a file that nobody else may read.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use toml::{Table, Value};

use crate::folder::is_private;

/// The profile that is meant when none is named.
pub(in crate::cli) const DEFAULT_PROFILE: &str = "default";

/// A server and a key for it.
pub(in crate::cli) struct Profile {
    pub url: String,
    pub api_key: SecretString,
}

/// All profiles of this person.
pub(in crate::cli) struct Profiles {
    path: PathBuf,
    table: Table,
}

impl Profiles {
    /// Reads the file; when there is none, there are no profiles.
    pub(in crate::cli) fn read() -> anyhow::Result<Self> {
        let path = folder()?.join("profiles.toml");
        if !path.exists() {
            return Ok(Self { path, table: Table::new() });
        }
        let shown = path.display();
        if !is_private(&path) {
            bail!("{shown} holds API keys and others can read it; run `chmod 600 {shown}`");
        }
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {shown}"))?;
        // The parser's message would repeat the line, and with it perhaps a key.
        let table = text.parse().map_err(|_| anyhow::anyhow!("{shown} is not TOML; mend it, or remove it"))?;
        Ok(Self { path, table })
    }

    /// The profile of a name.
    pub(in crate::cli) fn get(&self, name: &str) -> anyhow::Result<Option<Profile>> {
        let Some(profile) = self.table.get(name) else { return Ok(None) };
        let text = |key: &str| {
            let value = profile.get(key).and_then(Value::as_str);
            value.with_context(|| format!("{}: the profile `{name}` has no `{key}`", self.path.display()))
        };
        Ok(Some(Profile { url: text("url")?.to_owned(), api_key: SecretString::from(text("api_key")?) }))
    }

    /// Keeps a profile, in the place of one with the same name. Returns where.
    pub(in crate::cli) fn keep(mut self, name: &str, profile: &Profile) -> anyhow::Result<PathBuf> {
        let mut entry = Table::new();
        entry.insert("url".to_owned(), Value::from(profile.url.as_str()));
        entry.insert("api_key".to_owned(), Value::from(profile.api_key.expose_secret()));
        self.table.insert(name.to_owned(), Value::Table(entry));
        let text = toml::to_string(&self.table)?;
        let place = self.path.parent().context("the file of the profiles lies in no folder")?;
        let failed = || format!("can't write {}", self.path.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(place).with_context(failed)?;
        // Temporary files are made with the mode 0600, and a rename is all or nothing.
        let mut file = tempfile::NamedTempFile::new_in(place).with_context(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
        file.persist(&self.path).map_err(|error| error.error).with_context(failed)?;
        Ok(self.path)
    }
}

/// `aaasp` in the person's folder of configuration, after the XDG Base Directory Specification.
fn folder() -> anyhow::Result<PathBuf> {
    crate::cli::home::folder("XDG_CONFIG_HOME", ".config")
}
