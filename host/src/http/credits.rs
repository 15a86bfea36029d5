//! `/v1/credits`: the balance, and what moved it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use super::answer::Answer;
use super::auth::May;
use super::csv::{AcceptsCsv, CSV};
use super::page::{self, Page, PageQuery, QueryOf};
use super::routes::{Described, Reply};
use crate::accounts::ReadBilling;
use crate::app::App;
use crate::clock::Micros;
use crate::csv::{self, Cell};
use crate::db::ledger::{self, StoredTransfer, TransferFilter};
use crate::db::{Db, DbError};
use crate::ledger::{Microcredits, Side, Tenant, Verb};

/// Transfers that are asked for at once while a table is sent.
const TABLE_PAGE: i64 = 1_000;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreditsView {
    available_microcredits: Microcredits,
    held_microcredits: Microcredits,
    /// What is owed for payments that were given back. While it is more than nothing, no run starts.
    debt_microcredits: Microcredits,
}

/// A transfer, as it changes what is available.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransactionView {
    id: String,
    reason: Verb,
    /// What it belongs to: a run, a grant, a top-up, a refund or dispute, an adjustment.
    subject: String,
    /// What moved; never negative.
    amount_microcredits: Microcredits,
    /// What that adds to what is available, or takes from it when it is negative.
    available_change_microcredits: Microcredits,
    from: &'static str,
    to: &'static str,
    at: Micros,
}

impl TransactionView {
    fn of(stored: StoredTransfer) -> Self {
        let (from, to) = stored.transfer.verb.sides();
        let amount = stored.transfer.amount;
        let change = match (from, to) {
            (_, Side::Credits) => amount,
            (Side::Credits, _) => Microcredits::ZERO - amount,
            _ => Microcredits::ZERO,
        };
        Self {
            id: stored.id,
            reason: stored.transfer.verb,
            subject: stored.transfer.subject,
            amount_microcredits: amount,
            available_change_microcredits: change,
            from: from.as_str(),
            to: to.as_str(),
            at: stored.transfer.at,
        }
    }

    /// The names of the columns, in the order of [`Self::line`].
    const COLUMNS: &str = "id,at,reason,subject,from,to,amount_microcredits,available_change_microcredits\r\n";

    fn line(&self) -> String {
        csv::line(&[
            Cell::Text(&self.id),
            Cell::Text(&self.at.rfc3339()),
            Cell::Text(self.reason.as_str()),
            Cell::Text(&self.subject),
            Cell::Text(self.from),
            Cell::Text(self.to),
            Cell::Number(self.amount_microcredits.0),
            Cell::Number(self.available_change_microcredits.0),
        ])
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct TransactionsQuery {
    /// Only transactions for this reason.
    #[param(value_type = Option<Verb>, inline)]
    reason: Option<String>,
    /// Only transactions that belong to this run, payment, grant or adjustment.
    subject: Option<String>,
    /// Only transactions from this moment on.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Micros>,
    /// Only transactions before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Micros>,
    /// `json`, or all transactions as one table; without it, what `Accept` asks for.
    #[param(inline)]
    format: Option<Format>,
    /// How many items a page has at most.
    #[serde(default, deserialize_with = "page::limit")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Csv,
}

/// What is available, what runs hold, and what is owed.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<ReadBilling>,
) -> Result<Answer<CreditsView>, Problem> {
    let balance = ledger::balance(&app.db, caller.account.tenant).await?;
    Ok(Answer(CreditsView {
        available_microcredits: balance.available,
        held_microcredits: balance.held,
        debt_microcredits: balance.debt,
    }))
}

/// What moved the balance, latest first: a page of JSON, or a table of all of it.
pub(super) async fn transactions(
    State(app): State<Arc<App>>,
    caller: May<ReadBilling>,
    accepts: AcceptsCsv,
    QueryOf(query): QueryOf<TransactionsQuery>,
) -> Result<Transactions, Problem> {
    let tenant = caller.account.tenant;
    let unknown = |given: &String| format!("the query parameter `reason`: nothing moves credits for `{given}`");
    let verb = query.reason.as_ref().map(|given| given.parse().map_err(|_| Problem::invalid("", unknown(given))));
    let TransactionsQuery { subject, from, to, after, .. } = query;
    let filter = TransferFilter { verb: verb.transpose()?, subject, from, to, after };
    if query.format.map_or(accepts.0, |format| format == Format::Csv) {
        return Ok(Transactions::Table(table(app.db.clone(), tenant, filter, query.limit)));
    }
    let page = PageQuery::new(query.limit, None);
    let found = ledger::transfers(&app.db, tenant, &filter, page.asked()).await?;
    let views = found.into_iter().map(TransactionView::of).collect();
    Ok(Transactions::Page(Page::of(views, page.limit(), |view| view.id.clone())))
}

pub(super) enum Transactions {
    Page(Page<TransactionView>),
    Table(Body),
}

impl IntoResponse for Transactions {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page) => Answer(page).into_response(),
            Self::Table(body) => {
                let file = "attachment; filename=\"transactions.csv\"";
                ([(header::CONTENT_TYPE, CSV), (header::CONTENT_DISPOSITION, file)], body).into_response()
            }
        }
    }
}

impl Reply for Transactions {
    fn describe(described: &mut Described) {
        let page = described.reference::<Page<TransactionView>>();
        let table = ObjectBuilder::new().schema_type(Type::String).build().into();
        let content = vec![("application/json", page), ("text/csv", table)];
        described.answers(StatusCode::OK, "A page, or a table of all", content);
    }
}

/// A table of all that the filter lets through, or of the first few, read page by page as the client takes it. Whoever
/// asks for a table wants a file, not pages to put together; neither it nor a transaction in the database is held
/// meanwhile. When the database fails on the way, the body breaks off, which a client notices.
fn table(db: Db, tenant: Tenant, filter: TransferFilter, limit: Option<i64>) -> Body {
    let begun = (Some(filter), limit.unwrap_or(i64::MAX));
    let pages = stream::try_unfold(begun, move |(filter, left)| {
        let db = db.clone();
        async move {
            let Some(mut filter) = filter else { return Ok(None) };
            let asked = left.min(TABLE_PAGE);
            let found = ledger::transfers(&db, tenant, &filter, asked).await?;
            let more = found.len() as i64 == asked && left > asked;
            filter.after = found.last().map(|stored| stored.id.clone());
            let text: String = found.into_iter().map(|stored| TransactionView::of(stored).line()).collect();
            Ok::<_, DbError>(Some((Bytes::from(text), (more.then_some(filter), left - asked))))
        }
    });
    let header = stream::once(async { Ok(Bytes::from_static(TransactionView::COLUMNS.as_bytes())) });
    Body::from_stream(futures::StreamExt::chain(header, pages))
}
