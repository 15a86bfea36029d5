//! What operators say of the privacy policy, and who is told.

use super::consents::mailing;
use super::{Accounts, Because};
use crate::audit::{Act, Facts};
use crate::db::DbError;
use crate::db::mailings::{self, Audience};
use crate::db::policies::{self, StoredPolicy};
use crate::mail::Letter;

impl Accounts {
    /// Says what changed with a version of the policy. If it matters, each account is written to. False when something
    /// was said already.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn explain(
        &self,
        policy: &StoredPolicy,
        (summary, material): (&str, bool),
        because: &Because,
    ) -> Result<bool, DbError> {
        let at = self.clock.now();
        let link = self.config.now().link(&format!("/privacy/{}", policy.version));
        let letter = Letter::PolicyChange { from: policy.since, summary: summary.to_owned(), link };
        let mailing = material.then(|| mailing(Audience::Everybody, &letter, at)).transpose()?;
        let act = self.act_on_all(because, Act::Policy, Facts::of(&policy.version))?;
        let (version, summary) = (policy.version.clone(), summary.to_owned());
        self.db
            .write(move |tx| {
                let (version, summary) = (version.clone(), summary.clone());
                let (mailing, act) = (mailing.clone(), act.clone());
                Box::pin(async move {
                    if !policies::explain(tx, &version, (&summary, material), at).await? {
                        return Ok(false);
                    }
                    if let Some(mailing) = &mailing {
                        mailings::insert(tx, mailing).await?;
                    }
                    tx.audit(act);
                    Ok(true)
                })
            })
            .await
    }
}
