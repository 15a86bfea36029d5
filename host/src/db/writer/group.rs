//! A group of requests in one transaction.
//!
//! The order within a group is free, since none of its callers has an answer yet: admissions, then the cold
//! requests as they came, then settlements, log chunks, uses of credentials, transfers and entries of the audit, each as one set.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use sqlx::AnyConnection;
use sqlx::Connection as _;

use super::Mark;
use super::admissions::admit;
use super::requests::{Admission, Admitted, ColdRequest, LogChunk, Reply, Request, Settlement};
use super::settlements::settle;
use crate::audit::NewEntry;
use crate::db::credential_uses::CredentialUse;
use crate::db::engine::DbEngine;
use crate::db::{DbError, audit, credential_uses, ledger, logs};
use crate::ids::HostId;
use crate::ledger::{Tenant, Transfer};

/// A write transaction: the connection, and what its commit will write besides.
pub struct WriteTx<'c> {
    connection: &'c mut AnyConnection,
    noted: &'c mut Noted,
}

/// What is chained. It is written last, so that the end of a chain is locked for as short as can be.
#[derive(Default)]
struct Noted {
    transfers: Vec<Transfer>,
    entries: Vec<NewEntry>,
}

impl WriteTx<'_> {
    /// Notes a transfer, which the commit writes.
    pub(in crate::db) fn book(&mut self, transfer: Transfer) {
        self.noted.transfers.push(transfer);
    }

    /// Notes an entry of the audit, which the commit writes.
    pub fn audit(&mut self, entry: NewEntry) {
        self.noted.entries.push(entry);
    }
}

impl Deref for WriteTx<'_> {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        self.connection
    }
}

impl DerefMut for WriteTx<'_> {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        self.connection
    }
}

pub(super) enum GroupOutcome {
    Committed(Mark),
    /// Nothing was written; the connection is good for another transaction.
    RolledBack(DbError),
    /// Nothing was written; the connection is good for nothing.
    Broken(DbError),
    /// The answer to the commit that would leave this mark is lost.
    InDoubt(Mark, DbError),
}

#[derive(Default)]
pub(super) struct Group {
    admissions: Vec<Admission>,
    admission_replies: Vec<Reply<Admitted>>,
    admitted: Vec<Admitted>,
    settlements: Vec<Settlement>,
    settlement_replies: Vec<Reply<bool>>,
    settled: Vec<bool>,
    logs: Vec<LogChunk>,
    log_replies: Vec<Reply<()>>,
    uses: Vec<(Vec<CredentialUse>, Option<Reply<()>>)>,
    cold: Vec<Box<dyn ColdRequest>>,
}

impl Group {
    pub(super) fn new(requests: Vec<Request>) -> Self {
        let mut group = Self::default();
        for request in requests {
            match request {
                Request::Admit(admission, reply) => {
                    group.admissions.push(*admission);
                    group.admission_replies.push(reply);
                }
                Request::Settle(settlement, reply) => {
                    group.settlements.push(*settlement);
                    group.settlement_replies.push(reply);
                }
                Request::Log(chunk, reply) => {
                    group.logs.push(chunk);
                    group.log_replies.push(reply);
                }
                Request::Uses(uses, reply) => group.uses.push((uses, reply)),
                Request::Cold(cold) => group.cold.push(cold),
                Request::Stop => {}
            }
        }
        group
    }

    pub(super) fn len(&self) -> usize {
        self.admissions.len() + self.settlements.len() + self.logs.len() + self.uses.len() + self.cold.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Does all of it in one transaction.
    pub(super) async fn apply(
        &mut self,
        connection: &mut AnyConnection,
        engine: DbEngine,
        host: HostId,
        before: &Mark,
    ) -> GroupOutcome {
        let mut tx = match connection.begin_with(engine.begin()).await {
            Ok(tx) => tx,
            Err(error) => return GroupOutcome::Broken(error.into()),
        };
        let mark = match self.statements(&mut tx, engine, host, before).await {
            Ok(mark) => mark,
            Err(error) => {
                return match tx.rollback().await {
                    Ok(()) => GroupOutcome::RolledBack(error),
                    // A transaction whose connection goes is rolled back by the engine.
                    Err(_) => GroupOutcome::Broken(error),
                };
            }
        };
        match tx.commit().await.map_err(DbError::from) {
            Ok(()) => GroupOutcome::Committed(mark),
            // The last page of a commit is the one that makes it one, and it found no room.
            Err(error @ DbError::DiskFull(_)) => GroupOutcome::Broken(error),
            Err(error) => GroupOutcome::InDoubt(mark, error),
        }
    }

    async fn statements(
        &mut self,
        connection: &mut AnyConnection,
        engine: DbEngine,
        host: HostId,
        before: &Mark,
    ) -> Result<Mark, DbError> {
        if engine == DbEngine::Postgres {
            self.lock_balances(connection).await?;
        }
        let mut noted = Noted::default();
        noted.transfers.reserve(self.admissions.len() + 2 * self.settlements.len());
        self.admitted = admit(connection, &self.admissions, &mut noted.transfers).await?;
        for cold in &self.cold {
            cold_request(connection, cold.as_ref(), &mut noted).await?;
        }
        self.settled = settle(connection, &self.settlements, &mut noted.transfers).await?;
        let last_chunks = self
            .settlements
            .iter()
            .zip(&self.settled)
            .filter_map(|(settlement, &settled)| settlement.log.as_ref().filter(|_| settled));
        let chunks: Vec<&LogChunk> = self.logs.iter().chain(last_chunks).collect();
        logs::insert(connection, &chunks).await?;
        // What a run did with credentials is true whoever settles it.
        let last_uses = self.settlements.iter().flat_map(|settlement| &settlement.uses);
        let uses: Vec<&CredentialUse> = self.uses.iter().flat_map(|(uses, _)| uses).chain(last_uses).collect();
        credential_uses::write(connection, &uses).await?;
        let mark = ledger::insert_transfers(connection, host, before, &noted.transfers).await?;
        // All hosts chain to one end, so its lock is the last that is taken: whoever has it waits for no other.
        audit::append(connection, &noted.entries).await?;
        Ok(mark)
    }

    /// Locks all balances that admissions and settlements will touch, in the order of their tenants: touched in two
    /// passes, they would lock those of another host's group crosswise.
    async fn lock_balances(&self, connection: &mut AnyConnection) -> Result<(), DbError> {
        if self.admissions.is_empty() || self.settlements.is_empty() {
            return Ok(());
        }
        let admitted = self.admissions.iter().map(|admission| admission.tenant);
        let tenants: BTreeSet<Tenant> =
            admitted.chain(self.settlements.iter().map(|settlement| settlement.tenant)).collect();
        if tenants.len() > 1 {
            ledger::lock_balances(connection, &Vec::from_iter(tenants)).await?;
        }
        Ok(())
    }

    pub(super) fn answer(self) {
        // A caller that no longer waits needs no answer.
        for (reply, admitted) in self.admission_replies.into_iter().zip(self.admitted) {
            let _ = reply.send(Ok(admitted));
        }
        for (reply, settled) in self.settlement_replies.into_iter().zip(self.settled) {
            let _ = reply.send(Ok(settled));
        }
        for reply in self.log_replies {
            let _ = reply.send(Ok(()));
        }
        for reply in self.uses.into_iter().filter_map(|(_, reply)| reply) {
            let _ = reply.send(Ok(()));
        }
        for cold in self.cold {
            cold.answer();
        }
    }

    /// Answers all of it with an error.
    pub(super) fn fail(self, error: &DbError) {
        for reply in self.admission_replies {
            let _ = reply.send(Err(error.clone()));
        }
        for reply in self.settlement_replies {
            let _ = reply.send(Err(error.clone()));
        }
        for reply in self.log_replies {
            let _ = reply.send(Err(error.clone()));
        }
        for reply in self.uses.into_iter().filter_map(|(_, reply)| reply) {
            let _ = reply.send(Err(error.clone()));
        }
        for cold in self.cold {
            cold.fail(error.clone());
        }
    }

    /// The same requests, each in a group of its own.
    pub(super) fn singles(self) -> Vec<Self> {
        let admissions = self.admissions.into_iter().zip(self.admission_replies);
        let settlements = self.settlements.into_iter().zip(self.settlement_replies);
        admissions
            .map(|(admission, reply)| Request::Admit(Box::new(admission), reply))
            .chain(self.cold.into_iter().map(Request::Cold))
            .chain(settlements.map(|(settlement, reply)| Request::Settle(Box::new(settlement), reply)))
            .chain(self.logs.into_iter().zip(self.log_replies).map(|(chunk, reply)| Request::Log(chunk, reply)))
            .chain(self.uses.into_iter().map(|(uses, reply)| Request::Uses(uses, reply)))
            .map(|request| Self::new(vec![request]))
            .collect()
    }
}

/// A cold request in a savepoint of its own: what it refuses leaves the rest of the group alone.
async fn cold_request(
    connection: &mut AnyConnection,
    cold: &dyn ColdRequest,
    noted: &mut Noted,
) -> Result<(), DbError> {
    let (booked, audited) = (noted.transfers.len(), noted.entries.len());
    let mut savepoint = connection.begin().await?;
    let outcome = cold.apply(&mut WriteTx { connection: &mut savepoint, noted }).await;
    match outcome {
        Ok(()) => savepoint.commit().await?,
        // SQLite may have rolled back all of the transaction, so that there is no savepoint to go back to.
        Err(error @ DbError::DiskFull(_)) => return Err(error),
        Err(_) => {
            savepoint.rollback().await?;
            noted.transfers.truncate(booked);
            noted.entries.truncate(audited);
        }
    }
    Ok(())
}
