//! Sign-up, the links of letters, and changes of the address.

use reqwest::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, SET_COOKIE};
use serde_json::{Value, json};

use super::{items, text};
use crate::support::outbox::Letter;
use crate::support::{Client, Server, guests, until};

const OPEN: &str = "
    [accounts]
    sign_up = \"open\"
    [plans.default]
    starting_grant_microcredits = 2_000_000
";

/// The latest letter to an address, once there are so many to it.
async fn letter(server: &Server, to: &str, number: usize) -> Letter {
    until("a letter to arrive", async || {
        let mut letters = server.letters();
        letters.retain(|letter| letter.to == to);
        (letters.len() >= number).then(|| letters[number - 1].clone())
    })
    .await
}

async fn confirm(server: &Server, link: &str) -> Value {
    nobody(server).post("/v1/accounts/confirm", json!({"link": link})).await.expect(200)
}

fn nobody(server: &Server) -> Client {
    server.account.with_key(None)
}

#[tokio::test]
async fn whoever_confirms_an_address_has_an_account_a_grant_and_a_key_that_works() {
    let server = Server::with_config(OPEN).await;
    let asked = nobody(&server).post("/v1/accounts", json!({"email": "Ada@Example.org"})).await.expect(202);
    assert!(text(&asked, "detail").contains("15 minutes"), "{asked}");
    let letter = letter(&server, "Ada@Example.org", 1).await;
    assert_eq!(letter.subject, "Confirm your email address");
    assert!(letter.html.contains(letter.link()), "{}", letter.html);

    let confirmed = confirm(&server, letter.link()).await;
    assert_eq!(text(&confirmed, "did"), "opened_account");
    let ada = server.account.with_key(confirmed["api_key"].as_str());
    let account = ada.get("/v1/account").await.expect(200);
    assert_eq!((text(&account, "status"), text(&account, "email")), ("active", "Ada@Example.org"));
    assert_eq!(ada.balance().await, (2_000_000, 0));
    ada.deploy("echo", guests::echo(), json!({})).await;
    assert_eq!(ada.run("echo", json!(1)).await["outcome"], "succeeded");

    let again = nobody(&server).post("/v1/accounts/confirm", json!({"link": letter.link()})).await.problem(410);
    assert!(text(&again, "detail").contains("was used"), "{again}");
}

#[tokio::test]
async fn whoever_has_no_mail_program_finds_the_whole_link_in_the_file() {
    let host = "https://agents.of-a-company-that-has-a-very-long-name.example.com";
    let server = Server::with_config(&format!("public_url = \"{host}\"\n{OPEN}")).await;
    nobody(&server).post("/v1/accounts", json!({"email": "ada@example.org"})).await.expect(202);
    let letter = letter(&server, "ada@example.org", 1).await;
    let file = std::fs::read_dir(server.data().join("outbox")).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.lines().any(|line| line.trim() == letter.link() && line.contains(host)), "{text}");
}

#[tokio::test]
async fn a_known_address_is_answered_alike_and_gets_a_link_to_a_new_key() {
    let server = Server::with_config(OPEN).await;
    let email = "known@example.org";
    server.another_account(email, 7).await;
    let known = nobody(&server).post("/v1/accounts", json!({"email": email})).await;
    let unknown = nobody(&server).post("/v1/accounts", json!({"email": "unknown@example.org"})).await;
    assert_eq!((known.status, &known.text), (202, &unknown.text));

    let first = letter(&server, email, 1).await;
    assert_eq!(first.subject, "Your link to a new API key");
    let confirmed = confirm(&server, first.link()).await;
    assert_eq!(text(&confirmed, "did"), "made_key");
    let known = server.account.with_key(confirmed["api_key"].as_str());
    assert_eq!(known.balance().await, (7, 0), "the account is the same one");
    assert_eq!(items(&known.get("/v1/api-keys").await.expect(200)).len(), 2);
    let told = letter(&server, email, 2).await;
    assert!(told.subject.contains("A new API key was made"), "{}", told.subject);
}

#[tokio::test]
async fn an_address_gets_one_link_in_a_minute_and_none_when_it_is_over() {
    let server = Server::with_config(OPEN).await;
    let email = "eager@example.org";
    for _ in 0..3 {
        nobody(&server).post("/v1/accounts", json!({"email": email})).await.expect(202);
    }
    let first = letter(&server, email, 1).await;
    // What was taken before it is done before this one.
    nobody(&server).post("/v1/accounts", json!({"email": "later@example.org"})).await.expect(202);
    letter(&server, "later@example.org", 1).await;
    assert_eq!(server.letters().iter().filter(|letter| letter.to == email).count(), 1);

    server.execute("UPDATE links SET expires_at = 1").await;
    nobody(&server).post("/v1/accounts/confirm", json!({"link": first.link()})).await.problem(410);
}

#[tokio::test]
async fn an_account_that_is_not_confirmed_in_time_is_forgotten_and_can_sign_up_again() {
    let mut server = Server::with_config(OPEN).await;
    let email = "late@example.org";
    nobody(&server).post("/v1/accounts", json!({"email": email})).await.expect(202);
    let first = letter(&server, email, 1).await;
    let accounts = async |server: &Server| items(&server.operator().get("/v1/admin/accounts").await.expect(200)).len();
    assert_eq!(accounts(&server).await, 2);
    server.execute("UPDATE accounts SET pending_until = 1 WHERE pending_until IS NOT NULL").await;
    server.stop();
    server.serve();
    until("the account to be forgotten", async || (accounts(&server).await == 1).then_some(())).await;
    nobody(&server).post("/v1/accounts", json!({"email": email})).await.expect(202);
    // The first letter is forgotten too, as soon as the host looks at its files.
    let fresh = until("another letter to arrive", async || {
        server.letters().into_iter().find(|letter| letter.to == email && letter.link() != first.link())
    });
    confirm(&server, fresh.await.link()).await;
}

#[tokio::test]
async fn who_signs_up_with_a_strangers_address_keeps_it_from_nobody() {
    let server = Server::with_config(OPEN).await;
    for email in ["a@example.org", "b@example.org", "c@example.org"] {
        nobody(&server).post("/v1/accounts", json!({"email": email})).await.expect(202);
        letter(&server, email, 1).await;
    }
    // Its owner signs up a minute later.
    server.execute("UPDATE links SET created_at = created_at - 61000000").await;
    nobody(&server).post("/v1/accounts", json!({"email": "a@example.org"})).await.expect(202);
    let [first, fresh] = [letter(&server, "a@example.org", 1).await, letter(&server, "a@example.org", 2).await];
    assert_eq!(text(&confirm(&server, fresh.link()).await, "did"), "opened_account");
    nobody(&server).post("/v1/accounts/confirm", json!({"link": first.link()})).await.problem(410);
    // Or has an account already, and shows that the address is theirs.
    let account = server.another_account("old@example.org", 0).await;
    account.patch("/v1/account", json!({"email": "b@example.org"})).await.expect(200);
    for to in ["old@example.org", "b@example.org"] {
        let number = if to == "b@example.org" { 2 } else { 1 };
        confirm(&server, letter(&server, to, number).await.link()).await;
    }
    assert_eq!(text(&account.get("/v1/account").await.expect(200), "email"), "b@example.org");
    // Or is given one by the operator.
    server.another_account("c@example.org", 0).await;
    for email in ["b@example.org", "c@example.org"] {
        let link = letter(&server, email, 1).await.link().to_owned();
        nobody(&server).post("/v1/accounts/confirm", json!({"link": link})).await.problem(410);
    }
}

#[tokio::test]
async fn a_server_that_is_closed_says_so_and_one_for_the_invited_knows_only_them() {
    let server = Server::start().await;
    let email = json!({"email": "ada@example.org"});
    let refused = nobody(&server).post("/v1/accounts", email.clone()).await.problem(403);
    assert!(text(&refused, "detail").contains("operator"), "{refused}");

    let server = Server::with_config("[accounts]\nsign_up = \"invited\"\n").await;
    nobody(&server).post("/v1/accounts", email).await.expect(202);
    server
        .operator()
        .post("/v1/admin/invitations", json!({"email": "grace@example.org", "reason": "a test"}))
        .await
        .expect(201);
    server
        .operator()
        .post("/v1/admin/invitations", json!({"email": "grace@example.org", "reason": "a test"}))
        .await
        .problem(409);
    // What is not open yet is given nothing, and opened by the link alone.
    let accounts = server.operator().get("/v1/admin/accounts").await.expect(200);
    let pending = format!("/v1/admin/accounts/{}", text(&items(&accounts)[0], "id"));
    server
        .operator()
        .post(&format!("{pending}/grants"), json!({"amount_microcredits": 1, "reason": "a test"}))
        .await
        .problem(409);
    server.operator().patch(&pending, json!({"status": "active", "reason": "a test"})).await.problem(409);
    let invitation = letter(&server, "grace@example.org", 1).await;
    assert_eq!(text(&confirm(&server, invitation.link()).await, "did"), "opened_account");
    assert!(server.letters().iter().all(|letter| letter.to != "ada@example.org"));
}

#[tokio::test]
async fn sign_ups_from_an_address_are_counted() {
    let server = Server::with_config(&format!("{OPEN}\n[rates]\naddress_sign_ups_per_hour = 2\n")).await;
    for number in 0..2 {
        nobody(&server).post("/v1/accounts", json!({"email": format!("a{number}@example.org")})).await.expect(202);
    }
    let refused = nobody(&server).post("/v1/accounts", json!({"email": "a3@example.org"})).await.problem(429);
    assert_eq!((text(&refused, "limit"), &refused["value"]), ("address_sign_ups_per_hour", &json!(2)));
    server.account.patch("/v1/account", json!({"email": "new@example.org"})).await.problem(429);
    nobody(&server).post("/v1/accounts", json!({"email": "not an address"})).await.problem(422);
}

#[tokio::test]
async fn an_address_changes_once_both_addresses_have_confirmed_it() {
    let server = Server::with_config(OPEN).await;
    let account = server.another_account("old@example.org", 0).await;
    let changed = account.patch("/v1/account", json!({"email": "new@example.org"})).await.expect(200);
    assert_eq!(
        (text(&changed, "email"), text(&changed["email_change"], "email")),
        ("old@example.org", "new@example.org")
    );
    let (old, new) = (letter(&server, "old@example.org", 1).await, letter(&server, "new@example.org", 1).await);
    assert_eq!(text(&confirm(&server, new.link()).await, "did"), "confirmed_one_address");
    let half = account.get("/v1/account").await.expect(200);
    assert_eq!(text(&half, "email"), "old@example.org");
    assert_eq!(
        (&half["email_change"]["old_confirmed"], &half["email_change"]["new_confirmed"]),
        (&json!(false), &json!(true))
    );
    // A link to a new key that whoever reads the old address has asked for before.
    nobody(&server).post("/v1/accounts", json!({"email": "old@example.org"})).await.expect(202);
    let sign_in = letter(&server, "old@example.org", 2).await;
    assert_eq!(text(&confirm(&server, old.link()).await, "did"), "changed_email");
    nobody(&server).post("/v1/accounts/confirm", json!({"link": sign_in.link()})).await.problem(410);
    let whole = account.get("/v1/account").await.expect(200);
    assert_eq!((text(&whole, "email"), &whole["email_change"]), ("new@example.org", &Value::Null));
    let told = letter(&server, "old@example.org", 3).await;
    assert_eq!(told.subject, "Your email address has changed");

    // From now on it is found under the new address, and the old one is anybody's.
    nobody(&server).post("/v1/accounts", json!({"email": "new@example.org"})).await.expect(202);
    assert_eq!(letter(&server, "new@example.org", 2).await.subject, "Your link to a new API key");
    nobody(&server).post("/v1/accounts", json!({"email": "old@example.org"})).await.expect(202);
    assert_eq!(letter(&server, "old@example.org", 4).await.subject, "Confirm your email address");
}

#[tokio::test]
async fn an_address_that_another_account_has_is_not_taken_from_it() {
    let server = Server::with_config(OPEN).await;
    let account = server.another_account("mine@example.org", 0).await;
    server.another_account("theirs@example.org", 0).await;
    account.patch("/v1/account", json!({"email": "theirs@example.org"})).await.expect(200);
    confirm(&server, letter(&server, "mine@example.org", 1).await.link()).await;
    let link = letter(&server, "theirs@example.org", 1).await.link().to_owned();
    nobody(&server).post("/v1/accounts/confirm", json!({"link": link})).await.problem(409);
    assert_eq!(text(&account.get("/v1/account").await.expect(200), "email"), "mine@example.org");
}

#[tokio::test]
async fn a_later_change_of_the_address_is_not_confirmed_by_the_links_of_an_earlier_one() {
    let server = Server::with_config(OPEN).await;
    let account = server.another_account("old@example.org", 0).await;
    account.patch("/v1/account", json!({"email": "first@example.org"})).await.expect(200);
    let earlier = letter(&server, "old@example.org", 1).await;
    account.patch("/v1/account", json!({"email": "second@example.org"})).await.expect(200);
    nobody(&server).post("/v1/accounts/confirm", json!({"link": earlier.link()})).await.problem(410);
    confirm(&server, letter(&server, "old@example.org", 2).await.link()).await;
    let first = letter(&server, "first@example.org", 1).await;
    nobody(&server).post("/v1/accounts/confirm", json!({"link": first.link()})).await.problem(410);
    confirm(&server, letter(&server, "second@example.org", 1).await.link()).await;
    assert_eq!(text(&account.get("/v1/account").await.expect(200), "email"), "second@example.org");
}

#[tokio::test]
async fn a_stranger_gets_three_letters_in_an_hour_whoever_asks_and_the_answer_tells_nothing() {
    let server = Server::with_config(&format!("{OPEN}[rates]\naddress_sign_ups_per_hour = 100\n")).await;
    let stranger = "stranger@example.org";
    let mut answers = Vec::new();
    for number in 0..2 {
        let account = server.another_account(&format!("a{number}@example.org"), 0).await;
        for _ in 0..2 {
            let changed = account.patch("/v1/account", json!({"email": stranger})).await.expect(200);
            answers.push(changed["email_change"]["email"].clone());
        }
        // No more is written to its own address than to the other.
        account.patch("/v1/account", json!({"email": format!("b{number}@example.org")})).await.expect(200);
        letter(&server, &format!("b{number}@example.org"), 1).await;
        letter(&server, &format!("a{number}@example.org"), 3 - number).await;
    }
    assert_eq!(answers, [stranger; 4]);
    let written = |to: &str| server.letters().iter().filter(|letter| letter.to == to).count();
    assert_eq!((written(stranger), written("a0@example.org"), written("a1@example.org")), (3, 3, 2));

    // What was sent works on, for whoever asks again for the same address.
    let account = server.another_account("a2@example.org", 0).await;
    for number in 0..6 {
        account.patch("/v1/account", json!({"email": format!("c{}@example.org", number.min(4))})).await.expect(200);
    }
    confirm(&server, letter(&server, "c4@example.org", 1).await.link()).await;
    confirm(&server, letter(&server, "a2@example.org", 5).await.link()).await;
    assert_eq!(text(&account.get("/v1/account").await.expect(200), "email"), "c4@example.org");
    account.patch("/v1/account", json!({"email": "c5@example.org"})).await.expect(200);
    server.another_account("later@example.org", 0).await.post("/v1/api-keys", json!({"name": "a"})).await.expect(201);
    letter(&server, "later@example.org", 1).await;
    assert_eq!(written("c5@example.org"), 0);
}

#[tokio::test]
async fn the_page_of_a_link_does_nothing_until_its_button_is_pressed_and_loads_nothing() {
    let server = Server::with_config(OPEN).await;
    nobody(&server).post("/v1/accounts", json!({"email": "ada@example.org"})).await.expect(202);
    let letter = letter(&server, "ada@example.org", 1).await;
    for _ in 0..2 {
        let page = nobody(&server).get(letter.path()).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("<button>") && !page.text.contains("aaasp_"), "{}", page.text);
        assert!(!page.text.contains("<script") && !page.text.contains("src="), "{}", page.text);
        assert!(page.headers[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("default-src 'none'"));
        assert_eq!(
            (&page.headers[CACHE_CONTROL], &page.headers[REFERRER_POLICY]),
            (&HeaderValue::from_static("no-store"), &HeaderValue::from_static("no-referrer"))
        );
        assert!(!page.headers.contains_key(SET_COOKIE));
    }
    let done = nobody(&server).post(letter.path(), json!({})).await;
    assert_eq!(done.status, 200);
    let key = done.text.split(['<', '>']).find(|part| part.starts_with("aaasp_")).unwrap();
    server.account.with_key(Some(key)).get("/v1/account").await.expect(200);
    for dead in [letter.path(), "/confirm/nonsense"] {
        let page = nobody(&server).get(dead).await;
        assert_eq!(page.status, 410);
        assert!(page.text.contains("works no longer"), "{}", page.text);
    }
}

#[tokio::test]
async fn who_makes_and_revokes_keys_is_told_by_letter() {
    let server = Server::start().await;
    let account = server.another_account("keys@example.org", 0).await;
    let made = account.post("/v1/api-keys", json!({"name": "laptop", "scopes": ["runs:read"]})).await.expect(201);
    let told = letter(&server, "keys@example.org", 1).await;
    assert_eq!(told.subject, "An API key was made");
    assert!(told.text.contains("laptop") && told.text.contains("runs:read"), "{}", told.text);
    assert!(!told.text.contains(text(&made, "api_key")));
    account.delete(&format!("/v1/api-keys/{}", text(&made, "id"))).await.expect(204);
    assert_eq!(letter(&server, "keys@example.org", 2).await.subject, "An API key was revoked");
}
