//! P06: credentials are sealed with AES-256-GCM under a tag, and sealed anew when keys are rotated.

use serde_json::json;
use sqlx::Row as _;

use crate::api::text;
use crate::support::{Server, leaks};

const SECRET: &str = "a-secret-that-only-we-know";

/// The format and the key version that a credential is sealed with.
async fn sealed_with(server: &Server) -> (u8, u32) {
    let question = "SELECT sealed_secret FROM credential_versions";
    let row = sqlx::query(question).fetch_one(&mut server.connect().await).await.unwrap();
    let sealed: Vec<u8> = row.get(0);
    (sealed[0], u32::from_be_bytes(sealed[1..5].try_into().unwrap()))
}

#[tokio::test]
async fn a_credential_is_sealed_and_sealed_anew() {
    let mut server = Server::start().await;
    let account = server.account.get("/v1/account").await.expect(200);
    server.account.put("/v1/credentials/github", json!({"kind": "bearer", "secret": SECRET})).await.expect(201);
    let (format, version) = sealed_with(&server).await;
    assert_eq!((format, version), (1, 1));
    let path = format!("/v1/admin/accounts/{}/data-keys", text(&account, "id"));
    let rotated = server.operator().post(&path, json!({})).await;
    assert!(rotated.status < 300, "{rotated:?}");
    assert_eq!(sealed_with(&server).await, (1, 2));
    leaks::assert_nowhere(&mut server, "", &[SECRET]).await;
}
