//! Whoever asks the operator something is answered, by a letter too, and nobody else reads it.

use serde_json::{Value, json};

use crate::api::{fields, items, text};
use crate::cli::shell::Shell;
use crate::support::outbox::Letter;
use crate::support::{Client, Server, until};

const CONTACT: &str = "[operator]\ncontact = \"help@example.org\"\n";
const SECRET: &str = "my run is stuck at the bakery";

async fn letter(server: &Server, subject: &str) -> Letter {
    until("the letter", async || server.letters().into_iter().find(|letter| letter.subject == subject)).await
}

async fn ask(account: &Client) -> String {
    let question = json!({"subject": "a run is stuck", "text": SECRET});
    text(&account.post("/v1/support", question).await.expect(201), "id").to_owned()
}

fn said(thread: &Value) -> Vec<String> {
    fields(thread["messages"].as_array().unwrap(), "text")
}

#[tokio::test]
async fn a_question_and_its_answer_go_both_ways() {
    let server = Server::with_config(CONTACT).await;
    let ada = server.another_account("ada@example.org", 0).await;
    let id = ask(&ada).await;
    let asked = letter(&server, "Asked: a run is stuck").await;
    assert!(asked.to == "help@example.org" && asked.text.contains(SECRET), "{}", asked.text);
    let operator = server.operator();
    let open = operator.get("/v1/admin/support?state=open").await.expect(200);
    assert_eq!((text(&items(&open)[0], "id"), text(&items(&open)[0], "subject")), (id.as_str(), "a run is stuck"));
    let path = format!("/v1/admin/support/{id}");
    let answered = operator.post(&path, json!({"text": "It goes on."})).await.expect(200);
    assert_eq!((text(&answered, "state"), said(&answered)), ("answered", vec![SECRET.into(), "It goes on.".into()]));
    let answer = letter(&server, "Re: a run is stuck").await;
    assert!(answer.to == "ada@example.org" && answer.text.contains("It goes on."), "{}", answer.text);
    let more = ada.post(&format!("/v1/support/{id}"), json!({"text": "Thank you."})).await.expect(200);
    assert_eq!(text(&more, "state"), "open");
    let close = json!({"reason": "it goes on"});
    assert_eq!(text(&operator.post(&format!("{path}/close"), close.clone()).await.expect(200), "state"), "closed");
    operator.post(&format!("{path}/close"), close).await.problem(409);
    // Each time that an operator read it is in the audit, and its owner sees that.
    operator.get(&path).await.expect(200);
    let looks = ada.get("/v1/account/accesses").await.expect(200);
    assert_eq!(fields(looks["items"].as_array().unwrap(), "subject"), [id.as_str(), id.as_str()], "{looks}");
    // Whoever says more opens it again.
    let more = ada.post(&format!("/v1/support/{id}"), json!({"text": "It does not."})).await.expect(200);
    assert_eq!((text(&more, "state"), said(&more).len()), ("open", 4));
    assert_eq!(ada.get(&format!("/v1/support/{id}")).await.expect(200), more);
}

#[tokio::test]
async fn what_is_asked_is_sealed_and_nobody_elses() {
    let server = Server::start().await;
    let ada = server.another_account("ada@example.org", 0).await;
    let id = ask(&ada).await;
    let other = &server.account;
    other.get(&format!("/v1/support/{id}")).await.problem(404);
    other.post(&format!("/v1/support/{id}"), json!({"text": "x"})).await.problem(404);
    assert!(items(&other.get("/v1/support").await.expect(200)).is_empty());
    let question = "SELECT sealed_text FROM support_messages";
    let sealed: Vec<u8> = sqlx::query_scalar(question).fetch_one(&mut server.connect().await).await.unwrap();
    assert!(!sealed.windows(6).any(|part| part == b"bakery"));
    for (subject, said) in [("", "x"), ("a\nb", "x"), ("x", ""), ("x", &*"x".repeat(20_001))] {
        ada.post("/v1/support", json!({"subject": subject, "text": said})).await.problem(422);
    }
    for _ in 0..19 {
        ask(&ada).await;
    }
    let full = ada.post("/v1/support", json!({"subject": "x", "text": "x"})).await.problem(409);
    assert_eq!((text(&full, "limit"), &full["value"]), ("support_threads", &json!(20)));
}

#[tokio::test]
async fn asking_and_answering_are_one_command_each() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let id = shell.run(&["support", "new", "a run is stuck", "--text", SECRET]).expect(0).out.trim().to_owned();
    let key = std::fs::read_to_string(server.data().join("keys/operator.key")).unwrap();
    let operator = Shell::of(&server.account).with("AAASP_OPERATOR_KEY", key.trim());
    assert!(operator.run(&["admin", "support", "--state", "open"]).expect(0).out.contains("a run is stuck"));
    let answered = operator.run_with_input(&["admin", "support", "answer", &id], "It goes on.\n").expect(0).out;
    assert!(answered.contains(SECRET) && answered.contains("It goes on."), "{answered}");
    assert!(shell.run(&["support"]).expect(0).out.contains("answered"));
    assert!(shell.run(&["support", "show", &id]).expect(0).out.contains("operator, "));
    shell.run(&["support", "say", &id, "--text", "Thank you."]).expect(0);
    let closed = operator.run(&["admin", "support", "close", &id, "--reason", "done"]).expect(0).out;
    assert!(closed.contains("closed"), "{closed}");
}
