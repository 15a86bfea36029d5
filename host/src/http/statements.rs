//! `/v1/credits/statements`: the months of an account.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use super::answer::Answer;
use super::auth::May;
use super::body::PathId;
use super::page::{Page, PageQuery, QueryOf};
use super::routes::{Described, Reply};
use crate::accounts::ReadBilling;
use crate::app::App;
use crate::db::{DbError, deployments, statements};
use crate::ids::AccountId;
use crate::statements::{Statement, pdf};

/// The number of a statement, in a path.
pub(super) struct StatementNumber(i64);

impl std::str::FromStr for StatementNumber {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl utoipa::PartialSchema for StatementNumber {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).into()
    }
}

impl ToSchema for StatementNumber {
    fn name() -> std::borrow::Cow<'static, str> {
        "StatementNumber".into()
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct StatementQuery {
    /// `json`, or a page to print; `json` when it is absent.
    #[param(inline)]
    format: Option<StatementFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StatementFormat {
    Json,
    Pdf,
}

/// The account's statements, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<ReadBilling>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Answer<Page<Statement>>, Problem> {
    let before = query.after_id::<StatementNumber>()?.map(|number| number.0);
    let found = statements::list(&app.db, caller.account.tenant, before, query.asked()).await?;
    let read: Result<Vec<Statement>, _> = found.iter().map(|document| serde_json::from_str(document)).collect();
    let mut read = read.map_err(DbError::corrupt)?;
    name(&app, caller.account.id, &mut read).await?;
    Ok(Answer(Page::of(read, query.limit(), |statement| statement.number.to_string())))
}

/// One statement.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<ReadBilling>,
    PathId(StatementNumber(number)): PathId<StatementNumber>,
    QueryOf(query): QueryOf<StatementQuery>,
) -> Result<OneStatement, Problem> {
    let document = statements::get(&app.db, caller.account.tenant, number).await?;
    let mut statement: Statement = serde_json::from_str(&document).map_err(DbError::corrupt)?;
    name(&app, caller.account.id, std::slice::from_mut(&mut statement)).await?;
    if query.format != Some(StatementFormat::Pdf) {
        return Ok(OneStatement::Json(statement));
    }
    let page = pdf(&statement, caller.account.id, app.config.now().link("").as_str());
    Ok(OneStatement::Pdf(page, format!("statement-{}.pdf", statement.month)))
}

/// Names the deployments as their owner does.
async fn name(app: &App, account: AccountId, statements: &mut [Statement]) -> Result<(), Problem> {
    if statements.iter().all(|statement| statement.deployments.is_empty()) {
        return Ok(());
    }
    let names = deployments::names(&app.db, account).await?;
    for of in statements.iter_mut().flat_map(|statement| &mut statement.deployments) {
        of.name = of.deployment.and_then(|id| names.get(&id).cloned());
    }
    Ok(())
}

pub(super) enum OneStatement {
    Json(Statement),
    Pdf(Vec<u8>, String),
}

impl IntoResponse for OneStatement {
    fn into_response(self) -> Response {
        match self {
            Self::Json(statement) => Answer(statement).into_response(),
            Self::Pdf(page, name) => {
                let file = format!("inline; filename=\"{name}\"");
                let headers =
                    [(header::CONTENT_TYPE, "application/pdf".to_owned()), (header::CONTENT_DISPOSITION, file)];
                (headers, page).into_response()
            }
        }
    }
}

impl Reply for OneStatement {
    fn describe(described: &mut Described) {
        let statement = described.reference::<Statement>();
        let binary = Some(SchemaFormat::KnownFormat(KnownFormat::Binary));
        let page = ObjectBuilder::new().schema_type(Type::String).format(binary).build().into();
        let content = vec![("application/json", statement), ("application/pdf", page)];
        described.answers(StatusCode::OK, "The statement", content);
    }
}
