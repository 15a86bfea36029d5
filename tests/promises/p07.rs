//! P07: addresses and user agents are in the server log alone, for days.

use crate::support::{Server, until};

#[tokio::test]
async fn addresses_are_in_a_log_of_its_own_for_days() {
    let mut server = Server::with_config("[retention]\nserver_log_days = 2\n").await;
    let folder = server.data().join("server-log");
    let files = || -> Vec<_> {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    server.account.request(reqwest::Method::GET, "/v1/account").header("user-agent", "loom/1").send().await.unwrap();
    until("the line", async || {
        files().iter().any(|file| std::fs::read_to_string(file).unwrap().contains("loom/1")).then_some(())
    })
    .await;
    // Nowhere else: not in what the account is shown, and not in what the host says.
    assert!(!server.account.get("/v1/requests").await.text.contains("loom/1"));
    server.stop();
    assert!(!server.said().contains("loom/1") && !server.said().contains("\"address\""));
    std::fs::write(folder.join("2020-01-01.jsonl"), "{}\n").unwrap();
    server.serve();
    until("the old file to go", async || (!folder.join("2020-01-01.jsonl").exists()).then_some(())).await;
}
