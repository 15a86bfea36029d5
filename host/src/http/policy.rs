//! `/privacy`: the policy, for people. Its pages have no script, load nothing, and set no cookie.

use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::Problem;
use super::acts::Reason;
use super::answer::{Answer, Changed};
use super::auth::Operator;
use super::body::{Json, PathId};
use super::page::{Page, PageQuery, QueryOf};
use super::pages::{self, CONTENT_TYPE};
use super::routes::{Described, Reply};
use crate::accounts::Admin;
use crate::app::App;
use crate::clock::Micros;
use crate::db::policies::{self, StoredPolicy};

const STYLE: &str = include_str!("../../templates/pages/policy.css");

static CONTENT_POLICY: LazyLock<String> = LazyLock::new(|| pages::content_policy(STYLE));

/// A page of the policy.
#[derive(Template)]
#[template(path = "pages/policy.html")]
pub(super) struct PolicyPage {
    title: &'static str,
    style: &'static str,
    facts: Option<Facts>,
    body: String,
}

/// What tells a version from others.
struct Facts {
    version: String,
    since: String,
    date: String,
    summary: Option<String>,
    material: bool,
    is_old: bool,
}

#[derive(Template)]
#[template(path = "pages/policy_versions.html")]
struct Versions {
    versions: Vec<Facts>,
}

impl Facts {
    fn of(policy: StoredPolicy, current: &str) -> Self {
        let since = policy.since.rfc3339();
        Self {
            date: since.split('T').next().unwrap_or_default().to_owned(),
            is_old: policy.version != current,
            version: policy.version,
            since,
            summary: policy.summary,
            material: policy.material,
        }
    }
}

impl PolicyPage {
    fn of(mut policy: StoredPolicy, current: &str) -> Self {
        let body = std::mem::take(&mut policy.text);
        Self { title: "Privacy", style: STYLE, facts: Some(Facts::of(policy, current)), body }
    }
}

impl IntoResponse for PolicyPage {
    fn into_response(self) -> Response {
        let headers: [(HeaderName, &str); 5] = [
            (header::CONTENT_TYPE, CONTENT_TYPE),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, &CONTENT_POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        // A template in memory that can't be written does not exist.
        (headers, self.render().unwrap_or_default()).into_response()
    }
}

impl Reply for PolicyPage {
    fn describe(described: &mut Described) {
        let page = vec![("text/html", ObjectBuilder::new().schema_type(Type::String).build().into())];
        described.answers(StatusCode::OK, "A page for people", page);
    }
}

/// The version of a policy, as it is in a path.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, pattern = "^[0-9a-f]{16}$")]
pub(super) struct PolicyVersion(String);

impl std::str::FromStr for PolicyVersion {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// The policy that is in force: what the settings say now.
pub(super) async fn show(State(app): State<Arc<App>>) -> Result<PolicyPage, Problem> {
    let current = app.policy.now().await?;
    // Another host's operator may have said what changed.
    let version = current.version.clone();
    Ok(PolicyPage::of(policies::get(&app.db, &version).await?.unwrap_or(current), &version))
}

/// A version of it, as it was shown.
pub(super) async fn version(
    State(app): State<Arc<App>>,
    PathId(PolicyVersion(version)): PathId<PolicyVersion>,
) -> Result<PolicyPage, Problem> {
    let current = app.policy.now().await?.version;
    let found = policies::get(&app.db, &version).await?.ok_or_else(|| Problem::not_found("version of the policy"))?;
    Ok(PolicyPage::of(found, &current))
}

/// All of its versions.
pub(super) async fn versions(State(app): State<Arc<App>>) -> Result<PolicyPage, Problem> {
    let current = app.policy.now().await?.version;
    let versions = policies::list(&app.db).await?.into_iter().map(|found| Facts::of(found, &current)).collect();
    let body = Versions { versions }.render().unwrap_or_default();
    Ok(PolicyPage { title: "Versions of the privacy policy", style: STYLE, facts: None, body })
}

/// A version of the policy, as operators see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PolicyView {
    version: String,
    /// Since when it is in force, or was.
    since: Micros,
    /// What changed; null until an operator has said so.
    summary: Option<String>,
    /// Whether that matters to people, so that each account is written to.
    material: bool,
    /// When an operator said so.
    said_at: Option<Micros>,
}

impl From<StoredPolicy> for PolicyView {
    fn from(stored: StoredPolicy) -> Self {
        let StoredPolicy { version, since, summary, material, said_at, .. } = stored;
        Self { version, since, summary, material, said_at }
    }
}

/// What an operator says of the policy that is in force.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Explanation {
    /// What changed, in a sentence or two, for those whom it concerns.
    #[schema(min_length = 1, max_length = 2000)]
    summary: String,
    /// Whether it matters to people: then each account is written to.
    material: bool,
    reason: Reason,
}

/// Characters of a summary.
const SUMMARY_LENGTH: usize = 2_000;

/// All versions, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Operator<Admin>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Answer<Page<PolicyView>>, Problem> {
    app.policy.now().await?;
    let found = policies::list(&app.db).await?.into_iter();
    let behind = |policy: &StoredPolicy| query.after.as_ref().is_some_and(|after| *after != policy.version);
    let found = found.skip_while(behind).skip(usize::from(query.after.is_some()));
    let asked = usize::try_from(query.asked()).unwrap_or_default();
    let views = found.take(asked).map(PolicyView::from).collect();
    Ok(Answer(Page::of(views, query.limit(), |view: &PolicyView| view.version.clone())))
}

/// Says what changed. If it matters, each account gets a letter, once.
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    operator: Operator<Admin>,
    Json(said): Json<Explanation>,
) -> Result<Changed<PolicyView>, Problem> {
    let summary = said.summary.trim();
    if summary.is_empty() || summary.chars().count() > SUMMARY_LENGTH {
        return Err(Problem::invalid("/summary", format!("a summary has 1 to {SUMMARY_LENGTH} characters")));
    }
    let policy = app.policy.now().await?;
    if !app.accounts.explain(&policy, (summary, said.material), &operator.because(said.reason)).await? {
        return Err(Problem::conflict("it was said already what changed with the policy that is in force"));
    }
    app.policy.forget();
    Ok(Changed(app.policy.now().await?.into()))
}
