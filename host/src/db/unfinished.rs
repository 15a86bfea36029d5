//! Runs that have not finished, found by their partial index.

/// Runs of a status that is not the last. SQLite takes a partial index only where the index's own condition stands in
/// the query, and would go through all runs that there ever were.
macro_rules! unfinished {
    () => {
        "runs.status IN ('queued', 'running') AND runs.status <> 'finished'"
    };
    ($status:literal) => {
        concat!("runs.status = '", $status, "' AND runs.status <> 'finished'")
    };
}
pub(super) use unfinished;

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use crate::db::{DatabaseUrl, Db};
    use crate::ids::HostId;

    #[tokio::test]
    async fn what_is_asked_each_second_looks_at_no_run_that_has_finished() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(&folder.path().join("aaasp.db"));
        let db = Db::open(url, HostId::generate()).await.unwrap();
        let of_account = concat!("runs.account_id = 'x' AND ", unfinished!());
        for status in [unfinished!("queued"), unfinished!("running"), of_account] {
            let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN SELECT * FROM runs WHERE {status}"));
            let rows = sqlx::query(explained).fetch_all(&db.pool).await.unwrap();
            let plan: String = rows[0].try_get("detail").unwrap();
            assert!(plan.contains("runs_unfinished"), "{plan}");
        }
        db.close().await;
    }
}
