//! P15: an operator looks at what an account has with a reason, for a time, and not unseen.

use serde_json::{Value, json};

use crate::api::{all_items, fields, items, text};
use crate::cli::shell::Shell;
use crate::support::outbox::Letter;
use crate::support::{Client, Server, guests, until};

const EMAIL: &str = "zora@example.org";
const SECRET: &str = "the-secret-of-zora-1937";

async fn id_of(account: &Client) -> String {
    text(&account.get("/v1/account").await.expect(200), "id").to_owned()
}

/// An account with a run, which said something.
async fn zora(server: &Server) -> (Client, String, String) {
    let zora = server.another_account(EMAIL, 5_000_000).await;
    zora.put("/v1/credentials/mine", json!({"kind": "bearer", "secret": SECRET})).await.expect(201);
    zora.deploy("echo", guests::echo(), json!({})).await;
    let run = zora.run("echo", json!("what was said")).await;
    let id = id_of(&zora).await;
    (zora, id, text(&run, "id").to_owned())
}

fn looked(server: &Server) -> Vec<Letter> {
    let mut letters = server.letters();
    letters.retain(|letter| letter.to == EMAIL && letter.subject == "An operator looked at your data");
    letters
}

async fn support(server: &Server, role: &str) -> Client {
    let body = json!({"name": role, "role": role, "reason": "a test"});
    let made = server.operator().post("/v1/admin/keys", body).await.expect(201);
    server.account.with_key(made["operator_key"].as_str())
}

fn looks(id: &str, run: &str) -> [String; 5] {
    let account = format!("/v1/admin/accounts/{id}");
    [
        format!("{account}/runs"),
        format!("{account}/runs/{run}"),
        format!("{account}/runs/{run}/logs"),
        format!("{account}/requests"),
        format!("{account}/letters"),
    ]
}

#[tokio::test]
async fn nothing_of_an_account_is_seen_without_an_access_of_ones_own_that_is_not_over() {
    let server = Server::start().await;
    let (_, id, run) = zora(&server).await;
    let support = support(&server, "support").await;
    let open = format!("/v1/admin/accounts/{id}/access");
    for path in looks(&id, &run) {
        let refused = support.get(&path).await.problem(403);
        assert!(text(&refused, "detail").contains("with a reason"), "{refused}");
    }
    for (field, wrong) in
        [("reason", json!("")), ("minutes", json!(0)), ("minutes", json!(481)), ("minutes", json!(-1))]
    {
        let mut body = json!({"reason": "asked for help", "minutes": 30});
        body[field] = wrong;
        support.post(&open, body).await.problem(422);
    }
    // Another operator's access opens nothing, and one that is over neither.
    server.operator().post(&open, json!({"reason": "a look", "minutes": 480})).await.expect(201);
    support.get(&looks(&id, &run)[0]).await.problem(403);
    support.post(&open, json!({"reason": "asked for help", "minutes": 30})).await.expect(201);
    for path in looks(&id, &run) {
        support.get(&path).await.expect(200);
    }
    // It is for this account, and no other.
    let other = id_of(&server.account).await;
    support.get(&format!("/v1/admin/accounts/{other}/runs")).await.problem(403);
    server.execute("UPDATE operator_accesses SET expires_at = 1").await;
    for path in looks(&id, &run) {
        support.get(&path).await.problem(403);
    }
}

#[tokio::test]
async fn contents_are_seen_only_where_they_were_asked_for() {
    let server = Server::start().await;
    let (_, id, run) = zora(&server).await;
    let open = format!("/v1/admin/accounts/{id}/access");
    let [runs, one, log, requests, letters] = looks(&id, &run);
    let security = support(&server, "security").await;
    let contents = json!({"reason": "a look", "minutes": 5, "contents": true});
    security.post(&open, contents.clone()).await.problem(403);
    security.post(&open, json!({"reason": "a look", "minutes": 5})).await.expect(201);
    let support = support(&server, "support").await;
    support.post(&open, contents).await.expect(201);

    let (without, with) = (security.get(&one).await.expect(200), support.get(&one).await.expect(200));
    assert_eq!(
        (&without["input"], &without["output"], text(&without, "outcome")),
        (&Value::Null, &Value::Null, "succeeded")
    );
    assert_eq!((&with["input"], &with["output"]), (&json!("what was said"), &json!("what was said")));
    assert_eq!(without["charge_microcredits"], with["charge_microcredits"]);
    let (without, with) = (security.get(&runs).await.expect(200), support.get(&runs).await.expect(200));
    assert_eq!((&items(&without)[0]["output"], &items(&with)[0]["output"]), (&Value::Null, &json!("what was said")));
    for page in [&log, &requests, &letters] {
        for operator in [&security, &support] {
            let seen = operator.get(page).await;
            seen.expect(200);
            assert!(!seen.text.contains(SECRET) && !seen.text.contains(EMAIL));
        }
    }
    let lines = security.get(&log).await.expect(200);
    assert!(items(&lines).iter().all(|line| line["message"].is_null() && line["source"].is_null()), "{lines}");
    let lines = support.get(&log).await.expect(200);
    assert!(items(&lines).iter().all(|line| line["message"].is_string()), "{lines}");
    // Of another account there is no run to see under this access.
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let others = text(&server.account.run("echo", json!("not hers")).await, "id").to_owned();
    support.get(&format!("/v1/admin/accounts/{id}/runs/{others}")).await.problem(404);
}

#[tokio::test]
async fn the_owner_sees_each_look_and_is_told_once_of_each_access() {
    let server = Server::start().await;
    let (zora, id, run) = zora(&server).await;
    let nothing = zora.get("/v1/account/accesses").await.expect(200);
    assert!(items(&nothing).is_empty());
    let shell = Shell::open().with("AAASP_URL", &server.url().unwrap());
    let shell = shell.with("AAASP_OPERATOR_KEY", server.operator().key());
    let access = ["admin", "access", &id, "--minutes", "30", "--contents", "--reason", "why did it fail?"];
    assert!(shell.run(&access).expect(0).out.contains("Opened acs_"));
    assert!(looked(&server).is_empty(), "nothing was looked at yet");
    assert!(shell.run(&["admin", "look", &id, "runs"]).expect(0).out.contains(&run));
    assert!(shell.run(&["admin", "look", &id, "run", &run]).expect(0).out.contains("what was said"));
    shell.run(&["admin", "look", &id, "logs", &run]).expect(0);
    shell.run(&["admin", "look", &id, "requests"]).expect(0);
    assert!(shell.run(&["admin", "look", &id, "letters"]).expect(0).out.contains("data_looked_at"));
    shell.run(&["admin", "look", &id, "logs"]).expect(2);
    let letter = until("the letter", async || looked(&server).pop()).await;
    assert!(letter.text.contains("may be looked at, too"), "{}", letter.text);

    let seen = all_items(&zora, "/v1/account/accesses", 2).await;
    let log = format!("log of {run}");
    let subjects: Vec<_> = seen.iter().map(|seen| seen["subject"].as_str().unwrap_or("-")).collect();
    assert_eq!(subjects, ["letters", "requests", &log, &run, "runs", "-"]);
    assert_eq!(fields(&seen, "act"), ["look", "look", "look", "look", "look", "access"]);
    assert_eq!((text(&seen[5], "reason"), &seen[5]["contents"]), ("why did it fail?", &json!(true)));
    assert!(seen.iter().all(|look| look["access"] == seen[0]["access"] && text(look, "operator").starts_with("opk_")));
    let shown = Shell::of(&zora).run(&["account", "accesses"]).expect(0).out;
    assert!(shown.contains("why did it fail?") && shown.contains(&log), "{shown}");

    // A second access is told of again; nobody else's account knows of either.
    assert_eq!(looked(&server).len(), 1);
    server.execute("UPDATE operator_accesses SET expires_at = 1").await;
    shell.run(&["admin", "look", &id, "runs"]).expect(1);
    shell.run(&["admin", "access", &id, "--reason", "again"]).expect(0);
    shell.run(&["admin", "look", &id, "runs"]).expect(0);
    until("the second letter", async || (looked(&server).len() == 2).then_some(())).await;
    assert!(items(&server.account.get("/v1/account/accesses").await.expect(200)).is_empty());
}
