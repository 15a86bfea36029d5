//! Verifies the ledger: every balance against its transfers, every run against its hold, every chain link by link.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ChainHead, Microcredits, Tenant, Verb};
use crate::db::{Db, DbError, ledger};

/// Looks at a ledger that other hosts write to, before we say that it does not hold still.
const TRIES: u32 = 5;

/// What a verification looked at, and what it found wrong.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Tenants with a balance.
    pub tenants: u64,
    /// Transfers, each of them hashed again.
    pub transfers: u64,
    /// Hash chains, one for each host that ever wrote.
    pub chains: u64,
    /// What all tenants can spend.
    pub available_microcredits: Microcredits,
    /// What unfinished runs hold.
    pub held_microcredits: Microcredits,
    /// What runs were charged.
    pub revenue_microcredits: Microcredits,
    /// What operators gave.
    pub granted_microcredits: Microcredits,
    /// What is wrong; nothing, when the ledger is sound.
    pub findings: Vec<Finding>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule is broken.
    pub check: Check,
    /// The tenant, run or host.
    pub subject: String,
    /// How.
    pub detail: String,
}

/// The rules of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A stored balance is the sum of the tenant's transfers, and never below zero.
    Balances,
    /// What a tenant's holds contain is what its unfinished runs hold.
    Holds,
    /// The sum over all ledger accounts is zero.
    Zero,
    /// A finished run was settled exactly once: charge and release are its hold.
    Runs,
    /// Every transfer is where its host's chain has it, unchanged.
    Chains,
}

impl Check {
    /// All rules, in the order in which they are reported.
    pub const ALL: [Self; 5] = [Self::Balances, Self::Holds, Self::Zero, Self::Runs, Self::Chains];

    /// The rule as a sentence.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Balances => "every balance is the sum of its transfers",
            Self::Holds => "holds are what unfinished runs hold",
            Self::Zero => "the sum over all ledger accounts is zero",
            Self::Runs => "every finished run was settled once, within its hold",
            Self::Chains => "every hash chain is whole",
        }
    }
}

impl Report {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, check: Check, subject: impl ToString, detail: String) {
        self.findings.push(Finding { check, subject: subject.to_string(), detail });
    }
}

/// Verifies the whole ledger. Several questions are asked of the database one after the other, so the answer is
/// only taken when no host wrote to the ledger in between.
///
/// # Errors
/// [`DbError`] when the database doesn't answer, or hosts don't stop writing.
pub async fn verify(db: &Db) -> Result<Report, DbError> {
    for _ in 0..TRIES {
        let before = ledger::chain_heads(db).await?;
        let report = verify_once(db, &before).await?;
        if ledger::chain_heads(db).await? == before {
            return Ok(report);
        }
    }
    Err(DbError::InUse(vec!["hosts that write to the ledger; verify it while they are stopped or idle".to_owned()]))
}

async fn verify_once(db: &Db, heads: &[(String, ChainHead)]) -> Result<Report, DbError> {
    let mut report = Report::default();
    check_balances(db, &mut report).await?;
    for run in ledger::mischarged_runs(db).await? {
        report.find(Check::Runs, run, "its charge and release are not its hold, or it was settled twice".to_owned());
    }
    check_chains(db, heads, &mut report).await?;
    Ok(report)
}

async fn check_balances(db: &Db, report: &mut Report) -> Result<(), DbError> {
    let mut sums: BTreeMap<Tenant, Sums> = BTreeMap::new();
    for (tenant, verb, amount) in ledger::sums(db).await? {
        let sums = sums.entry(tenant).or_default();
        *sums.of(verb) = amount;
        match verb {
            Verb::Settle => report.revenue_microcredits += amount,
            Verb::Grant => report.granted_microcredits += amount,
            Verb::Hold | Verb::Release => {}
        }
    }
    let mut held_by_runs: BTreeMap<_, _> = ledger::held_by_runs(db).await?.into_iter().collect();
    for (tenant, available, held) in ledger::balances(db).await? {
        report.tenants += 1;
        report.available_microcredits += available;
        report.held_microcredits += held;
        let sums = sums.remove(&tenant).unwrap_or_default();
        check_balance(report, tenant, (available, held), &sums);
        let by_runs = held_by_runs.remove(&tenant).unwrap_or_default();
        if held != by_runs {
            let detail = format!("{held} is held, but its unfinished runs hold {by_runs}");
            report.find(Check::Holds, tenant.0, detail);
        }
    }
    for tenant in sums.into_keys().chain(held_by_runs.into_keys()) {
        report.find(Check::Balances, tenant.0, "the tenant has transfers or runs, but no balance".to_owned());
    }
    let sum = report.available_microcredits + report.held_microcredits + report.revenue_microcredits
        - report.granted_microcredits;
    if sum != Microcredits::ZERO {
        report.find(Check::Zero, "all", format!("credits, holds, revenue and grants sum to {sum}"));
    }
    Ok(())
}

fn check_balance(report: &mut Report, tenant: Tenant, stored: (Microcredits, Microcredits), sums: &Sums) {
    let due = (sums.grant - sums.hold + sums.release, sums.hold - sums.settle - sums.release);
    for (what, stored, due) in [("available", stored.0, due.0), ("held", stored.1, due.1)] {
        if stored != due {
            let detail = format!("{what} is {stored}, but its transfers sum to {due}");
            report.find(Check::Balances, tenant.0, detail);
        }
        if stored < Microcredits::ZERO {
            report.find(Check::Balances, tenant.0, format!("{what} is {stored}, below zero"));
        }
    }
}

/// A tenant's transfers by verb.
#[derive(Default)]
struct Sums {
    grant: Microcredits,
    hold: Microcredits,
    settle: Microcredits,
    release: Microcredits,
}

impl Sums {
    fn of(&mut self, verb: Verb) -> &mut Microcredits {
        match verb {
            Verb::Grant => &mut self.grant,
            Verb::Hold => &mut self.hold,
            Verb::Settle => &mut self.settle,
            Verb::Release => &mut self.release,
        }
    }
}

async fn check_chains(db: &Db, heads: &[(String, ChainHead)], report: &mut Report) -> Result<(), DbError> {
    let mut ends: BTreeMap<String, ChainHead> = BTreeMap::new();
    let mut findings = Vec::new();
    let mut count = 0;
    ledger::each_chained(db, |stored| {
        count += 1;
        let end = ends.entry(stored.host.clone()).or_default();
        if stored.id != stored.transfer.id() {
            findings.push((stored.host.clone(), format!("{} has the id of another transfer", stored.id)));
        }
        let due = end.extended_by(&stored.transfer);
        if due.sequence != stored.head.sequence {
            let detail = format!("number {} is missing before {}", due.sequence, stored.id);
            findings.push((stored.host.clone(), detail));
        } else if due.hash != stored.head.hash {
            findings.push((stored.host.clone(), format!("{} is not what was chained", stored.id)));
        }
        // From here on as stored, so that one broken link is one finding.
        *end = stored.head;
    })
    .await?;
    report.transfers = count;
    report.chains = heads.len() as u64;
    for (host, detail) in findings {
        report.find(Check::Chains, host, detail);
    }
    for (host, head) in heads {
        let end = ends.remove(host).unwrap_or_default();
        if end != *head {
            let detail = format!("it ends at number {}, but its head is at {}", end.sequence, head.sequence);
            report.find(Check::Chains, host, detail);
        }
    }
    for host in ends.into_keys() {
        report.find(Check::Chains, host, "it has no head".to_owned());
    }
    Ok(())
}
