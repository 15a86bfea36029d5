//! Runs as the ledger sees them, with nothing to execute: what is held for one, and what it did cost.

use aaasp::clock::Micros;
use aaasp::db::spending::Caps;
use aaasp::db::{Admission, Once, Settlement};
use aaasp::ids::{AccountId, DeploymentId, HostId, RunId};
use aaasp::ledger::{Charge, ChargeLine, Microcredits, Tenant};

/// An account and its place in the ledger.
pub type Owner = (AccountId, Tenant);

/// Admits a run on a host, for which an amount is held.
pub fn admission(
    (account, tenant): Owner,
    host: (HostId, i64),
    run: RunId,
    amount: i64,
    once: Option<Once>,
) -> Admission {
    Admission {
        run,
        account,
        tenant,
        deployment: DeploymentId::generate(),
        revision: 1,
        host: Some(host),
        terms: "terms".to_owned(),
        held: Microcredits(amount),
        sealed_input: vec![1],
        once,
        caps: Caps::default(),
        queued_runs: 0,
        at: Micros(2),
    }
}

/// Ends a run, which costs so much of what was held.
pub fn settlement((account, tenant): Owner, host: (HostId, i64), run: RunId, (held, charge): (i64, i64)) -> Settlement {
    let line = ChargeLine {
        item: "run".to_owned(),
        quantity: 1,
        unit: "run".to_owned(),
        amount_microcredits: Microcredits(charge),
    };
    Settlement {
        run,
        account,
        tenant,
        host,
        outcome: "succeeded".to_owned(),
        held: Microcredits(held),
        counted: None,
        charge: Charge { lines: vec![line] },
        fuel: 1,
        sealed_output: None,
        sealed_error: None,
        log: None,
        uses: Vec::new(),
        at: Micros(3),
    }
}
