//! What a host does for accounts by itself, at its start and each minute.

use serde_json::json;

use crate::support::outbox::Letter;
use crate::support::{Client, Server, guests, until};

fn restart(server: &mut Server, account: &Client) -> Client {
    server.stop();
    server.serve();
    server.account.with_key(Some(account.key()))
}

fn low(server: &Server) -> Vec<Letter> {
    let mut letters = server.letters();
    letters.retain(|letter| letter.subject == "Your balance is low");
    letters
}

#[tokio::test]
async fn an_account_gets_its_monthly_grant_once_and_not_for_the_month_in_which_it_began() {
    let config = "[plans.default]\nmonthly_grant_microcredits = 500\n[plans.other]\n";
    let mut server = Server::with_config(config).await;
    let account = server.another_account("old@example.org", 7).await;
    let young = server.another_account("young@example.org", 7).await;
    let id = account.get("/v1/account").await.expect(200)["id"].as_str().unwrap().to_owned();
    server.execute_with("UPDATE accounts SET created_at = 1 WHERE id = $1", &id).await;
    let mut account = restart(&mut server, &account);
    until("the grant", async || (account.balance().await == (507, 0)).then_some(())).await;
    for _ in 0..2 {
        account = restart(&mut server, &account);
        // The last of the duties forgets links that are over.
        server.execute("DELETE FROM links").await;
    }
    assert_eq!(account.balance().await, (507, 0));
    assert_eq!(server.account.with_key(Some(young.key())).balance().await, (7, 0));
    let moved = account.get("/v1/credits/transactions").await.expect(200);
    assert_eq!(moved["items"].as_array().unwrap().len(), 2, "{moved}");
    server.stop();
    server.verify_ledger();
}

#[tokio::test]
async fn an_owner_is_warned_once_for_each_crossing() {
    let mut server = Server::start().await;
    let account = server.another_account("ada@example.org", 2_000_000).await;
    let threshold = async |account: &Client, microcredits: i64| {
        account.patch("/v1/account", json!({"low_balance_microcredits": microcredits})).await.expect(200)
    };
    let set = threshold(&account, 1_000_000).await;
    assert_eq!(set["low_balance_microcredits"], 1_000_000);
    let mut account = restart(&mut server, &account);
    for crossing in 1..=2 {
        // It has more than its threshold: the next crossing will be told.
        until("a rise", async || {
            server.count("SELECT COUNT(*) FROM accounts WHERE low_balance_told = 0").await.ge(&1).then_some(())
        })
        .await;
        threshold(&account, 3_000_000).await;
        account = restart(&mut server, &account);
        until("the warning", async || (low(&server).len() == crossing).then_some(())).await;
        account = restart(&mut server, &account);
        threshold(&account, 1_000_000).await;
        account = restart(&mut server, &account);
    }
    let warning = low(&server).remove(0);
    assert_eq!(warning.to, "ada@example.org");
    assert!(warning.text.contains("Available: 2.000000") && warning.text.contains("3.000000"), "{}", warning.text);
    assert_eq!(low(&server).len(), 2);

    account.patch("/v1/account", json!({"low_balance_microcredits": -1})).await.problem(422);
}

#[tokio::test]
async fn keys_that_ended_are_forgotten_and_those_that_work_stay() {
    let mut server = Server::with_config("[retention]\nended_key_days = 3\n").await;
    let make = async |name: &str| {
        let made = server.account.post("/v1/api-keys", json!({"name": name})).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    };
    let [revoked, expired, fresh, works] =
        [make("revoked").await, make("expired").await, make("fresh").await, make("works").await];
    for id in [&revoked, &fresh] {
        server.account.delete(&format!("/v1/api-keys/{id}")).await.expect(204);
    }
    server.execute_with("UPDATE api_keys SET revoked_at = 1 WHERE id = $1", &revoked).await;
    server.execute_with("UPDATE api_keys SET expires_at = 1 WHERE id = $1", &expired).await;
    server.stop();
    server.serve();
    let keys = "SELECT COUNT(*) FROM api_keys";
    // The first one, which this asks with, is another.
    until("the two to be forgotten", async || (server.count(keys).await == 3).then_some(())).await;
    let listed = server.account.get("/v1/api-keys").await.expect(200);
    let listed: Vec<_> = listed["items"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect();
    assert!(listed.contains(&works.as_str()) && listed.len() == 2, "{listed:?}");
}

#[tokio::test]
async fn logs_are_kept_as_long_as_their_plan_says() {
    let config = "[retention]\nlog_days = 5\n[plans.short]\nlog_days = 1\n";
    let mut server = Server::with_config(config).await;
    let body =
        json!({"email": "short@example.org", "plan": "short", "grant_microcredits": 10_000_000, "reason": "a test"});
    let made = server.operator().post("/v1/admin/accounts", body).await.expect(201);
    let short = server.account.with_key(made["api_key"].as_str());
    for account in [&server.account, &short] {
        account.deploy("slow", guests::slow(), json!({})).await;
        account.run("slow", json!(1)).await;
    }
    let chunks = "SELECT COUNT(*) FROM log_chunks";
    assert_eq!(server.count(chunks).await, 2);
    // Three days ago, by a run whose id says so too.
    let past = "UPDATE log_chunks SET created_at = created_at - 259200000000, run_id = 'run_00' || SUBSTR(run_id, 7)";
    server.execute(past).await;
    server.stop();
    server.serve();
    until("the shorter promise", async || (server.count(chunks).await == 1).then_some(())).await;
    let kept = "SELECT COUNT(*) FROM log_chunks JOIN accounts ON accounts.id = log_chunks.account_id
         WHERE accounts.plan = 'default'";
    assert_eq!(server.count(kept).await, 1);
}
