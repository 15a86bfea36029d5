//! Keys of operators: each role opens the doors that are its own, and no role opens a credential.

use serde_json::{Value, json};

use super::routes::{Door, selling, walk};
use super::{fields, items, text};
use crate::cli::shell::Shell;
use crate::support::{Client, Server, until};

const ROLES: [&str; 4] = ["support", "billing", "security", "admin"];

/// A key of an operator, as a client.
async fn key_for(server: &Server, role: &str) -> Client {
    let body = json!({"name": format!("a {role}"), "role": role, "reason": "a test"});
    let made = server.operator().post("/v1/admin/keys", body).await.expect(201);
    assert_eq!(text(&made, "role"), role);
    server.account.with_key(made["operator_key"].as_str())
}

/// The roles besides admin that may use a route.
fn may(method: &str, pattern: &str) -> &'static [&'static str] {
    match (method, pattern.trim_start_matches("/v1/admin/")) {
        ("GET", "accounts" | "accounts/{id}" | "statistics") => &["support", "billing", "security"],
        ("POST", "invitations" | "letters/{id}/resend") | ("GET", "letters") => &["support"],
        ("POST", "accounts/{id}/grants" | "accounts/{id}/adjustments" | "top-ups/{id}/refunds" | "reconcile") => {
            &["billing"]
        }
        ("PATCH", "accounts/{id}")
        | ("POST", "accounts/{id}/data-keys" | "master-keys" | "master-keys/retire")
        | ("GET", "master-keys" | "acts" | "audit" | "audit/heads" | "keys") => &["security"],
        ("POST", "accounts/{id}/access") => &["support", "security"],
        ("GET", "erasures") => &["support", "security"],
        (_, path) if path == "support" || path.starts_with("support/") => &["support"],
        (_, path) if path == "rights" || path.starts_with("rights/") => &["support", "security"],
        (_, path) if path == "breaches" || path.starts_with("breaches/") => &["security"],
        (_, "holds" | "accounts/{id}/holds" | "holds/{id}/lift") => &["security"],
        (_, "announcements" | "policy") => &[],
        ("GET", path) if path.starts_with("accounts/{id}/") => &["support", "security"],
        ("POST", "accounts" | "reload" | "keys" | "keys/{id}/revoke") => &[],
        unknown => panic!("who may use {unknown:?}?"),
    }
}

#[tokio::test]
async fn each_role_opens_its_own_routes_and_none_reads_a_credential() {
    let (dodo, server) = selling().await;
    let routes = walk(&dodo, &server).await;
    let document = server.account.get("/v1/openapi.json").await.expect(200);
    let mut keys = Vec::new();
    for role in ROLES {
        keys.push((role, key_for(&server, role).await));
    }
    let mut walked = 0;
    for route in routes.iter().filter(|route| route.door == Door::Operator) {
        let method = route.method.as_str();
        let allowed = may(method, route.pattern);
        for (role, key) in &keys {
            let reply = route.send(key).await;
            let (is_allowed, is_open) = (*role == "admin" || allowed.contains(role), reply.status != 403);
            // Whoever may use it still needs an access to look at what an account has.
            let lacks_access = reply.status == 403 && reply.text.contains("needs an access that is open");
            assert!(reply.status != 401 && (is_open || lacks_access) == is_allowed, "{role} {method} {reply:?}");
            assert!(!reply.text.contains("the second of the walk's"), "{reply:?}");
            if !is_allowed {
                assert!(text(&reply.problem(403), "detail").contains(&format!("this one's is {role}")));
            }
            walked += 1;
        }
        let described: Vec<Value> =
            allowed.iter().chain(&["admin"]).map(|role| json!({"operator_key": [role]})).collect();
        assert_eq!(document["paths"][route.pattern][method.to_lowercase()]["security"], json!(described), "{route:?}");
    }
    assert!(walked > 100);
    for route in routes.iter().filter(|route| route.door == Door::Account) {
        for (role, key) in &keys {
            let reply = route.send(key).await;
            assert_eq!(reply.status, 401, "an operator's key is no account's: {role} {route:?}");
        }
    }
}

#[tokio::test]
async fn keys_of_operators_are_made_listed_and_revoked_and_one_admin_stays() {
    let server = Server::start().await;
    let shell = Shell::open().with("AAASP_URL", &server.url().unwrap());
    let shell = shell.with("AAASP_OPERATOR_KEY", server.operator().key());
    let create = ["admin", "keys", "create", "--name", "Ada", "--role", "billing", "--reason", "joined the team"];
    let made = shell.run(&create).expect(0);
    let ada = server.account.with_key(Some(made.out.trim()));
    ada.get("/v1/admin/accounts").await.expect(200);
    ada.get("/v1/admin/audit").await.problem(403);
    let listed = server.operator().get("/v1/admin/keys").await.expect(200);
    assert_eq!(fields(items(&listed), "name"), ["Ada", "first"]);
    assert_eq!(fields(items(&listed), "role"), ["billing", "admin"]);
    assert!(shell.run(&["admin", "keys"]).expect(0).out.contains("Ada"));
    assert!(!listed.to_string().contains(made.out.trim()));

    let id = text(&items(&listed)[0], "id").to_owned();
    shell.run(&["admin", "keys", "revoke", &id, "--reason", "left the team"]).expect(0);
    ada.get("/v1/admin/accounts").await.problem(401);
    let again = json!({"reason": "a test"});
    server.operator().post(&format!("/v1/admin/keys/{id}/revoke"), again.clone()).await.problem(404);
    let last = text(&items(&listed)[1], "id").to_owned();
    server.operator().post(&format!("/v1/admin/keys/{last}/revoke"), again.clone()).await.problem(409);
    let other = key_for(&server, "admin").await;
    other.post(&format!("/v1/admin/keys/{last}/revoke"), again).await.expect(204);
    server.operator().get("/v1/admin/accounts").await.problem(401);
    let acts = other.get("/v1/admin/acts").await.expect(200);
    let done = ["revoke_operator_key", "create_operator_key", "revoke_operator_key", "create_operator_key"];
    assert_eq!(fields(items(&acts), "act"), done);
    assert_eq!((text(&items(&acts)[2], "subject"), text(&items(&acts)[2], "reason")), (id.as_str(), "left the team"));

    for (field, wrong) in [("role", json!("root")), ("name", json!(" ")), ("reason", json!(""))] {
        let mut body = json!({"name": "x", "role": "support", "reason": "a test"});
        body[field] = wrong;
        other.post("/v1/admin/keys", body).await.problem(422);
    }
    until("the audit", async || (server.count("SELECT COUNT(*) FROM audit_entries").await >= 5).then_some(())).await;
}
