//! Tokens of one run: set aside for each call before it is made, counted when it has ended.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rig_core::completion::Usage as Reported;

use crate::ledger::Tokens;
use crate::names::Name;
use crate::runtime::agent_model::Usage;

/// What providers add to a question that the host does not see: a chat template's marks, and the words that explain
/// tools to a model. Anthropic names at most 530 tokens for its tools; the marks of a few messages come on top.
const UNSEEN_INPUT_TOKENS: u64 = 640;

/// What a run has used of its tokens, and how many it may.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: u64,
    counts: Mutex<Counts>,
    refused: AtomicBool,
}

#[derive(Debug, Default)]
struct Counts {
    used: BTreeMap<Name, Tokens>,
    set_aside: u64,
}

/// The run has not enough tokens left for a call.
#[derive(Debug)]
pub(crate) struct NotEnough;

/// Tokens that are set aside for one call. Dropped, they are counted as far as they were used.
#[derive(Debug)]
pub(crate) struct Call {
    meter: Arc<Meter>,
    model: Name,
    /// The most that the call may use.
    most: Tokens,
    /// Bytes of what the model said.
    said_bytes: u64,
    reported: Reported,
    /// Whether the provider has begun to work on it.
    begun: Arc<AtomicBool>,
}

impl Meter {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, counts: Mutex::default(), refused: AtomicBool::new(false) }
    }

    /// Sets tokens aside for a question of so many bytes, and as many of an answer as are wanted and left. A token
    /// stands for at least one byte, so bytes are never too few; unlike a tokenizer, they are the same for each model.
    pub(crate) fn call(self: &Arc<Self>, model: &Name, bytes: usize, wanted: u64) -> Result<Call, NotEnough> {
        let input = (bytes as u64).saturating_add(UNSEEN_INPUT_TOKENS);
        let mut counts = self.counts();
        let taken = counts.used.values().map(|tokens| tokens.total()).fold(counts.set_aside, u64::saturating_add);
        let left = self.limit.saturating_sub(taken).saturating_sub(input);
        let output = wanted.min(left);
        if taken.saturating_add(input) > self.limit || (output == 0 && wanted > 0) {
            self.refused.store(true, Ordering::Relaxed);
            return Err(NotEnough);
        }
        let most = Tokens { input, output };
        counts.set_aside = counts.set_aside.saturating_add(most.total());
        let (meter, model) = (Arc::clone(self), model.clone());
        Ok(Call { meter, model, most, said_bytes: 0, reported: Reported::default(), begun: Arc::default() })
    }

    /// Tokens of calls that have ended.
    pub(crate) fn used(&self) -> BTreeMap<Name, Tokens> {
        self.counts().used.clone()
    }

    /// Whether a call was refused.
    pub(crate) fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// The most tokens that the answer may have.
    pub(crate) fn most_output(&self) -> u64 {
        self.most.output
    }

    /// Set while the provider works on the call, or has.
    pub(crate) fn begun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.begun)
    }

    /// The model said so many bytes more.
    pub(crate) fn said(&mut self, bytes: usize) {
        self.said_bytes = self.said_bytes.saturating_add(bytes as u64);
    }

    /// What the provider has counted so far.
    pub(crate) fn reported(&mut self, reported: Reported) {
        self.reported = reported;
    }

    /// What the call has used: what the provider counted, and a token for each byte where it did not. What it has
    /// counted of an answer that broke off may be less than what it said.
    pub(crate) fn usage(&self, whole: bool) -> Usage {
        // No question is of no tokens, nor is an answer that said something: a zero there counts nothing.
        let input = self.reported.input_tokens.filter(|tokens| *tokens > 0);
        let output = self.reported.output_tokens.filter(|tokens| *tokens > 0 || self.said_bytes == 0);
        let by_bytes = self.said_bytes.min(self.most.output);
        Usage {
            input: input.unwrap_or(self.most.input),
            output: match output {
                Some(output) if whole => output,
                counted => counted.unwrap_or(0).max(by_bytes),
            },
            cached: self.reported.cached_input_tokens.unwrap_or(0),
            reported: input.is_some() && output.is_some(),
        }
    }

    /// Ends the call, which came to its end.
    pub(crate) fn end(self) -> Usage {
        let usage = self.usage(true);
        self.count(Tokens { input: usage.input, output: usage.output });
        usage
    }

    fn count(&self, tokens: Tokens) {
        let mut counts = self.meter.counts();
        *counts.used.entry(self.model.clone()).or_default() += tokens;
        // What is counted here is not counted again when the call is dropped.
        self.begun.store(false, Ordering::Relaxed);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.begun.load(Ordering::Relaxed) {
            let usage = self.usage(false);
            self.count(Tokens { input: usage.input, output: usage.output });
        }
        let mut counts = self.meter.counts();
        counts.set_aside = counts.set_aside.saturating_sub(self.most.total());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> Name {
        "fast".parse().unwrap()
    }

    fn begun(meter: &Arc<Meter>, bytes: usize, wanted: u64) -> Call {
        let call = meter.call(&name(), bytes, wanted).unwrap();
        call.begun().store(true, Ordering::Relaxed);
        call
    }

    fn reported(input: Option<u64>, output: Option<u64>) -> Reported {
        let mut reported = Reported::default();
        (reported.input_tokens, reported.output_tokens) = (input, output);
        reported
    }

    fn used(meter: &Meter) -> Tokens {
        meter.used().remove(&name()).unwrap_or_default()
    }

    #[test]
    fn a_provider_that_counts_is_believed() {
        let meter = Arc::new(Meter::new(10_000));
        let mut call = begun(&meter, 100, 500);
        call.said(40);
        call.reported(reported(Some(25), Some(10)));
        assert!(call.end().reported);
        assert_eq!(used(&meter), Tokens { input: 25, output: 10 });
    }

    #[test]
    fn a_provider_that_does_not_count_is_counted_by_bytes() {
        let meter = Arc::new(Meter::new(10_000));
        let mut call = begun(&meter, 100, 500);
        call.said(40);
        let usage = call.end();
        assert_eq!((usage.input, usage.output, usage.reported), (100 + UNSEEN_INPUT_TOKENS, 40, false));
        assert_eq!(used(&meter), Tokens { input: 100 + UNSEEN_INPUT_TOKENS, output: 40 });
    }

    #[test]
    fn a_provider_that_counts_zero_has_not_counted() {
        let meter = Arc::new(Meter::new(10_000));
        let mut call = begun(&meter, 100, 500);
        call.said(40);
        call.reported(reported(Some(0), Some(0)));
        let usage = call.end();
        assert_eq!((usage.input, usage.output, usage.reported), (100 + UNSEEN_INPUT_TOKENS, 40, false));
    }

    #[test]
    fn an_answer_that_breaks_off_is_counted_as_far_as_it_came() {
        let meter = Arc::new(Meter::new(10_000));
        let mut call = begun(&meter, 100, 500);
        call.said(40);
        call.reported(reported(Some(25), Some(1)));
        drop(call);
        assert_eq!(used(&meter), Tokens { input: 25, output: 40 });
    }

    #[test]
    fn a_call_that_never_reached_the_provider_costs_nothing() {
        let meter = Arc::new(Meter::new(10_000));
        drop(meter.call(&name(), 100, 500).unwrap());
        assert_eq!(used(&meter), Tokens::default());
        assert!(meter.call(&name(), 100, 10_000).is_ok(), "what was set aside is given back");
    }

    #[test]
    fn calls_share_the_tokens_of_the_run() {
        let meter = Arc::new(Meter::new(2_000));
        let first = begun(&meter, 100, 5_000);
        assert_eq!(first.most_output(), 2_000 - 100 - UNSEEN_INPUT_TOKENS);
        assert!(meter.call(&name(), 0, 1).is_err() && meter.refused());
        drop(first);
        assert_eq!(meter.call(&name(), 0, 10).unwrap().most_output(), 10);
    }

    #[test]
    fn a_question_that_may_be_larger_than_what_is_left_is_not_asked() {
        let meter = Arc::new(Meter::new(2_000));
        assert!(meter.call(&name(), 2_000, 1).is_err());
        assert!(meter.call(&name(), 2_000 - 640, 0).is_ok(), "vectors need no tokens of an answer");
    }
}
