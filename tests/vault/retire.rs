//! `aaasp key retire`: an old master key goes for good, but never while it is needed.

use serde_json::json;

use super::{key, key_json, keys_in_file, refused, wrapped};
use crate::support::Server;

#[tokio::test]
async fn a_master_key_is_retired_only_when_nothing_needs_it_and_is_then_gone_from_the_folder() {
    let mut server = Server::start().await;
    let said = refused(&key(&server, &["retire", "--below", "2"]));
    assert!(said.contains("master key 2 is not in use"), "{said}");
    let old = keys_in_file(&server);

    server.stop();
    key_json(&server, &["rotate"]);
    // As if the rotation had not come to its end: one data key is wrapped by the old master key again.
    let after = take_back(&server).await;
    let said = refused(&key(&server, &["retire", "--below", "2"]));
    assert!(said.contains("still wrap data keys, 1 of them") && said.contains("aaasp key rotate"), "{said}");
    assert_eq!(keys_in_file(&server).len(), 2, "a refusal changes nothing");
    put_back(&server, &after).await;

    let retired = key_json(&server, &["retire", "--below", "2"]);
    assert_eq!((&retired["lowest"], &retired["master_keys"].as_array().unwrap().len()), (&json!(2), &1));
    for entry in std::fs::read_dir(server.data().join("keys")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let old = old[0].trim_matches('"').as_bytes();
        assert!(!bytes.windows(old.len()).any(|window| window == old), "the old key is still in the folder");
    }
    server.serve();
    assert_eq!(server.account.get("/v1/account").await.status, 200);
    assert_eq!(wrapped(&server).await, [(2, 1)]);
}

#[tokio::test]
async fn the_database_itself_refuses_to_lose_a_master_key_that_is_needed() {
    let server = Server::start().await;
    let removed = sqlx::query("DELETE FROM master_keys").execute(&mut server.connect().await).await;
    assert!(removed.is_err());
}

/// A data key's row, as it is stored.
type Row = (i64, Vec<u8>);

async fn take_back(server: &Server) -> Row {
    let mut connection = server.connect().await;
    let now: Row =
        sqlx::query_as("SELECT master_version, wrapped FROM data_keys").fetch_one(&mut connection).await.unwrap();
    put_back(server, &(1, now.1.clone())).await;
    now
}

async fn put_back(server: &Server, row: &Row) {
    sqlx::query("UPDATE data_keys SET master_version = $1, wrapped = $2")
        .bind(row.0)
        .bind(row.1.as_slice())
        .execute(&mut server.connect().await)
        .await
        .unwrap();
}
