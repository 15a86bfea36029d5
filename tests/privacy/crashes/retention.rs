//! Retention, killed at each of its steps.

use aaasp::clock::{Clock, Micros};
use aaasp::ids::{RequestId, RunId};
use reqwest::Method;
use serde_json::{Value, json};

use super::{LANES, in_lanes};
use crate::api::{items, text};
use crate::payments::{bought, paid};
use crate::support::dodo::Dodo;
use crate::support::{Client, Server, guests, until};

const FEW_DAYS: &str = "[retention]\nlog_days = 3\ncontent_days = 3\nrequest_days = 3\n";

/// Lines of a run's log.
const LINES: usize = 2;

/// Rows that are past their time.
const OLD: [&str; 12] = [
    "log_chunks WHERE created_at = 1",
    "runs WHERE id < $1 AND LENGTH(sealed_input) > 0",
    "request_batches WHERE requests = '[]'",
    "answered_requests WHERE created_at = 1",
    "credential_uses WHERE used_at = 1",
    "api_keys WHERE revoked_at = 1",
    "webhooks WHERE received_at = 1",
    "statements WHERE period_end > 0 AND EXISTS (SELECT 1 FROM statements AS later WHERE later.period_end > statements.period_end)",
    "payments WHERE told_at = 1",
    "top_ups WHERE created_at = 1",
    "rights_requests WHERE ended_at = 1",
    "monthly_grants WHERE month = '2019-01'",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_retention_that_dies_at_any_step_deletes_what_is_due_and_nothing_else() {
    let deaths = in_lanes(lane).await;
    assert!(deaths > OLD.len(), "{deaths}");
}

async fn lane(first: usize) -> usize {
    let dodo = Dodo::start().await;
    let mut server = dodo.server_with(FEW_DAYS, 1_000).await;
    server.account.deploy("greet", guests::greet(), json!({})).await;
    let before = server.account.balance().await.0;
    let (mut young, mut renamed, mut deaths, mut spent) = (Vec::new(), Vec::new(), 0, 0);
    for step in (first..).step_by(LANES) {
        let round = deaths + 1;
        young.push(server.account.run("greet", json!(LINES)).await);
        let old_run = make_old(&server, &dodo, round).await;
        spent += young
            .last()
            .into_iter()
            .chain([&old_run])
            .filter_map(|run| run["charge_microcredits"].as_i64())
            .sum::<i64>();
        server.stop();
        renamed.push((age(&server).await, text(&old_run, "id").to_owned()));
        assert_eq!(old(&server).await.iter().filter(|rows| **rows == 0).count(), 0, "{:?}", old(&server).await);

        server.serve_to_die("retention", step);
        let died = server.dies_before(async |server| server.said().contains("a duty is over that was to die")).await;
        server.kill();
        server.serve();
        until("what is old to be deleted", async || old(&server).await.iter().all(|rows| *rows == 0).then_some(()))
            .await;

        for run in &young {
            let path = format!("/v1/runs/{}", text(run, "id"));
            assert_eq!(&server.account.get(&path).await.expect(200), run);
            assert_eq!(items(&server.account.get(&format!("{path}/logs")).await.expect(200)).len(), LINES);
        }
        let rounds = i64::try_from(round).unwrap();
        let kept = "SELECT (SELECT COUNT(*) FROM webhooks WHERE kind = 'kept') + (SELECT COUNT(*) FROM top_ups)";
        assert_eq!(server.count(kept).await, 2 * rounds);
        // What the deleted payments bought is noted once.
        assert_eq!(server.count("SELECT bought FROM forgotten_payments").await, bought(400) * rounds);
        assert_eq!(server.account.balance().await, (before + bought(500) * rounds - spent, 0));
        if !died {
            break;
        }
        deaths += 1;
    }
    server.stop();
    // The ledger knows runs by the ids that they had.
    for (old, id) in renamed {
        server.execute(&format!("UPDATE runs SET id = '{id}' WHERE id = '{old}'")).await;
    }
    server.verify_ledger();
    deaths
}

/// Things that are about to be old, and some of the same kind that are not.
async fn make_old(server: &Server, dodo: &Dodo, round: usize) -> Value {
    let account = &server.account;
    let run = account.run("greet", json!(LINES)).await;
    for name in ["old", "kept"] {
        let request =
            account.request(Method::POST, "/v1/api-keys").header("idempotency-key", format!("{name}-{round}"));
        let made = Client::send(request.json(&json!({"name": format!("{name}-{round}")}))).await.expect(201);
        account.delete(&format!("/v1/api-keys/{}", text(&made, "id"))).await.expect(204);
    }
    let (old, _) = paid(dodo, server, account, 400).await;
    paid(dodo, server, account, 100).await;
    server.execute_with("UPDATE top_ups SET created_at = 1 WHERE id = $1", &old).await;
    server
        .execute("UPDATE payments SET told_at = 1 WHERE top_up_id IN (SELECT id FROM top_ups WHERE created_at = 1)")
        .await;
    run
}

/// Makes a little of everything old, while the server is stopped. Returns the id that the latest run has from then on.
async fn age(server: &Server) -> String {
    let (now, long_ago) = (Clock::System.now(), Micros(1_600_000_000_000_000));
    let (run, request) = (RunId::first_at(long_ago), RequestId::first_at(long_ago));
    let round = server.count("SELECT COUNT(*) FROM webhooks WHERE kind = 'kept'").await + 1;
    let run = format!("{}{round:02}", &run.to_string()[..run.to_string().len() - 2]);
    let latest = "SELECT MAX(id) FROM runs WHERE status = 'finished'";
    for statement in [
        &format!("UPDATE log_chunks SET run_id = '{run}', created_at = 1 WHERE run_id = ({latest})"),
        &format!("UPDATE runs SET id = '{run}' WHERE id = ({latest})"),
        "UPDATE accounts SET contents_until = ''",
        &format!(
            "INSERT INTO request_batches (account_id, last_id, first_id, requests)
             SELECT id, '{request}', '{request}', '[]' FROM accounts"
        ),
        "UPDATE answered_requests SET created_at = 1 WHERE name LIKE 'old%'",
        "UPDATE api_keys SET revoked_at = 1 WHERE name LIKE 'old%'",
        &format!(
            "INSERT INTO credential_uses
                 (account_id, id, deployment_id, run_id, credential, version, sealed_purpose, used_at, ended_at)
             SELECT id, 'use_{round}', '', '', 'gone', 1, sealed_email, 1, 1 FROM accounts"
        ),
        &format!(
            "INSERT INTO webhooks (id, kind, received_at) VALUES ('old', 'old', 1), ('kept-{round}', 'kept', {})",
            now.0
        ),
        &format!(
            "INSERT INTO statements (number, tenant, period_end, closing, document)
             SELECT {round} * 2 + place, tenant, {round} * 2 + place, 0, '{{}}'
             FROM balances CROSS JOIN (SELECT 0 AS place UNION SELECT 1) AS places"
        ),
        "INSERT INTO rights_requests
             (id, kind, source, state, identity, received_at, due_at, extended, ended_at)
         VALUES ('rights_old', 'access', 'post', 'done', 'checked', 1, 1, 0, 1)",
        "INSERT INTO monthly_grants (account_id, month) SELECT id, '2019-01' FROM accounts",
    ] {
        server.execute(statement).await;
    }
    run
}

async fn old(server: &Server) -> Vec<i64> {
    let mut database = server.connect().await;
    let mut counts = Vec::new();
    for rows in OLD {
        let old = RunId::first_at(Micros(1_700_000_000_000_000)).to_string();
        let text = format!("SELECT COUNT(*) FROM {rows}").replace("$1", &format!("'{old}'"));
        counts.push(sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_one(&mut database).await.unwrap());
    }
    counts
}
