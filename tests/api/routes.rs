//! The list of routes that promises about all of them are tested on. A route that is not on it fails a test.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::openapi::Description;
use super::{items, text};
use crate::support::{Client, Reply, Server, guests};

/// Whose key a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Nobody,
    Account,
    Operator,
}

/// What a request to a route carries.
#[derive(Clone, Debug)]
pub(super) enum Body {
    None,
    Json(Value),
    Wasm,
}

/// A route, as `host/src/http.rs` writes it, and a request to it that its owner could make.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub door: Door,
    pub method: Method,
    pub pattern: &'static str,
    pub path: String,
    pub body: Body,
}

impl Route {
    /// True when the path names one thing that exists, which is the account's that made it.
    pub(super) fn names_a_thing(&self) -> bool {
        self.pattern.contains('{')
    }

    pub(super) async fn send(&self, client: &Client) -> Reply {
        let request = client.request(self.method.clone(), &self.path);
        Client::send(match &self.body {
            Body::None => request,
            Body::Json(body) => request.json(body),
            Body::Wasm => request.header(CONTENT_TYPE, "application/wasm").body(guests::greet()),
        })
        .await
    }
}

/// Every route, on the things of an account that has one of each: agent, credential and deployment `echo`, a run, a key.
pub(super) async fn walk(server: &Server) -> Vec<Route> {
    let account = &server.account;
    account.deploy("echo", guests::echo(), json!({})).await;
    let run = text(&account.run("echo", json!("mine")).await, "id").to_owned();
    for secret in ["the first of the walk's", "the second of the walk's"] {
        let body = json!({"kind": "bearer", "secret": secret});
        account.put("/v1/credentials/echo", body).await;
    }
    let key = text(&items(&account.get("/v1/api-keys").await.expect(200))[0], "id").to_owned();
    let id = text(&account.get("/v1/account").await.expect(200), "id").to_owned();
    let mut routes = Vec::new();
    let mut add = |door, method: Method, pattern: &'static str, body| {
        let thing = match pattern {
            _ if pattern.starts_with("/v1/runs/") => &run,
            _ if pattern.starts_with("/v1/api-keys/") => &key,
            _ if pattern.starts_with("/v1/admin/accounts/") => &id,
            _ => "echo",
        };
        let path =
            pattern.replace("{id}", thing).replace("{name}", thing).replace("{version}", "1").replace("{number}", "1");
        routes.push(Route { door, method, pattern, path, body });
    };
    let json = |body| Body::Json(body);
    add(Door::Nobody, Method::GET, "/healthz", Body::None);
    add(Door::Nobody, Method::GET, "/readyz", Body::None);
    add(Door::Nobody, Method::GET, "/v1/openapi.json", Body::None);
    add(Door::Nobody, Method::GET, "/.well-known/jwks.json", Body::None);
    add(Door::Account, Method::GET, "/v1/account", Body::None);
    add(Door::Account, Method::GET, "/v1/api-keys", Body::None);
    add(Door::Account, Method::POST, "/v1/api-keys", json(json!({"name": "walked"})));
    add(Door::Account, Method::POST, "/v1/api-keys/{id}/rotate", json(json!({"overlap_seconds": 60})));
    add(Door::Account, Method::DELETE, "/v1/api-keys/{id}", Body::None);
    add(Door::Account, Method::GET, "/v1/agents", Body::None);
    add(Door::Account, Method::GET, "/v1/agents/{name}", Body::None);
    add(Door::Account, Method::DELETE, "/v1/agents/{name}", Body::None);
    add(Door::Account, Method::PUT, "/v1/agents/{name}", Body::Wasm);
    add(Door::Account, Method::GET, "/v1/deployments", Body::None);
    add(Door::Account, Method::GET, "/v1/deployments/{name}", Body::None);
    add(Door::Account, Method::PUT, "/v1/deployments/{name}", json(json!({"agent": "echo"})));
    add(Door::Account, Method::DELETE, "/v1/deployments/{name}", Body::None);
    add(Door::Account, Method::POST, "/v1/deployments/{name}/runs", json(json!({"input": 1})));
    add(Door::Account, Method::POST, "/v1/deployments/{name}/estimate", json(json!({"input": 1})));
    let secret = json(json!({"kind": "bearer", "secret": "a secret that is walked"}));
    add(Door::Account, Method::GET, "/v1/credentials", Body::None);
    add(Door::Account, Method::GET, "/v1/credentials/{name}", Body::None);
    add(Door::Account, Method::PUT, "/v1/credentials/{name}", secret);
    add(Door::Account, Method::DELETE, "/v1/credentials/{name}/versions/{version}", Body::None);
    add(Door::Account, Method::DELETE, "/v1/credentials/{name}", Body::None);
    add(Door::Account, Method::GET, "/v1/audit", Body::None);
    add(Door::Account, Method::GET, "/v1/runs", Body::None);
    add(Door::Account, Method::GET, "/v1/runs/{id}", Body::None);
    add(Door::Account, Method::GET, "/v1/runs/{id}/input", Body::None);
    add(Door::Account, Method::GET, "/v1/runs/{id}/charges", Body::None);
    add(Door::Account, Method::GET, "/v1/runs/{id}/receipt", Body::None);
    add(Door::Account, Method::GET, "/v1/runs/{id}/logs", Body::None);
    add(Door::Account, Method::POST, "/v1/runs/{id}/cancel", Body::None);
    add(Door::Account, Method::GET, "/v1/requests", Body::None);
    add(Door::Account, Method::GET, "/v1/credits", Body::None);
    add(Door::Account, Method::GET, "/v1/credits/transactions", Body::None);
    add(Door::Account, Method::GET, "/v1/credits/statements", Body::None);
    add(Door::Account, Method::GET, "/v1/credits/statements/{number}", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/accounts", Body::None);
    add(Door::Operator, Method::POST, "/v1/admin/accounts", json(json!({"email": "walked@example.org"})));
    add(Door::Operator, Method::GET, "/v1/admin/accounts/{id}", Body::None);
    add(Door::Operator, Method::PATCH, "/v1/admin/accounts/{id}", json(json!({"status": "active"})));
    add(Door::Operator, Method::POST, "/v1/admin/reload", json(json!({})));
    add(Door::Operator, Method::POST, "/v1/admin/accounts/{id}/grants", json(json!({"amount_microcredits": 1})));
    add(Door::Operator, Method::POST, "/v1/admin/accounts/{id}/data-keys", json(json!({})));
    add(Door::Operator, Method::GET, "/v1/admin/master-keys", Body::None);
    add(Door::Operator, Method::POST, "/v1/admin/master-keys", json(json!({})));
    add(Door::Operator, Method::POST, "/v1/admin/master-keys/retire", json(json!({"below": 1})));
    routes
}

#[tokio::test]
async fn the_list_names_every_route_that_is_described() {
    let server = Server::start().await;
    let walked: BTreeSet<_> =
        walk(&server).await.into_iter().map(|route| (route.pattern.to_owned(), route.method.to_string())).collect();
    assert_eq!(walked, Description::of(&server).await.routes());
}

/// Whatever is served goes through the one place that describes it.
#[test]
fn only_one_file_hands_routes_to_the_router() {
    let http = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src/http");
    let files = std::fs::read_dir(&http).unwrap().map(|entry| entry.unwrap().path());
    let routing: Vec<_> = files
        .chain([http.with_extension("rs")])
        .filter(|path| std::fs::read_to_string(path).unwrap().contains(".route("))
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    assert_eq!(routing, ["routes.rs"]);
}
