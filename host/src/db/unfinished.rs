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
    use crate::db::plans::Plans;

    #[tokio::test]
    async fn what_is_asked_each_second_looks_at_no_run_that_has_finished() {
        let plans = Plans::new().await;
        let of_account = concat!("runs.account_id = 'x' AND ", unfinished!());
        for status in [unfinished!("queued"), unfinished!("running"), of_account] {
            let plan = plans.of(&format!("SELECT * FROM runs WHERE {status}")).await;
            assert!(plan[0].contains("runs_unfinished"), "{plan:?}");
        }
    }
}
