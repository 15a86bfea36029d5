//! Sign-up and the links of letters, for programs; `pages.rs` shows the same to people.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json as JsonBody;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::acts::Reason;
use super::address::{ClientAddress, client_address};
use super::admin::{checked_email, region_of};
use super::answer::{Accepted, Made};
use super::auth::Operator;
use super::body::Json;
use super::routes::{Described, Part, Reply};
use crate::accounts::{Confirmed, LinkSecret, Role, Support};
use crate::app::App;
use crate::config::SignUp;
use crate::db::DbError;
use crate::ids::AccountId;

/// Somebody who may sign up, and the address that they ask from.
pub(super) struct MaySignUp(Option<IpAddr>);

impl FromRequestParts<Arc<App>> for MaySignUp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        if app.config.now().values.accounts.sign_up == SignUp::Closed {
            return Err(Problem::forbidden("the operator of this server makes its accounts; ask them for one"));
        }
        Ok(Self(client_address(parts, app)))
    }
}

impl Part for MaySignUp {
    fn describe(described: &mut Described) {
        described.refuses(&Problem::forbidden(""));
        described.refuses(&Problem::too_many("", 1));
    }
}

/// An email address that wants an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignUpRequest {
    email: String,
}

/// What whoever signs up is told, whether there is an account or not.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignUpTaken {
    detail: &'static str,
}

/// The link of a letter.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenedLink {
    /// The whole link, or what follows its last `/`.
    link: String,
}

/// What a link did.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfirmedView {
    account: AccountId,
    did: Did,
    /// The key that was made; only this answer shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Did {
    /// The account is active, and has its first key.
    OpenedAccount,
    /// The account has another key.
    MadeKey,
    /// One address has confirmed the change; the other has not yet.
    ConfirmedOneAddress,
    /// The address has changed.
    ChangedEmail,
    /// The account is being deleted; it can be kept until it is erased.
    ClosedAccount,
    /// No more letters come that nobody has to get.
    Unsubscribed,
}

impl IntoResponse for ConfirmedView {
    fn into_response(self) -> Response {
        JsonBody(self).into_response()
    }
}

impl Reply for ConfirmedView {
    fn describe(described: &mut Described) {
        let schema = described.reference::<Self>();
        described.answers(StatusCode::OK, "What the link did", vec![("application/json", schema)]);
        described.refuses(&Problem::conflict(""));
        described.refuses(&Problem::gone(""));
        described.refuses(&Problem::misdirected("", None, None));
    }
}

/// Whom the operator invites.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Invitation {
    email: String,
    /// The account's plan; that of whoever signs up when absent.
    plan: Option<String>,
    reason: Reason,
}

/// An account that waits for its address to be confirmed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Invited {
    account: AccountId,
}

/// Takes an address, and answers before it looks anything up.
pub(super) async fn sign_up(
    State(app): State<Arc<App>>,
    MaySignUp(address): MaySignUp,
    Json(wanted): Json<SignUpRequest>,
) -> Result<Accepted<SignUpTaken>, Problem> {
    let email = checked_email(&wanted.email)?;
    app.rates.count_sign_up(address)?;
    app.sign_ups.take(email.to_owned()).map_err(|error| Problem::unavailable(error.to_string()))?;
    let detail = "if this address can have an account, a letter is on its way to it; open its link within 15 minutes";
    Ok(Accepted(SignUpTaken { detail }))
}

/// Does what a link is for.
pub(super) async fn confirm(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    Json(opened): Json<OpenedLink>,
) -> Result<ConfirmedView, Problem> {
    let link: LinkSecret = opened.link.parse().map_err(|error| Problem::invalid("/link", format!("{error}")))?;
    app.rates.may_fail(address)?;
    let (account, confirmed) = match app.accounts.confirm(&link).await {
        Err(DbError::Missing(_)) => {
            app.rates.count_failure(address)?;
            return Err(Problem::gone("the link was used, or is over; ask for another one: `aaasp signup`"));
        }
        confirmed => confirmed?,
    };
    app.callers.forget();
    let (did, key) = match confirmed {
        Confirmed::Account(key) => (Did::OpenedAccount, Some(key)),
        Confirmed::Key(key) => (Did::MadeKey, Some(key)),
        Confirmed::OneAddress => (Did::ConfirmedOneAddress, None),
        Confirmed::Email => (Did::ChangedEmail, None),
        Confirmed::Closing(_) => (Did::ClosedAccount, None),
        Confirmed::Unsubscribed => (Did::Unsubscribed, None),
    };
    Ok(ConfirmedView { account, did, api_key: key.map(|key| key.expose().to_owned()) })
}

/// Makes an account that waits for its address to be confirmed, and sends the link.
pub(super) async fn invite(
    State(app): State<Arc<App>>,
    operator: Operator<Support>,
    Json(wanted): Json<Invitation>,
) -> Result<Made<Invited>, Problem> {
    let email = checked_email(&wanted.email)?;
    let config = app.config.now();
    let plan = wanted.plan.as_deref().unwrap_or(&config.values.accounts.plan);
    if !config.values.plans.contains_key(plan) {
        return Err(Problem::invalid("/plan", format!("there is no plan `{plan}`")));
    }
    // A plan may begin with credits, which are not support's to give.
    if plan != config.values.accounts.plan && operator.role != Role::Admin {
        return Err(Problem::forbidden("only a key of the role admin invites to another plan than `accounts.plan`"));
    }
    let region = region_of(&app, plan, None)?;
    if !app.db.serves(region.as_ref()) {
        let detail = format!("accounts of the plan `{plan}` are in another region; invite them by a host of that one");
        return Err(Problem::invalid("/plan", detail));
    }
    let because = operator.because(wanted.reason);
    let account = app.accounts.invite(email, (plan, region.as_ref()), &because).await?;
    Ok(Made(Invited { account }))
}
