//! Verifies the ledger: every balance against its transfers, every run against its hold, every chain link by link.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Balance, ChainHead, Microcredits, Side, Tenant, Transfer};
use crate::db::ledger::StoredTransfer;
use crate::db::{Db, DbError, ledger, payments};

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
    /// What was bought, without what was given back.
    pub bought_microcredits: Microcredits,
    /// What operators corrected upwards, without what they corrected downwards.
    pub adjusted_microcredits: Microcredits,
    /// What tenants owe.
    pub owed_microcredits: Microcredits,
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
    /// What was bought is what payments bought, and what went back is what was taken of them.
    Payments,
    /// Every transfer is where its host's chain has it, unchanged.
    Chains,
}

impl Check {
    /// All rules, in the order in which they are reported.
    pub const ALL: [Self; 6] = [Self::Balances, Self::Holds, Self::Zero, Self::Runs, Self::Payments, Self::Chains];

    /// The rule as a sentence.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Balances => "every balance is the sum of its transfers",
            Self::Holds => "holds are what unfinished runs hold",
            Self::Zero => "the sum over all ledger accounts is zero",
            Self::Runs => "every finished run was settled once, within its hold",
            Self::Payments => "every payment bought its credits once, and no more of them went back",
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

/// How far a verification is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Transfers and runs that were looked at.
    pub done: u64,
    /// Transfers and runs that there are.
    pub total: u64,
}

/// Verifies the whole ledger, page by page, so that a long one needs no memory. Several questions are asked of the
/// database one after the other, so the answer is only taken when no host wrote to the ledger in between.
///
/// # Errors
/// [`DbError`] when the database doesn't answer, or hosts don't stop writing.
pub async fn verify(db: &Db, show: &(impl Fn(Progress) + Sync)) -> Result<Report, DbError> {
    for _ in 0..TRIES {
        let before = ledger::chain_heads(db).await?;
        let chained: i64 = before.iter().map(|(_, head)| head.sequence).sum();
        let total = chained.unsigned_abs() + ledger::count_runs(db).await?;
        let look = Look { db, show, progress: Progress { done: 0, total }, report: Report::default() };
        let report = look.at_all(&before).await?;
        if ledger::chain_heads(db).await? == before {
            return Ok(report);
        }
    }
    Err(DbError::InUse(vec!["hosts that write to the ledger; verify it while they are stopped or idle".to_owned()]))
}

/// One look at the whole ledger.
struct Look<'a, S> {
    db: &'a Db,
    show: &'a S,
    progress: Progress,
    report: Report,
}

impl<S: Fn(Progress) + Sync> Look<'_, S> {
    async fn at_all(mut self, heads: &[(String, ChainHead)]) -> Result<Report, DbError> {
        let sums = self.at_chains(heads).await?;
        self.at_runs().await?;
        check_balances(self.db, sums, &mut self.report).await?;
        self.report.findings.sort_by_key(|finding| finding.check);
        Ok(self.report)
    }

    fn advance(&mut self, by: usize) {
        self.progress.done += by as u64;
        (self.show)(self.progress);
    }

    /// Hashes every transfer again, and sums them up by tenant and verb.
    async fn at_chains(&mut self, heads: &[(String, ChainHead)]) -> Result<BTreeMap<Tenant, Sums>, DbError> {
        let mut sums = BTreeMap::new();
        let mut ends = BTreeMap::new();
        let mut last = String::new();
        while let Some(host) = ledger::next_chain(self.db, &last).await? {
            let end = self.at_chain(&host, &mut sums).await?;
            ends.insert(host.clone(), end);
            last = host;
        }
        self.report.chains = heads.len() as u64;
        for (host, head) in heads {
            let end = ends.remove(host).unwrap_or_default();
            if end != *head {
                let detail = format!("it ends at number {}, but its head is at {}", end.sequence, head.sequence);
                self.report.find(Check::Chains, host, detail);
            }
        }
        for host in ends.into_keys() {
            self.report.find(Check::Chains, host, "it has no head".to_owned());
        }
        Ok(sums)
    }

    async fn at_chain(&mut self, host: &str, sums: &mut BTreeMap<Tenant, Sums>) -> Result<ChainHead, DbError> {
        let mut end = ChainHead::default();
        loop {
            let page = ledger::chained(self.db, host, end.sequence).await?;
            if page.is_empty() {
                return Ok(end);
            }
            self.report.transfers += page.len() as u64;
            self.advance(page.len());
            for stored in page {
                let transfer = &stored.transfer;
                sums.entry(transfer.tenant).or_default().add(transfer);
                if let Some(detail) = broken_link(&end, &stored) {
                    self.report.find(Check::Chains, host, detail);
                }
                // From here on as stored, so that one broken link is one finding.
                end = stored.head;
            }
        }
    }

    async fn at_runs(&mut self) -> Result<(), DbError> {
        let mut last = (String::new(), String::new());
        loop {
            let page = ledger::accounted_runs(self.db, &last).await?;
            let Some(end) = page.last() else { return Ok(()) };
            last = end.key.clone();
            self.advance(page.len());
            for run in page {
                if let Some(charged) = run.charged
                    && (run.settled != charged || run.settled + run.released != run.held)
                {
                    let detail = format!(
                        "it was charged {charged} of {}, but {} was settled and {} released",
                        run.held, run.settled, run.released
                    );
                    self.report.find(Check::Runs, run.key.1, detail);
                }
            }
        }
    }
}

/// What is wrong with a transfer that follows the end of a chain.
fn broken_link(end: &ChainHead, stored: &StoredTransfer) -> Option<String> {
    let due = end.extended_by(&stored.transfer);
    if stored.id != stored.transfer.id() {
        Some(format!("{} has the id of another transfer", stored.id))
    } else if due.sequence != stored.head.sequence {
        Some(format!("number {} is missing before {}", due.sequence, stored.id))
    } else if due.hash != stored.head.hash {
        Some(format!("{} is not what was chained", stored.id))
    } else {
        None
    }
}

async fn check_balances(db: &Db, mut sums: BTreeMap<Tenant, Sums>, report: &mut Report) -> Result<(), DbError> {
    for sums in sums.values() {
        report.revenue_microcredits += sums.on(Side::Revenue);
        report.granted_microcredits += Microcredits::ZERO - sums.on(Side::Grants);
        report.bought_microcredits += Microcredits::ZERO - sums.on(Side::Payments);
        report.adjusted_microcredits += Microcredits::ZERO - sums.on(Side::Adjustments);
    }
    let mut held_by_runs: BTreeMap<_, _> = ledger::held_by_runs(db).await?.into_iter().collect();
    let mut bought: BTreeMap<_, _> = payments::bought(db).await?.into_iter().collect();
    for (tenant, balance) in ledger::balances(db).await? {
        report.tenants += 1;
        report.available_microcredits += balance.available;
        report.held_microcredits += balance.held;
        report.owed_microcredits += balance.debt;
        let sums = sums.remove(&tenant).unwrap_or_default();
        check_balance(report, tenant, balance, &sums);
        let by_runs = held_by_runs.remove(&tenant).unwrap_or_default();
        if balance.held != by_runs {
            let detail = format!("{} is held, but its unfinished runs hold {by_runs}", balance.held);
            report.find(Check::Holds, tenant.0, detail);
        }
        let (by_payments, by_transfers) =
            (bought.remove(&tenant).unwrap_or_default(), Microcredits::ZERO - sums.on(Side::Payments));
        if by_payments != by_transfers {
            let detail = format!("its payments bought {by_payments}, but its transfers sum to {by_transfers}");
            report.find(Check::Payments, tenant.0, detail);
        }
    }
    for tenant in sums.into_keys().chain(held_by_runs.into_keys()).chain(bought.into_keys()) {
        report.find(Check::Balances, tenant.0, "the tenant has transfers, runs or payments, but no balance".to_owned());
    }
    let sum = report.available_microcredits + report.held_microcredits + report.revenue_microcredits
        - report.granted_microcredits
        - report.bought_microcredits
        - report.adjusted_microcredits
        - report.owed_microcredits;
    if sum != Microcredits::ZERO {
        report.find(Check::Zero, "all", format!("all ledger accounts sum to {sum}"));
    }
    Ok(())
}

fn check_balance(report: &mut Report, tenant: Tenant, stored: Balance, sums: &Sums) {
    let owed = Microcredits::ZERO - sums.on(Side::Debts);
    for (what, stored, due) in [
        ("available", stored.available, sums.on(Side::Credits)),
        ("held", stored.held, sums.on(Side::Holds)),
        ("owed", stored.debt, owed),
    ] {
        if stored != due {
            let detail = format!("{what} is {stored}, but its transfers sum to {due}");
            report.find(Check::Balances, tenant.0, detail);
        }
        if stored < Microcredits::ZERO {
            report.find(Check::Balances, tenant.0, format!("{what} is {stored}, below zero"));
        }
    }
}

/// What a tenant's transfers leave on each ledger account.
#[derive(Default)]
struct Sums(BTreeMap<Side, Microcredits>);

impl Sums {
    fn add(&mut self, transfer: &Transfer) {
        let (from, to) = transfer.verb.sides();
        let taken = self.0.entry(from).or_default();
        *taken = *taken - transfer.amount;
        *self.0.entry(to).or_default() += transfer.amount;
    }

    fn on(&self, side: Side) -> Microcredits {
        self.0.get(&side).copied().unwrap_or_default()
    }
}
