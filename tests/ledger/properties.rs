//! Whatever is granted, held and settled in whatever order: never negative, always balanced, never twice.

use std::sync::Arc;

use aaasp::clock::Micros;
use aaasp::db::accounts::{self, NewAccount};
use aaasp::db::ledger::TransferFilter;
use aaasp::db::master_keys::{self, MasterKey};
use aaasp::db::{Admission, Admitted, DatabaseUrl, Db, Once, Settlement, ledger};
use aaasp::ids::{AccountId, GrantId, HostId, RunId};
use aaasp::ledger::{Balance, Microcredits, Tenant, Verb};
use aaasp::vault::Wrapped;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::bare_runs;
use crate::support::database::Database;

/// One step of somebody: each names one of a few runs, so that steps meet.
#[derive(Clone, Debug)]
enum Step {
    Grant(i64),
    Admit { run: usize, amount: i64, key: Option<u8> },
    Settle { run: usize, percent: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (1..2_000_i64).prop_map(Step::Grant),
        4 => (0..8_usize, 0..900_i64, prop::option::weighted(0.3, 0..3_u8))
            .prop_map(|(run, amount, key)| Step::Admit { run, amount, key }),
        4 => (0..8_usize, 0..=100_i64).prop_map(|(run, percent)| Step::Settle { run, percent }),
    ]
}

/// A database and the hosts that write to it: one on SQLite, two on PostgreSQL.
struct World {
    runtime: Runtime,
    hosts: Vec<(Db, HostId)>,
    _folder: TempDir,
    _database: Option<Database>,
}

fn world() -> World {
    let runtime = Runtime::new().unwrap();
    let folder = TempDir::new().unwrap();
    let database = runtime.block_on(Database::fresh());
    let hosts = if database.is_some() { 2 } else { 1 };
    let hosts = (0..hosts)
        .map(|_| {
            let url = match &database {
                Some(database) => DatabaseUrl::parse(&database.url()).unwrap(),
                None => DatabaseUrl::sqlite(&folder.path().join("aaasp.db")),
            };
            let host = HostId::generate();
            (runtime.block_on(Db::open(url, host)).unwrap(), host)
        })
        .collect();
    World { runtime, hosts, _folder: folder, _database: database }
}

/// An account of a test case, with the runs that its steps name.
struct Case {
    account: AccountId,
    tenant: Tenant,
    runs: Vec<RunId>,
}

impl Case {
    async fn new(db: &Db) -> Self {
        let account = AccountId::generate();
        let new = NewAccount {
            id: account,
            sealed_email: vec![0],
            email_lookup: {
                let mut unique = [0; 32];
                unique[..26].copy_from_slice(account.suffix().as_bytes());
                unique
            },
            region: None,
            plan: "default".to_owned(),
            wrapped_key: Wrapped { master_version: 1, bytes: vec![0] },
            pending_until: None,
            at: Micros(1),
        };
        let tenant = db
            .write(move |tx| {
                let new = new.clone();
                let master = MasterKey {
                    version: 1,
                    fingerprint: "of no key".to_owned(),
                    created_at: Micros(1),
                    ready_at: Some(Micros(1)),
                };
                Box::pin(async move {
                    master_keys::register(tx, &[master]).await?;
                    accounts::insert(tx, &new).await
                })
            })
            .await
            .unwrap();
        Self { account, tenant, runs: (0..8).map(|_| RunId::generate()).collect() }
    }

    fn admission(&self, host: HostId, run: RunId, amount: i64, key: Option<u8>) -> Admission {
        let once =
            key.map(|key| Once { caller: self.account.to_string(), name: format!("key-{key}"), digest: [key; 32] });
        bare_runs::admission((self.account, self.tenant), (host, 1), run, amount, once)
    }

    fn settlement(&self, host: HostId, run: RunId, held: i64, charge: i64) -> Settlement {
        bare_runs::settlement((self.account, self.tenant), (host, 1), run, (held, charge))
    }
}

/// What the ledger must say afterwards.
#[derive(Default)]
struct Expected {
    granted: i64,
    charged: i64,
    /// Held amount, and the host, of each run that was admitted and is not settled.
    open: Vec<Option<(i64, usize)>>,
}

async fn play(hosts: &[(Db, HostId)], case: Arc<Case>, groups: Vec<Vec<Step>>) -> Result<(), TestCaseError> {
    let mut expected = Expected { open: vec![None; 8], ..Expected::default() };
    // A run's id is used up by its admission; a later one of the same slot gets a new id.
    let mut runs = case.runs.clone();
    let mut turn = 0;
    for group in groups {
        let mut playing = Vec::new();
        for step in group {
            turn += 1;
            let host_number = turn % hosts.len();
            let (db, host) = hosts[host_number].clone();
            let case = Arc::clone(&case);
            match step {
                Step::Grant(amount) => {
                    expected.granted += amount;
                    let (tenant, grant) = (case.tenant, GrantId::generate());
                    playing.push(tokio::spawn(async move {
                        let subject = grant.to_string();
                        db.write(move |tx| {
                            let subject = subject.clone();
                            Box::pin(async move {
                                ledger::pay_in(tx, tenant, (Verb::Grant, &subject), Microcredits(amount), Micros(1))
                                    .await
                            })
                        })
                        .await
                        .unwrap();
                        Done::Granted
                    }));
                }
                Step::Admit { run: slot, amount, key } => {
                    if expected.open[slot].is_some() {
                        continue;
                    }
                    // Claimed now, so that no second step of this group admits the same run.
                    expected.open[slot] = Some((amount, host_number));
                    runs[slot] = RunId::generate();
                    let admission = case.admission(host, runs[slot], amount, key);
                    playing.push(tokio::spawn(async move {
                        let admitted = db.admit(admission).await.unwrap();
                        Done::Admission { slot, admitted, amount }
                    }));
                }
                Step::Settle { run: slot, percent } => {
                    let Some((held, host_number)) = expected.open[slot] else { continue };
                    let (db, host) = hosts[host_number].clone();
                    let charge = held * percent / 100;
                    let settlement = case.settlement(host, runs[slot], held, charge);
                    playing.push(tokio::spawn(async move {
                        let settled = db.settle(settlement).await.unwrap();
                        Done::Settlement { slot, settled, charge }
                    }));
                }
            }
        }
        let mut settled_slots = Vec::new();
        for done in playing {
            match done.await.unwrap() {
                Done::Granted => {}
                Done::Admission { admitted: Admitted::Yes, .. } => {}
                Done::Admission { slot, admitted, amount } => {
                    if let Admitted::Insufficient { available, .. } = admitted {
                        prop_assert!(available.0 < amount, "refused {amount} while {available} was there");
                    }
                    expected.open[slot] = None;
                }
                Done::Settlement { slot, settled: true, charge } => {
                    prop_assert!(!settled_slots.contains(&slot), "a run was settled twice");
                    settled_slots.push(slot);
                    expected.charged += charge;
                }
                Done::Settlement { .. } => {}
            }
        }
        for slot in settled_slots {
            expected.open[slot] = None;
        }
        check(&hosts[0].0, &case, &expected).await?;
    }
    Ok(())
}

enum Done {
    Granted,
    Admission { slot: usize, admitted: Admitted, amount: i64 },
    Settlement { slot: usize, settled: bool, charge: i64 },
}

async fn check(db: &Db, case: &Case, expected: &Expected) -> Result<(), TestCaseError> {
    let Balance { available, held, debt } = ledger::balance(db, case.tenant).await.unwrap();
    let open: i64 = expected.open.iter().flatten().map(|(amount, _)| amount).sum();
    prop_assert_eq!(held.0, open, "held");
    prop_assert_eq!(available.0, expected.granted - open - expected.charged, "available");
    prop_assert!(available.0 >= 0 && held.0 >= 0 && debt.0 == 0);

    let moved = ledger::transfers(db, case.tenant, &TransferFilter::default(), 10_000).await.unwrap();
    let sum = |verb| moved.iter().map(|m| &m.transfer).filter(|t| t.verb == verb).map(|t| t.amount.0).sum::<i64>();
    prop_assert_eq!(sum(Verb::Grant), expected.granted);
    prop_assert_eq!(sum(Verb::Settle), expected.charged);
    prop_assert_eq!(sum(Verb::Hold) - sum(Verb::Settle) - sum(Verb::Release), open);
    Ok(())
}

#[test]
fn no_interleaving_makes_a_balance_wrong() {
    let World { runtime, hosts, .. } = &world();
    let config = ProptestConfig { cases: 200, max_shrink_iters: 200, ..ProptestConfig::default() };
    proptest!(config, |(groups in prop::collection::vec(prop::collection::vec(step(), 1..12), 1..8))| {
        runtime.block_on(async {
            let case = Arc::new(Case::new(&hosts[0].0).await);
            play(hosts, case, groups).await
        })?;
    });
}
