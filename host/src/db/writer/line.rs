//! The line of large requests: a flood of log or a large output must not slow the small requests of everybody else.
//!
//! A group takes at most one of them, and after it the line rests for three times as long as that group took, so that
//! they have a quarter of the writer's time; all of it when nothing small has come for a while.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::LARGEST_GROUP;
use super::requests::Request;

/// A request that writes more is a large one.
const SMALL_BYTES: usize = 16 << 10;

/// How much longer the line rests than a group took.
const REST: u32 = 3;

/// Without a small request for so long, nobody is disturbed.
const UNDISTURBED: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(super) struct Line {
    waiting: VecDeque<Request>,
    rests_until: Option<Instant>,
    last_small: Option<Instant>,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= LARGEST_GROUP
    }

    /// Takes the large requests out of these.
    pub(super) fn sort(&mut self, requests: &mut Vec<Request>) {
        self.waiting.extend(requests.extract_if(.., |request| request.bytes() > SMALL_BYTES));
        if !requests.is_empty() {
            self.last_small = Some(Instant::now());
        }
    }

    /// How long until the next one may go; none when there is none.
    pub(super) fn pause(&self) -> Option<Duration> {
        let rest = self.rests_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        (!self.is_empty()).then_some(rest)
    }

    /// The next one, when it may go.
    pub(super) fn next(&mut self, at_once: bool) -> Option<Request> {
        let rested = self.rests_until.is_none_or(|until| until <= Instant::now());
        if at_once || rested { self.waiting.pop_front() } else { None }
    }

    /// Rests after a group that carried one and took so long.
    pub(super) fn rest(&mut self, took: Duration) {
        let disturbs = self.last_small.is_some_and(|last| last.elapsed() < UNDISTURBED.max(took));
        self.rests_until = disturbs.then(|| Instant::now() + took * REST);
    }
}
