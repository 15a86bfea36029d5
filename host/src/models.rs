//! The models that the operator offers, with their keys: what is behind the names that deployments grant.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use http::Uri;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::config::{ModelValues, Provider};
use crate::grants::{Rule, Scheme};
use crate::names::Name;

/// One model.
#[derive(Debug)]
pub struct Model {
    /// Its name here.
    pub name: Name,
    /// Whose API it is asked through.
    pub provider: Provider,
    /// Its name at the provider.
    pub id: String,
    /// Where the API is, without a slash at the end.
    pub base_url: String,
    /// The one thing that requests to it may reach.
    pub rule: Rule,
    /// The operator's key; none for a provider that asks for none.
    pub key: Option<SecretString>,
    /// The most tokens of one answer.
    pub max_output_tokens: u32,
}

/// Every model, by name.
#[derive(Debug, Default)]
pub struct Models(BTreeMap<Name, Arc<Model>>);

/// Why the models can't be offered. It names no key.
#[derive(Debug, thiserror::Error)]
#[error("the model `{name}`: {reason}")]
pub struct ModelsError {
    name: Name,
    reason: String,
}

impl Models {
    /// The operator's models, with their keys read.
    ///
    /// # Errors
    /// A key is not where the file says, or others than its owner may read it.
    pub fn load(values: &BTreeMap<Name, ModelValues>, data: &Path) -> Result<Self, ModelsError> {
        let load = |(name, values): (&Name, &ModelValues)| {
            let failed = |reason: String| ModelsError { name: name.clone(), reason };
            let key = key(values, data).map_err(failed)?;
            let base_url = values.base_url().trim_end_matches('/').to_owned();
            let rule = base_of(&base_url).ok_or_else(|| failed(format!("`{base_url}` is no base URL")))?;
            let model = Model {
                name: name.clone(),
                provider: values.provider,
                id: values.model.clone(),
                base_url,
                rule,
                key,
                max_output_tokens: values.max_output_tokens,
            };
            Ok((name.clone(), Arc::new(model)))
        };
        values.iter().map(load).collect::<Result<_, _>>().map(Self)
    }

    /// The model of a name.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<&Arc<Model>> {
        self.0.get(name)
    }
}

/// What requests to a base URL may reach; none when it is no base URL.
pub(crate) fn base_of(url: &str) -> Option<Rule> {
    let uri: Uri = url.parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return None,
    };
    let authority = uri.authority()?;
    if authority.as_str().contains('@') || uri.query().is_some() || url.contains('#') {
        return None;
    }
    let path = uri.path().trim_end_matches('/');
    Some(Rule {
        scheme,
        host: authority.host().to_ascii_lowercase(),
        port: authority.port_u16(),
        path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
        methods: vec!["POST".to_owned()],
    })
}

fn key(values: &ModelValues, data: &Path) -> Result<Option<SecretString>, String> {
    if let Some(variable) = &values.api_key_env {
        let key = std::env::var(variable).map_err(|_| format!("the environment has no text in `{variable}`"))?;
        return Ok(Some(key.trim().into()));
    }
    let Some(file) = &values.api_key_file else { return Ok(None) };
    let file = data.join(file);
    let failed = |error: io::Error| format!("its key in {} can't be read: {error}", file.display());
    if fs::metadata(&file).map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(format!("others can read its key in {}; `chmod 600` makes it its owner's alone", file.display()));
    }
    let text = Zeroizing::new(fs::read_to_string(&file).map_err(failed)?);
    Ok(Some(text.trim().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(more: &str) -> ModelValues {
        let text = format!(
            "provider = \"openai\"\nmodel = \"m\"\nmillion_input_tokens_microcredits = 1\n\
             million_output_tokens_microcredits = 1\n{more}"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_base_url_is_one_rule() {
        let rule = base_of("http://127.0.0.1:11434/v1/").unwrap();
        assert_eq!((rule.scheme, rule.host.as_str(), rule.port), (Scheme::Http, "127.0.0.1", Some(11434)));
        assert_eq!((rule.path.as_str(), rule.methods.as_slice()), ("/v1", &["POST".to_owned()][..]));
        assert_eq!(base_of("https://API.example.org").unwrap().host, "api.example.org");
        for wrong in ["", "api.example.org", "ftp://a.example", "https://u@a.example", "https://a.example/?q", "/v1"] {
            assert!(base_of(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, "sk-1234567890\n").unwrap();
        let load = |mode| {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let offered = BTreeMap::from([("fast".parse().unwrap(), values("api_key_file = \"key\""))]);
            Models::load(&offered, folder.path())
        };
        let error = load(0o644).unwrap_err().to_string();
        assert!(error.contains("others can read") && !error.contains("sk-"), "{error}");
        let models = load(0o600).unwrap();
        let model = models.get(&"fast".parse().unwrap()).unwrap();
        assert!(!format!("{model:?}").contains("sk-"));
        assert_eq!(secrecy::ExposeSecret::expose_secret(model.key.as_ref().unwrap()), "sk-1234567890");
    }

    #[test]
    fn a_key_that_is_missing_is_named() {
        let offered = BTreeMap::from([("fast".parse().unwrap(), values("api_key_file = \"nowhere\""))]);
        let error = Models::load(&offered, Path::new("/")).unwrap_err().to_string();
        assert!(error.starts_with("the model `fast`: its key in /nowhere can't be read"), "{error}");
    }
}
