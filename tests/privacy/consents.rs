//! Letters that nobody has to get come only to those who want them, and one click ends them.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::api::{fields, items, text};
use crate::cli::shell::Shell;
use crate::support::outbox::Letter;
use crate::support::smtp::{MailServer, PASSWORD};
use crate::support::{Client, Reply, Server, until};

const PATH: &str = "/v1/privacy/consents";

async fn say(account: &Client, given: bool) -> Value {
    account.put(PATH, json!({"purpose": "news", "given": given})).await.expect(200)
}

async fn announce(server: &Server, subject: &str) {
    let news = json!({"subject": subject, "text": ["There is one more."], "reason": "a test"});
    server.operator().post("/v1/admin/announcements", news).await.expect(202);
}

/// What a mail program sends for its user (RFC 8058).
async fn one_click(server: &Server, path: &str) -> Reply {
    let nobody = server.account.with_key(None);
    let request = nobody.request(Method::POST, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    Client::send(request.body("List-Unsubscribe=One-Click")).await
}

/// All letters on a subject, once the last mailing is over: who gets it comes behind whoever does not.
async fn arrived(server: &Server, subject: &str, last: &str) -> Vec<Letter> {
    until("the letter", async || {
        let letters: Vec<_> = server.letters().into_iter().filter(|letter| letter.subject == subject).collect();
        letters.iter().any(|letter| letter.to == last).then_some(letters)
    })
    .await
}

#[tokio::test]
async fn news_come_only_to_whoever_wants_them_and_once() {
    let mut server = Server::start().await;
    let silent = server.another_account("silent@example.org", 0).await;
    let refuser = server.another_account("refuser@example.org", 0).await;
    let reader = server.another_account("reader@example.org", 0).await;
    assert_eq!(silent.get("/v1/privacy").await.expect(200)["consents"], json!([]));
    assert_eq!(say(&refuser, true).await["consents"], json!(["news"]));
    assert_eq!(say(&refuser, false).await["consents"], json!([]));
    say(&reader, true).await;
    announce(&server, "A new region").await;
    arrived(&server, "A new region", "reader@example.org").await;
    // Nobody gets it twice, whichever host looks again.
    server.stop();
    server.serve();
    announce(&server, "Another one").await;
    arrived(&server, "Another one", "reader@example.org").await;
    let to: Vec<_> = server.letters().into_iter().filter(|letter| letter.subject == "A new region").collect();
    assert_eq!(to.iter().map(|letter| letter.to.as_str()).collect::<Vec<_>>(), ["reader@example.org"]);
    assert_eq!(server.count("SELECT COUNT(*) FROM letters WHERE kind = 'announcement'").await, 2);

    let acts = server.operator().get("/v1/admin/acts").await.expect(200);
    assert_eq!(fields(&items(&acts)[..2], "act"), ["announce", "announce"]);
}

#[tokio::test]
async fn a_no_takes_back_what_waits_to_be_sent() {
    let server = Server::start().await;
    let reader = server.another_account("reader@example.org", 0).await;
    say(&reader, true).await;
    announce(&server, "Late").await;
    arrived(&server, "Late", "reader@example.org").await;
    server.execute("UPDATE letters SET state = 'waiting', turn = 1, next_attempt_at = 9000000000000000").await;
    say(&reader, false).await;
    assert_eq!(server.count("SELECT COUNT(*) FROM letters WHERE kind = 'announcement'").await, 0);
}

#[tokio::test]
async fn every_word_is_kept_with_its_time_its_source_and_the_policy_that_was_in_force() {
    let server = Server::start().await;
    let account = &server.account;
    let policy = account.get("/v1/account").await.expect(200)["policy"]["version"].clone();
    // What holds already is not said anew.
    for given in [false, true, true, false, false, true] {
        say(account, given).await;
    }
    let said = account.get(PATH).await.expect(200);
    assert_eq!(fields(items(&said), "given"), ["true", "false", "true"]);
    for one in items(&said) {
        assert_eq!((text(one, "purpose"), text(one, "source"), &one["policy"]), ("news", "api", &policy));
        assert!(one["at"].is_string());
    }
    let page = account.get(&format!("{PATH}?limit=2")).await.expect(200);
    assert_eq!((items(&page).len(), page["next"].is_string()), (2, true));
    account.put(PATH, json!({"purpose": "spam", "given": true})).await.problem(422);
}

#[tokio::test]
async fn one_click_in_a_mail_program_ends_news_for_good() {
    let mail = MailServer::start("starttls");
    let mut server = Server::start().await;
    let reader = server.another_account("reader@example.org", 0).await;
    let other = server.another_account("other@example.org", 0).await;
    server.stop();
    std::fs::write(server.data().join("aaasp.toml"), mail.config()).unwrap();
    server.set("AAASP_SMTP_PASSWORD", PASSWORD);
    server.serve();
    let (reader, other) = [reader, other].map(|client| server.account.with_key(Some(client.key()))).into();
    for account in [&reader, &other] {
        say(account, true).await;
        account.post("/v1/api-keys", json!({"name": "laptop"})).await.expect(201);
    }
    announce(&server, "A new region").await;
    let letters = until("all four letters", async || {
        let letters = mail.letters();
        (letters.len() == 4).then_some(letters)
    })
    .await;
    let (news, about): (Vec<_>, Vec<_>) = letters.iter().partition(|letter| letter.subject == "A new region");
    assert!(about.iter().all(|letter| !letter.headers.contains("List-Unsubscribe")), "{about:?}");
    let news = news.iter().find(|letter| letter.to == "reader@example.org").unwrap();
    assert!(news.headers.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{}", news.headers);
    let path = news.path();
    assert!(news.headers.replace("\r\n ", "").contains(path), "{}", news.headers);

    // Programs that look at mail open links; only a POST does something, and another address takes nothing from it.
    let page = server.account.with_key(None).get(path).await;
    assert!(page.status == 200 && page.text.contains("<button>No more news"), "{}", page.text);
    assert_eq!(reader.get("/v1/privacy").await.expect(200)["consents"], json!(["news"]));
    let done = one_click(&server, path).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(reader.get("/v1/privacy").await.expect(200)["consents"], json!([]));
    assert_eq!(text(&items(&reader.get(PATH).await.expect(200))[0], "source"), "link");
    assert_eq!(one_click(&server, path).await.status, 410);
    assert_eq!(other.get("/v1/privacy").await.expect(200)["consents"], json!(["news"]));

    announce(&server, "One more").await;
    until("the other's letter", async || {
        mail.letters().iter().any(|letter| letter.subject == "One more").then_some(())
    })
    .await;
    assert!(mail.letters().iter().all(|letter| letter.subject != "One more" || letter.to == "other@example.org"));
}

#[tokio::test]
async fn consents_and_news_are_one_command_each() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    assert!(shell.run(&["account", "consents"]).expect(0).err.contains("no news come"));
    let said = shell.run(&["account", "consents", "--news", "yes"]).expect(0).out;
    assert!(said.contains("news") && said.contains("yes") && said.contains("api"), "{said}");
    let email = text(&server.account.get("/v1/account").await.expect(200), "email").to_owned();
    let file = shell.file("news.txt", b"A new region\n\nThere is one more.\nIt is far away.\n\nBye.\n");
    let key = std::fs::read_to_string(server.data().join("keys/operator.key")).unwrap();
    let operator = Shell::of(&server.account).with("AAASP_OPERATOR_KEY", key.trim());
    let path = shell.path(&file);
    operator.run(&["admin", "announce", path.to_str().unwrap(), "--reason", "a test"]).expect(0);
    let letters = arrived(&server, "A new region", &email).await;
    assert!(letters[0].text.contains("It is far away.") && letters[0].text.contains("Bye."), "{}", letters[0].text);
}
