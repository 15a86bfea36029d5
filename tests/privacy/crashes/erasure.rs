//! Erasure, killed at each of its steps.

use aaasp::privacy::map::tables;
use serde_json::{Value, json};

use super::{LANES, in_lanes};
use crate::api::{items, text};
use crate::cli::shell::Ended;
use crate::privacy::erasure::{AGENT, CONFIG, CREDENTIAL, EMAIL, INPUT, KEY, SECRET, assert_nowhere, delete, zora};
use crate::support::{Client, Server, guests, until};

const LEFT: &str = "SELECT COUNT(*) FROM erasures WHERE state <> 'erased'";

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_dies_at_any_step_ends_as_if_it_had_not() {
    let deaths = in_lanes(lane).await;
    assert!(deaths > tables().filter(|table| table.column("account_id").is_some()).count(), "{deaths}");
}

async fn lane(first: usize) -> usize {
    let mut server = Server::start().await;
    server.account.deploy("mine", guests::echo(), json!({"config": {"kept": "yes"}})).await;
    let run = server.account.run("mine", json!("what is kept")).await;
    let (mut ids, mut deaths) = (Vec::new(), 0);
    for step in (first..).step_by(LANES) {
        let zora = zora(&server).await;
        more(&server, &zora).await;
        ids.push(text(&zora.get("/v1/account").await.expect(200), "id").to_owned());
        ids.push(zora.key().to_owned());
        delete(&server, &zora).await;
        server.stop();
        server.execute("UPDATE erasures SET due_at = 1 WHERE erased_at IS NULL").await;

        server.serve_to_die("erasure", step);
        let died = server.dies_before(async |server| is_over(server).await).await;
        server.kill();
        let certified = certificate(&server).await;
        server.serve();
        let served = std::time::Instant::now();
        // A letter that the dead host was sending is tried again after three minutes.
        while !is_over(&server).await {
            assert!(served.elapsed().as_secs() < 240, "the erasure does not end");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        is_erased(&server, &ids[ids.len() - 2], &zora).await;
        if !certified.is_empty() {
            assert_eq!(certificate(&server).await, certified, "what was counted is counted once");
        }
        let erased = i64::try_from(ids.len() / 2).unwrap();
        assert_eq!(server.count("SELECT COUNT(*) FROM audit_entries WHERE act = 'erase'").await, erased);

        let kept = server.account.get(&format!("/v1/runs/{}", text(&run, "id"))).await.expect(200);
        assert_eq!(kept, run);
        assert_eq!(server.account.run("mine", json!(step)).await["output"], step);
        if !died {
            break;
        }
        deaths += 1;
    }
    server.stop();
    server.serve();
    until("the letters to be deleted that were files", async || server.letters().is_empty().then_some(())).await;
    server.stop();
    server.verify_ledger();
    Ended::of(server.command().args(["audit", "verify", "--json"]).output().unwrap()).json(0);
    let mut needles = vec![EMAIL, AGENT, KEY, CREDENTIAL, SECRET, INPUT, CONFIG];
    needles.extend(ids.iter().map(String::as_str));
    assert_nowhere(&server, &needles).await;
    deaths
}

/// What `zora` has none of.
async fn more(server: &Server, zora: &Client) {
    zora.post("/v1/support", json!({"subject": "a question", "text": INPUT})).await.expect(201);
    zora.put("/v1/privacy/restriction", json!({"reason": INPUT})).await.expect(200);
    zora.delete("/v1/privacy/restriction").await.expect(204);
    let id = zora.get("/v1/account").await.expect(200);
    let status = json!({"status": "restricted", "reason": "a test"});
    server.operator().patch(&format!("/v1/admin/accounts/{}", text(&id, "id")), status).await.expect(200);
}

/// Whether nothing is left to erase. What is begun has been so for long enough.
async fn is_over(server: &Server) -> bool {
    if server.count("SELECT COUNT(*) FROM erasures WHERE state = 'erasing' AND state_at > 1").await > 0 {
        server.execute("UPDATE erasures SET state_at = 1 WHERE state = 'erasing'").await;
    }
    server.count(LEFT).await == 0
}

/// What the latest erasure says that it erased; empty before it is counted.
async fn certificate(server: &Server) -> String {
    let text = "SELECT COALESCE((SELECT certificate FROM erasures ORDER BY id DESC LIMIT 1), '')";
    sqlx::query_scalar(text).fetch_one(&mut server.connect().await).await.unwrap()
}

async fn is_erased(server: &Server, id: &str, zora: &Client) {
    server.account.with_key(Some(zora.key())).get("/v1/account").await.problem(401);
    let listed = server.operator().get("/v1/admin/accounts").await.expect(200);
    assert_eq!(items(&listed).len(), 1, "{listed}");
    let mut database = server.connect().await;
    for table in tables() {
        let column = if table.name == "accounts" { "id" } else { "account_id" };
        if table.column(column).is_none() {
            continue;
        }
        let text = format!("SELECT COUNT(*) FROM {} WHERE {column} = $1", table.name);
        let left: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(text)).bind(id.to_owned()).fetch_one(&mut database).await.unwrap();
        assert_eq!(left, 0, "{}", table.name);
    }
    let last: Value = server.operator().get("/v1/admin/erasures?limit=1").await.expect(200);
    assert_eq!((text(&items(&last)[0], "state"), &items(&last)[0]["account"]), ("erased", &Value::Null));
}
