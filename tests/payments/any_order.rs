//! Generated histories against a model of their own: whatever is bought, spent, given back and disputed, however often
//! and in whatever order it is told, on however many hosts.

mod model;

use std::collections::BTreeMap;
use std::sync::Arc;

use aaasp::accounts::{Account, Because, Opening};
use aaasp::clock::{Clock, Micros};
use aaasp::config::{Config, Overrides};
use aaasp::db::top_ups::{self, StoredTopUp};
use aaasp::db::{Admitted, ledger, letters};
use aaasp::folder::Folder;
use aaasp::host::Store;
use aaasp::ids::{HostId, OperatorKeyId, RunId, TopUpId};
use aaasp::ledger::verify::verify;
use aaasp::ledger::{Balance, Microcredits};
use aaasp::payments::{Book, Booked, Fact, PaymentFact, ReversalFact, ReversalKind, TopUpState};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::bare_runs;
use crate::support::database::Database;

use model::{Model, PAYMENT_STATES, PAYMENTS, PRICE, REVERSAL_STATES, REVERSALS, Step, step};

/// Hosts of one database: one on SQLite, two on PostgreSQL.
struct World {
    runtime: Runtime,
    stores: Vec<Store>,
    _folders: Vec<TempDir>,
    _database: Option<Database>,
}

fn world() -> World {
    let runtime = Runtime::new().unwrap();
    let database = runtime.block_on(Database::fresh());
    let folders: Vec<_> = (0..if database.is_some() { 2 } else { 1 }).map(|_| TempDir::new().unwrap()).collect();
    let mut stores = Vec::new();
    for folder in &folders {
        if let Some(first) = folders.first().filter(|first| first.path() != folder.path()) {
            std::fs::create_dir(folder.path().join("keys")).unwrap();
            let keyring = "keys/keyring.toml";
            std::fs::copy(first.path().join(keyring), folder.path().join(keyring)).unwrap();
        }
        let url = database.as_ref().map(|database| database.url().into());
        let config = Config::load(folder.path(), &Overrides { database: url, ..Overrides::default() }).unwrap();
        let taken = Folder::take(folder.path()).unwrap();
        stores.push(runtime.block_on(Store::open(taken, config, Clock::System)).unwrap());
    }
    World { runtime, stores, _folders: folders, _database: database }
}

/// One history: an account of its own, with two top-ups.
struct Case<'w> {
    stores: &'w [Store],
    books: Vec<Book>,
    account: Arc<Account>,
    top_ups: [TopUpId; 3],
    /// Makes the processor's ids this case's own.
    mark: String,
    sent: Vec<(String, Fact, i64)>,
    runs: [(RunId, HostId); 4],
    model: Model,
}

impl<'w> Case<'w> {
    async fn new(stores: &'w [Store]) -> Self {
        let accounts = &stores[0].accounts;
        let mark = RunId::generate().suffix();
        let email = format!("{mark}@example.com");
        let opening =
            Opening { email: &email, plan: "default", region: None, grant: Microcredits::ZERO, because: None };
        let account = accounts.load(accounts.open(&opening, None).await.unwrap().account).await.unwrap().unwrap();
        let top_ups = [TopUpId::generate(), TopUpId::generate(), TopUpId::generate()];
        for id in &top_ups {
            let top_up = StoredTopUp {
                id: *id,
                account: account.id,
                state: TopUpState::Pending,
                amount: 1_000,
                currency: "EUR".to_owned(),
                microcredits_per_minor_unit: PRICE,
                checkout_url: None,
                created_at: Micros(1),
                paid_at: None,
                credited: Microcredits::ZERO,
                taken: Microcredits::ZERO,
            };
            stores[0]
                .db
                .write(move |tx| {
                    let top_up = top_up.clone();
                    Box::pin(async move { top_ups::insert(tx, &top_up, None).await.map(drop) })
                })
                .await
                .unwrap();
        }
        let book = |store: &Store| Book::new(store.db.clone(), store.accounts.clone(), Clock::System);
        Self {
            stores,
            books: stores.iter().map(book).collect(),
            account: Arc::new(account),
            top_ups,
            mark,
            sent: Vec::new(),
            runs: std::array::from_fn(|_| (RunId::generate(), HostId::generate())),
            model: Model::default(),
        }
    }

    fn fact(&self, step: &Step) -> Option<(Fact, i64)> {
        Some(match *step {
            Step::Payment { of, state, second } => {
                let (amount, tax, currency) = PAYMENTS[of];
                let top_up = [Some(0), Some(0), Some(1), Some(2), None][of].map(|of: usize| self.top_ups[of]);
                let fact = PaymentFact {
                    id: format!("pay_{of}_{}", self.mark),
                    state: PAYMENT_STATES[state],
                    amount,
                    tax,
                    currency: currency.to_owned(),
                    top_up,
                    reason: None,
                };
                (Fact::Payment(fact), second)
            }
            Step::Reversal { of, state, second } => {
                let (payment, amount) = REVERSALS[of];
                let fact = ReversalFact {
                    id: format!("ref_{of}_{}", self.mark),
                    kind: if of % 2 == 0 { ReversalKind::Refund } else { ReversalKind::Dispute },
                    state: REVERSAL_STATES[state],
                    payment: format!("pay_{payment}_{}", self.mark),
                    amount,
                    currency: Some(PAYMENTS[payment].2.to_owned()),
                };
                (Fact::Reversal(fact), second)
            }
            _ => return None,
        })
    }

    /// Does one step on the real thing and on the model, and compares.
    async fn play(&mut self, turn: usize, step: Step) -> Result<(), TestCaseError> {
        let host = turn % self.stores.len();
        let db = self.stores[host].db.clone();
        if let Some((fact, second)) = self.fact(&step) {
            let id = format!("msg_{}_{}", self.sent.len(), self.mark);
            self.sent.push((id.clone(), fact.clone(), second));
            let told = self.books[host].take(fact, Micros(second * 1_000_000), Some((id, "a kind".to_owned())));
            told.await.unwrap();
        }
        match step {
            Step::Payment { of, state, second } => self.model.told_payment(of, second, PAYMENT_STATES[state]),
            Step::Reversal { of, state, second } => self.model.told_reversal(of, second, REVERSAL_STATES[state]),
            Step::Again(which) if !self.sent.is_empty() => {
                let (id, fact, second) = self.sent[which % self.sent.len()].clone();
                let again = self.books[host].take(fact, Micros(second * 1_000_000), Some((id, "a kind".to_owned())));
                prop_assert_eq!(again.await.unwrap(), Booked::Repeated);
            }
            Step::Again(_) => {}
            Step::Grant(amount) => {
                let because = Because { operator: OperatorKeyId::generate(), reason: "a test".to_owned() };
                let accounts = &self.stores[host].accounts;
                accounts.grant(&self.account, Microcredits(amount), &because, None).await.unwrap();
                self.model.come_in(amount);
            }
            Step::Adjust(0) => {}
            Step::Adjust(amount) => {
                let because = Because { operator: OperatorKeyId::generate(), reason: "a test".to_owned() };
                let accounts = &self.stores[host].accounts;
                let done = accounts.adjust(&self.account, Microcredits(amount), &because, None).await;
                prop_assert_eq!(done.is_ok(), amount > 0 || -amount <= self.model.available);
                if done.is_ok() && amount > 0 {
                    self.model.come_in(amount);
                } else if done.is_ok() {
                    self.model.available += amount;
                }
            }
            Step::Admit { slot, amount } if self.model.open[slot].is_none() => {
                let (run, host) = (RunId::generate(), HostId::generate());
                self.runs[slot] = (run, host);
                let owner = (self.account.id, self.account.tenant);
                let admission = bare_runs::admission(owner, (host, 1), run, amount, None);
                let admitted = db.admit(admission).await.unwrap();
                if self.model.debt > 0 {
                    self.model.pay();
                }
                let expected = if self.model.debt > 0 {
                    Admitted::Indebted { debt: Microcredits(self.model.debt) }
                } else if self.model.available >= amount {
                    self.model.available -= amount;
                    self.model.open[slot] = Some(amount);
                    Admitted::Yes
                } else {
                    let held = self.model.open.iter().flatten().sum();
                    Admitted::Insufficient { available: Microcredits(self.model.available), held: Microcredits(held) }
                };
                prop_assert_eq!(admitted, expected);
            }
            Step::Settle { slot, percent } if self.model.open[slot].is_some() => {
                let held = self.model.open[slot].take().unwrap();
                let charge = held * percent / 100;
                let (run, host) = self.runs[slot];
                let owner = (self.account.id, self.account.tenant);
                let settlement = bare_runs::settlement(owner, (host, 1), run, (held, charge));
                prop_assert!(db.settle(settlement).await.unwrap());
                self.model.available += held - charge;
            }
            Step::Admit { .. } | Step::Settle { .. } => {}
        }
        let Balance { available, held, debt } = ledger::balance(&db, self.account.tenant).await.unwrap();
        let open: i64 = self.model.open.iter().flatten().sum();
        prop_assert_eq!((available.0, held.0, debt.0), (self.model.available, open, self.model.debt));
        Ok(())
    }

    /// What must hold at the end, however it came to it.
    async fn end(&self) -> Result<(), TestCaseError> {
        let db = &self.stores[0].db;
        let report = verify(db, &|_| {}).await.unwrap();
        prop_assert!(report.is_sound(), "{:?}", report.findings);
        let written = letters::list(db, (None, None), None, 10_000).await.unwrap();
        let receipts = written.iter().filter(|letter| letter.account == self.account.id && letter.kind == "receipt");
        prop_assert_eq!(receipts.count(), self.model.credited.len());
        for (top_up, payments) in [(0, &[0, 1][..]), (1, &[2]), (2, &[3])] {
            let found = top_ups::get(db, self.account.id, self.top_ups[top_up]).await.unwrap().unwrap();
            let sum = |of: &BTreeMap<usize, i64>| payments.iter().filter_map(|payment| of.get(payment)).sum::<i64>();
            prop_assert_eq!(found.credited.0, sum(&self.model.credited));
            prop_assert_eq!(found.taken.0, sum(&self.model.taken));
            prop_assert_eq!(found.state == TopUpState::Paid, found.credited.0 > 0);
        }
        Ok(())
    }
}

#[test]
fn whatever_is_told_in_whatever_order_the_balance_is_the_models() {
    let World { runtime, stores, .. } = &world();
    let config = ProptestConfig { cases: 96, max_shrink_iters: 400, ..ProptestConfig::default() };
    proptest!(config, |(steps in prop::collection::vec(step(), 1..60))| {
        runtime.block_on(async {
            let mut case = Case::new(stores).await;
            for (turn, step) in steps.into_iter().enumerate() {
                case.play(turn, step).await?;
            }
            case.end().await
        })?;
    });
}

/// What is told at the same time, on all hosts, each of it twice: where the credits end does not depend on who was
/// faster. How much of what is missing became a debt may.
#[test]
fn whatever_is_told_at_the_same_time_ends_as_if_it_came_in_a_row() {
    let World { runtime, stores, .. } = &world();
    let told = prop_oneof![
        (0..PAYMENTS.len(), 0..4_usize, 0..4_i64).prop_map(|(of, state, second)| Step::Payment { of, state, second }),
        (0..REVERSALS.len(), 0..3_usize, 0..4_i64).prop_map(|(of, state, second)| Step::Reversal { of, state, second }),
    ];
    let config = ProptestConfig { cases: 48, max_shrink_iters: 100, ..ProptestConfig::default() };
    proptest!(config, |(steps in prop::collection::vec(told, 1..24))| {
        runtime.block_on(async {
            let mut case = Case::new(stores).await;
            let mut sending = Vec::new();
            for (turn, step) in steps.iter().enumerate() {
                let Some((fact, second)) = case.fact(step) else { continue };
                let id = format!("msg_{turn}_{}", case.mark);
                for again in 0..2 {
                    let book = case.books[(turn + again) % case.books.len()].clone();
                    let (fact, delivery) = (fact.clone(), (id.clone(), "a kind".to_owned()));
                    let at = Micros(second * 1_000_000);
                    sending.push(tokio::spawn(async move { book.take(fact, at, Some(delivery)).await }));
                }
            }
            for sent in sending {
                sent.await.unwrap().unwrap();
            }
            for step in &steps {
                match *step {
                    Step::Payment { of, state, second } => case.model.told_payment(of, second, PAYMENT_STATES[state]),
                    Step::Reversal { of, state, second } => case.model.told_reversal(of, second, REVERSAL_STATES[state]),
                    _ => {}
                }
            }
            let balance = ledger::balance(&stores[0].db, case.account.tenant).await.unwrap();
            let net = balance.available.0 - balance.debt.0;
            prop_assert_eq!(net, case.model.available - case.model.debt);
            prop_assert!(balance.available.0 == 0 || balance.debt.0 == 0);
            case.end().await
        })?;
    });
}
