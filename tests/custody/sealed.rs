//! A sealed secret opens in the row that it was sealed for.

use aaasp::names::Name;
use aaasp::vault::custody::{Empty, Withheld};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::support::Server;
use crate::support::vault::Vault;

#[tokio::test]
async fn a_secret_that_is_moved_to_another_row_does_not_open() {
    let mut server = Server::start().await;
    for (name, secret) in [("one", "the secret of one"), ("two", "the secret of two")] {
        let body = json!({"kind": "bearer", "secret": secret});
        server.account.put(&format!("/v1/credentials/{name}"), body).await.expect(201);
    }
    let account = server.account.get("/v1/account").await.expect(200);
    server.stop();
    let vault = Vault::open(&server, account["id"].as_str().unwrap()).await;
    let (one, two): (Name, Name) = ("one".parse().unwrap(), "two".parse().unwrap());
    let lent = vault.credentials().lend(&vault.account, &one, &Empty).await.unwrap();
    assert_eq!(lent.secret.expose_secret(), b"the secret of one");

    vault
        .execute(
            "UPDATE credential_versions SET sealed_secret =
                 (SELECT v.sealed_secret FROM credential_versions v JOIN credentials c ON c.id = v.credential_id
                  WHERE c.name = 'two')
             WHERE credential_id = (SELECT id FROM credentials WHERE name = 'one')",
        )
        .await;
    let withheld = vault.credentials().lend(&vault.account, &one, &Empty).await.err().unwrap();
    assert!(matches!(withheld, Withheld::Unavailable { .. }), "{withheld:?}");
    assert!(!withheld.to_string().contains("secret of"), "{withheld}");
    let lent = vault.credentials().lend(&vault.account, &two, &Empty).await.unwrap();
    assert_eq!(lent.secret.expose_secret(), b"the secret of two");

    // Nor does one that is passed off as another version of the same credential.
    vault.execute("UPDATE credential_versions SET version = 7").await;
    let withheld = vault.credentials().lend(&vault.account, &two, &Empty).await;
    assert!(matches!(withheld, Err(Withheld::Unavailable { .. })));
    vault.close().await;
}

#[tokio::test]
async fn a_secret_is_sealed_anew_when_its_data_key_is_rotated() {
    let mut server = Server::start().await;
    for (secret, status) in [("the first secret", 201), ("the second secret", 200)] {
        let body = json!({"kind": "bearer", "secret": secret});
        server.account.put("/v1/credentials/key", body).await.expect(status);
    }
    let account = server.account.get("/v1/account").await.expect(200);
    let id = account["id"].as_str().unwrap();
    let rotated = server.operator().post(&format!("/v1/admin/accounts/{id}/data-keys"), json!({})).await.expect(201);
    assert_eq!(rotated["version"], 2);
    server.stop();
    let vault = Vault::open(&server, id).await;
    // Whoever destroys the old version now loses nothing.
    vault.execute("DELETE FROM data_keys WHERE version = 1").await;
    vault.close().await;
    let vault = Vault::open(&server, id).await;
    let name: Name = "key".parse().unwrap();
    let lent = vault.credentials().lend(&vault.account, &name, &Empty).await.unwrap();
    assert_eq!((lent.version, lent.secret.expose_secret()), (2, &b"the second secret"[..]));
    vault.close().await;
}
