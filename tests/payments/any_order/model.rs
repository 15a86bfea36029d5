//! What may be told and done, and a model of where the credits are then: what was told of each thing at last, and a purse.

use std::collections::BTreeMap;

use aaasp::payments::{PaymentState, ReversalState};
use proptest::prelude::*;

/// What one of the smallest unit buys.
pub(super) const PRICE: i64 = 7;

/// Amount, tax and currency of each payment. The first two are of one top-up; the last is for nothing of ours.
pub(super) const PAYMENTS: [(i64, i64, &str); 5] =
    [(1_000, 0, "EUR"), (1_000, 167, "EUR"), (300, 0, "EUR"), (700, 0, "USD"), (500, 0, "EUR")];

/// Payment and amount of each refund or dispute; none is all of it.
pub(super) const REVERSALS: [(usize, Option<i64>); 7] =
    [(0, None), (0, Some(333)), (0, Some(1)), (1, Some(999)), (2, None), (3, None), (4, None)];

pub(super) const PAYMENT_STATES: [PaymentState; 4] =
    [PaymentState::Processing, PaymentState::Cancelled, PaymentState::Failed, PaymentState::Succeeded];
pub(super) const REVERSAL_STATES: [ReversalState; 3] =
    [ReversalState::Open, ReversalState::Dropped, ReversalState::Taken];

/// One step. What is told is told of a second of its own choice, so that it comes in any order.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Payment {
        of: usize,
        state: usize,
        second: i64,
    },
    Reversal {
        of: usize,
        state: usize,
        second: i64,
    },
    /// A webhook that was sent before, again.
    Again(usize),
    Grant(i64),
    Adjust(i64),
    Admit {
        slot: usize,
        amount: i64,
    },
    Settle {
        slot: usize,
        percent: i64,
    },
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..PAYMENTS.len(), 0..4_usize, 0..4_i64)
            .prop_map(|(of, state, second)| Step::Payment { of, state, second }),
        4 => (0..REVERSALS.len(), 0..3_usize, 0..4_i64)
            .prop_map(|(of, state, second)| Step::Reversal { of, state, second }),
        2 => (0..64_usize).prop_map(Step::Again),
        1 => (1..3_000_i64).prop_map(Step::Grant),
        1 => (-3_000..3_000_i64).prop_map(Step::Adjust),
        3 => (0..4_usize, 0..5_000_i64).prop_map(|(slot, amount)| Step::Admit { slot, amount }),
        3 => (0..4_usize, 0..=100_i64).prop_map(|(slot, percent)| Step::Settle { slot, percent }),
    ]
}

/// The model: what was told of each thing at last, and a purse.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) payments: BTreeMap<usize, (i64, PaymentState)>,
    pub(super) reversals: BTreeMap<usize, (i64, ReversalState)>,
    pub(super) available: i64,
    pub(super) debt: i64,
    /// What was taken back of each payment so far.
    pub(super) taken: BTreeMap<usize, i64>,
    pub(super) credited: BTreeMap<usize, i64>,
    pub(super) open: [Option<i64>; 4],
}

impl Model {
    pub(super) fn come_in(&mut self, amount: i64) {
        self.available += amount;
        self.pay();
    }

    pub(super) fn pay(&mut self) {
        let paid = self.debt.min(self.available);
        self.debt -= paid;
        self.available -= paid;
    }

    pub(super) fn go_out(&mut self, amount: i64) {
        let there = self.available.min(amount);
        self.available -= there;
        self.debt += amount - there;
    }

    pub(super) fn told_payment(&mut self, of: usize, second: i64, state: PaymentState) {
        let before = self.payments.get(&of).copied();
        let (amount, tax, currency) = PAYMENTS[of];
        if of == 4 || before.is_some_and(|(_, state)| state == PaymentState::Succeeded) {
            return;
        }
        if state == PaymentState::Succeeded || before.is_none_or(|before| before < (second, state)) {
            self.payments.insert(of, (second, state));
        }
        if state == PaymentState::Succeeded && currency == "EUR" {
            let credited = (amount - tax) * PRICE;
            self.credited.insert(of, credited);
            self.come_in(credited);
            // Refunds and disputes that were told before take theirs one after the other.
            self.balance(of);
        }
    }

    pub(super) fn told_reversal(&mut self, of: usize, second: i64, state: ReversalState) {
        if self.reversals.get(&of).is_none_or(|before| *before < (second, state)) {
            self.reversals.insert(of, (second, state));
            self.balance(REVERSALS[of].0);
        }
    }

    /// Sees to it that as much is taken of a payment as its refunds and disputes say.
    pub(super) fn balance(&mut self, of: usize) {
        let Some(&credited) = self.credited.get(&of) else { return };
        let whole = PAYMENTS[of].0;
        let gone: i64 = self
            .reversals
            .iter()
            .filter(|(reversal, (_, state))| REVERSALS[**reversal].0 == of && *state == ReversalState::Taken)
            .map(|(reversal, _)| REVERSALS[*reversal].1.unwrap_or(whole))
            .sum();
        let due = credited * gone.min(whole) / whole;
        let taken = self.taken.insert(of, due).unwrap_or_default();
        // What is told again and changes nothing pays no debt either: that is for the next run, or for what comes in.
        match due - taken {
            0 => {}
            more @ 1.. => self.go_out(more),
            less => self.come_in(-less),
        }
    }
}
