//! The API. Every route is on this page.

mod accesses;
mod accounts;
mod acts;
mod address;
mod admin;
mod agents;
mod announcements;
mod answer;
mod api_keys;
mod audit;
mod auth;
mod auto_top_up;
mod body;
mod breaches;
mod connections;
mod consents;
mod credential_uses;
mod credentials;
mod credits;
mod csv;
mod deletion;
mod deployments;
mod exports;
mod found;
mod health;
mod holds;
mod letters;
mod logs;
mod looks;
mod master_keys;
mod observe;
mod once;
mod operator_keys;
mod page;
mod pages;
mod policy;
mod privacy;
mod problem;
mod rates;
mod receipts;
mod requests;
mod rights;
mod routes;
mod runs;
mod sign_up;
mod statements;
mod statistics;
mod support;
mod test_checkout;
mod top_ups;
mod transport;
mod unread;
mod webhooks;

use std::sync::Arc;

pub(crate) use auth::{ACCOUNT_KEY, OPERATOR_KEY};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
pub use breaches::BREACH_DUE;
pub use connections::serve;
pub use problem::Problem;
pub(crate) use problem::{Document as ProblemDocument, Kind as ProblemKind};
pub use rates::Rates;
use routes::Routes;
pub(crate) use routes::STATUSES;
pub use transport::{by_tls_only, redirects};
use utoipa::openapi::OpenApi;

use crate::app::App;

/// Bytes of a JSON body besides a run's input.
const BODY_BYTES: usize = 256 << 10;

/// The routes, over the app that they share, and `/v1/openapi.json`, which describes them.
pub fn router(app: Arc<App>) -> Router {
    let input_bytes = usize::try_from(app.config.now().host_run_limits().input_bytes).unwrap_or(usize::MAX);
    page(input_bytes.saturating_add(BODY_BYTES))
        .served()
        .fallback(|| async { Problem::not_found("route") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(from_fn_with_state(Arc::clone(&app), observe::request))
        .with_state(app)
}

/// The description of the API, as it is served.
#[must_use]
pub fn description() -> OpenApi {
    page(BODY_BYTES).description()
}

fn page(run_bytes: usize) -> Routes {
    Routes::new()
        .post("/v1/accounts", "Signs an address up; the answer is the same for every address", sign_up::sign_up)
        .post("/v1/accounts/confirm", "Does what the link of a letter is for, once", sign_up::confirm)
        .get("/confirm/{secret}", "Shows people what the link of a letter does", pages::ask)
        .post("/confirm/{secret}", "Does what the link of a letter is for, once", pages::answer)
        .get("/v1/account", "Shows the account, its plan and its effective limits", accounts::show)
        .patch("/v1/account", "Changes the account's address, once both confirm it, or its settings", accounts::update)
        .delete(
            "/v1/account",
            "Sends the link that deletes the account, to be erased once the time to think again is over",
            deletion::ask,
        )
        .delete("/v1/account/deletion", "Keeps an account that is being deleted", deletion::cancel)
        .get("/v1/account/deletion", "Shows when the account is erased", deletion::show)
        .post("/v1/privacy/exports", "Has a copy made of everything that is kept about the account", exports::ask)
        .get("/v1/privacy/exports", "Shows the account's copy, and how far it has come", exports::show)
        .post("/v1/privacy/exports/links", "Makes a link that downloads the copy once", exports::link)
        .get("/downloads/{secret}", "Shows people where the copy is that the link of a letter is for", exports::page)
        .post("/downloads/{secret}", "Downloads what a link is for, once", exports::download)
        .get("/v1/privacy", "Shows what the account's owner says about its data", privacy::show)
        .put(
            "/v1/privacy/restriction",
            "Has the account's data kept and not worked with: no run starts or goes on",
            privacy::restrict,
        )
        .delete("/v1/privacy/restriction", "Has the data worked with again", privacy::lift_restriction)
        .put("/v1/privacy/objection", "Takes the account's use out of what is analysed", privacy::object)
        .delete("/v1/privacy/objection", "Lets the account's use be analysed again", privacy::withdraw_objection)
        .get("/v1/privacy/consents", "Lists what the account's owner said yes or no to, latest first", consents::list)
        .put("/v1/privacy/consents", "Says yes or no to something", consents::put)
        .get("/privacy", "Shows people the privacy policy: what the settings say now", policy::show)
        .get("/privacy/versions", "Shows people all versions of the privacy policy", policy::versions)
        .get("/privacy/{version}", "Shows people a version of the privacy policy, as it was shown", policy::version)
        .get("/v1/support", "Lists what the account's owner asked the operator, latest first", support::list)
        .post("/v1/support", "Asks the operator something", support::ask)
        .get("/v1/support/{id}", "Shows what was asked, and the answers", support::show)
        .post("/v1/support/{id}", "Says more about it", support::say)
        .get("/v1/account/accesses", "Lists what operators looked at of the account, and why", accesses::list)
        .get("/v1/api-keys", "Lists the account's API keys, latest first, without their secrets", api_keys::list)
        .post("/v1/api-keys", "Makes an API key, which only this answer shows", api_keys::create)
        .post("/v1/api-keys/{id}/rotate", "Puts another API key in the place of one, with an overlap", api_keys::rotate)
        .delete("/v1/api-keys/{id}", "Revokes an API key; everywhere within a second", api_keys::revoke)
        .get("/v1/agents", "Lists the account's agents by name", agents::list)
        .get("/v1/agents/{name}", "Shows an agent with its versions", agents::show)
        .put("/v1/agents/{name}", "Uploads a component as a version; the same bytes are the same one", agents::upload)
        .delete("/v1/agents/{name}", "Deletes an agent that no deployment uses", agents::delete)
        .get("/v1/deployments", "Lists the account's deployments by name", deployments::list)
        .get("/v1/deployments/{name}", "Shows a deployment", deployments::show)
        .put("/v1/deployments/{name}", "Creates or replaces a deployment", deployments::put)
        .delete("/v1/deployments/{name}", "Deletes a deployment that has no unfinished runs", deployments::delete)
        .large_post(run_bytes, "/v1/deployments/{name}/runs", "Starts a run, and may wait for its end", runs::create)
        .large_post(
            run_bytes,
            "/v1/deployments/{name}/estimate",
            "Estimates from past runs what one more may cost",
            runs::estimate,
        )
        .get("/v1/runs", "Lists the account's runs, latest first", runs::list)
        .get("/v1/runs/{id}", "Shows a run", runs::show)
        .get("/v1/runs/{id}/input", "Shows the input that a run was given", runs::input)
        .get("/v1/runs/{id}/charges", "Explains what a run cost, line by line", runs::charges)
        .get("/v1/runs/{id}/receipt", "Shows the signed receipt of a run that is settled", receipts::show)
        .post("/v1/runs/{id}/cancel", "Cancels a run; a finished one stays as it is", runs::cancel)
        .get("/v1/runs/{id}/logs", "Shows the lines of a run's log, or follows them", logs::show)
        .get("/v1/credentials", "Lists the account's credentials by name, without their secrets", credentials::list)
        .get("/v1/credentials/{name}", "Shows a credential without its secret", credentials::show)
        .put("/v1/credentials/{name}", "Sets a credential's value, which the next request uses", credentials::put)
        .delete("/v1/credentials/{name}", "Deletes a credential that no deployment names", credentials::delete)
        .delete(
            "/v1/credentials/{name}/versions/{version}",
            "Retires a version of a credential; the latest that is left is in use",
            credentials::retire,
        )
        .get("/v1/audit", "Lists each use of the account's credentials, latest first", credential_uses::list)
        .get("/v1/requests", "Lists the requests that came with the account's keys, latest first", requests::list)
        .get("/v1/credits", "Shows what is available, and what runs hold", credits::show)
        .get("/v1/credits/transactions", "Lists what moved the balance, latest first", credits::transactions)
        .post("/v1/credits/top-ups", "Makes a top-up, and a page where it is paid", top_ups::create)
        .get("/v1/credits/top-ups", "Lists the account's top-ups, latest first", top_ups::list)
        .get("/v1/credits/top-ups/{id}", "Shows a top-up", top_ups::show)
        .get("/v1/credits/auto-top-up", "Shows whether the account buys credits by itself", auto_top_up::show)
        .put("/v1/credits/auto-top-up", "Has the account buy credits when its balance falls", auto_top_up::put)
        .delete("/v1/credits/auto-top-up", "Buys nothing by itself any more, and ends the mandate", auto_top_up::end)
        .post("/v1/webhooks/dodo", "Takes what Dodo Payments tells of payments, refunds and disputes", webhooks::dodo)
        .get("/test-checkout/{id}", "Shows people where a test payment is made", test_checkout::ask)
        .post("/test-checkout/{id}", "Makes a test payment, with which no money moves", test_checkout::answer)
        .get("/v1/credits/statements", "Lists the account's monthly statements, latest first", statements::list)
        .get("/v1/credits/statements/{number}", "Shows a monthly statement, or a page to print", statements::show)
        .get("/v1/admin/accounts", "Lists the accounts that this host serves, latest first", admin::list)
        .post(
            "/v1/admin/accounts",
            "Makes an account with its first API key, which only this answer shows",
            admin::create,
        )
        .post("/v1/admin/invitations", "Makes an account that its owner confirms by a link", sign_up::invite)
        .get("/v1/admin/letters", "Lists letters, latest first, without what they say", letters::list)
        .post("/v1/admin/letters/{id}/resend", "Lets a letter that was given up be tried again", letters::resend)
        .get("/v1/admin/accounts/{id}", "Shows an account", admin::show)
        .patch("/v1/admin/accounts/{id}", "Suspends an account, or makes it active again", admin::update)
        .post("/v1/admin/reload", "Reads the operator's file again, and tells what has changed", admin::reload)
        .post("/v1/admin/accounts/{id}/grants", "Gives credits to an account", admin::grant)
        .post("/v1/admin/accounts/{id}/adjustments", "Corrects an account's balance", acts::adjust)
        .post("/v1/admin/top-ups/{id}/refunds", "Gives back what was paid for a top-up, or a part of it", acts::refund)
        .post("/v1/admin/reconcile", "Asks the payment processor for what no webhook has told", acts::reconcile)
        .post("/v1/admin/announcements", "Writes to all accounts that consented to news", announcements::announce)
        .get("/v1/admin/policy", "Lists the versions of the privacy policy, latest first", policy::list)
        .post(
            "/v1/admin/policy",
            "Says what changed with the privacy policy, and tells whom it concerns",
            policy::explain,
        )
        .get("/v1/admin/rights", "Lists requests by which people use their rights, latest first", rights::list)
        .post("/v1/admin/rights", "Enters a request that did not come by the API", rights::open)
        .get("/v1/admin/rights/{id}", "Shows a request, and what operators did about it", rights::show)
        .post("/v1/admin/rights/{id}/identify", "Notes how it was found out who asks", rights::identify)
        .post("/v1/admin/rights/{id}/extend", "Puts a request off by 60 days, once", rights::extend)
        .post("/v1/admin/rights/{id}/close", "Ends a request: done, or refused", rights::close)
        .get("/v1/admin/support", "Lists what owners asked, latest first", support::list_all)
        .get("/v1/admin/support/{id}", "Shows what an owner asked, and the answers", support::show_any)
        .post("/v1/admin/support/{id}", "Answers, by a letter too", support::answer)
        .post("/v1/admin/support/{id}/close", "Closes a thread, until its owner says more", support::close)
        .get("/v1/admin/breaches", "Lists breaches, latest first", breaches::list)
        .post("/v1/admin/breaches", "Notes a breach, from when on the clock runs", breaches::open)
        .get("/v1/admin/breaches/{id}", "Shows a breach, and what is told of it", breaches::show)
        .post("/v1/admin/breaches/{id}/scope", "Adds accounts to those whom a breach concerns", breaches::scope)
        .post("/v1/admin/breaches/{id}/notify", "Writes to those whom a breach concerns", breaches::notify)
        .post("/v1/admin/breaches/{id}/authority", "Notes that the authority was told", breaches::authority)
        .post("/v1/admin/breaches/{id}/close", "Closes a breach", breaches::close)
        .post(
            "/v1/admin/accounts/{id}/access",
            "Lets an operator look at what an account has, for a time",
            accesses::open,
        )
        .get("/v1/admin/accounts/{id}/runs", "Lists an account's runs while an access is open", looks::runs)
        .get("/v1/admin/accounts/{id}/runs/{run}", "Shows a run of an account while an access is open", looks::run)
        .get("/v1/admin/accounts/{id}/runs/{run}/logs", "Shows a run's log while an access is open", looks::log)
        .get("/v1/admin/accounts/{id}/requests", "Lists an account's requests while an access is open", looks::requests)
        .get("/v1/admin/accounts/{id}/letters", "Lists an account's letters while an access is open", looks::letters)
        .post(
            "/v1/admin/accounts/{id}/holds",
            "Has what is there of an account kept, however old, as the law asks",
            holds::set,
        )
        .get("/v1/admin/holds", "Lists holds on accounts, latest first, with their reasons", holds::list)
        .post("/v1/admin/holds/{id}/lift", "Lifts a hold", holds::lift)
        .get("/v1/admin/statistics", "Shows how the service was used in a month, about nobody", statistics::show)
        .get("/v1/admin/keys", "Lists the keys of operators, latest first, without their secrets", operator_keys::list)
        .post("/v1/admin/keys", "Makes a key for an operator, which only this answer shows", operator_keys::create)
        .post("/v1/admin/keys/{id}/revoke", "Revokes a key of an operator, everywhere at once", operator_keys::revoke)
        .get("/v1/admin/erasures", "Lists erasures of accounts, latest first", deletion::list)
        .get("/v1/admin/acts", "Lists what operators did and why, latest first", audit::acts)
        .get("/v1/admin/audit", "Lists what operators and owners did, latest first", audit::list)
        .get("/v1/admin/audit/heads", "Lists signed heads of the audit's chain, earliest first", audit::heads)
        .post(
            "/v1/admin/accounts/{id}/data-keys",
            "Gives an account's data key another version; what it sealed opens as before",
            master_keys::rotate_data_key,
        )
        .get("/v1/admin/master-keys", "Shows the master keys, and what each of them wraps", master_keys::show)
        .post("/v1/admin/master-keys", "Adds a master key, unless a rotation goes on", master_keys::rotate)
        .post("/v1/admin/master-keys/retire", "Removes master keys that nothing needs", master_keys::retire)
        .get("/.well-known/jwks.json", "Shows the key that verifies receipts", receipts::keys)
        .get("/healthz", "Says that the process answers", health::alive)
        .get("/readyz", "Says that the process can do its work", health::ready)
}
