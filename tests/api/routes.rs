//! The list of routes that promises about all of them are tested on. A route that is not on it fails a test.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::openapi::Description;
use super::{items, text};
use crate::support::dodo::Dodo;
use crate::support::{Client, Reply, Server, guests, until};

/// Whose key a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Nobody,
    /// Whoever signs the request.
    Signer,
    Account,
    Operator,
}

/// What a request to a route carries.
#[derive(Clone, Debug)]
pub enum Body {
    None,
    Json(Value),
    Wasm,
}

/// A route, as `host/src/http.rs` writes it, and a request to it that its owner could make.
#[derive(Clone, Debug)]
pub struct Route {
    pub door: Door,
    pub method: Method,
    pub pattern: &'static str,
    pub path: String,
    pub body: Body,
}

impl Route {
    /// True when the path names one thing that exists, which is the account's that made it.
    pub fn names_a_thing(&self) -> bool {
        self.pattern.contains('{')
    }

    /// When its turn comes where all are asked: what others need goes last, the key that all of it is asked with last of
    /// all. An account that is restricted has no work done.
    pub fn turn(&self) -> u8 {
        match (self.method == Method::DELETE, self.pattern) {
            (false, "/v1/privacy/restriction") => 1,
            (false, _) => 0,
            (true, "/v1/privacy/restriction") => 2,
            (true, pattern) if pattern.starts_with("/v1/api-keys/") => 4,
            (true, _) => 3,
        }
    }

    pub async fn send(&self, client: &Client) -> Reply {
        let request = client.request(self.method.clone(), &self.path);
        Client::send(match &self.body {
            Body::None => request,
            Body::Json(body) => request.json(body),
            Body::Wasm => request.header(CONTENT_TYPE, "application/wasm").body(guests::greet()),
        })
        .await
    }
}

/// Whoever walks all routes without a key asks for more than a minute's failures.
const EVERYTHING: &str = "
    [accounts]
    sign_up = \"open\"
    [rates]
    address_failures_per_minute = 1000
";

/// A server on which every route does something: it sells credits, and anybody may sign up.
pub async fn selling() -> (Dodo, Server) {
    let dodo = Dodo::start().await;
    let server = dodo.server_with(EVERYTHING, 1_000_000).await;
    (dodo, server)
}

/// Every route, on the things of an account that has one of each: agent, credential and deployment `echo`, a run, a
/// key, a top-up that is paid.
pub async fn walk(dodo: &Dodo, server: &Server) -> Vec<Route> {
    let account = &server.account;
    let asked = account.post("/v1/credits/top-ups", json!({"amount": 500, "currency": "EUR"})).await.expect(201);
    let top_up = text(&asked, "id").to_owned();
    dodo.tell(server, "payment.succeeded", &dodo.payment(&top_up, (500, 0), "succeeded")).await;
    account.deploy("echo", guests::echo(), json!({})).await;
    let run = text(&account.run("echo", json!("mine")).await, "id").to_owned();
    for secret in ["the first of the walk's", "the second of the walk's"] {
        let body = json!({"kind": "bearer", "secret": secret});
        account.put("/v1/credentials/echo", body).await;
    }
    let key = text(&items(&account.get("/v1/api-keys").await.expect(200))[0], "id").to_owned();
    let known = account.get("/v1/account").await.expect(200);
    let (id, policy) = (text(&known, "id").to_owned(), text(&known["policy"], "version").to_owned());
    for number in 0..3 {
        let email = format!("waits{number}@example.org");
        server.operator().post("/v1/admin/invitations", json!({"email": email, "reason": "a test"})).await.expect(201);
    }
    let links = until("the invitations", async || {
        let mut letters = server.letters();
        letters.retain(|letter| letter.to.starts_with("waits"));
        (letters.len() >= 3).then(|| letters.iter().map(|letter| letter.secret().to_owned()).collect::<Vec<_>>())
    })
    .await;
    let question = json!({"subject": "mine", "text": "Where is it?"});
    let thread = text(&account.post("/v1/support", question).await.expect(201), "id").to_owned();
    let happened = json!({"facts": "nothing", "advice": "none", "reason": "a test"});
    let breach = server.operator().post("/v1/admin/breaches", happened).await.expect(201);
    let breach = text(&breach, "id").to_owned();
    // Of another account, so that it keeps nothing that is walked.
    let held = server.another_account("held@example.org", 1).await.get("/v1/account").await.expect(200);
    let path = format!("/v1/admin/accounts/{}/holds", text(&held, "id"));
    let held = server.operator().post(&path, json!({"reason": "a test"})).await.expect(201);
    let hold = text(&held, "id").to_owned();
    let asked = json!({"kind": "access", "reason": "a test"});
    let asked = server.operator().post("/v1/admin/rights", asked).await.expect(201);
    let request = text(&asked, "id").to_owned();
    let letters = server.operator().get("/v1/admin/letters").await.expect(200);
    let letter = text(&items(&letters)[0], "id").to_owned();
    account.post("/v1/privacy/exports", json!({})).await.expect(202);
    let copy = until("the copy", async || {
        let made = account.post("/v1/privacy/exports/links", json!({})).await;
        (made.status == 201).then(|| text(&made.expect(201), "link").rsplit('/').next().unwrap().to_owned())
    })
    .await;
    let spare = json!({"name": "spare", "role": "support", "reason": "a test"});
    let spare = server.operator().post("/v1/admin/keys", spare).await.expect(201);
    let operator_key = text(&spare, "id").to_owned();
    let mut routes = Vec::new();
    let mut add = |door, method: Method, pattern: &'static str, body| {
        let thing = match pattern {
            _ if pattern.starts_with("/v1/runs/") => &run,
            _ if pattern.starts_with("/v1/api-keys/") => &key,
            _ if pattern.starts_with("/v1/admin/accounts/") => &id,
            _ if pattern.starts_with("/v1/admin/letters/") => &letter,
            _ if pattern.starts_with("/v1/admin/rights/") => &request,
            _ if pattern.contains("/support/") => &thread,
            _ if pattern.starts_with("/v1/admin/breaches/") => &breach,
            _ if pattern.starts_with("/v1/admin/keys/") => &operator_key,
            _ if pattern.starts_with("/v1/admin/holds/") => &hold,
            _ if pattern.contains("/top-ups/") || pattern.starts_with("/test-checkout/") => &top_up,
            _ => "echo",
        };
        let version = if pattern.starts_with("/privacy/") { policy.as_str() } else { "1" };
        let path = pattern.replace("{id}", thing).replace("{name}", thing);
        let path = path.replace("{version}", version).replace("{number}", "1").replace("{run}", &run);
        let link = match () {
            () if pattern.starts_with("/downloads/") => &copy,
            () if method == Method::GET => &links[1],
            () => &links[2],
        };
        let path = path.replace("{secret}", link);
        routes.push(Route { door, method, pattern, path, body });
    };
    let json = |body| Body::Json(body);
    add(Door::Nobody, Method::GET, "/healthz", Body::None);
    add(Door::Nobody, Method::GET, "/readyz", Body::None);
    add(Door::Nobody, Method::GET, "/v1/openapi.json", Body::None);
    add(Door::Nobody, Method::POST, "/v1/accounts", json(json!({"email": "walks@example.org"})));
    add(Door::Nobody, Method::POST, "/v1/accounts/confirm", json(json!({"link": links[0]})));
    add(Door::Nobody, Method::GET, "/confirm/{secret}", Body::None);
    add(Door::Nobody, Method::POST, "/confirm/{secret}", Body::None);
    add(Door::Nobody, Method::GET, "/test-checkout/{id}", Body::None);
    add(Door::Nobody, Method::POST, "/test-checkout/{id}", Body::None);
    add(Door::Nobody, Method::GET, "/.well-known/jwks.json", Body::None);
    add(Door::Account, Method::GET, "/v1/account", Body::None);
    add(Door::Account, Method::PATCH, "/v1/account", json(json!({"low_balance_microcredits": 5})));
    add(Door::Account, Method::DELETE, "/v1/account", Body::None);
    add(Door::Account, Method::GET, "/v1/account/deletion", Body::None);
    add(Door::Account, Method::DELETE, "/v1/account/deletion", Body::None);
    let question = json!({"subject": "walked", "text": "a test"});
    add(Door::Account, Method::GET, "/v1/support", Body::None);
    add(Door::Account, Method::POST, "/v1/support", json(question));
    add(Door::Account, Method::GET, "/v1/support/{id}", Body::None);
    add(Door::Account, Method::POST, "/v1/support/{id}", json(json!({"text": "more"})));
    add(Door::Operator, Method::GET, "/v1/admin/support", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/support/{id}", Body::None);
    add(Door::Operator, Method::POST, "/v1/admin/support/{id}", json(json!({"text": "an answer"})));
    add(Door::Operator, Method::POST, "/v1/admin/support/{id}/close", json(json!({"reason": "a test"})));
    let breach_body = json!({"facts": "walked", "advice": "none", "reason": "a test"});
    add(Door::Operator, Method::GET, "/v1/admin/breaches", Body::None);
    add(Door::Operator, Method::POST, "/v1/admin/breaches", json(breach_body));
    add(Door::Operator, Method::GET, "/v1/admin/breaches/{id}", Body::None);
    let everybody = json!({"everybody": true, "reason": "a test"});
    add(Door::Operator, Method::POST, "/v1/admin/breaches/{id}/scope", json(everybody));
    for step in ["/v1/admin/breaches/{id}/notify", "/v1/admin/breaches/{id}/authority", "/v1/admin/breaches/{id}/close"]
    {
        add(Door::Operator, Method::POST, step, json(json!({"reason": "a test"})));
    }
    add(Door::Operator, Method::GET, "/v1/admin/rights", Body::None);
    add(Door::Operator, Method::POST, "/v1/admin/rights", json(json!({"kind": "access", "reason": "a test"})));
    add(Door::Operator, Method::GET, "/v1/admin/rights/{id}", Body::None);
    for step in ["/v1/admin/rights/{id}/identify", "/v1/admin/rights/{id}/extend"] {
        add(Door::Operator, Method::POST, step, json(json!({"reason": "a test"})));
    }
    let answer = json!({"outcome": "done", "reason": "a test"});
    add(Door::Operator, Method::POST, "/v1/admin/rights/{id}/close", json(answer));
    add(Door::Operator, Method::GET, "/v1/admin/erasures", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/holds", Body::None);
    add(Door::Operator, Method::POST, "/v1/admin/accounts/{id}/holds", json(json!({"reason": "a test"})));
    add(Door::Operator, Method::POST, "/v1/admin/holds/{id}/lift", json(json!({"reason": "a test"})));
    add(Door::Nobody, Method::GET, "/downloads/{secret}", Body::None);
    add(Door::Nobody, Method::POST, "/downloads/{secret}", Body::None);
    add(Door::Account, Method::GET, "/v1/privacy/exports", Body::None);
    add(Door::Account, Method::POST, "/v1/privacy/exports/links", Body::None);
    add(Door::Account, Method::POST, "/v1/privacy/exports", json(json!({})));
    add(Door::Account, Method::GET, "/v1/privacy", Body::None);
    add(Door::Account, Method::PUT, "/v1/privacy/restriction", json(json!({})));
    add(Door::Account, Method::DELETE, "/v1/privacy/restriction", Body::None);
    add(Door::Account, Method::PUT, "/v1/privacy/objection", Body::None);
    add(Door::Account, Method::GET, "/v1/privacy/consents", Body::None);
    add(Door::Account, Method::PUT, "/v1/privacy/consents", json(json!({"purpose": "news", "given": true})));
    add(Door::Nobody, Method::GET, "/privacy", Body::None);
    add(Door::Nobody, Method::GET, "/privacy/versions", Body::None);
    add(Door::Nobody, Method::GET, "/privacy/{version}", Body::None);
    let news = json!({"subject": "Walked", "text": ["All of it."], "reason": "a test"});
    add(Door::Operator, Method::POST, "/v1/admin/announcements", json(news));
    add(Door::Operator, Method::GET, "/v1/admin/policy", Body::None);
    let said = json!({"summary": "nothing", "material": false, "reason": "a test"});
    add(Door::Operator, Method::POST, "/v1/admin/policy", json(said));
    add(Door::Account, Method::DELETE, "/v1/privacy/objection", Body::None);
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
    add(Door::Account, Method::GET, "/v1/credits/top-ups", Body::None);
    add(Door::Account, Method::GET, "/v1/credits/top-ups/{id}", Body::None);
    add(Door::Account, Method::POST, "/v1/credits/top-ups", json(json!({"amount": 500, "currency": "EUR"})));
    let auto = json!({"threshold_microcredits": 1, "amount": 500, "currency": "EUR", "monthly_cap": 500});
    add(Door::Account, Method::PUT, "/v1/credits/auto-top-up", json(auto));
    add(Door::Account, Method::GET, "/v1/credits/auto-top-up", Body::None);
    add(Door::Account, Method::DELETE, "/v1/credits/auto-top-up", Body::None);
    add(Door::Signer, Method::POST, "/v1/webhooks/dodo", json(json!({"type": "payment.succeeded", "data": {}})));
    add(Door::Account, Method::GET, "/v1/credits/statements", Body::None);
    add(Door::Account, Method::GET, "/v1/credits/statements/{number}", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/accounts", Body::None);
    add(
        Door::Operator,
        Method::POST,
        "/v1/admin/accounts",
        json(json!({"email": "walked@example.org", "reason": "a test"})),
    );
    add(Door::Operator, Method::GET, "/v1/admin/accounts/{id}", Body::None);
    add(
        Door::Operator,
        Method::POST,
        "/v1/admin/invitations",
        json(json!({"email": "invited@example.org", "reason": "a test"})),
    );
    add(Door::Operator, Method::GET, "/v1/admin/letters", Body::None);
    add(Door::Operator, Method::POST, "/v1/admin/letters/{id}/resend", json(json!({"reason": "a test"})));
    add(
        Door::Operator,
        Method::PATCH,
        "/v1/admin/accounts/{id}",
        json(json!({"status": "active", "reason": "a test"})),
    );
    add(Door::Operator, Method::POST, "/v1/admin/reload", json(json!({"reason": "a test"})));
    add(
        Door::Operator,
        Method::POST,
        "/v1/admin/accounts/{id}/grants",
        json(json!({"amount_microcredits": 1, "reason": "a test"})),
    );
    add(Door::Operator, Method::POST, "/v1/admin/accounts/{id}/data-keys", json(json!({})));
    let adjustment = json!({"amount_microcredits": 1, "reason": "walked"});
    add(Door::Operator, Method::POST, "/v1/admin/accounts/{id}/adjustments", json(adjustment));
    add(Door::Operator, Method::POST, "/v1/admin/top-ups/{id}/refunds", json(json!({"reason": "walked"})));
    add(Door::Operator, Method::POST, "/v1/admin/reconcile", json(json!({"reason": "walked"})));
    add(Door::Operator, Method::GET, "/v1/admin/statistics", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/acts", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/audit", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/audit/heads", Body::None);
    add(Door::Account, Method::GET, "/v1/account/accesses", Body::None);
    let access = json!({"reason": "walked", "minutes": 5});
    add(Door::Operator, Method::GET, "/v1/admin/keys", Body::None);
    let new = json!({"name": "walked", "role": "billing", "reason": "walked"});
    add(Door::Operator, Method::POST, "/v1/admin/keys", json(new));
    add(Door::Operator, Method::POST, "/v1/admin/keys/{id}/revoke", json(json!({"reason": "walked"})));
    add(Door::Operator, Method::POST, "/v1/admin/accounts/{id}/access", json(access));
    add(Door::Operator, Method::GET, "/v1/admin/accounts/{id}/runs", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/accounts/{id}/runs/{run}", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/accounts/{id}/runs/{run}/logs", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/accounts/{id}/requests", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/accounts/{id}/letters", Body::None);
    add(Door::Operator, Method::GET, "/v1/admin/master-keys", Body::None);
    add(Door::Operator, Method::POST, "/v1/admin/master-keys", json(json!({})));
    add(Door::Operator, Method::POST, "/v1/admin/master-keys/retire", json(json!({"below": 1})));
    routes
}

#[tokio::test]
async fn the_list_names_every_route_that_is_described() {
    let (dodo, server) = selling().await;
    let walked: BTreeSet<_> = walk(&dodo, &server)
        .await
        .into_iter()
        .map(|route| (route.pattern.to_owned(), route.method.to_string()))
        .collect();
    assert_eq!(walked, Description::of(&server).await.routes());
}

/// Whatever is served goes through the one place that describes it.
#[test]
fn only_one_file_hands_routes_to_the_router() {
    let http = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src/http");
    let mut files = vec![http.with_extension("rs")];
    let mut folders = vec![http];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let (inner, found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        folders.extend(inner);
        files.extend(found);
    }
    let routing: Vec<_> = files
        .into_iter()
        .filter(|path| std::fs::read_to_string(path).unwrap().contains(".route("))
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    assert_eq!(routing, ["routes.rs"]);
}
