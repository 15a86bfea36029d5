//! What a deployment grants its runs beyond limits: a scratch folder, hosts to reach, credentials to use.
//!
//! The types are those of the API, the database and the sandbox alike: what a deployment says is what egress checks.

mod asked;
mod check;

use std::collections::{BTreeMap, BTreeSet};

pub use asked::{Asked, InvalidRule, Missing};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::names::Name;

pub use check::Fault;

/// Everything that a deployment grants; without a grant there is nothing to find.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// A folder that exists for the length of the run.
    pub scratch: bool,
    /// The `model` capability: its runs may ask the operator's models.
    pub model: bool,
    /// The models that they may ask, by name; every one that the account's plan may use, with the operator's keys,
    /// when none is named. Naming one grants the capability.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<Name, ModelGrant>,
    /// Where requests may go.
    pub egress: Egress,
    /// Credentials that go along, by name.
    pub credentials: BTreeMap<Name, Binding>,
}

/// A model that is granted.
///
/// The operator's file says where the model is and how a credential stands in requests to it, so nothing else has to
/// be granted for it: no rule of egress, and no binding in [`Grants::credentials`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelGrant {
    /// The account's own credential for the provider, which then pays for the tokens; the operator's key goes along
    /// when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<Name>,
}

impl Grants {
    /// Every credential that it names.
    #[must_use]
    pub fn credential_names(&self) -> BTreeSet<&Name> {
        let of_models = self.models.values().filter_map(|model| model.credential.as_ref());
        self.credentials.keys().chain(of_models).collect()
    }
}

/// Where requests may go; nowhere, unless a rule allows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// A request passes when one of these matches it.
    pub allow: Vec<Rule>,
}

/// One thing that egress allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `https`, unless it says `http`.
    #[serde(default)]
    pub scheme: Scheme,
    /// `api.github.com`, or `*.example.org` for every name below `example.org`.
    pub host: String,
    /// The scheme's own port, unless another is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Paths begin with this, at a border between segments.
    #[serde(default = "root", skip_serializing_if = "is_root")]
    pub path: String,
    /// Methods in upper case; all of them when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
}

/// Where a credential may be sent, and where in the request it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Binding {
    /// Requests that it goes along with. Each has to be allowed by a rule of egress too. Empty for a
    /// credential that only signs, which leaves no other way to use it.
    pub to: Vec<Target>,
    /// Its place in the request; the credential's own, unless the deployment names another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// Requests that a credential goes along with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `https`, unless it says `http`.
    #[serde(default)]
    pub scheme: Scheme,
    /// A host. A credential is bound to names, never to all names below one.
    pub host: String,
    /// The scheme's own port, unless another is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Paths begin with this, at a border between segments.
    #[serde(default = "root", skip_serializing_if = "is_root")]
    pub path: String,
}

/// What a request is sent over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// HTTP over TLS.
    #[default]
    Https,
    /// HTTP in the clear; never with a credential unless the operator allows it.
    Http,
}

impl Scheme {
    /// As URLs write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    /// The port of a URL that names none.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

/// Where in a request a credential stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Place {
    /// `Authorization: Bearer …`
    Bearer,
    /// A header of this name, with this text before the secret.
    Header {
        /// The header's name, in lower case.
        name: String,
        /// `token `, for example.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
    },
    /// `Authorization: Basic …` with this user name.
    Basic {
        /// The user name.
        username: String,
    },
    /// A parameter of the query.
    Query {
        /// The parameter's name.
        name: String,
    },
}

fn root() -> String {
    "/".to_owned()
}

fn is_root(path: &str) -> bool {
    path == "/"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_s_words_are_read() {
        let grants: Grants = serde_json::from_value(serde_json::json!({
            "scratch": true,
            "egress": {"allow": [{"host": "api.github.com", "path": "/repos", "methods": ["GET", "POST"]}]},
            "credentials": {"github": {"to": [{"host": "api.github.com"}], "place": {"header": {"name": "x-key"}}}},
            "models": {"fast": {}, "own": {"credential": "openai"}},
        }))
        .unwrap();
        assert_eq!(grants.egress.allow[0].scheme, Scheme::Https);
        assert_eq!(grants.models.values().filter(|model| model.credential.is_some()).count(), 1);
        let binding = &grants.credentials[&"github".parse::<Name>().unwrap()];
        assert_eq!(binding.place, Some(Place::Header { name: "x-key".into(), prefix: String::new() }));
    }
}
