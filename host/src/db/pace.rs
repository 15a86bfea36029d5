//! How much a duty does in one commit, and how long it rests after it, so that whoever else writes hardly waits for it.

use std::time::{Duration, Instant};

/// What a commit of a duty may take longer than one with next to nothing in it.
const AIM: Duration = Duration::from_millis(2);

/// How much longer than it worked a duty rests: it has at most a tenth of the writer.
const REST: u32 = 9;

/// The longest rest: a commit that waited for others for long was none of the duty's doing.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Rows of the first commit.
const FIRST: i64 = 1;

/// The pace of a duty.
pub(super) struct Pace {
    size: i64,
    most: i64,
    began: Instant,
    /// What the fastest commit took: a disk may be slow to say that something lasts, however little it is.
    least: Duration,
}

impl Pace {
    /// Of a duty that does no more than so many rows in one commit.
    pub(super) fn up_to(most: i64) -> Self {
        Self { size: FIRST.min(most), most, began: Instant::now(), least: Duration::MAX }
    }

    /// A commit begins, with so many rows.
    pub(super) fn begin(&mut self) -> i64 {
        self.began = Instant::now();
        self.size
    }

    /// It is over: rests, and takes more or fewer rows the next time.
    pub(super) async fn rest(&mut self) {
        let took = self.began.elapsed();
        self.adapt(took);
        tokio::time::sleep((took * REST).min(LONGEST_REST)).await;
    }

    fn adapt(&mut self, took: Duration) {
        self.least = self.least.min(took);
        let longer = took.saturating_sub(self.least);
        if longer < AIM / 2 {
            self.size = (self.size * 2).min(self.most);
        } else if longer > AIM {
            self.size = (self.size / 2).max(1);
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
            let rows = u64::try_from(pace.begin()).unwrap();
            pace.adapt(Duration::from_micros(fixed_us + rows * row_us));
        }
        pace.size
    }

    #[test]
    fn small_rows_go_by_hundreds_and_large_ones_by_themselves() {
        assert!((100..=512).contains(&settled(500, 300, 5)));
        assert!((1..=8).contains(&settled(500, 300, 400)));
        assert_eq!(settled(500, 300, 10_000), 1);
        assert_eq!(settled(500, 300, 0), 500);
    }

    #[test]
    fn a_disk_that_is_slow_for_each_commit_makes_none_smaller() {
        assert!(settled(500, 20_000, 5) >= 100);
    }
}
