//! How much a duty does in one commit, and how long it rests after it, so that whoever else writes hardly waits for it.

use std::time::{Duration, Instant};

/// What a statement of a duty may take longer than one that does next to nothing. What it wrote has to last before any
/// other write of the same commit does, so that little is much.
const AIM: Duration = Duration::from_micros(500);

/// Statements that are not rested after. Most accounts have no more rows of most things.
const FIRST: u32 = 4;

/// Statements of one size, the fastest of which tells whether it is too large: others may have had to wait for the disk.
const PATIENCE: u32 = 24;

/// The same where even the fastest one took several times too long.
const LITTLE_PATIENCE: u32 = 3;

/// How much longer than its statement took a duty rests. The commit takes several times as long as that.
const REST: u32 = 500;

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_millis(200);

/// After each of these, a duty that is still not done rests less, so that none falls behind for good.
const HURRY: Duration = Duration::from_secs(60);

/// The pace of a duty.
pub(super) struct Pace {
    size: i64,
    most: i64,
    began: Instant,
    statements: u32,
    /// What the fastest statement took: a database may be far away.
    least: Duration,
    /// Statements of this size, and how much longer the fastest of them took.
    tries: u32,
    longer: Duration,
}

impl Pace {
    /// Of a duty that does no more than so many rows in one commit.
    pub(super) fn up_to(most: i64) -> Self {
        Self {
            size: 1,
            most,
            began: Instant::now(),
            statements: 0,
            least: Duration::MAX,
            tries: 0,
            longer: Duration::MAX,
        }
    }

    /// How many rows the next statement is for.
    pub(super) const fn size(&self) -> i64 {
        self.size
    }

    /// A statement took so long: rests, and takes more or fewer rows the next time, if it was of as many as it might be.
    pub(super) async fn rest(&mut self, took: Duration, is_full: bool) {
        self.statements = self.statements.saturating_add(1);
        if is_full {
            self.adapt(took);
        }
        if self.statements > FIRST {
            tokio::time::sleep(rest(took, self.began.elapsed())).await;
        }
    }

    fn adapt(&mut self, took: Duration) {
        self.least = self.least.min(took);
        self.tries += 1;
        self.longer = self.longer.min(took.saturating_sub(self.least));
        if self.longer < AIM / 2 {
            self.resize(self.size * 2);
        } else if self.tries >= LITTLE_PATIENCE && self.longer > AIM * 8 || self.tries >= PATIENCE && self.longer > AIM
        {
            self.resize(self.size / 2);
        } else if self.tries >= PATIENCE {
            self.resize(self.size);
        }
    }

    fn resize(&mut self, size: i64) {
        self.size = size.clamp(1, self.most);
        (self.tries, self.longer) = (0, Duration::MAX);
    }
}

/// How long a duty rests after a statement that took so long, when it has been at it for so long.
fn rest(took: Duration, since: Duration) -> Duration {
    let hurry = u32::try_from(since.as_secs() / HURRY.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    (took * REST).min(LONGEST_REST) / hurry
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size that a duty comes to whose commits take so much, and so much more for each row.
    fn settled(most: i64, fixed_us: u64, row_us: u64) -> i64 {
        let mut pace = Pace::up_to(most);
        for _ in 0..100 {
            let rows = u64::try_from(pace.size()).unwrap();
            pace.adapt(Duration::from_micros(fixed_us + rows * row_us));
        }
        pace.size
    }

    #[test]
    fn small_rows_go_by_the_hundred_and_large_ones_by_themselves() {
        assert!((64..=256).contains(&settled(500, 300, 5)));
        assert!((1..=4).contains(&settled(500, 300, 400)));
        assert!((1..=2).contains(&settled(500, 300, 10_000)));
        assert_eq!(settled(500, 300, 0), 500);
    }

    #[test]
    fn a_database_that_is_slow_or_fast_by_turns_makes_no_duty_fall_behind() {
        assert!(settled(500, 20_000, 5) >= 64);
        let (mut pace, mut sizes) = (Pace::up_to(500), 0);
        for turn in 0..1_000_u64 {
            pace.adapt(Duration::from_micros(500 + turn * 7_919 % 6_000));
            sizes += pace.size();
        }
        assert!(sizes > 100_000, "{sizes}");
    }

    #[test]
    fn a_duty_that_takes_minutes_rests_less() {
        let long = Duration::from_millis(5);
        assert_eq!(rest(Duration::from_micros(100), Duration::ZERO), Duration::from_millis(50));
        assert_eq!(rest(long, HURRY / 2), LONGEST_REST);
        assert_eq!(rest(long, HURRY * 9), LONGEST_REST / 10);
    }
}
