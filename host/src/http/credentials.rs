//! `/v1/credentials`: what an account keeps for its agents. A secret goes in and never comes out.

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use secrecy::SecretString;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};

use super::Problem;
use super::answer::{Answer, Deleted, Stored};
use super::auth::May;
use super::body::{Json, PathName};
use super::page::{Page, PageQuery, QueryOf};
use super::routes::{Described, Part};
use crate::accounts::{Account, ReadCredentials, WriteCredentials};
use crate::app::App;
use crate::clock::Micros;
use crate::db::DbError;
use crate::db::credentials::{self, Known, StoredCredential};
use crate::names::Name;
use crate::vault::credentials::{Kind, Secret};

/// A credential as a client sends it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialBody {
    /// What it is.
    kind: Kind,
    /// The token, password, key, client secret or refresh token.
    #[schema(value_type = String, format = Password, min_length = 12)]
    secret: SecretText,
    /// The client secret that goes with a refresh token, unless the client is public.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, min_length = 12)]
    client_secret: Option<SecretText>,
}

/// A secret on its way in.
#[derive(Debug)]
struct SecretText(SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Answers what is no text without quoting it, as serde's own messages would.
        struct Quiet;

        impl Visitor<'_> for Quiet {
            type Value = SecretText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText(SecretString::from(text)))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<SecretText, E> {
                Ok(SecretText(SecretString::from(text)))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<SecretText, E> {
                Err(E::custom("a secret is a text"))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<SecretText, E> {
                Err(E::custom("a secret is a text"))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<SecretText, E> {
                Err(E::custom("a secret is a text"))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<SecretText, E> {
                Err(E::custom("a secret is a text"))
            }
        }

        // Asked for a text, the parser itself would refuse anything else, and quote it.
        deserializer.deserialize_any(Quiet)
    }
}

/// A credential as the API shows it: all but its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CredentialView {
    name: String,
    kind: Kind,
    /// The version that is in use: the latest of those that are not retired.
    version: i64,
    /// The versions that are not retired, latest first.
    versions: Vec<CredentialVersionView>,
    created_at: Micros,
    /// When the version in use took the place of another.
    rotated_at: Option<Micros>,
    /// When it was last used, as far back as the audit is kept.
    last_used_at: Option<Micros>,
    /// The deployments that name it.
    used_by: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct CredentialVersionView {
    version: i64,
    created_at: Micros,
}

/// Sets a credential: the first value or the next version, which takes effect for the next request.
pub(super) async fn put(
    State(app): State<Arc<App>>,
    caller: May<WriteCredentials>,
    PathName(name): PathName,
    Json(body): Json<CredentialBody>,
) -> Result<Stored<CredentialView>, Problem> {
    let account = &caller.account;
    let secret = Secret { value: body.secret.0, client_secret: body.client_secret.map(|secret| secret.0) };
    if let Some(problem) = Problem::invalid_fields(body.kind.check(&secret, account.limits.secret_bytes)) {
        return Err(problem);
    }
    let is_new = app.runs.credentials.set(account, &name, &body.kind, &secret).await?;
    Ok(Stored { is_new, view: shown(&app, account, &name).await? })
}

/// One credential.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<ReadCredentials>,
    PathName(name): PathName,
) -> Result<Answer<CredentialView>, Problem> {
    shown(&app, &caller.account, &name).await.map(Answer)
}

/// The account's credentials, by name.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<ReadCredentials>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Answer<Page<CredentialView>>, Problem> {
    let account = caller.account.id;
    let after = query.after.as_deref().unwrap_or_default();
    let found = credentials::list(&app.db, account, after, query.asked()).await?;
    let (from, to) = found.first().zip(found.last()).map_or(("", ""), |(from, to)| (&from.name, &to.name));
    let mut known = credentials::known(&app.db, account, from, to).await?;
    let views = found.into_iter().map(|stored| {
        let known = known.remove(&stored.name).unwrap_or_default();
        view(stored, known)
    });
    Ok(Answer(Page::of(views.collect::<Result<_, _>>()?, query.limit(), |view| view.name.clone())))
}

/// Deletes a credential that no deployment names, with all of its versions.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: May<WriteCredentials>,
    PathName(name): PathName,
) -> Result<Deleted, Problem> {
    app.runs.credentials.delete(caller.account.id, &name).await?;
    Ok(Deleted)
}

/// Retires a version. When it is the one in use, the one before it is in use again.
pub(super) async fn retire(
    State(app): State<Arc<App>>,
    caller: May<WriteCredentials>,
    PathVersion(name, version): PathVersion,
) -> Result<Deleted, Problem> {
    app.runs.credentials.retire(caller.account.id, &name, version).await?;
    Ok(Deleted)
}

/// The name and the version in the path. Texts that can't be these name nothing.
pub(super) struct PathVersion(Name, i64);

impl<S: Send + Sync> FromRequestParts<S> for PathVersion {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unknown = || Problem::not_found("version of the credential");
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((name, version)) = path.map_err(|_| unknown())?;
        let version = version.parse().ok().filter(|version| *version > 0);
        Ok(Self(name.parse().map_err(|_| unknown())?, version.ok_or_else(unknown)?))
    }
}

impl Part for PathVersion {
    fn describe(described: &mut Described) {
        let (name, version) = (described.reference::<Name>(), described.reference::<i64>());
        for (parameter, schema) in [("name", name), ("version", version)] {
            let builder = ParameterBuilder::new().name(parameter).parameter_in(ParameterIn::Path);
            described.takes(builder.required(Required::True).schema(Some(schema)));
        }
        described.refuses(&Problem::not_found(""));
    }
}

async fn shown(app: &App, account: &Account, name: &Name) -> Result<CredentialView, Problem> {
    let stored = credentials::get(&app.db, account.id, name.as_str()).await?;
    let stored = stored.ok_or_else(|| Problem::not_found("credential"))?;
    let mut known = credentials::known(&app.db, account.id, name.as_str(), name.as_str()).await?;
    Ok(view(stored, known.remove(name.as_str()).unwrap_or_default())?)
}

fn view(stored: StoredCredential, known: Known) -> Result<CredentialView, DbError> {
    let versions =
        known.versions.into_iter().map(|(version, created_at)| CredentialVersionView { version, created_at });
    Ok(CredentialView {
        name: stored.name,
        kind: serde_json::from_str(&stored.kind).map_err(DbError::corrupt)?,
        version: stored.version,
        versions: versions.collect(),
        created_at: stored.created_at,
        rotated_at: (stored.version > 1).then_some(stored.version_created_at),
        last_used_at: known.last_used_at,
        used_by: known.used_by,
    })
}
