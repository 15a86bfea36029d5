//! `/v1/admin/statistics`: how the service was used in a month, which says nothing of any account.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Problem;
use super::answer::Answer;
use super::auth::Operator;
use super::page::QueryOf;
use crate::accounts::Anyone;
use crate::app::App;
use crate::statements::Month;
use crate::statistics::Statistics;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct MonthQuery {
    /// The month; the last one that is over when absent.
    #[param(value_type = Option<String>, example = "2026-01")]
    month: Option<Month>,
}

/// Of the accounts that this host serves. It is made once, a day after the month is over.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _: Operator<Anyone>,
    QueryOf(query): QueryOf<MonthQuery>,
) -> Result<Answer<Statistics>, Problem> {
    let aggregates = app.aggregates();
    let month = query.month.unwrap_or_else(|| aggregates.last_month());
    let found = aggregates.of(month).await?;
    found.map(Answer).ok_or_else(|| Problem::invalid("/month", "a month is looked at once it is over for a day"))
}
