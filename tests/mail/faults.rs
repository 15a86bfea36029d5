//! A mail server that refuses, puts off, stops and dies: nothing is lost, and what arrives twice is known as one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::smtp::{MailServer, PASSWORD};
use crate::support::{Server, until};

/// A server that sends its mail there.
async fn sending_to(mail: &MailServer, more: &str) -> Server {
    sending(&format!("{more}\n{}", mail.config())).await
}

/// A server with an operator's file that names a mail server and a user, and with the password.
async fn sending(config: &str) -> Server {
    let mut server = Server::start().await;
    server.stop();
    std::fs::write(server.data().join("aaasp.toml"), config).unwrap();
    server.set("AAASP_SMTP_PASSWORD", PASSWORD);
    server.serve();
    server
}

async fn letters(server: &Server, state: &str) -> Vec<Value> {
    let page = server.operator().get(&format!("/v1/admin/letters?limit=200&state={state}")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_mail_server_that_is_shut_down_in_the_middle_has_each_letter_exactly_once_in_the_end() {
    const LETTERS: usize = 40;
    let mut mail = MailServer::start("starttls");
    let server = sending_to(&mail, "[limits.account]\napi_keys = 100\n").await;
    let account = server.another_account("ada@example.org", 0).await;
    for number in 0..LETTERS {
        account.post("/v1/api-keys", json!({"name": format!("key {number}")})).await.expect(201);
        if number == LETTERS / 2 {
            until("the first letters", async || (mail.letters().len() > 2).then_some(())).await;
            mail.stop();
        }
    }
    let waiting = letters(&server, "waiting").await;
    assert!(!waiting.is_empty());
    mail.serve();
    let arrived = until("every letter", async || {
        let arrived = mail.letters();
        (letters(&server, "sent").await.len() == LETTERS).then_some(arrived)
    })
    .await;
    let ids: BTreeSet<_> = arrived.iter().map(|letter| &letter.id).collect();
    assert_eq!((arrived.len(), ids.len()), (LETTERS, LETTERS));
}

#[tokio::test]
async fn a_host_that_is_killed_sends_later_what_it_had_not_sent() {
    let mut mail = MailServer::start("tls");
    let mut server = sending_to(&mail, "").await;
    let account = server.another_account("ada@example.org", 0).await;
    mail.kill();
    account.post("/v1/api-keys", json!({"name": "kept"})).await.expect(201);
    until("a try", async || letters(&server, "waiting").await[0]["error"].is_string().then_some(())).await;
    server.kill();
    mail.serve();
    server.serve();
    server.execute("UPDATE letters SET next_attempt_at = 1").await;
    until("the letter", async || (mail.letters().len() == 1).then_some(())).await;
    until("what became of it", async || (letters(&server, "sent").await.len() == 1).then_some(())).await;
}

#[tokio::test]
async fn a_letter_that_is_refused_is_given_up_and_can_be_sent_again_and_one_that_is_put_off_is_tried_again() {
    let mail = MailServer::start("starttls");
    let server = sending_to(&mail, "").await;
    let refused = server.another_account("refused@example.org", 0).await;
    let later = server.another_account("later@example.org", 0).await;
    refused.post("/v1/api-keys", json!({"name": "refused"})).await.expect(201);
    later.post("/v1/api-keys", json!({"name": "later"})).await.expect(201);
    let dead = until("the refused letter", async || letters(&server, "dead").await.pop()).await;
    assert!(dead["error"].as_str().unwrap().contains("nobody of this name"), "{dead}");
    // Neither list nor error tells whom it was to.
    assert!(!dead.to_string().contains("refused@"), "{dead}");
    let waiting = until("a try of the other", async || {
        letters(&server, "waiting").await.pop().filter(|letter| letter["error"].is_string())
    })
    .await;
    assert!(waiting["error"].as_str().unwrap().contains("try again later"), "{waiting}");
    mail.accept_later();
    until("the other letter", async || (mail.letters().len() == 1).then_some(())).await;

    let resend = format!("/v1/admin/letters/{}/resend", dead["id"].as_str().unwrap());
    server.operator().post(&resend, json!({"reason": "a test"})).await.expect(204);
    until("another refusal", async || letters(&server, "dead").await.pop()).await;
    let sent = letters(&server, "sent").await.pop().unwrap();
    let resend = format!("/v1/admin/letters/{}/resend", sent["id"].as_str().unwrap());
    server.operator().post(&resend, json!({"reason": "a test"})).await.problem(409);
}

#[tokio::test]
async fn a_mail_server_whose_certificate_nobody_vouches_for_gets_nothing() {
    let mail = MailServer::start("starttls");
    let config: String = mail
        .config()
        .lines()
        .filter(|line| !line.starts_with("ca_file"))
        .fold(String::new(), |all, line| all + line + "\n");
    let server = sending(&config).await;
    let account = server.another_account("ada@example.org", 0).await;
    account.post("/v1/api-keys", json!({"name": "kept"})).await.expect(201);
    let waiting =
        until("a try", async || letters(&server, "waiting").await.pop().filter(|letter| letter["error"].is_string()))
            .await;
    assert!(waiting["error"].as_str().unwrap().to_lowercase().contains("certificate"), "{waiting}");
    assert!(mail.letters().is_empty());
}

#[tokio::test]
async fn a_host_that_lacks_the_password_says_so_and_does_not_start() {
    let mail = MailServer::start("starttls");
    let mut server = sending_to(&mail, "").await;
    server.stop();
    server.set("AAASP_SMTP_PASSWORD", "");
    let ended = server.command().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let error = String::from_utf8_lossy(&ended.stderr);
    let said = "`mail`: `user` needs the environment variable AAASP_SMTP_PASSWORD";
    assert!(!ended.status.success() && error.contains(said), "{error}");
}

#[tokio::test]
async fn a_password_that_is_wrong_costs_no_letter() {
    let mail = MailServer::start("starttls");
    let mut server = sending_to(&mail, "").await;
    server.stop();
    server.set("AAASP_SMTP_PASSWORD", "not the password");
    server.serve();
    let account = server.another_account("ada@example.org", 0).await;
    account.post("/v1/api-keys", json!({"name": "kept"})).await.expect(201);
    let waiting =
        until("a try", async || letters(&server, "waiting").await.pop().filter(|letter| letter["error"].is_string()))
            .await;
    assert!(waiting["error"].as_str().unwrap().contains("535"), "{waiting}");
    server.stop();
    server.set("AAASP_SMTP_PASSWORD", PASSWORD);
    server.serve();
    until("the letter", async || (mail.letters().len() == 1).then_some(())).await;
}

#[tokio::test]
async fn an_account_with_many_letters_delays_neither_links_nor_those_of_others() {
    const LETTERS: usize = 30;
    let mut mail = MailServer::start("starttls");
    let mut server = sending_to(&mail, "[limits.account]\napi_keys = 100\n[accounts]\nsign_up = \"open\"\n").await;
    let many = server.another_account("many@example.org", 0).await;
    let one = server.another_account("one@example.org", 0).await;
    mail.kill();
    for number in 0..LETTERS {
        many.post("/v1/api-keys", json!({"name": format!("key {number}")})).await.expect(201);
    }
    one.post("/v1/api-keys", json!({"name": "only"})).await.expect(201);
    one.with_key(None).post("/v1/accounts", json!({"email": "link@example.org"})).await.expect(202);
    until("all to wait", async || (letters(&server, "waiting").await.len() == LETTERS + 2).then_some(())).await;
    server.stop();
    server.execute("UPDATE letters SET next_attempt_at = 1").await;
    mail.serve();
    server.serve();
    let arrived = until("every letter", async || {
        let arrived = mail.letters();
        (arrived.len() == LETTERS + 2).then_some(arrived)
    })
    .await;
    // Four are handed over at the same time, so that the order of neighbours is anybody's.
    let place = |to: &str| arrived.iter().position(|letter| letter.to == to).unwrap();
    assert!(place("link@example.org") < 8 && place("one@example.org") < 10, "{arrived:?}");
}
