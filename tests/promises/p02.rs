//! P02: of an API key only a SHA-256 digest is kept.

use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use crate::api::text;
use crate::support::{Server, leaks};

#[tokio::test]
async fn of_a_key_only_its_digest_is_kept() {
    let mut server = Server::start().await;
    let made = server.account.post("/v1/api-keys", json!({"name": "second"})).await.expect(201);
    let key = text(&made, "api_key").to_owned();
    let rows = sqlx::query("SELECT digest FROM api_keys").fetch_all(&mut server.connect().await).await.unwrap();
    let digests: Vec<Vec<u8>> = rows.iter().map(|row| row.get(0)).collect();
    assert!(digests.contains(&Sha256::digest(&key).to_vec()));
    let listed = server.account.get("/v1/api-keys").await.text;
    assert!(!listed.contains(&key));
    leaks::assert_nowhere(&mut server, &listed, &[&key]).await;
}
