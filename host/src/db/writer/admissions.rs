//! Admissions as a set: hold the credits of each tenant with one guarded statement, insert the runs.

use std::collections::BTreeMap;

use sqlx::AnyConnection;

use super::requests::{Admission, Admitted, CapOf};
use crate::accounts::Status;
use crate::db::spending::{self, Counted, Spender};
use crate::db::{DbError, accounts, answered, ledger, runs};
use crate::ledger::{Balance, Microcredits, Tenant, Transfer, Verb};

/// Admits what can be admitted; the answers are in the order of the admissions.
pub(super) async fn admit(
    connection: &mut AnyConnection,
    admissions: &[Admission],
    transfers: &mut Vec<Transfer>,
) -> Result<Vec<Admitted>, DbError> {
    if admissions.is_empty() {
        return Ok(Vec::new());
    }
    let mut answers = Vec::with_capacity(admissions.len());
    let mut queued = BTreeMap::new();
    for admission in admissions {
        answers.push(precondition(connection, admission, &mut queued).await?);
    }
    hold(connection, admissions, &mut answers, transfers).await?;
    refuse_repeats(admissions, &mut answers);

    let mut admitted = Vec::with_capacity(admissions.len());
    for (admission, answer) in admissions.iter().zip(&answers) {
        match answer {
            Admitted::Yes => admitted.push(admission),
            // The request may be made again once there are credits, under the same key.
            Admitted::Insufficient { .. }
            | Admitted::Indebted { .. }
            | Admitted::Capped { .. }
            | Admitted::Stopped(_)
            | Admitted::QueueFull => {
                if let Some(once) = &admission.once {
                    answered::forget(connection, once).await?;
                }
            }
            Admitted::Before(_) | Admitted::KeyReused => {}
        }
    }
    runs::insert(connection, &admitted).await?;
    transfers.extend(admitted.iter().map(|admission| Transfer {
        tenant: admission.tenant,
        subject: admission.run.to_string(),
        verb: Verb::Hold,
        amount: admission.held,
        at: admission.at,
    }));
    Ok(answers)
}

/// Whether anything but credits stands in the way. Only requests with a key, or for the queue, ask the database.
async fn precondition(
    connection: &mut AnyConnection,
    admission: &Admission,
    queued: &mut BTreeMap<String, u64>,
) -> Result<Admitted, DbError> {
    if let Some(once) = &admission.once {
        let (account, subject, at) = (admission.account, admission.run.to_string(), admission.at);
        match answered::claim(connection, once, account, &subject, None, at).await {
            Ok(None) => {}
            Ok(Some(earlier)) => return earlier.subject.parse().map(Admitted::Before).map_err(DbError::corrupt),
            Err(DbError::KeyReused) => return Ok(Admitted::KeyReused),
            Err(error) => return Err(error),
        }
    }
    if admission.host.is_none() {
        let account = admission.account.to_string();
        let waiting = match queued.get(&account) {
            Some(&waiting) => waiting,
            None => runs::count_queued(connection, &account).await?,
        };
        if waiting >= admission.queued_runs {
            return Ok(Admitted::QueueFull);
        }
        queued.insert(account, waiting + 1);
    }
    Ok(Admitted::Yes)
}

/// A request that repeats one of the same group which is refused is refused as well: there will be no run to
/// point to. Where its deployment has changed in between, so that it asks for other terms, it is another request.
fn refuse_repeats(admissions: &[Admission], answers: &mut [Admitted]) {
    for position in 0..answers.len() {
        let Admitted::Before(run) = answers[position] else { continue };
        let Some(first) = admissions.iter().position(|admission| admission.run == run) else { continue };
        if answers[first] == Admitted::Yes {
            continue;
        }
        let same_terms = admissions[first].held == admissions[position].held;
        answers[position] = if same_terms { answers[first].clone() } else { Admitted::KeyReused };
    }
}

/// Holds each tenant's sum with one guarded statement. Where the sum is too much, or something is capped, admits in
/// order what there is enough for. A debt is paid first with what has come free since it was written down, and refuses
/// all while some of it is left; who owes nothing pays nothing for that. Tenants are touched in the order of their
/// numbers, so that two hosts can't lock crosswise.
async fn hold(
    connection: &mut AnyConnection,
    admissions: &[Admission],
    answers: &mut [Admitted],
    transfers: &mut Vec<Transfer>,
) -> Result<(), DbError> {
    let mut tenants: BTreeMap<Tenant, Vec<usize>> = BTreeMap::new();
    for (position, admission) in admissions.iter().enumerate() {
        if answers[position] == Admitted::Yes {
            tenants.entry(admission.tenant).or_default().push(position);
        }
    }
    for (tenant, positions) in tenants {
        let sum: Microcredits = positions.iter().map(|&position| admissions[position].held).sum();
        let capped = positions.iter().any(|&position| admissions[position].caps.any());
        if !capped && ledger::hold(connection, tenant, sum).await? {
            continue;
        }
        // A caller was believed a moment ago, and may have waited for a slot since.
        if is_stopped(connection, admissions, &positions, answers).await? {
            continue;
        }
        let mut balance = ledger::lock_balance(connection, tenant).await?;
        if balance.debt > Microcredits::ZERO {
            let first = &admissions[positions[0]];
            balance =
                ledger::repay(connection, (tenant, balance), (first.run.to_string(), first.at), transfers).await?;
        }
        let Balance { mut available, mut held, debt } = balance;
        let (mut afforded, mut spending) = (Microcredits::ZERO, Spending::default());
        for &position in &positions {
            let admission = &admissions[position];
            let amount = admission.held;
            if debt > Microcredits::ZERO {
                answers[position] = Admitted::Indebted { debt };
            } else if amount > available {
                answers[position] = Admitted::Insufficient { available, held };
            } else if let Some(refused) = spending.take(connection, admission).await? {
                answers[position] = refused;
            } else {
                available = available - amount;
                held += amount;
                afforded += amount;
            }
        }
        if afforded > Microcredits::ZERO && !ledger::hold(connection, tenant, afforded).await? {
            // Another host may have changed the status since.
            if is_stopped(connection, admissions, &positions, answers).await? {
                continue;
            }
            return Err(DbError::corrupt("a balance changed under its lock"));
        }
        spending.write(connection).await?;
    }
    Ok(())
}

/// Refuses all admissions of a tenant when the status of its account lets no run start.
async fn is_stopped(
    connection: &mut AnyConnection,
    admissions: &[Admission],
    positions: &[usize],
    answers: &mut [Admitted],
) -> Result<bool, DbError> {
    let Some(&first) = positions.first() else { return Ok(false) };
    let status = accounts::status(connection, admissions[first].account).await?;
    if status == Status::Active {
        return Ok(false);
    }
    positions.iter().for_each(|&position| answers[position] = Admitted::Stopped(status));
    Ok(true)
}

/// What the runs of a group spend of daily caps.
#[derive(Default)]
struct Spending(BTreeMap<Spender, Counted>);

impl Spending {
    /// Counts what a run holds, or says which cap refuses it. What was summed up is remembered either way: it is a
    /// look at all of the day's runs.
    async fn take(
        &mut self,
        connection: &mut AnyConnection,
        admission: &Admission,
    ) -> Result<Option<Admitted>, DbError> {
        let (account, caps) = (admission.account, admission.caps);
        let capped = [
            (CapOf::Account, (account, None), caps.account),
            (CapOf::Deployment, (account, Some(admission.deployment)), caps.deployment),
        ];
        let capped: Vec<_> = capped.into_iter().filter_map(|(of, spender, cap)| Some((of, spender, cap?))).collect();
        for &(of, spender, cap) in &capped {
            let counted = match self.0.get(&spender) {
                Some(counted) => *counted,
                None => spending::spent(connection, spender, spending::day_of(admission.at)).await?,
            };
            self.0.insert(spender, counted);
            if counted.spent + admission.held > cap {
                let (spent, until) = (counted.spent, spending::end_of(counted.day));
                return Ok(Some(Admitted::Capped { of, cap, spent, until }));
            }
        }
        for (_, spender, _) in capped {
            if let Some(counted) = self.0.get_mut(&spender) {
                counted.spent += admission.held;
                counted.is_written = false;
            }
        }
        Ok(None)
    }

    async fn write(self, connection: &mut AnyConnection) -> Result<(), DbError> {
        for (spender, counted) in self.0.into_iter().filter(|(_, counted)| !counted.is_written) {
            spending::count(connection, spender, counted.day, counted.spent).await?;
        }
        Ok(())
    }
}
