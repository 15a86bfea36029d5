//! How much a duty does in one commit, and how long it rests after it, so that whoever else writes hardly waits for it.

use std::time::Duration;

/// What a statement of a duty may take longer than one that does next to nothing. What it wrote has to last before any
/// other write of the same commit does, so that little is much.
const AIM: Duration = Duration::from_micros(500);

/// How many statements in a row take longer before there are fewer rows: one by itself had to wait for others.
const PATIENCE: u32 = 16;

/// How much longer than its statement took a duty rests. The commit takes several times as long as that.
const REST: u32 = 60;

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// The pace of a duty.
pub(super) struct Pace {
    size: i64,
    most: i64,
    /// What the fastest statement took: a database may be far away.
    least: Duration,
    /// How many statements in a row took longer than they should.
    slow: u32,
}

impl Pace {
    /// Of a duty that does no more than so many rows in one commit.
    pub(super) const fn up_to(most: i64) -> Self {
        Self { size: 1, most, least: Duration::MAX, slow: 0 }
    }

    /// How many rows the next statement is for.
    pub(super) const fn size(&self) -> i64 {
        self.size
    }

    /// A statement took so long: rests, and takes more or fewer rows the next time.
    pub(super) async fn rest(&mut self, took: Duration) {
        self.adapt(took);
        tokio::time::sleep((took * REST).min(LONGEST_REST)).await;
    }

    fn adapt(&mut self, took: Duration) {
        self.least = self.least.min(took);
        let longer = took.saturating_sub(self.least);
        self.slow = if longer > AIM { self.slow + 1 } else { 0 };
        if longer < AIM / 2 {
            self.size = (self.size * 2).min(self.most);
        } else if self.slow == PATIENCE {
            self.size = (self.size / 2).max(1);
            self.slow = 0;
        }
    }
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
}
