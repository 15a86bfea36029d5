//! What the law asks to keep is kept while it does, whoever wants it to go.

use serde_json::{Value, json};

use super::erasure::{confirm, erased, letter};
use super::export::{download, ready, unpacked};
use crate::api::{fields, items, text};
use crate::cli::shell::Shell;
use crate::support::{Client, Server, until};

const AT_ONCE: &str = "
    [accounts]
    closing_days = 0
    [host]
    slow_client_ms = 1000
";

const REASON: &str = "an order of the court of Ipswich";

async fn id(account: &Client) -> String {
    text(&account.get("/v1/account").await.expect(200), "id").to_owned()
}

async fn hold(server: &Server, account: &Client) -> String {
    let path = format!("/v1/admin/accounts/{}/holds", id(account).await);
    let set = server.operator().post(&path, json!({"reason": REASON})).await.expect(201);
    assert_eq!((text(&set, "reason"), &set["until"], &set["ended_at"]), (REASON, &Value::Null, &Value::Null));
    text(&set, "id").to_owned()
}

async fn delete(server: &Server, account: &Client, email: &str) {
    account.delete("/v1/account").await.expect(202);
    confirm(server, letter(server, email, "Delete your account").await.link()).await;
}

/// Where the erasure of an account is, and whether a hold keeps it there.
async fn erasure(server: &Server, account: &str) -> Option<(String, bool)> {
    let list = server.operator().get("/v1/admin/erasures").await.expect(200);
    let found = items(&list).iter().find(|erasure| erasure["account"] == account)?;
    Some((text(found, "state").to_owned(), found["held"].as_bool().unwrap()))
}

#[tokio::test]
async fn an_erasure_waits_for_a_hold_and_goes_on_by_itself() {
    let server = Server::with_config(AT_ONCE).await;
    let [lifted, over, free] = ["lifted@example.org", "over@example.org", "free@example.org"];
    let (first, second) = (server.another_account(lifted, 5).await, server.another_account(over, 5).await);
    let (first_id, second_id) = (id(&first).await, id(&second).await);
    let holds = [hold(&server, &first).await, hold(&server, &second).await];
    let asked = first.delete("/v1/account").await.expect(202);
    assert!(text(&asked, "held_back").contains("Article 17(3)"), "{asked}");
    confirm(&server, letter(&server, lifted, "Delete your account").await.link()).await;
    delete(&server, &second, over).await;
    let shown = first.get("/v1/account/deletion").await.expect(200);
    assert!(shown["erased_at"].is_string() && text(&shown, "held_back").contains("Article 17(3)"), "{shown}");
    assert!(!shown.to_string().contains("Ipswich"));

    // One that is deleted later goes first.
    let third = server.another_account(free, 5).await;
    delete(&server, &third, free).await;
    erased(&server).await;
    for account in [&first_id, &second_id] {
        assert_eq!(erasure(&server, account).await, Some(("asked".to_owned(), true)));
    }
    assert_eq!(text(&first.get("/v1/account").await.expect(200), "status"), "closing");

    let because = json!({"reason": "the case is closed"});
    let path = format!("/v1/admin/holds/{}/lift", holds[0]);
    let done = server.operator().post(&path, because.clone()).await.expect(200);
    assert_eq!((text(&done, "lift_reason"), done["ended_at"].is_string()), ("the case is closed", true));
    until("the first one to go", async || erasure(&server, &first_id).await.is_none().then_some(())).await;
    assert_eq!(erasure(&server, &second_id).await, Some(("asked".to_owned(), true)));
    server.operator().post(&path, because).await.problem(404);

    server.execute("UPDATE holds SET expires_at = created_at + 1").await;
    until("the second one to go", async || erasure(&server, &second_id).await.is_none().then_some(())).await;
    assert_eq!(server.count("SELECT COUNT(*) FROM holds").await, 0);
}

#[tokio::test]
async fn whoever_thinks_again_can_while_a_hold_keeps_the_erasure_from_beginning() {
    let server = Server::with_config(AT_ONCE).await;
    let ada = server.another_account("ada@example.org", 5).await;
    hold(&server, &ada).await;
    delete(&server, &ada, "ada@example.org").await;
    ada.delete("/v1/account/deletion").await.expect(204);
    assert_eq!(text(&ada.get("/v1/account").await.expect(200), "status"), "active");
}

#[tokio::test]
async fn the_account_sees_that_there_is_a_hold_and_not_why() {
    let server = Server::start().await;
    let account = &server.account;
    assert_eq!(account.get("/v1/privacy").await.expect(200)["hold"], Value::Null);
    let shell = Shell::open().with("AAASP_URL", &server.url().unwrap());
    let operator = shell.with("AAASP_OPERATOR_KEY", server.operator().key());
    let account_id = id(account).await;
    let set = ["admin", "hold", "set", &account_id, "--until", "2999-03-01T00:00:00Z", "--reason", REASON];
    assert!(operator.run(&set).expect(0).out.contains("nothing of acc_"));
    let shown = account.get("/v1/privacy").await.expect(200);
    assert_eq!(text(&shown["hold"], "until"), "2999-03-01T00:00:00.000000Z");
    let said = Shell::of(account).run(&["account", "privacy"]).expect(0).out;
    assert!(said.contains("kept by law") && said.contains("2999") && !said.contains("Ipswich"), "{said}");

    account.post("/v1/privacy/exports", json!({})).await.expect(202);
    ready(account).await;
    let files = unpacked(&download(account).await);
    let told: String = files.values().map(|bytes| String::from_utf8_lossy(bytes)).collect();
    assert!(told.contains("set_hold") && told.contains("hld_") && !told.contains("Ipswich"));

    let listed = operator.run(&["admin", "hold"]).expect(0).out;
    assert!(listed.contains(REASON) && listed.contains(&account_id), "{listed}");
    let hold = server.operator().get("/v1/admin/holds").await.expect(200);
    let hold = text(&items(&hold)[0], "id").to_owned();
    operator.run(&["admin", "hold", "lift", &hold, "--reason", "the case is closed"]).expect(0);
    assert_eq!(account.get("/v1/privacy").await.expect(200)["hold"], Value::Null);
    server.operator().post(&format!("/v1/admin/holds/{hold}/lift"), json!({"reason": "again"})).await.problem(409);
    let acts = server.operator().get("/v1/admin/acts").await.expect(200);
    assert_eq!(fields(items(&acts), "act"), ["lift_hold", "set_hold"]);
    assert_eq!(fields(items(&acts), "subject"), [hold.as_str(), hold.as_str()]);

    let path = format!("/v1/admin/accounts/{account_id}/holds");
    let past = json!({"until": "2001-01-01T00:00:00Z", "reason": "a test"});
    server.operator().post(&path, past).await.problem(422);
    server.operator().post(&path, json!({})).await.problem(422);
}
