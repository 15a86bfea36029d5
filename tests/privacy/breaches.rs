//! A breach is told in time, to those whom it concerns and to nobody else.

use std::net::TcpListener;

use aaasp::clock::Clock;
use serde_json::{Value, json};

use crate::api::{fields, text};
use crate::cli::shell::Shell;
use crate::support::outbox::Letter;
use crate::support::{Client, Reply, Server, guests, until};

const PATH: &str = "/v1/admin/breaches";
const SUBJECT: &str = "Your data: something happened";

async fn open(server: &Server, more: Value) -> Value {
    let facts = "A backup was left in the open.";
    let mut body = json!({"facts": facts, "advice": "Rotate your keys.", "reason": "found by Ada"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    server.operator().post(PATH, body).await.expect(201)
}

async fn step(server: &Server, breach: &Value, step: &str, mut body: Value) -> Reply {
    body["reason"] = "a test".into();
    server.operator().post(&format!("{PATH}/{}/{step}", text(breach, "id")), body).await
}

fn told(server: &Server) -> Vec<Letter> {
    let mut letters = server.letters();
    letters.retain(|letter| letter.subject == SUBJECT);
    letters
}

async fn id_of(account: &Client) -> String {
    text(&account.get("/v1/account").await.expect(200), "id").to_owned()
}

#[tokio::test]
async fn those_whom_it_concerns_are_told_once_and_nobody_else() {
    let server = Server::with_config("[operator]\ncontact = \"privacy@example.org\"\n").await;
    let runner = server.another_account("runner@example.org", 10_000_000).await;
    let named = server.another_account("named@example.org", 0).await;
    server.another_account("nobody@example.org", 0).await;
    runner.deploy("echo", guests::echo(), json!({})).await;
    runner.run("echo", json!(1)).await;
    let breach = open(&server, json!({})).await;
    step(&server, &breach, "notify", json!({})).await.problem(409);

    let scoped = step(&server, &breach, "scope", json!({"tables": ["agents"]})).await.expect(200);
    assert_eq!((&scoped["concerned"], &scoped["tables"]), (&json!(1), &json!(["agents"])));
    let draft = server.operator().get(&format!("{PATH}/{}", text(&breach, "id"))).await.expect(200);
    for said in
        ["Article 33", "A backup was left in the open.", "about 1 holders", "what you bring", "Rotate your keys."]
    {
        assert!(text(&draft, "authority").contains(said), "{said}: {draft}");
    }
    assert!(told(&server).is_empty(), "nothing is sent until it is said so");
    step(&server, &breach, "notify", json!({})).await.expect(200);
    let letters = until("the letter", async || Some(told(&server)).filter(|letters| !letters.is_empty())).await;
    assert!(letters[0].to == "runner@example.org" && letters[0].text.contains("Rotate your keys."), "{letters:?}");
    assert!(letters[0].text.contains("privacy@example.org"));

    // It turns out to concern one more, who alone is written to then.
    let more = json!({"accounts": [id_of(&named).await, id_of(&runner).await]});
    assert_eq!(step(&server, &breach, "scope", more).await.expect(200)["concerned"], 2);
    step(&server, &breach, "notify", json!({})).await.expect(200);
    let letters = until("the other letter", async || Some(told(&server)).filter(|letters| letters.len() > 1)).await;
    assert_eq!(
        letters.iter().map(|letter| letter.to.as_str()).collect::<Vec<_>>(),
        ["runner@example.org", "named@example.org"]
    );
    let now = server.operator().get(PATH).await.expect(200)["items"][0].clone();
    assert_eq!((&now["concerned"], &now["told"]), (&json!(2), &json!(2)));

    step(&server, &breach, "authority", json!({})).await.expect(200);
    step(&server, &breach, "authority", json!({})).await.problem(409);
    let closed = step(&server, &breach, "close", json!({})).await.expect(200);
    assert!(closed["ended_at"].is_string() && closed["overdue"] == false, "{closed}");
    for (name, body) in [("close", json!({})), ("notify", json!({})), ("scope", json!({"everybody": true}))] {
        step(&server, &breach, name, body).await.problem(409);
    }
    let acts = server.operator().get("/v1/admin/acts").await.expect(200);
    assert_eq!(fields(&acts["items"].as_array().unwrap()[..2], "act"), ["breach_close", "breach_authority"]);
}

#[tokio::test]
async fn whom_it_concerns_follows_from_tables_and_times() {
    let server = Server::start().await;
    let early = server.another_account("early@example.org", 0).await;
    early.post("/v1/api-keys", json!({"name": "laptop"})).await.expect(201);
    server.execute("UPDATE api_keys SET created_at = 1000000").await;
    let late = server.another_account("late@example.org", 0).await;
    late.post("/v1/api-keys", json!({"name": "laptop"})).await.expect(201);
    let breach = open(&server, json!({})).await;
    let scope = async |body: Value| step(&server, &breach, "scope", body).await;
    // One account's keys were made since; the others' before.
    let since = json!({"tables": ["api_keys"], "from": "2020-01-01T00:00:00Z"});
    assert_eq!(scope(since).await.expect(200)["concerned"], 1);
    let before = json!({"tables": ["api_keys"], "until": "2020-01-01T00:00:00Z"});
    assert_eq!(scope(before).await.expect(200)["concerned"], 3);
    for wrong in [json!({"tables": ["nothing"]}), json!({"tables": ["terms"]}), json!({"tables": ["accounts; DROP"]})] {
        scope(wrong).await.problem(422);
    }
    let timeless = json!({"tables": ["mailed"], "from": "2020-01-01T00:00:00Z"});
    let refused = scope(timeless).await.problem(422);
    assert!(text(&refused, "detail").contains("does not know when"), "{refused}");

    let other = open(&server, json!({})).await;
    let everybody = step(&server, &other, "scope", json!({"everybody": true})).await.expect(200);
    assert_eq!(everybody["concerned"], 3);
}

#[tokio::test]
async fn the_clock_shows_wherever_an_operator_looks() {
    let mut server = Server::with_config("[operator]\nbreach_hours = 48\n").await;
    let aware = Clock::System.now().plus_ms(-47 * 3_600_000).rfc3339();
    let breach = open(&server, json!({"aware_at": aware})).await;
    assert_eq!(breach["overdue"], false);
    let late = open(&server, json!({"aware_at": Clock::System.now().plus_ms(-49 * 3_600_000).rfc3339()})).await;
    assert_eq!(late["overdue"], true);
    let page = server.account.with_key(None).get("/privacy").await.text;
    assert!(page.contains("within 48 hours"), "{page}");

    server.stop();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    server.set("AAASP_METRICS_LISTEN", &address.to_string());
    server.serve();
    let metrics = Client::new(&format!("http://{address}"), None);
    until("the clock in the metrics", async || {
        let text = metrics.get("/metrics").await.text;
        (text.contains("aaasp_breaches_open 2") && text.contains("aaasp_breach_due_in_seconds -")).then_some(())
    })
    .await;
    until("the clock in the log", async || server.said().contains("aaasp admin breach").then_some(())).await;
    let key = std::fs::read_to_string(server.data().join("keys/operator.key")).unwrap();
    let shell = Shell::of(&server.account).with("AAASP_OPERATOR_KEY", key.trim());
    // Whatever an operator asks for, and nobody else.
    let looked = shell.run(&["admin", "mail", "--json"]).expect(0);
    assert!(looked.err.contains("A breach is to be told by") && !looked.out.contains("breach"), "{looked:?}");
    assert!(!server.account.get("/v1/account").await.headers.contains_key("aaasp-breach-due"));
    assert!(!server.account.get("/v1/admin/letters").await.headers.contains_key("aaasp-breach-due"));
    let list = shell.run(&["admin", "breach"]).expect(0).out;
    assert!(list.contains("OVERDUE") && list.contains("0 h 5"), "{list}");
    let id = text(&breach, "id");
    shell.run(&["admin", "breach", "scope", id, "--everybody", "--reason", "all of it"]).expect(0);
    let draft = shell.run(&["admin", "breach", "notify", id]).expect(0).out;
    assert!(draft.contains("To the authority") && draft.contains("Rotate your keys."), "{draft}");
    assert!(told(&server).is_empty());
    shell.run(&["admin", "breach", "notify", id, "--send"]).expect(2);
    shell.run(&["admin", "breach", "notify", id, "--send", "--reason", "it is time"]).expect(0);
    until("the letter", async || (!told(&server).is_empty()).then_some(())).await;
    shell.run(&["admin", "breach", "authority", id, "--to", "nowhere", "--reason", "by mail"]).expect(1);
    let authority = "breaches@authority.example";
    shell.run(&["admin", "breach", "authority", id, "--to", authority, "--reason", "by mail"]).expect(0);
    let written = until("the letter to the authority", async || {
        server.letters().into_iter().find(|letter| letter.to == authority)
    });
    let written = written.await.text;
    assert!(written.contains("Article 33") && written.contains("A backup was left in the open."), "{written}");
    // It is told once, and nobody has an account for that.
    shell.run(&["admin", "breach", "authority", id, "--reason", "by their form"]).expect(1);
    assert_eq!(server.operator().get("/v1/admin/accounts").await.expect(200)["items"].as_array().unwrap().len(), 1);
    assert!(shell.run(&["admin", "breach"]).expect(0).out.contains("all told"));
    let closed = shell.run(&["admin", "breach", "close", id, "--reason", "all is well"]).expect(0).out;
    assert!(closed.contains("closed"), "{closed}");
}
