//! What a host does for accounts by itself: it gives monthly grants, warns of low balances, and forgets what is over.

use std::time::Duration;

use super::Accounts;
use crate::clock::Micros;
use crate::db::letters::NewLetter;
use crate::db::low_balances::LowBalance;
use crate::db::{DbError, accounts, holds, hosts, ledger, letters, low_balances, monthly_grants, retention};
use crate::ids::{GrantId, HostId};
use crate::ledger::{Microcredits, Verb};
use crate::mail::{self, Letter};
use crate::statements::Month;

/// How often these are looked after.
const EVERY: Duration = Duration::from_secs(60);

const DAY_MS: i64 = 24 * 3_600_000;

impl Accounts {
    /// Does these duties for as long as the host lives, and while it is the first of those that share a database.
    pub async fn do_duties(self, host: HostId) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.clock.now();
            if let Err(error) = self.count_overdue(now).await {
                tracing::warn!(%error, "requests about rights could not be counted; it will be tried again");
            }
            if let Err(error) = self.show_breaches(now).await {
                tracing::warn!(%error, "breaches could not be looked at; it will be tried again");
            }
            match hosts::is_first(&self.db, host, now).await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(%error, "accounts could not be looked after; it will be tried again");
                    continue;
                }
            }
            for (what, done) in [
                ("monthly grants", self.grant_monthly(now).await),
                ("low balances", self.warn_of_low_balances(now).await),
                ("what is over", self.forget_what_is_over(now).await),
            ] {
                if let Err(error) = done {
                    tracing::warn!(%error, "{what} could not be looked after; it will be tried again");
                }
            }
        }
    }

    /// Gives each account what its plan gives in this month, unless the account began in it.
    async fn grant_monthly(&self, now: Micros) -> Result<(), DbError> {
        let month = Month::of(now);
        let (began, month) = (month.begins(), month.to_string());
        for plan in accounts::plans(&self.db).await? {
            let amount = self.config.now().plan(&plan).map(|plan| plan.monthly_grant_microcredits);
            let Some(amount) = amount.filter(|amount| *amount > Microcredits::ZERO) else { continue };
            loop {
                let without = monthly_grants::without(&self.db, &plan, &month, began).await?;
                if without.is_empty() {
                    break;
                }
                for (account, tenant) in without {
                    let (month, grant) = (month.clone(), GrantId::generate().to_string());
                    self.db
                        .write(move |tx| {
                            let (month, grant) = (month.clone(), grant.clone());
                            Box::pin(async move {
                                if monthly_grants::note(tx, account, &month).await? {
                                    ledger::pay_in(tx, tenant, (Verb::Grant, &grant), amount, now).await?;
                                }
                                Ok(())
                            })
                        })
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Warns each account once when its balance falls below its threshold, and again after it has risen.
    async fn warn_of_low_balances(&self, now: Micros) -> Result<(), DbError> {
        let default = self.default_low_balance();
        if low_balances::any_risen(&self.db, default).await? {
            let region = self.db.region().to_owned();
            self.db
                .write(move |tx| {
                    let region = region.clone();
                    Box::pin(async move { low_balances::note_risen(tx, &region, default).await })
                })
                .await?;
        }
        loop {
            let untold = low_balances::untold(&self.db, default).await?;
            if untold.is_empty() {
                return Ok(());
            }
            for low in untold {
                let id = low.account;
                // Without its data key nobody can be written to; it counts as told, so that others are.
                let letter = match self.low_balance_letter(low, now).await {
                    Err(error) if error.may_pass() => return Err(error),
                    Err(error) => {
                        tracing::error!(account = %id, %error, "an owner can't be warned of a low balance");
                        None
                    }
                    letter => letter?,
                };
                self.db
                    .write(move |tx| {
                        let letter = letter.clone();
                        Box::pin(async move {
                            match letter {
                                Some(letter) if low_balances::note_told(tx, id).await? => {
                                    letters::put(tx, &letter).await
                                }
                                Some(_) => Ok(()),
                                None => low_balances::note_told(tx, id).await.map(drop),
                            }
                        })
                    })
                    .await?;
            }
        }
    }

    /// None when the account's data key is gone.
    async fn low_balance_letter(&self, low: LowBalance, now: Micros) -> Result<Option<NewLetter>, DbError> {
        let Some(account) = self.load(low.account).await? else { return Ok(None) };
        let letter = Letter::LowBalance { available: low.balance, threshold: low.threshold };
        mail::sealed(account.id, &account.data_key, &account.email()?, letter, now).map(Some)
    }

    /// Each by itself: what can't be deleted keeps nothing else.
    async fn forget_what_is_over(&self, now: Micros) -> Result<(), DbError> {
        holds::end_expired(&self.db, now).await?;
        let kept_ms = i64::from(self.config.now().values.retention.letter_days) * DAY_MS;
        let links = retention::delete_links(&self.db, now).await;
        let letters = retention::delete_letters(&self.db, now.plus_ms(-kept_ms)).await;
        let (pending, letters) = (self.forget_pending(now).await?, letters?);
        if pending + letters > 0 {
            tracing::info!(pending_accounts = pending, letters, "deleted what is over");
        }
        links.map(drop)
    }
}
