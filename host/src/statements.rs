//! Monthly statements: what an account had at the beginning of a month, what moved it, and what it had at the end.
//!
//! A statement is issued once its month is over, for each month in which anything moved, and never changed. Its closing
//! balance is taken from the ledger, so that statements and balance can't part: a transfer that is written after the
//! statement of its month, by a host whose database was away for hours, is named on the next one.

mod metrics;
mod month;
mod pdf;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

pub use month::Month;
pub use pdf::pdf;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::{Clock, Micros};
use crate::db::statements::{self, NewStatement, Sum};
use crate::db::{Db, DbError};
use crate::ids::DeploymentId;
use crate::ledger::{Microcredits, Side, Tenant, Verb};

/// How long after its end a month's statement is issued, in milliseconds: so long a commit may take.
const LAG_MS: i64 = 3_600_000;

/// How often it is looked whether any are due.
const LOOKED_FOR_EVERY: Duration = Duration::from_mins(10);

/// Deployments that a statement names.
const MOST_DEPLOYMENTS: i64 = 1_000;

/// Tenants that are looked at together.
const PAGE: i64 = 500;

/// The statement of one month. The balance is what is available and what runs hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// Its number: the operator's statements are numbered without a gap.
    pub number: i64,
    /// The month, in UTC.
    #[schema(value_type = String, pattern = "^[0-9]{4}-[0-9]{2}$")]
    pub month: Month,
    /// When the month began.
    pub from: Micros,
    /// When it was over.
    pub to: Micros,
    /// When the statement was issued.
    pub issued_at: Micros,
    /// The balance when the month began.
    pub opening_microcredits: Microcredits,
    /// What moved it, by reason.
    pub movements: Vec<Movement>,
    /// What was booked for earlier months after their statements were issued.
    pub booked_late_microcredits: Microcredits,
    /// The balance when the month was over.
    pub closing_microcredits: Microcredits,
    /// How many runs were charged.
    pub runs: i64,
    /// What of that each deployment was charged, the most first.
    #[serde(default)]
    pub deployments: Vec<OfDeployment>,
}

/// What the runs of one deployment were charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfDeployment {
    /// The deployment; absent for what is left: runs that are gone, and deployments past the first thousand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
    /// What its owner calls it. The statement itself does not hold that, so that it names nobody when it outlives the
    /// account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many of its runs were charged.
    pub runs: i64,
    /// What they were charged.
    pub charged_microcredits: Microcredits,
}

/// All that moved credits for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Movement {
    /// The reason.
    #[schema(value_type = Verb)]
    pub reason: String,
    /// The ledger account that it took from.
    pub from: String,
    /// The ledger account that it gave to.
    pub to: String,
    /// How many transactions.
    pub count: i64,
    /// What they moved; never negative.
    pub amount_microcredits: Microcredits,
    /// What that added to the balance, or took from it when it is negative.
    pub balance_change_microcredits: Microcredits,
}

impl OfDeployment {
    /// What people are shown: its name, or else its id.
    #[must_use]
    pub fn called(&self) -> String {
        let id = self.deployment.map(|id| id.to_string());
        self.name.clone().or(id).unwrap_or_else(|| "all others".to_owned())
    }
}

impl Movement {
    fn of(sum: &Sum) -> Self {
        let (from, to) = sum.verb.sides();
        Self {
            reason: sum.verb.to_string(),
            from: from.as_str().to_owned(),
            to: to.as_str().to_owned(),
            count: sum.count,
            amount_microcredits: sum.amount,
            balance_change_microcredits: change(sum),
        }
    }
}

/// What transfers add to the balance: what they bring into a tenant's own two ledger accounts, less what they take out.
fn change(sum: &Sum) -> Microcredits {
    let own = |side| matches!(side, Side::Credits | Side::Holds);
    let (from, to) = sum.verb.sides();
    match (own(from), own(to)) {
        (false, true) => sum.amount,
        (true, false) => Microcredits::ZERO - sum.amount,
        _ => Microcredits::ZERO,
    }
}

/// The deployments, and what they leave of all that was charged.
fn with_the_rest(mut each: Vec<OfDeployment>, settled: Option<&Sum>) -> Vec<OfDeployment> {
    let (count, amount) = settled.map_or((0, Microcredits::ZERO), |sum| (sum.count, sum.amount));
    let runs = count - each.iter().map(|of| of.runs).sum::<i64>();
    let charged_microcredits = amount - each.iter().map(|of| of.charged_microcredits).sum();
    if runs != 0 || charged_microcredits != Microcredits::ZERO {
        each.push(OfDeployment { deployment: None, name: None, runs, charged_microcredits });
    }
    each
}

/// Issues statements.
pub struct Statements {
    db: Db,
    clock: Clock,
    /// All statements of months that ended before this are issued.
    issued_until: AtomicI64,
}

impl Statements {
    /// Over a database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Arc<Self> {
        Arc::new(Self { db, clock, issued_until: AtomicI64::new(i64::MIN) })
    }

    /// Issues statements for as long as the host lives.
    pub async fn do_duties(self: Arc<Self>) {
        loop {
            if let Err(error) = self.issue_due().await {
                tracing::warn!(%error, "not all statements that are due could be issued; they will be tried again");
            }
            tokio::time::sleep(LOOKED_FOR_EVERY).await;
        }
    }

    /// Issues each statement that is due. Any number of hosts may do so at the same time, and again.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer; what was issued until then stays issued.
    pub async fn issue_due(&self) -> Result<u64, DbError> {
        let over = Month::of(self.clock.now().plus_ms(-LAG_MS)).begins();
        if self.issued_until.load(Ordering::Relaxed) >= over.0 {
            return Ok(0);
        }
        let (mut issued, mut last) = (0, None);
        loop {
            let due = statements::due(&self.db, last, over, PAGE).await?;
            let Some((tenant, _)) = due.last() else { break };
            last = Some(*tenant);
            for (tenant, first) in due {
                let mut next = Some(first);
                while let Some(first) = next {
                    issued += u64::from(self.issue(tenant, Month::of(first)).await?);
                    next = statements::next_movement(&self.db, tenant).await?.filter(|at| *at < over);
                }
            }
        }
        self.issued_until.store(over.0, Ordering::Relaxed);
        if issued > 0 {
            tracing::info!(statements = issued, "issued what was due");
        }
        Ok(issued)
    }

    /// Issues the statement of a month. False when another host was first.
    async fn issue(&self, tenant: Tenant, month: Month) -> Result<bool, DbError> {
        let (from, to) = (month.begins(), month.next().begins());
        let opening = statements::last_closing(&self.db, tenant).await?;
        let sums = statements::sums(&self.db, tenant, (from, to)).await?;
        let (now, since) = statements::balance_and_sums_since(&self.db, tenant, to).await?;
        let closing = now - since.iter().map(change).sum();
        let moved: Microcredits = sums.iter().map(change).sum();
        let settled = sums.iter().find(|sum| sum.verb == Verb::Settle);
        let by_deployment = statements::by_deployment(&self.db, tenant, (from, to), MOST_DEPLOYMENTS).await?;
        let statement = Statement {
            number: 0,
            month,
            from,
            to,
            issued_at: self.clock.now(),
            opening_microcredits: opening,
            movements: sums.iter().map(Movement::of).collect(),
            booked_late_microcredits: closing - opening - moved,
            closing_microcredits: closing,
            runs: settled.map_or(0, |sum| sum.count),
            deployments: with_the_rest(by_deployment, settled),
        };
        let written = self.db.write(move |tx| {
            let statement = statement.clone();
            Box::pin(async move {
                let number = statements::next_number(tx).await?;
                let document = serde_json::to_string(&Statement { number, ..statement }).map_err(DbError::corrupt)?;
                statements::insert(tx, &NewStatement { number, tenant, period_end: to, closing, document }).await
            })
        });
        match written.await {
            Ok(()) => Ok(true),
            // Nothing of the transaction is kept, its number neither.
            Err(DbError::Exists(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
