//! `/v1/privacy/consents`: what the owner of an account says yes and no to.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::answer::Answer;
use super::auth::May;
use super::body::Json;
use super::page::{Page, PageQuery, QueryOf};
use super::privacy::{self, PrivacyView};
use crate::accounts::{DecideOnData, KnowMyself};
use crate::app::App;
use crate::clock::Micros;
use crate::db::consents::{self, ConsentPurpose, ConsentSource, StoredConsent};
use crate::ids::ConsentId;

/// Something that was said. What was said last of a purpose holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConsentView {
    id: ConsentId,
    purpose: ConsentPurpose,
    given: bool,
    /// The version of the privacy policy that was in force.
    policy: Option<String>,
    source: ConsentSource,
    at: Micros,
}

impl From<StoredConsent> for ConsentView {
    fn from(stored: StoredConsent) -> Self {
        let StoredConsent { id, purpose, given, policy, source, at } = stored;
        Self { id, purpose, given, policy, source, at }
    }
}

/// What is said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewConsent {
    purpose: ConsentPurpose,
    given: bool,
}

/// All that was said, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<KnowMyself>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<ConsentView>>, Problem> {
    let found = consents::list(&app.db, caller.account.id, page.after_id()?, page.asked()).await?;
    let views = found.into_iter().map(ConsentView::from).collect();
    Ok(Answer(Page::of(views, page.limit(), |view| view.id.to_string())))
}

/// Says yes or no. A no takes back letters that wait to be sent.
pub(super) async fn put(
    State(app): State<Arc<App>>,
    caller: May<DecideOnData>,
    Json(said): Json<NewConsent>,
) -> Result<Answer<PrivacyView>, Problem> {
    app.accounts.consent((&caller.account, caller.key.id), said.purpose, said.given).await?;
    privacy::view(&app, &caller.account).await.map(Answer)
}
