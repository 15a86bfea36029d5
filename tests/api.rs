//! The API through its public door: one module for each resource, and one for each promise that holds on all.

mod accounts;
mod admin;
mod agents;
mod api_keys;
mod audit;
mod credentials;
mod credits;
mod deployments;
mod duties;
mod health;
mod idempotency;
mod isolation;
mod limits;
mod logs;
mod metrics;
pub mod models;
mod mutations;
pub mod openapi;
mod problems;
mod queue;
mod rates;
mod receipts;
mod requests;
mod roles;
pub mod routes;
mod runs;
mod sign_up;
mod slow_clients;
mod statements;

use serde_json::{Value, json};

use crate::support::{Client, until};

/// The run once it has finished.
async fn finished(account: &Client, run: &Value) -> Value {
    until("the end of the run", async || {
        let run = account.get(&format!("/v1/runs/{}", text(run, "id"))).await.expect(200);
        (run["status"] == "finished").then_some(run)
    })
    .await
}

/// The run once its guest has begun: `slow` says so in its log.
pub async fn begun(account: &Client, run: &Value) {
    let path = format!("/v1/runs/{}/logs", text(run, "id"));
    until("the first line of the log", async || {
        let log = account.get(&path).await.expect(200);
        (!items(&log).is_empty()).then_some(())
    })
    .await;
}

/// Starts a run and does not wait for it.
pub async fn start(account: &Client, deployment: &str, input: Value) -> Value {
    account.post(&runs_of(deployment), json!({ "input": input })).await.expect(202)
}

fn runs_of(deployment: &str) -> String {
    format!("/v1/deployments/{deployment}/runs")
}

/// A text of a document.
#[track_caller]
pub fn text<'v>(document: &'v Value, field: &str) -> &'v str {
    document[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {document}"))
}

/// The items of a page.
#[track_caller]
pub fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("no page: {page}"))
}

/// All items of a list, page by page, each page no longer than `limit`.
pub async fn all_items(client: &Client, path: &str, limit: usize) -> Vec<Value> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.get(&format!("{path}?limit={limit}{after}")).await.expect(200);
        assert!(items(&page).len() <= limit, "{page}");
        found.extend(items(&page).iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

/// One field of each item.
pub fn fields(items: &[Value], field: &str) -> Vec<String> {
    items.iter().map(|item| item[field].as_str().map_or_else(|| item[field].to_string(), str::to_owned)).collect()
}

/// The pointers of a problem's `errors`.
pub fn pointers(problem: &Value) -> Vec<String> {
    fields(problem["errors"].as_array().unwrap_or_else(|| panic!("no errors in {problem}")), "pointer")
}
