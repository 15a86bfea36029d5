//! Breaches: whom they concern follows from the data map, what is told from the facts, and the clock from the file.

use std::collections::BTreeSet;

use super::consents::mailing;
use super::{Accounts, Because};
use crate::audit::{Act, Facts};
use crate::clock::Micros;
use crate::db::breaches::{self, Moment, Scope, StoredBreach};
use crate::db::mailings::{self, Audience};
use crate::db::{DbError, erasures, letters};
use crate::ids::{AccountId, BreachId};
use crate::mail::{self, Letter};
use crate::privacy::map::{About, Form, Table, tables};

const HOUR_MS: i64 = 3_600_000;

/// Names of columns that say when a row was written.
const WRITTEN: [&str; 4] = ["created_at", "used_at", "asked_at", "started_at"];

/// What is told of a breach.
#[derive(Clone, Debug)]
pub struct Draft {
    /// To the authority (GDPR, Article 33).
    pub authority: String,
    /// To those whom it concerns (Article 34).
    pub letter: Letter,
}

/// Which accounts a breach concerns, as an operator says it.
#[derive(Clone, Debug, Default)]
pub struct Concerned {
    /// These scopes.
    pub scopes: Vec<Scope>,
    /// Tables whose rows it concerns.
    pub tables: Vec<String>,
    /// The period.
    pub period: Option<(Micros, Micros)>,
}

/// A table that is personal, by its name, as the scope of a breach.
#[must_use]
pub fn table_scope(name: &str) -> Option<Scope> {
    let table = tables().find(|table| table.name == name && table.about == About::Account && table.is_personal())?;
    let written = |column: &&str| table.column(column).is_some_and(|column| column.form == Form::Time);
    Some(Scope::Table(table.name, WRITTEN.iter().find(|column| written(column)).copied()))
}

impl Accounts {
    /// Notes a breach, from when on the clock runs.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn open_breach(
        &self,
        (facts, advice): (&str, &str),
        aware_at: Micros,
        because: &Because,
    ) -> Result<BreachId, DbError> {
        let hours = i64::from(self.config.now().values.operator.breach_hours);
        let id = BreachId::generate();
        let breach = StoredBreach {
            id,
            facts: facts.to_owned(),
            advice: advice.to_owned(),
            tables: Vec::new(),
            aware_at,
            due_at: aware_at.plus_ms(hours * HOUR_MS),
            told_at: None,
            authority_told_at: None,
            ended_at: None,
        };
        let act = self.act_on_all(because, Act::BreachOpen, Facts::of(id))?;
        self.db
            .write(move |tx| {
                let (breach, act) = (breach.clone(), act.clone());
                Box::pin(async move {
                    tx.audit(act);
                    breaches::insert(tx, &breach).await
                })
            })
            .await?;
        Ok(id)
    }

    /// Adds accounts to those whom a breach concerns. Returns how many are new; none when it is over.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn scope_breach(
        &self,
        id: BreachId,
        concerned: Concerned,
        because: &Because,
    ) -> Result<Option<u64>, DbError> {
        let period = concerned.period.unwrap_or((Micros(0), self.clock.now()));
        let act = self.act_on_all(because, Act::BreachScope, Facts::of(id))?;
        self.db
            .write(move |tx| {
                let (Concerned { scopes, tables, .. }, act) = (concerned.clone(), act.clone());
                Box::pin(async move {
                    if !breaches::add_tables(tx, id, &tables).await? {
                        return Ok(None);
                    }
                    tx.audit(act);
                    let mut new = 0;
                    for scope in &scopes {
                        new += breaches::concern(tx, id, scope, period).await?;
                    }
                    Ok(Some(new))
                })
            })
            .await
    }

    /// What is told of a breach, from what is known of it.
    #[must_use]
    pub fn draft(&self, breach: &StoredBreach, accounts: i64) -> Draft {
        let operator = &self.config.now().values.operator;
        let categories = categories(&breach.tables);
        let name = operator.name.as_deref().unwrap_or("(operator.name is not set)");
        let contact = operator.contact.clone().unwrap_or_else(|| "(operator.contact is not set)".to_owned());
        let authority = format!(
            "Notification of a personal data breach (GDPR, Article 33)\n\nController: {name}\nContact: {contact}\n\
             Reference: {}\nKnown since: {}\n\nWhat happened: {}\n\nCategories of data: {categories}\nPeople concerned: \
             about {accounts} holders of accounts\nRecords concerned: those in {}\n\nLikely consequences, and what those \
             concerned are advised to do: {}\n",
            breach.id,
            breach.aware_at.rfc3339(),
            breach.facts,
            if breach.tables.is_empty() { "(no table is named yet)".to_owned() } else { breach.tables.join(", ") },
            breach.advice,
        );
        let letter = Letter::Breach {
            breach: breach.id.to_string(),
            facts: breach.facts.clone(),
            concerned: categories,
            advice: breach.advice.clone(),
            contact,
        };
        Draft { authority, letter }
    }

    /// Has all whom a breach concerns written to, who were not before. False when it is over.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn tell_of_breach(&self, breach: &StoredBreach, because: &Because) -> Result<bool, DbError> {
        let letter = self.draft(breach, 0).letter;
        let mut mailing = mailing(Audience::Concerned, &letter, self.clock.now())?;
        mailing.about = Some(breach.id.to_string());
        let (id, act) = (breach.id, self.act_on_all(because, Act::BreachNotify, Facts::of(breach.id))?);
        self.db
            .write(move |tx| {
                let (mailing, act) = (mailing.clone(), act.clone());
                Box::pin(async move {
                    if !breaches::note(tx, id, Moment::Told, act.at).await? {
                        return Ok(false);
                    }
                    tx.audit(act);
                    mailings::insert(tx, &mailing).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Writes to the authority what is drafted for it. False when the breach is over, or the authority was told.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn write_to_authority(
        &self,
        (breach, concerned): (&StoredBreach, i64),
        to: &str,
        because: &Because,
    ) -> Result<bool, DbError> {
        let text = self.draft(breach, concerned).authority;
        let text = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let letter = Letter::BreachAuthority { breach: breach.id.to_string(), text };
        // It is no account's, so that it belongs to one that nobody has.
        let nobody = AccountId::generate();
        let (lookup, id) = (self.erasure_digest(nobody), breach.id);
        let letter = mail::sealed(nobody, &self.service_key()?, to, letter, self.clock.now())?;
        let act =
            self.act_on_all(because, Act::BreachAuthority, Facts { was: Some(to.to_owned()), ..Facts::of(id) })?;
        self.db
            .write(move |tx| {
                let (letter, act) = (letter.clone(), act.clone());
                Box::pin(async move {
                    if !breaches::note(tx, id, Moment::AuthorityTold, act.at).await? {
                        return Ok(false);
                    }
                    tx.audit(act);
                    erasures::insert_pseudonym(tx, nobody, lookup).await?;
                    letters::put(tx, &letter).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Notes that the authority was told, or that a breach is over. False when it is, or that was noted.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn note_of_breach(&self, breach: BreachId, moment: Moment, because: &Because) -> Result<bool, DbError> {
        let word = if moment == Moment::Ended { Act::BreachClose } else { Act::BreachAuthority };
        let act = self.act_on_all(because, word, Facts::of(breach))?;
        self.db
            .write(move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    let noted = breaches::note(tx, breach, moment, act.at).await?;
                    if noted {
                        tx.audit(act);
                    }
                    Ok(noted)
                })
            })
            .await
    }

    /// Shows the clock in the log and in the metrics, while somebody is still to be told.
    pub(super) async fn show_breaches(&self, now: Micros) -> Result<(), DbError> {
        let open = breaches::open(&self.db).await?;
        metrics::gauge!("aaasp_breaches_open").set(open.len() as f64);
        let next = open.iter().find(|breach| breach.is_to_be_told());
        let left_s = next.map(|next| (next.due_at.0 - now.0) / 1_000_000);
        metrics::gauge!("aaasp_breach_due_in_seconds").set(left_s.map_or(f64::INFINITY, |left_s| left_s as f64));
        let (Some(next), Some(left_s)) = (next, left_s) else { return Ok(()) };
        tracing::warn!(breach = %next.id, hours_left = left_s / 3_600, "a breach is to be told: `aaasp admin breach`");
        Ok(())
    }
}

/// What about people is in tables, in words.
fn categories(names: &[String]) -> String {
    let named = tables().filter(|table: &&Table| names.iter().any(|name| name == table.name));
    let found: BTreeSet<_> =
        named.flat_map(|table| table.columns).filter_map(|column| column.category).map(|found| found.words()).collect();
    if found.is_empty() { "not known yet".to_owned() } else { found.into_iter().collect::<Vec<_>>().join("; ") }
}
