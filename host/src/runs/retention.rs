//! Forgets what was kept long enough.

use std::sync::Arc;
use std::time::Duration;

use super::Runs;
use crate::clock::Micros;
use crate::config::Config;
use crate::db::retention::{self, OfRuns};
use crate::db::{Db, DbError, accounts, holds, hosts};
use crate::faults;
use crate::statements::Month;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How often a host looks for what was kept long enough.
const EVERY: Duration = Duration::from_mins(10);

impl Runs {
    /// Forgets what is old, for as long as the host lives. It takes its time, so that nothing else is done beside it
    /// that others wait for: above all the lease is not.
    pub async fn forget_by_itself(self: Arc<Self>) {
        loop {
            match hosts::is_first(&self.db, self.host.0, self.clock.now()).await {
                Ok(true) => faults::duty("retention", self.forget_what_is_old()).await,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "what is old could not be looked for; it will be tried again"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Deletes what was kept as long as the operator's file says, each by itself: what can't be deleted keeps nothing
    /// else.
    async fn forget_what_is_old(&self) {
        let (config, now) = (self.config.now(), self.clock.now());
        let kept = &config.values.retention;
        let days_ago = |days: u32| now.plus_ms(-i64::from(days) * DAY_MS);
        let (db, billing) = (&self.db, days_ago(kept.billing_days));
        // The clocks of hosts differ, and what a month was given must not be given again.
        let a_month_ago = Month::of(days_ago(32));
        if let Err(error) = holds::end_expired(&self.db, now).await {
            tracing::warn!(%error, "holds that are over could not be ended; it will be tried again");
        }
        let answered = now.plus_ms(-i64::from(kept.idempotency_hours) * HOUR_MS);
        for (what, deleted) in [
            ("answered requests", retention::delete_answered_requests(db, answered).await),
            ("uses of credentials", retention::delete_credential_uses(db, days_ago(kept.audit_days)).await),
            ("API keys", retention::delete_ended_keys(db, days_ago(kept.ended_key_days)).await),
            ("webhooks", retention::delete_webhooks(db, days_ago(kept.webhook_days)).await),
            ("statements", retention::delete_statements(db, billing).await),
            ("payments", retention::delete_payments(db, billing).await),
            ("requests about rights", retention::delete_rights_requests(db, billing).await),
            ("contents of the audit", retention::delete_audit_contents(db, billing).await),
            ("months of grants", retention::delete_monthly_grants(db, &a_month_ago.to_string()).await),
            ("logs, contents of runs and requests", of_plans(db, &config, now).await),
            ("logs of deployments", retention::forget_earlier(db, OfRuns::Logs, now).await),
            ("contents of runs of deployments", retention::forget_earlier(db, OfRuns::Contents, now).await),
        ] {
            match deleted {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "deleted {what} that were kept long enough"),
                Err(error) => {
                    tracing::warn!(%error, "{what} that were kept long enough could not be deleted; it will be tried again");
                }
            }
        }
    }
}

async fn of_plans(db: &Db, config: &Config, now: Micros) -> Result<u64, DbError> {
    let days_ago = |days: u32| now.plus_ms(-i64::from(days) * DAY_MS);
    let mut deleted = 0;
    for plan in accounts::plans(db).await? {
        deleted += retention::delete_logs(db, &plan, days_ago(config.log_days(&plan))).await?;
        deleted += retention::forget_contents(db, &plan, days_ago(config.content_days(&plan))).await?;
        deleted += retention::delete_requests(db, &plan, days_ago(config.request_days(&plan))).await?;
    }
    Ok(deleted)
}
