//! Daily caps on spending: whoever crosses them from however many sides spends the cap and nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::rush::{BURNER, ONLY_FUEL_COSTS};
use crate::support::{Client, Reply, Server, guests, hostile};

/// What a run of the burner costs, and holds.
const RUN: i64 = 1_000;

async fn set_cap(account: &Client, most: impl Into<Value>) {
    account.patch("/v1/account", json!({"daily_spend_microcredits": most.into()})).await.expect(200);
}

async fn run(account: &Client, deployment: &str) -> Reply {
    account.post(&format!("/v1/deployments/{deployment}/runs?wait=60"), json!({"input": null})).await
}

/// 64 clients that run as long as they may. What all of them spent.
async fn spent_by_64(accounts: &[Client], deployment: &'static str) -> i64 {
    let spent = Arc::new(AtomicI64::new(0));
    let clients = (0..64).map(|number| {
        let (account, spent) = (accounts[number % accounts.len()].clone(), Arc::clone(&spent));
        tokio::spawn(async move {
            loop {
                let reply = run(&account, deployment).await;
                if reply.status == 429 {
                    break reply.problem(429);
                }
                let charge = reply.expect(200)["charge_microcredits"].as_i64().unwrap();
                spent.fetch_add(charge, Ordering::Relaxed);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        let refused = client.await.unwrap();
        assert!(refused["value"].is_i64() && refused["limit"].as_str().unwrap().ends_with("daily_spend_microcredits"));
    }
    spent.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_spend_what_the_account_may_and_nothing_more() {
    let mut server = Server::with(ONLY_FUEL_COSTS, 1).await;
    let second = server.second_host();
    let account = server.another_account("capped@example.com", 1_000 * RUN).await;
    account.deploy("burner", hostile::agent(BURNER).to_vec(), json!({})).await;
    // What was spent before there was a cap counts.
    run(&account, "burner").await.expect(200);
    set_cap(&account, 100 * RUN + RUN / 2).await;
    let mut doors = vec![account.clone()];
    doors.extend(second.as_ref().map(|second| second.account.with_key(Some(account.key()))));
    assert_eq!(spent_by_64(&doors, "burner").await, 99 * RUN);
    assert_eq!(account.balance().await, (900 * RUN, 0));

    let refused = run(&account, "burner").await;
    let seconds: u32 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&seconds), "{seconds}");
    let problem = refused.problem(429);
    assert_eq!(
        (&problem["limit"], &problem["value"]),
        (&json!("daily_spend_microcredits"), &json!(100 * RUN + RUN / 2))
    );
    assert!(problem["detail"].as_str().unwrap().contains("midnight UTC"), "{problem}");

    // Counted anew from the runs themselves it is the same.
    server.execute("DELETE FROM spending").await;
    run(&account, "burner").await.problem(429);
    assert_eq!(server.count("SELECT COUNT(*) FROM spending").await, 1, "what was summed up is not summed up again");
    // What is spent while there is no cap counts once there is one again.
    set_cap(&account, Value::Null).await;
    run(&account, "burner").await.expect(200);
    set_cap(&account, 102 * RUN).await;
    run(&account, "burner").await.expect(200);
    run(&account, "burner").await.problem(429);
    drop(second);
    server.stop();
    server.verify_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_held_and_did_not_cost_may_be_spent_by_others_and_a_deployment_has_a_cap_of_its_own() {
    let server = Server::with("[limits.account]\nconcurrent_runs = 64\n", 1_000).await;
    let account = server.another_account("capped@example.com", 1_000_000_000).await;
    account.deploy("free", guests::echo(), json!({})).await;
    let hold = account.get("/v1/deployments/free").await.expect(200)["hold_microcredits"].as_i64().unwrap();
    let cap = 3 * hold;
    account.deploy("capped", guests::echo(), json!({"daily_spend_microcredits": cap})).await;
    assert_eq!(account.get("/v1/deployments/capped").await.expect(200)["daily_spend_microcredits"], cap);
    let mut spent = 0;
    for _ in 0..20 {
        let done = run(&account, "capped").await.expect(200);
        spent += done["charge_microcredits"].as_i64().unwrap();
    }
    // Far more runs than the cap has holds.
    assert!(spent > 0 && spent <= cap, "{spent}");
    account
        .put("/v1/deployments/capped", json!({"agent": "capped", "daily_spend_microcredits": hold}))
        .await
        .expect(200);
    let problem = run(&account, "capped").await.problem(429);
    assert_eq!((&problem["limit"], &problem["value"]), (&json!("deployment.daily_spend_microcredits"), &json!(hold)));
    run(&account, "free").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_caps_what_its_accounts_spend_and_owners_can_only_lower_it() {
    let config = format!("{ONLY_FUEL_COSTS}\n[plans.default]\ndaily_spend_microcredits = {}\n", 3 * RUN);
    let server = Server::with(&config, 1).await;
    let account = server.another_account("planned@example.com", 1_000 * RUN).await;
    account.deploy("burner", hostile::agent(BURNER).to_vec(), json!({})).await;
    set_cap(&account, 50 * RUN).await;
    assert_eq!(account.get("/v1/account").await.expect(200)["daily_spend_microcredits"], 3 * RUN);
    assert_eq!(spent_by_64(std::slice::from_ref(&account), "burner").await, 3 * RUN);
    account.patch("/v1/account", json!({"daily_spend_microcredits": -1})).await.problem(422);
}
