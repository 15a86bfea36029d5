//! Operators: their keys.

use super::{Accounts, ApiKey, Because, Role};
use crate::audit::{Act, Actor, Facts, NewEntry};
use crate::db::DbError;
use crate::db::operator_keys::{self, StoredOperatorKey};
use crate::ids::OperatorKeyId;

impl Accounts {
    /// Makes a key for an operator; its secret is shown once, here. The first one of a server is made by nobody.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn create_operator_key(
        &self,
        name: &str,
        role: Role,
        because: Option<&Because>,
    ) -> Result<(StoredOperatorKey, ApiKey), DbError> {
        let secret = ApiKey::generate().map_err(|_| DbError::corrupt("the operating system gave no randomness"))?;
        let (id, digest, created_at) = (OperatorKeyId::generate(), secret.digest(), self.clock.now());
        let key = StoredOperatorKey { id, name: name.to_owned(), role, created_at, revoked_at: None };
        let actor = because.map_or(Actor::System, |because| Actor::Operator(because.operator));
        let facts = Facts { reason: because.map(|because| because.reason.clone()), ..Facts::of(id) };
        let entry = NewEntry::new((actor, Act::CreateOperatorKey, created_at), None, &facts)?;
        let new = key.clone();
        self.db
            .write(move |tx| {
                let new = new.clone();
                tx.audit(entry.clone());
                Box::pin(async move { operator_keys::insert(tx, &new, &digest).await })
            })
            .await?;
        Ok((key, secret))
    }

    /// Revokes a key of an operator.
    ///
    /// # Errors
    /// [`DbError::Missing`] when there is no such key, [`DbError::InUse`] when it is the last one of an admin.
    pub async fn revoke_operator_key(&self, key: OperatorKeyId, because: &Because) -> Result<(), DbError> {
        let at = self.clock.now();
        let facts = Facts { reason: Some(because.reason.clone()), ..Facts::of(key) };
        let actor = Actor::Operator(because.operator);
        let entry = NewEntry::new((actor, Act::RevokeOperatorKey, at), None, &facts)?;
        self.db
            .write(move |tx| {
                tx.audit(entry.clone());
                Box::pin(operator_keys::revoke(tx, key, at))
            })
            .await
    }
}
