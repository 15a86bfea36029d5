//! Accesses: an operator opens one, and the owner of what was looked at sees all of them.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::acts::Reason;
use super::admin::known;
use super::answer::{Answer, Made};
use super::auth::{May, Operator};
use super::body::{Json, PathId};
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::{Account, KnowMyself, MOST_ACCESS_MINUTES, OneOf, Support, SupportOrSecurity, Told};
use crate::app::App;
use crate::audit::Act;
use crate::clock::Micros;
use crate::db::accesses::Access;
use crate::db::audit::{self, EntryFilter, Only};
use crate::ids::{AccessId, AccountId, RunId};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccess {
    reason: Reason,
    /// For how long.
    #[schema(minimum = 1, maximum = 480)]
    minutes: u32,
    /// Whether inputs, outputs, errors and what logs say are looked at, too. It asks for the role support.
    #[serde(default)]
    contents: bool,
}

/// An access that was opened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OpenedAccess {
    id: AccessId,
    account: AccountId,
    contents: bool,
    until: Micros,
}

/// That an operator opened an access to the account, or looked at something.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccessView {
    at: Micros,
    /// `access` or `look`.
    #[schema(value_type = Act)]
    act: String,
    access: Option<AccessId>,
    /// The operator's key.
    operator: String,
    /// What was looked at.
    subject: Option<String>,
    /// Why the access was opened.
    reason: Option<String>,
    /// Whether inputs, outputs, errors and what logs say could be looked at, too.
    contents: Option<bool>,
    /// Until when the access lasted.
    until: Option<Micros>,
}

impl From<Told> for AccessView {
    fn from(Told { entry, facts, .. }: Told) -> Self {
        Self {
            at: entry.at,
            act: entry.act,
            access: facts.access,
            operator: entry.actor,
            subject: facts.subject,
            reason: facts.reason,
            contents: facts.contents,
            until: facts.until,
        }
    }
}

/// Opens an access to what an account has. Its owner sees it.
pub(super) async fn open(
    State(app): State<Arc<App>>,
    operator: Operator<SupportOrSecurity>,
    PathId(id): PathId<AccountId>,
    Json(new): Json<NewAccess>,
) -> Result<Made<OpenedAccess>, Problem> {
    if !(1..=MOST_ACCESS_MINUTES).contains(&new.minutes) {
        let detail = format!("an access lasts between 1 and {MOST_ACCESS_MINUTES} minutes");
        return Err(Problem::invalid("/minutes", detail));
    }
    if new.contents && !Support::has(operator.role) {
        return Err(Problem::role_missing(operator.role, Support::ROLES));
    }
    let account = known(&app, id).await?;
    let because = operator.because(new.reason);
    let Access { id, account, contents, until, .. } =
        app.accounts.open_access(&account, &because, (new.minutes, new.contents)).await?;
    Ok(Made(OpenedAccess { id, account, contents, until }))
}

/// What operators looked at, latest first, and why.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<KnowMyself>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<AccessView>>, Problem> {
    let account = Some(caller.account.id);
    let filter = EntryFilter { account, only: Only::Looks, before: page.after_id()?, ..EntryFilter::default() };
    let mut views = Vec::new();
    for told in app.accounts.told(audit::list(&app.db, &filter, page.asked()).await?).await? {
        views.push((told.entry.position, AccessView::from(told)));
    }
    let page = Page::of(views, page.limit(), |(position, _)| position.to_string());
    Ok(Answer(page.map(|(_, view)| view)))
}

/// What an operator is about to look at.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Runs,
    Run(RunId),
    Log(RunId),
    Requests,
    Letters,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Runs => f.write_str("runs"),
            Self::Run(run) => run.fmt(f),
            Self::Log(run) => write!(f, "log of {run}"),
            Self::Requests => f.write_str("requests"),
            Self::Letters => f.write_str("letters"),
        }
    }
}

/// The account that an operator may look at now, and whether at contents too. The look is written down first.
pub(super) async fn look(
    app: &App,
    operator: &Operator<SupportOrSecurity>,
    account: AccountId,
    what: What,
) -> Result<(Account, bool), Problem> {
    let account = known(app, account).await?;
    let access = app.accounts.access(account.id, operator.key).await?.ok_or_else(|| {
        Problem::forbidden(format!(
            "looking at what an account has needs an access that is open: \
             POST /v1/admin/accounts/{}/access with a reason, or `aaasp admin access`",
            account.id
        ))
    })?;
    app.accounts.note_look(&account, access, what.to_string()).await?;
    Ok((account, access.contents))
}
