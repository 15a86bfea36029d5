//! What the role of the server may do to the audit on PostgreSQL.

use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use crate::support::server::on_postgres;
use crate::support::{Server, guests};

/// What docs/audit.md says, as it stands there.
fn grants() -> String {
    let page = crate::invariants::tree::read("docs/audit.md");
    let begin = page.find("```sql\n").expect("the grants") + 7;
    page[begin..begin + page[begin..].find("```").unwrap()].to_owned()
}

#[tokio::test]
async fn a_role_of_postgresql_that_can_not_change_the_audit_serves() {
    if !on_postgres() {
        return;
    }
    let mut server = Server::start().await;
    server.stop();
    let role = format!("serves_{}", server.database().unwrap().rsplit('/').next().unwrap());
    let grants = grants().replace("aaasp_server", &role).replace("'a secret'", "'secret'");
    let mut raw = server.connect().await;
    for statement in grants.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut raw).await.unwrap();
    }
    let owner = server.database().unwrap();
    let (_, place) = owner.split_once('@').unwrap();
    server.set("AAASP_DATABASE_URL", &format!("postgres://{role}:secret@{place}"));
    server.serve();
    let because = json!({"reason": "a test"});
    server.operator().post("/v1/admin/reload", because.clone()).await.expect(200);
    server.account.deploy("echo", guests::echo(), json!({})).await;
    assert_eq!(server.account.run("echo", json!(1)).await["outcome"], "succeeded");
    server.stop();
    let mut serves = AnyConnection::connect(&format!("postgres://{role}:secret@{place}")).await.unwrap();
    for refused in [
        "UPDATE audit_entries SET at = 1",
        "DELETE FROM audit_entries",
        "UPDATE audit_heads SET at = 1",
        "DELETE FROM audit_heads",
        "UPDATE audit_contents SET content = ''",
        "TRUNCATE audit_entries",
        "ALTER TABLE audit_entries OWNER TO CURRENT_USER",
    ] {
        let error = sqlx::query(AssertSqlSafe(refused)).execute(&mut serves).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("permission denied") || said.contains("must be owner"), "{refused}: {said}");
    }
    drop(serves);
    for statement in [format!("DROP OWNED BY {role}"), format!("DROP ROLE {role}")] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut raw).await.unwrap();
    }
}
