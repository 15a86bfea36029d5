//! `/v1/admin/announcements`: news of the service, to those who want them.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::acts::Reason;
use super::answer::Accepted;
use super::auth::Operator;
use super::body::Json;
use crate::accounts::Admin;
use crate::app::App;
use crate::ids::MailingId;

/// Characters of a subject, paragraphs, and characters of a paragraph.
const SUBJECT_LENGTH: usize = 200;
const PARAGRAPHS: usize = 100;
const PARAGRAPH_LENGTH: usize = 5_000;

/// News.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAnnouncement {
    /// The subject: one line.
    #[schema(min_length = 1, max_length = 200)]
    subject: String,
    /// Paragraphs.
    #[schema(min_items = 1, max_items = 100)]
    text: Vec<String>,
    reason: Reason,
}

/// What is being written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Announced {
    id: MailingId,
}

/// Each account that consented gets it once, with a link that ends such letters.
pub(super) async fn announce(
    State(app): State<Arc<App>>,
    operator: Operator<Admin>,
    Json(new): Json<NewAnnouncement>,
) -> Result<Accepted<Announced>, Problem> {
    let subject = new.subject.trim();
    if subject.is_empty() || subject.chars().count() > SUBJECT_LENGTH || subject.chars().any(char::is_control) {
        return Err(Problem::invalid("/subject", format!("a subject is one line of 1 to {SUBJECT_LENGTH} characters")));
    }
    let text: Vec<_> = new.text.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect();
    if text.is_empty() || text.len() > PARAGRAPHS || text.iter().any(|text| text.chars().count() > PARAGRAPH_LENGTH) {
        let detail = format!("there are 1 to {PARAGRAPHS} paragraphs of {PARAGRAPH_LENGTH} characters at most");
        return Err(Problem::invalid("/text", detail));
    }
    let id = app.accounts.announce(subject.to_owned(), text, &operator.because(new.reason)).await?;
    Ok(Accepted(Announced { id }))
}
