//! `/v1/privacy/exports`: a copy of everything that is kept about the account.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::Problem;
use super::answer::{Accepted, Answer, Made};
use super::auth::May;
use super::body::Json;
use super::pages::{HtmlPage, PathLink};
use super::routes::{Described, Reply};
use crate::accounts::{ExportData, KnowMyself, Purpose};
use crate::app::App;
use crate::clock::Micros;
use crate::db::DbError;
use crate::db::exports::{ExportState, StoredExport};
use crate::ids::ExportId;
use crate::privacy::export::{Download, Recipient};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewExport)]
pub(super) struct ExportBody {
    /// An age recipient (`age1…`): nobody but whoever has its key can open the copy.
    #[serde(default)]
    recipient: Option<String>,
}

/// A copy of what is kept about the account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Export)]
pub(super) struct ExportView {
    id: ExportId,
    state: ExportState,
    /// The age recipient that it is for.
    recipient: Option<String>,
    asked_at: Micros,
    /// Since when it is in its state.
    since: Micros,
    /// When it is deleted.
    expires_at: Option<Micros>,
    /// Rows that have to be read; most are read twice, once for each format.
    rows: i64,
    /// Rows that are read already.
    rows_read: i64,
    /// How long it is, or is so far.
    bytes: i64,
    /// Its digest, in hexadecimal, once it is ready.
    sha256: Option<String>,
}

impl From<StoredExport> for ExportView {
    fn from(stored: StoredExport) -> Self {
        Self {
            id: stored.id,
            state: stored.state,
            recipient: stored.recipient,
            asked_at: stored.asked_at,
            since: stored.state_at,
            expires_at: stored.expires_at,
            rows: stored.rows_total,
            rows_read: stored.rows_done,
            bytes: stored.bytes,
            sha256: stored.sha256,
        }
    }
}

/// A link that downloads a copy once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportLink)]
pub(super) struct LinkView {
    /// A POST to it downloads the copy; a GET shows a page that says so.
    link: String,
    /// From when on it does nothing.
    expires_at: Micros,
}

/// Asks for a copy. One for the same recipient that is being written, or is not five minutes old, is the answer.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    caller: May<ExportData>,
    Json(body): Json<ExportBody>,
) -> Result<Accepted<ExportView>, Problem> {
    let recipient = body.recipient.map(|text| text.parse::<Recipient>()).transpose();
    let recipient = recipient.map_err(|error| Problem::invalid("/recipient", error.to_string()))?;
    match app.exports.ask((&caller.account, caller.key.id), recipient).await {
        Err(DbError::Exists(_)) => Err(Problem::conflict(
            "a copy for another recipient is being written, or is not five minutes old (`GET /v1/privacy/exports`); ask \
             again then",
        )),
        asked => Ok(Accepted(asked?.into())),
    }
}

/// The account's copy.
pub(super) async fn show(State(app): State<Arc<App>>, caller: May<KnowMyself>) -> Result<Answer<ExportView>, Problem> {
    let export = app.exports.of(caller.account.id).await?;
    export.map(|export| Answer(export.into())).ok_or_else(|| Problem::not_found("export"))
}

/// Makes a link, in the place of the one before.
pub(super) async fn link(State(app): State<Arc<App>>, caller: May<ExportData>) -> Result<Made<LinkView>, Problem> {
    match app.exports.link((&caller.account, caller.key.id)).await {
        Err(DbError::Missing(_)) => Err(Problem::conflict(
            "no copy is ready; ask for one with `POST /v1/privacy/exports`, and wait until its `state` is `ready`",
        )),
        made => made.map(|(link, expires_at)| Made(LinkView { link, expires_at })).map_err(Problem::from),
    }
}

/// Says what a link does. Only the button does it: programs that look at mail open links too.
pub(super) async fn page(State(app): State<Arc<App>>, PathLink(link): PathLink) -> Result<HtmlPage, Problem> {
    let purpose = match &link {
        Some(link) => app.accounts.link_purpose(link).await?,
        None => None,
    };
    Ok(match purpose {
        Some(Purpose::Export) => HtmlPage::new(&app, "The copy of your data")
            .says("This downloads everything that is kept about your account: a ZIP, with a page to begin with.")
            .says("The link works once. For another one:")
            .shows("aaasp account export")
            .offers("Download"),
        _ => gone(&app),
    })
}

/// Downloads what a link is for.
pub(super) async fn download(State(app): State<Arc<App>>, PathLink(link): PathLink) -> Result<Copy, Problem> {
    let Some(link) = link else { return Ok(Copy::Gone(gone(&app))) };
    Ok(app.exports.open(&link).await?.map_or_else(|| Copy::Gone(gone(&app)), |found| Copy::There(Box::new(found))))
}

fn gone(app: &App) -> HtmlPage {
    HtmlPage::new(app, "This link works no longer")
        .gone()
        .says("Links work once, and not for long; and a copy is kept for some days. For another link, or another copy:")
        .shows("aaasp account export")
}

/// The copy, or a page that says why there is none.
pub(super) enum Copy {
    There(Box<Download>),
    Gone(HtmlPage),
}

impl IntoResponse for Copy {
    fn into_response(self) -> Response {
        let found = match self {
            Self::There(found) => *found,
            Self::Gone(page) => return page.into_response(),
        };
        let headers: [(HeaderName, String); 5] = [
            (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", found.file_name())),
            (header::CONTENT_LENGTH, found.bytes().to_string()),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        ];
        (headers, Body::from_stream(found.parts())).into_response()
    }
}

impl Reply for Copy {
    fn describe(described: &mut Described) {
        let bytes = ObjectBuilder::new().schema_type(Type::String).build().into();
        let page = ObjectBuilder::new().schema_type(Type::String).build().into();
        described.answers(StatusCode::OK, "The copy", vec![("application/octet-stream", bytes)]);
        described.answers(StatusCode::GONE, "The link works no longer", vec![("text/html", page)]);
    }
}
