//! Whoever uses a right is in the register, and is answered in time.

use std::net::TcpListener;

use aaasp::clock::Clock;
use serde_json::{Value, json};

use crate::api::{fields, items, text};
use crate::cli::shell::Shell;
use crate::support::{Client, Reply, Server, until};

const PATH: &str = "/v1/admin/rights";

async fn registered(server: &Server) -> Vec<Value> {
    items(&server.operator().get(PATH).await.expect(200)).clone()
}

async fn enter(server: &Server, more: Value) -> Value {
    let mut body = json!({"kind": "access", "reason": "a letter, in the file"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    server.operator().post(PATH, body).await.expect(201)
}

async fn step(server: &Server, request: &Value, step: &str, body: Value) -> Reply {
    server.operator().post(&format!("{PATH}/{}/{step}", text(request, "id")), body).await
}

async fn confirm(server: &Server, subject: &str) {
    let letter =
        until("the letter", async || server.letters().into_iter().find(|letter| letter.subject == subject)).await;
    server.account.with_key(None).post("/v1/accounts/confirm", json!({"link": letter.link()})).await.expect(200);
}

#[tokio::test]
async fn what_the_api_does_enters_by_itself() {
    let server = Server::start().await;
    let zora: Client = server.another_account("zora@example.org", 0).await;
    for _ in 0..2 {
        // Said again, it is no other request.
        zora.put("/v1/privacy/restriction", json!({})).await.expect(200);
        zora.put("/v1/privacy/objection", json!({})).await.expect(200);
    }
    for given in [true, false] {
        zora.put("/v1/privacy/consents", json!({"purpose": "news", "given": given})).await.expect(200);
    }
    zora.delete("/v1/account").await.expect(202);
    confirm(&server, "Delete your account").await;
    let found = registered(&server).await;
    assert_eq!(fields(&found, "kind"), ["deletion", "consent", "objection", "restriction"]);
    assert_eq!(fields(&found, "state"), ["open", "done", "done", "done"]);
    let id = zora.get("/v1/account").await.expect(200)["id"].clone();
    for request in &found {
        assert_eq!((text(request, "source"), text(request, "identity")), ("api", "key"));
        assert_eq!((&request["account"], &request["overdue"]), (&id, &json!(false)));
    }
    zora.delete("/v1/account/deletion").await.expect(204);
    assert_eq!(text(&registered(&server).await[0], "state"), "withdrawn");
}

#[tokio::test]
async fn what_an_erased_account_asked_for_is_known_and_not_whose_it_was() {
    let server = Server::with_config("[accounts]\nclosing_days = 0\n[host]\nslow_client_ms = 1000\n").await;
    let zora = server.another_account("zora@example.org", 0).await;
    let id = text(&zora.get("/v1/account").await.expect(200), "id").to_owned();
    zora.put("/v1/privacy/objection", json!({})).await.expect(200);
    enter(&server, json!({"account": id})).await;
    zora.delete("/v1/account").await.expect(202);
    confirm(&server, "Delete your account").await;
    let found = until("the end of the account", async || {
        let found = registered(&server).await;
        found.iter().all(|request| request["account"] == Value::Null).then_some(found)
    })
    .await;
    assert_eq!(fields(&found, "kind"), ["deletion", "access", "objection"]);
    assert_eq!(fields(&found, "state"), ["done", "done", "done"]);
    assert_eq!(server.count("SELECT COUNT(*) FROM rights_requests WHERE account_id IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_request_by_mail_is_done_once_it_is_known_who_asks() {
    let server = Server::start().await;
    let ada = server.another_account("ada@example.org", 0).await;
    let id = text(&ada.get("/v1/account").await.expect(200), "id").to_owned();
    let request = enter(&server, json!({"account": id})).await;
    assert_eq!((text(&request, "identity"), text(&request, "source")), ("unchecked", "operator"));
    let done = json!({"outcome": "done", "reason": "a copy was sent"});
    let refused = step(&server, &request, "close", done.clone()).await.problem(409);
    assert!(text(&refused, "detail").contains("who asks"), "{refused}");
    let why = json!({"reason": "wrote back from the address of the account"});
    assert_eq!(text(&step(&server, &request, "identify", why.clone()).await.expect(200), "identity"), "checked");
    let before = text(&request, "due_at").to_owned();
    let much = json!({"reason": "there is much of it"});
    let put_off = step(&server, &request, "extend", much.clone()).await.expect(200);
    assert!(text(&put_off, "due_at") > before.as_str() && put_off["extended"] == true, "{put_off}");
    step(&server, &request, "extend", much).await.problem(409);
    let closed = step(&server, &request, "close", done.clone()).await.expect(200);
    assert_eq!((text(&closed, "state"), closed["ended_at"].is_string()), ("done", true));
    for (name, body) in [("close", done), ("identify", why.clone()), ("extend", why)] {
        step(&server, &request, name, body).await.problem(409);
    }
    // Each step has its reason, and whoever asked is told.
    let shown = server.operator().get(&format!("{PATH}/{}", text(&request, "id"))).await.expect(200);
    let acts = shown["acts"].as_array().unwrap();
    assert_eq!(fields(acts, "act"), ["rights_close", "rights_extend", "rights_identify", "rights_open"]);
    assert_eq!(text(&acts[0], "reason"), "a copy was sent");
    for (subject, said) in
        [("Your request takes longer", "there is much of it"), ("Your request is answered", "a copy was sent")]
    {
        let letter =
            until("the letter", async || server.letters().into_iter().find(|letter| letter.subject == subject)).await;
        assert!(letter.to == "ada@example.org" && letter.text.contains(said), "{}", letter.text);
    }
}

#[tokio::test]
async fn who_waits_too_long_shows_in_the_list_and_in_the_metrics() {
    let mut server = Server::start().await;
    let late = Clock::System.now().plus_ms(-31 * 86_400_000).rfc3339();
    let request = enter(&server, json!({"received_at": late})).await;
    enter(&server, json!({})).await;
    assert_eq!(request["overdue"], true);
    step(&server, &request, "extend", json!({"reason": "too late"})).await.problem(409);
    let tomorrow = Clock::System.now().plus_ms(86_400_000).rfc3339();
    let body = json!({"kind": "access", "received_at": tomorrow, "reason": "a test"});
    server.operator().post(PATH, body).await.problem(422);

    server.stop();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    server.set("AAASP_METRICS_LISTEN", &address.to_string());
    server.serve();
    let metrics = Client::new(&format!("http://{address}"), None);
    until("the count", async || {
        metrics.get("/metrics").await.text.contains("aaasp_rights_requests_overdue 1").then_some(())
    })
    .await;

    let key = std::fs::read_to_string(server.data().join("keys/operator.key")).unwrap();
    let shell = Shell::of(&server.account).with("AAASP_OPERATOR_KEY", key.trim());
    let open = shell.run(&["admin", "rights", "--state", "open"]).expect(0).out;
    assert!(open.contains("(overdue)") && open.contains("unchecked"), "{open}");
    let id = text(&request, "id");
    shell.run(&["admin", "rights", "identify", id, "--reason", "by telephone"]).expect(0);
    shell.run(&["admin", "rights", "close", id, "--refused", "--reason", "nothing is kept"]).expect(0);
    let shown = shell.run(&["admin", "rights", "show", id]).expect(0).out;
    assert!(shown.contains("refused") && shown.contains("nothing is kept"), "{shown}");
    let entered =
        shell.run(&["admin", "rights", "open", "--kind", "deletion", "--reason", "a telephone call"]).expect(0);
    assert!(entered.out.contains("to be answered by"), "{}", entered.out);
}
