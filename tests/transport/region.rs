//! The region of an account (P17): hosts of another one refuse it, and do nothing for it.

use serde_json::{Value, json};
use sqlx::Row as _;

use super::until;
use crate::support::{Client, Server, hostile, server};

const REGIONS: &str = "
[regions]
eu = \"https://eu.example\"
us = \"https://us.example\"
[plans.america]
region = \"us\"
[host]
concurrent_runs = 1
[limits.run]
fuel = 1_000_000_000_000
wall_clock_ms = 600_000
";

const BURNER: &str = r#"
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32)
  (loop $for_ever (br $for_ever))
  (unreachable))"#;

const PROMPT: &str = r#"
(func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32) (global.get $null))"#;

fn config(region: &str) -> String {
    format!("region = \"{region}\"\n{REGIONS}")
}

/// An account in a region, and its id.
async fn opened(server: &Server, body: Value) -> (Client, String) {
    let mut body = body;
    body["reason"] = json!("a test");
    let made = server.operator().post("/v1/admin/accounts", body).await.expect(201);
    let key = made["api_key"].as_str();
    (server.account.with_key(key), made["account"].as_str().unwrap().to_owned())
}

/// Waits until a host has looked for work twice.
async fn has_looked(server: &Server, host: &Server) {
    let id = std::fs::read_to_string(host.data().join("host")).unwrap();
    let lease = || async {
        let mut connection = server.connect().await;
        let row = sqlx::query("SELECT lease_until FROM hosts WHERE id = $1").bind(id.trim().to_owned());
        row.fetch_one(&mut connection).await.unwrap().get::<i64, _>(0)
    };
    for _ in 0..2 {
        let before = lease().await;
        until("a host to renew its lease", || async { (lease().await > before).then_some(()) }).await;
    }
}

#[tokio::test]
async fn an_account_is_in_the_region_of_its_plan_or_the_one_that_is_said_or_the_host_s() {
    let mut server = Server::with_config(&config("eu")).await;
    assert_eq!(server.account.get("/v1/account").await.expect(200)["region"], "eu", "that of `init` too");
    let (mut clients, mut regions) = (Vec::new(), Vec::new());
    for (address, more) in [
        ("plain@a.example", json!({})),
        ("planned@a.example", json!({"plan": "america"})),
        ("said@a.example", json!({"region": "us"})),
    ] {
        let mut body = json!({"email": address});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        clients.push(opened(&server, body).await.0);
        regions.push(clients.last().unwrap().get("/v1/account").await.status);
    }
    assert_eq!(regions, [200, 421, 421]);
    let problem = clients[1].get("/v1/account").await.problem(421);
    assert_eq!((&problem["region"], &problem["region_url"]), (&json!("us"), &json!("https://us.example")));
    for (wanted, said) in [
        (json!({"email": "b@a.example", "region": "mars", "reason": "a test"}), "there is no region `mars`"),
        (
            json!({"email": "b@a.example", "region": "eu", "plan": "america", "reason": "a test"}),
            "are in the region `us`",
        ),
    ] {
        let problem = server.operator().post("/v1/admin/accounts", wanted).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], "/region");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{problem}");
    }
    let invited = json!({"email": "c@a.example", "plan": "america", "reason": "a test"});
    server.operator().post("/v1/admin/invitations", invited).await.problem(422);

    // A host of no region serves every one.
    server.stop();
    std::fs::write(server.data().join("aaasp.toml"), "").unwrap();
    server.serve();
    let listed = server.operator().get("/v1/admin/accounts").await.expect(200);
    let listed: Vec<_> = listed["items"].as_array().unwrap().iter().map(|account| account["region"].clone()).collect();
    assert_eq!(listed, ["us", "us", "eu", "eu"]);
    for client in &clients {
        server.account.with_key(Some(client.key())).get("/v1/account").await.expect(200);
    }
}

#[tokio::test]
async fn a_file_with_regions_that_nobody_knows_is_refused() {
    let mut server = Server::start().await;
    server.stop();
    for (config, said) in [
        ("[plans.far]\nregion = \"mars\"\n", "aaasp.toml:2: `plans.far.region`: there is no region `mars`"),
        ("[regions]\neu = \"http://eu.example\"\n", "aaasp.toml:2: `regions.eu`: expected a URL like `https://"),
        (
            "region = \"eu\"\n[regions]\nus = \"https://us.example\"\n[plans.far]\nregion = \"us\"\n\
             [accounts]\nplan = \"far\"\n",
            "aaasp.toml:7: `accounts.plan`: who signs up here would be in the region `us`",
        ),
    ] {
        std::fs::write(server.data().join("aaasp.toml"), config).unwrap();
        let ended = server.command().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
        let error = String::from_utf8_lossy(&ended.stderr);
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_another_region_refuses_all_that_is_of_an_account() {
    let eu = Server::with_config(&config("eu")).await;
    let Some(us) = eu.second_host_with(&config("us")) else {
        assert!(!server::on_postgres(), "PostgreSQL takes a second host");
        return;
    };
    let (european, id) = opened(&eu, json!({"email": "e@a.example", "grant_microcredits": 1_000_000})).await;
    let at_us = us.account.with_key(Some(european.key()));
    for path in ["/v1/account", "/v1/runs", "/v1/credits", "/v1/credentials", "/v1/requests"] {
        european.get(path).await.expect(200);
        let problem = at_us.get(path).await.problem(421);
        assert_eq!((&problem["region"], &problem["region_url"]), (&json!("eu"), &json!("https://eu.example")));
    }
    at_us.post("/v1/deployments/any/runs", json!({"input": null})).await.problem(421);
    at_us.upload("any", b"\0asm".to_vec()).await.problem(421);
    // The operator's view of it is the account's data too.
    let operator = us.account.with_key(Some(eu.operator().key()));
    operator.get(&format!("/v1/admin/accounts/{id}")).await.problem(421);
    let grant = json!({"amount_microcredits": 1, "reason": "a"});
    operator.post(&format!("/v1/admin/accounts/{id}/grants"), grant).await.problem(421);
    let listed = operator.get("/v1/admin/accounts").await.expect(200);
    assert_eq!(listed["items"], json!([]));
    let (american, _) = opened(&eu, json!({"email": "u@a.example", "region": "us"})).await;
    american.get("/v1/account").await.problem(421);
    us.account.with_key(Some(american.key())).get("/v1/account").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_an_account_are_executed_and_recovered_in_its_region_alone() {
    let mut eu = Server::with_config(&config("eu")).await;
    let Some(us) = eu.second_host_with(&config("us")) else {
        assert!(!server::on_postgres(), "PostgreSQL takes a second host");
        return;
    };
    eu.account.deploy("burner", hostile::agent(BURNER).to_vec(), json!({})).await;
    eu.account.deploy("prompt", hostile::agent(PROMPT).to_vec(), json!({})).await;
    let mut runs = Vec::new();
    for deployment in ["burner", "prompt"] {
        let path = format!("/v1/deployments/{deployment}/runs?wait=0");
        let run = eu.account.post(&path, json!({"input": null})).await.expect(202);
        runs.push(format!("/v1/runs/{}", run["id"].as_str().unwrap()));
        let of_burner = eu.account.get(&runs[0]);
        assert_eq!(of_burner.await.expect(200)["status"], "running");
    }
    assert_eq!(eu.account.get(&runs[1]).await.expect(200)["status"], "queued");
    eu.kill();
    // The other host has nothing to do, and does nothing, when the dead one's lease is over too.
    let dead = std::fs::read_to_string(eu.data().join("host")).unwrap();
    until("the dead host's lease to be over", || async {
        let mut connection = eu.connect().await;
        let row = sqlx::query(
            "SELECT 1 FROM hosts WHERE id = $1 AND lease_until < CAST(EXTRACT(EPOCH FROM now()) * 1000000 AS bigint)",
        );
        row.bind(dead.trim().to_owned()).fetch_optional(&mut connection).await.unwrap().map(drop)
    })
    .await;
    has_looked(&eu, &us).await;
    let left = eu.count("SELECT COUNT(*) FROM runs WHERE status IN ('running', 'queued')").await;
    assert_eq!(left, 2, "a host of another region took a run");

    eu.serve();
    for (run, outcome) in runs.iter().zip(["lost", "succeeded"]) {
        let ended = until("a run to end", || async {
            let run = eu.account.get(run).await.expect(200);
            (run["status"] == "finished").then_some(run)
        });
        assert_eq!(ended.await["outcome"], outcome);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_go_out_of_a_host_of_the_account_s_region() {
    const NO_SERVER: &str = "[mail]\nserver = \"127.0.0.1:1\"\ntls = \"none\"\n";
    let mut eu = Server::with_config(&format!("{}{NO_SERVER}", config("eu"))).await;
    let Some(us) = eu.second_host_with(&config("us")) else {
        assert!(!server::on_postgres(), "PostgreSQL takes a second host");
        return;
    };
    let (american, _) = opened(&eu, json!({"email": "u@a.example", "region": "us"})).await;
    let key = json!({"name": "more", "scopes": ["runs:read"]});
    eu.account.post("/v1/api-keys", key.clone()).await.expect(201);
    // Its own host can't send it, and so it waits; the other host sends what is its own.
    us.account.with_key(Some(american.key())).post("/v1/api-keys", key).await.expect(201);
    until("the other host's letter", || async { (!us.letters().is_empty()).then_some(()) }).await;
    has_looked(&eu, &us).await;
    assert_eq!(us.letters().len(), 1, "a letter left by a host of another region");
    let waiting = eu.count("SELECT COUNT(*) FROM letters WHERE state = 'waiting'").await;
    assert_eq!(waiting, 1);

    eu.stop();
    std::fs::write(eu.data().join("aaasp.toml"), config("eu")).unwrap();
    eu.serve();
    until("the letter to leave", || async { (eu.letters().len() == 1).then_some(()) }).await;
}
