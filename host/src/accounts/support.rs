//! Support: owners ask, operators answer, and what either says is a letter to the other.

use serde::{Deserialize, Serialize};

use super::{Account, Accounts, Because, sealed};
use crate::audit::{Act, Actor, Facts, NewEntry};
use crate::clock::Micros;
use crate::db::letters::NewLetter;
use crate::db::support::{self, SaidBy, StoredMessage, StoredThread, ThreadState};
use crate::db::{DbError, Once, letters};
use crate::ids::{AccountId, OperatorKeyId, SupportMessageId, SupportThreadId};
use crate::mail::{self, Letter};

const THREADS: &str = "support_threads";
const MESSAGES: &str = "support_messages";

/// A thread, opened.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Its id.
    pub id: SupportThreadId,
    /// Whose it is.
    pub account: AccountId,
    /// What it is about.
    pub subject: String,
    /// Where it is.
    pub state: ThreadState,
    /// When it began.
    pub created_at: Micros,
    /// When something was said last, or it was closed.
    pub changed_at: Micros,
}

/// A message, opened.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who says it.
    pub by: SaidBy,
    /// What.
    pub text: String,
    /// When.
    pub at: Micros,
}

/// A thread that was begun.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Begun {
    /// Its id.
    pub thread: SupportThreadId,
}

impl Accounts {
    /// Begins a thread with its first message.
    ///
    /// # Errors
    /// [`DbError::Limit`] when the account has as many open as it may have.
    pub async fn ask(
        &self,
        account: &Account,
        (subject, text): (&str, &str),
        once: Option<Once>,
    ) -> Result<Begun, DbError> {
        let (id, at) = (SupportThreadId::generate(), self.clock.now());
        let sealed_subject = sealed::seal(account.sealer(), (THREADS, &id.to_string(), "subject"), subject)?;
        let thread = StoredThread {
            id,
            account: account.id,
            sealed_subject,
            state: ThreadState::Open,
            created_at: at,
            changed_at: at,
        };
        let message = self.message(account, None, text)?;
        let letter = self.to_operators(account, (id, subject), text)?;
        let key = (account.id, &account.data_key);
        self.write_once(once, key, id.to_string(), Begun { thread: id }, move |tx| {
            let (thread, message, letter) = (thread.clone(), message.clone(), letter.clone());
            Box::pin(async move {
                support::insert(tx, &thread).await?;
                support::say(tx, (thread.account, thread.id), &message).await?;
                match &letter {
                    Some(letter) => letters::put(tx, letter).await,
                    None => Ok(()),
                }
            })
        })
        .await
    }

    /// Writes down that an operator is about to read a thread.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn note_reading(
        &self,
        account: &Account,
        operator: OperatorKeyId,
        thread: SupportThreadId,
    ) -> Result<(), DbError> {
        let did = (Actor::Operator(operator), Act::Look, self.clock.now());
        self.note(NewEntry::new(did, Some((account.id, &account.data_key)), &Facts::of(thread))?).await
    }

    /// Says more in a thread: its owner, or an operator. The other one gets a letter.
    ///
    /// # Errors
    /// [`DbError::Limit`] when the thread is as long as it may be.
    pub async fn say(
        &self,
        account: &Account,
        thread: &Thread,
        operator: Option<OperatorKeyId>,
        text: &str,
    ) -> Result<(), DbError> {
        let message = self.message(account, operator, text)?;
        let letter = match operator {
            // Who waits for an answer already is not written of again.
            None if thread.state == ThreadState::Open => None,
            None => self.to_operators(account, (thread.id, &thread.subject), text)?,
            Some(_) => {
                let thread_id = thread.id.to_string();
                let letter =
                    Letter::SupportAnswer { thread: thread_id, about: thread.subject.clone(), text: paragraphs(text) };
                let to = account.email()?;
                Some(mail::sealed(account.id, &account.data_key, &to, letter, self.clock.now())?)
            }
        };
        let place = (account.id, thread.id);
        self.db
            .write(move |tx| {
                let (message, letter) = (message.clone(), letter.clone());
                Box::pin(async move {
                    support::say(tx, place, &message).await?;
                    match &letter {
                        Some(letter) => letters::put(tx, letter).await,
                        None => Ok(()),
                    }
                })
            })
            .await
    }

    /// Closes a thread. False when it was closed.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn close_thread(&self, account: &Account, thread: &Thread, because: &Because) -> Result<bool, DbError> {
        let about = (account.id, &account.data_key);
        let act = self.act(about, because, Act::SupportClose, Facts::of(thread.id))?;
        let place = (account.id, thread.id);
        self.db
            .write(move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    let closed = support::set_state(tx, place, ThreadState::Closed, act.at).await?;
                    if closed {
                        tx.audit(act);
                    }
                    Ok(closed)
                })
            })
            .await
    }

    /// Opens what is stored of a thread.
    ///
    /// # Errors
    /// [`DbError`] when it doesn't open.
    pub async fn thread(&self, account: &Account, stored: StoredThread) -> Result<Thread, DbError> {
        let StoredThread { id, account: of, sealed_subject, state, created_at, changed_at } = stored;
        let row = id.to_string();
        let open = |account: &Account| sealed::open(account.sealer(), (THREADS, &row, "subject"), &sealed_subject);
        let subject = self.opening(account, open).await?;
        Ok(Thread { id, account: of, subject, state, created_at, changed_at })
    }

    /// What was said in a thread, in its order.
    ///
    /// # Errors
    /// [`DbError`] when it doesn't open.
    pub async fn messages(&self, account: &Account, thread: SupportThreadId) -> Result<Vec<Message>, DbError> {
        let mut said = Vec::new();
        for stored in support::messages(&self.db, account.id, thread).await? {
            let row = stored.id.to_string();
            let open =
                |account: &Account| sealed::open(account.sealer(), (MESSAGES, &row, "text"), &stored.sealed_text);
            said.push(Message { by: stored.by, text: self.opening(account, open).await?, at: stored.at });
        }
        Ok(said)
    }

    fn message(
        &self,
        account: &Account,
        operator: Option<OperatorKeyId>,
        text: &str,
    ) -> Result<StoredMessage, DbError> {
        let id = SupportMessageId::generate();
        let sealed_text = sealed::seal(account.sealer(), (MESSAGES, &id.to_string(), "text"), text)?;
        let by = if operator.is_some() { SaidBy::Operator } else { SaidBy::Owner };
        Ok(StoredMessage { id, by, operator, sealed_text, at: self.clock.now() })
    }

    /// The letter to the operator's address, where there is one; else they find it in the list.
    fn to_operators(
        &self,
        account: &Account,
        (thread, about): (SupportThreadId, &str),
        text: &str,
    ) -> Result<Option<NewLetter>, DbError> {
        let config = self.config.now();
        let Some(contact) = &config.values.operator.contact else { return Ok(None) };
        let letter = Letter::SupportAsked {
            thread: thread.to_string(),
            account: account.id.to_string(),
            about: about.to_owned(),
            text: paragraphs(text),
        };
        mail::sealed(account.id, &account.data_key, contact, letter, self.clock.now()).map(Some)
    }
}

fn paragraphs(text: &str) -> Vec<String> {
    text.split("\n\n").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}
