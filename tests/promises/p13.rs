//! P13: how the service is used is looked at in aggregate alone: metrics name routes and statuses, and no account.

use serde_json::json;

use crate::support::{Client, Server, guests};

#[tokio::test]
async fn metrics_name_no_account() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = Server::with_config(&format!("metrics_listen = \"{address}\"\n")).await;
    let account = server.account.get("/v1/account").await.expect(200);
    server.account.deploy("my-own-agent", guests::echo(), json!({})).await;
    server.account.run("my-own-agent", json!(1)).await;
    let metrics = Client::new(&format!("http://{address}"), None).get("/metrics").await.text;
    assert!(metrics.contains("aaasp_http_requests_total"), "{metrics}");
    for own in [&account["id"], &account["email"], &json!("my-own-agent"), &json!("acc_"), &json!("127.0.0.1")] {
        assert!(!metrics.contains(own.as_str().unwrap()), "{own} is in {metrics}");
    }
}
