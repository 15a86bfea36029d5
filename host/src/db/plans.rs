//! How SQLite finds the rows of a statement, for tests.

use sqlx::{AssertSqlSafe, Row as _};

use super::{DatabaseUrl, Db};
use crate::ids::HostId;

/// An empty database that explains.
pub(super) struct Plans {
    db: Db,
    _folder: tempfile::TempDir,
}

impl Plans {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(&folder.path().join("aaasp.db"));
        Self { db: Db::open(url, HostId::generate()).await.unwrap(), _folder: folder }
    }

    /// The steps that it takes.
    pub(super) async fn of(&self, statement: &str) -> Vec<String> {
        let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sqlx::query(explained).fetch_all(&self.db.pool).await.unwrap();
        rows.iter().map(|row| row.try_get("detail").unwrap()).collect()
    }

    /// The same, none of which may go through a whole table.
    pub(super) async fn by_index(&self, statement: &str) -> Vec<String> {
        let plan = self.of(statement).await;
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{statement}: {plan:?}");
        plan
    }
}
