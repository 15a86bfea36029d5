//! Statistics of how the service is used, which say nothing of any account (P13).
//!
//! Once a month is over, its accounts are counted in histograms, and each count gets noise: whether an account is in it
//! or not changes what comes out by a factor of e^ε at most (Dwork, McSherry, Nissim and Smith, 2006). What comes out is
//! kept, and nothing else is: asking again gives no fresh noise, of which a mean would tell the count.

mod noise;

use std::time::Duration;

pub use noise::discrete_laplace;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::{Clock, Micros};
use crate::db::statistics::{self, Use};
use crate::db::{Db, DbError, hosts};
use crate::ids::HostId;
use crate::ledger::Microcredits;
use crate::statements::Month;

/// How often a host looks whether a month is over.
const EVERY: Duration = Duration::from_mins(1);

/// How long a month has to be over, so that its last runs are settled.
const LAG_MS: i64 = 24 * 3_600_000;

/// The scale of the noise: 1/ε, where an account is in one bucket of each histogram.
const SCALE: u64 = 4;

/// A smaller count is not shown.
const MINIMUM: i64 = 10;

const METHOD: &str = "Each count is of accounts that were active and did not object, plus two-sided geometric noise \
                      (the discrete Laplace distribution), drawn exactly, of scale 1/epsilon; then less than 0 is 0, \
                      and less than the minimum is null. An account is in one bucket of each histogram, so that a \
                      histogram is epsilon-differentially private, and a month so many times epsilon as it has \
                      histograms. A month is made once.";

/// How the service was used in a month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Statistics {
    /// The month.
    #[schema(value_type = String, example = "2026-01")]
    pub month: Month,
    /// When it was made; null for a month of which nothing was.
    pub made_at: Option<Micros>,
    /// The epsilon of each histogram.
    pub epsilon: f64,
    /// The least that a count has to be to be shown.
    pub minimum: i64,
    /// What was done to the counts.
    pub method: String,
    /// Accounts, counted.
    pub histograms: Vec<Histogram>,
}

/// Accounts by something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Histogram {
    /// What they are counted by.
    pub by: String,
    /// All buckets that there can be, whether anybody is in them or not.
    pub buckets: Vec<Bucket>,
}

/// Accounts that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bucket {
    /// What they have at least.
    pub from: i64,
    /// What they have less than; null when that is anything.
    pub below: Option<i64>,
    /// How many they are, with noise; null for less than the minimum.
    pub accounts: Option<i64>,
}

/// What accounts are counted by: its name, where each bucket begins, and what an account has of it.
type By = (&'static str, &'static [i64], fn(&Use) -> i64);

const CREDIT: i64 = Microcredits::PER_CREDIT;

const COUNTED: [By; 3] = [
    ("runs", &[0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000], |used| used.runs),
    (
        "microcredits",
        &[0, 1, CREDIT / 100, CREDIT / 10, CREDIT, 10 * CREDIT, 100 * CREDIT, 1_000 * CREDIT, 10_000 * CREDIT],
        |used| used.spent.0,
    ),
    // Of accounts without runs it is none, and so 0.
    ("percent of runs that succeeded", &[0, 1, 50, 90, 99, 100], |used| 100 * used.succeeded / used.runs.max(1)),
];

/// The counts of accounts, by each thing, before there is noise.
#[must_use]
pub fn counted(uses: &[Use]) -> Vec<Vec<i64>> {
    let count = |(_, begins, has): &By| {
        let mut counts = vec![0; begins.len()];
        for used in uses {
            let bucket = begins.iter().rposition(|begin| *begin <= has(used)).unwrap_or_default();
            counts[bucket] += 1;
        }
        counts
    };
    COUNTED.iter().map(count).collect()
}

/// What is shown of a month, made of what each count comes out as; null where there is none.
fn shown(month: Month, made_at: Option<Micros>, mut out: impl FnMut(usize, usize) -> Option<i64>) -> Statistics {
    let histogram = |(place, (by, begins, _)): (usize, &By)| Histogram {
        by: (*by).to_owned(),
        buckets: begins
            .iter()
            .enumerate()
            .map(|(bucket, from)| Bucket {
                from: *from,
                below: begins.get(bucket + 1).copied(),
                accounts: out(place, bucket),
            })
            .collect(),
    };
    Statistics {
        month,
        made_at,
        epsilon: 1.0 / SCALE as f64,
        minimum: MINIMUM,
        method: METHOD.to_owned(),
        histograms: COUNTED.iter().enumerate().map(histogram).collect(),
    }
}

/// Makes statistics, and shows them.
pub struct Aggregates {
    db: Db,
    clock: Clock,
}

impl Aggregates {
    /// Over a database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Makes those of each month that is over, for as long as the host lives and while it is the first of its region.
    pub async fn do_duties(self, host: HostId) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.make_what_is_due(host).await {
                tracing::warn!(%error, "the month's statistics could not be made; it will be tried again");
            }
        }
    }

    async fn make_what_is_due(&self, host: HostId) -> Result<(), DbError> {
        let now = self.clock.now();
        let month = Month::of(now.plus_ms(-LAG_MS)).previous();
        if !hosts::is_first(&self.db, host, now).await?
            || statistics::get(&self.db, &month.to_string()).await?.is_some()
        {
            return Ok(());
        }
        let uses = statistics::uses(&self.db, (month.begins(), month.next().begins())).await?;
        let mut counts = counted(&uses);
        for count in counts.iter_mut().flatten() {
            *count = count.saturating_add(discrete_laplace(SCALE, &mut random)?).max(0);
        }
        let made = shown(month, Some(now), |by, bucket| Some(counts[by][bucket]).filter(|count| *count >= MINIMUM));
        let (region, text) = (self.db.region().to_owned(), serde_json::to_string(&made).map_err(DbError::corrupt)?);
        self.db
            .write(move |tx| {
                let (region, text) = (region.clone(), text.clone());
                Box::pin(async move { statistics::insert(tx, (&region, &month.to_string()), &text, now).await })
            })
            .await
    }

    /// The statistics of a month that is over. None for one that is not yet, or not for a day.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn of(&self, month: Month) -> Result<Option<Statistics>, DbError> {
        if let Some((text, _)) = statistics::get(&self.db, &month.to_string()).await? {
            return serde_json::from_str(&text).map(Some).map_err(DbError::corrupt);
        }
        let is_over = month.next().begins() <= self.clock.now().plus_ms(-LAG_MS);
        Ok(is_over.then(|| shown(month, None, |_, _| None)))
    }

    /// The last month that is over.
    #[must_use]
    pub fn last_month(&self) -> Month {
        Month::of(self.clock.now().plus_ms(-LAG_MS)).previous()
    }
}

/// 64 bits that nobody can foretell.
fn random() -> Result<u64, DbError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| DbError::corrupt("the operating system gave no randomness"))?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_in_one_bucket_of_each_histogram() {
        for (runs, succeeded, spent) in [(0, 0, 0), (9, 9, 1), (10, 5, CREDIT), (1_000_000, 999_999, i64::MAX)] {
            let counts = counted(&[Use { runs, succeeded, spent: Microcredits(spent) }]);
            assert!(counts.iter().all(|counts| counts.iter().sum::<i64>() == 1), "{counts:?}");
        }
        let counts = counted(&[Use { runs: 10, succeeded: 5, spent: Microcredits(CREDIT) }]);
        assert_eq!((counts[0][2], counts[1][4], counts[2][2]), (1, 1, 1));
    }

    #[test]
    fn all_buckets_are_shown_and_each_ends_where_the_next_one_begins() {
        let shown = shown("2026-01".parse().unwrap(), None, |_, _| None);
        for histogram in &shown.histograms {
            let (ends, begins) = (histogram.buckets.iter(), histogram.buckets.iter().skip(1));
            assert!(ends.zip(begins).all(|(end, begin)| end.below == Some(begin.from)));
            assert_eq!(histogram.buckets.last().unwrap().below, None);
        }
        assert!((shown.epsilon - 0.25).abs() < f64::EPSILON);
    }
}
