//! Operators: their keys.

use super::{Accounts, ApiKey};
use crate::db::{DbError, keys};
use crate::ids::OperatorKeyId;

impl Accounts {
    /// Makes an operator key; its secret is shown once, here.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn create_operator_key(&self, name: &'static str) -> Result<ApiKey, DbError> {
        let secret = ApiKey::generate().map_err(|_| DbError::corrupt("the operating system gave no randomness"))?;
        let (id, digest, at) = (OperatorKeyId::generate(), secret.digest(), self.clock.now());
        self.db
            .write(move |tx| Box::pin(async move { keys::insert_operator_key(tx, id, name, &digest, at).await }))
            .await?;
        Ok(secret)
    }
}
