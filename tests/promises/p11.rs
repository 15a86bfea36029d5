//! P11: letters are about the account: that it was made, what was paid, what concerns its security.

use serde_json::json;

use crate::support::{Server, until};

#[tokio::test]
async fn letters_come_of_what_happens_to_the_account() {
    let server = Server::start().await;
    let ada = server.another_account("ada@example.org", 1).await;
    let made = ada.post("/v1/api-keys", json!({"name": "laptop"})).await.expect(201);
    ada.delete(&format!("/v1/api-keys/{}", made["id"].as_str().unwrap())).await.expect(204);
    let letters = until("both letters", async || {
        let mut letters = server.letters();
        letters.retain(|letter| letter.to == "ada@example.org");
        (letters.len() >= 2).then_some(letters)
    })
    .await;
    for letter in &letters {
        assert!(!letter.headers.to_lowercase().contains("list-unsubscribe"), "{}", letter.headers);
        assert!(letter.text.contains("laptop"), "{}", letter.text);
    }
}
