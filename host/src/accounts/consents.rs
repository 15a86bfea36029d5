//! Consents, and the letters that need one.

use super::links::LinkSecret;
use super::{Account, Accounts, Because, Purpose};
use crate::audit::{Act, Facts};
use crate::clock::Micros;
use crate::db::consents::{self, ConsentPurpose, ConsentSource, StoredConsent};
use crate::db::links::NewLink;
use crate::db::mailings::{self, Audience, StoredMailing};
use crate::db::{DbError, letters, links, policies};
use crate::ids::{AccountId, ApiKeyId, ConsentId, MailingId};
use crate::mail::{self, Letter};

impl Accounts {
    /// Writes down what an owner says yes or no to.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn consent(
        &self,
        (account, by): (&Account, ApiKeyId),
        purpose: ConsentPurpose,
        given: bool,
    ) -> Result<(), DbError> {
        let (id, said) = (account.id, self.said(purpose, given, ConsentSource::Api).await?);
        let facts = Facts::of(format!("{}: {}", purpose.as_str(), if given { "yes" } else { "no" })).with_key(by);
        let entry = self.own_act(account, Act::Consent, &facts)?;
        self.db
            .write(move |tx| {
                let said = said.clone();
                tx.audit(entry.clone());
                Box::pin(async move { consents::insert(tx, id, &said).await })
            })
            .await
    }

    /// What an account's owner said yes to.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn consents(&self, account: AccountId) -> Result<Vec<ConsentPurpose>, DbError> {
        let mut given = Vec::new();
        for purpose in ConsentPurpose::ALL {
            if consents::latest(&self.db, account, *purpose).await?.is_some_and(|said| said.given) {
                given.push(*purpose);
            }
        }
        Ok(given)
    }

    /// Says no by the link of a letter, which is used up.
    pub(super) async fn unsubscribe(&self, account: &Account, digest: [u8; 32]) -> Result<(), DbError> {
        let (id, said) = (account.id, self.said(ConsentPurpose::News, false, ConsentSource::Link).await?);
        self.db
            .write(move |tx| {
                let said = said.clone();
                Box::pin(async move {
                    links::take(tx, &digest).await?;
                    consents::insert(tx, id, &said).await
                })
            })
            .await
    }

    async fn said(
        &self,
        purpose: ConsentPurpose,
        given: bool,
        source: ConsentSource,
    ) -> Result<StoredConsent, DbError> {
        let policy = policies::current(&self.db).await?.map(|policy| policy.version);
        Ok(StoredConsent { id: ConsentId::generate(), purpose, given, policy, source, at: self.clock.now() })
    }

    /// Has a letter written to all accounts that consented to news.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn announce(&self, subject: String, text: Vec<String>, because: &Because) -> Result<MailingId, DbError> {
        let letter = Letter::Announcement { subject, text, unsubscribe: String::new() };
        let mailing = mailing(Audience::Consenting, &letter, self.clock.now())?;
        let (id, act) = (mailing.id, self.act_on_all(because, Act::Announce, Facts::of(mailing.id))?);
        self.db
            .write(move |tx| {
                let (mailing, act) = (mailing.clone(), act.clone());
                Box::pin(async move {
                    tx.audit(act);
                    mailings::insert(tx, &mailing).await
                })
            })
            .await?;
        Ok(id)
    }

    /// Writes an account its letter of a mailing, unless it has it or is not to have it any more.
    pub(crate) async fn mail(
        &self,
        account: AccountId,
        mailing: &StoredMailing,
        mut letter: Letter,
    ) -> Result<(), DbError> {
        let Some(account) = self.load(account).await? else { return Ok(()) };
        let (id, at) = (account.id, self.clock.now());
        let mut link = None;
        if let Letter::Announcement { unsubscribe, .. } = &mut letter {
            let secret = LinkSecret::generate()?;
            *unsubscribe = secret.link(&self.config.now());
            let (digest, expires_at) = (secret.digest(), Micros(i64::MAX));
            link = Some(NewLink { digest, account: id, purpose: Purpose::Unsubscribe, at, expires_at });
        }
        let letter = mail::sealed(id, &account.data_key, &account.email()?, letter, at)?;
        let (mailing, audience) = (mailing.id, mailing.audience);
        self.db
            .write(move |tx| {
                let letter = letter.clone();
                Box::pin(async move {
                    if !mailings::note(tx, mailing, audience, id).await? {
                        return Ok(());
                    }
                    if let Some(link) = &link {
                        links::insert(tx, link).await?;
                    }
                    letters::put(tx, &letter).await
                })
            })
            .await
    }
}

/// A mailing of a letter, which says nothing that is an account's own.
pub(crate) fn mailing(audience: Audience, letter: &Letter, at: Micros) -> Result<StoredMailing, DbError> {
    let letter = serde_json::to_string(letter).map_err(DbError::corrupt)?;
    Ok(StoredMailing { id: MailingId::generate(), audience, letter, about: None, at })
}
