//! Lends the operator's own key to requests to the one model that it is for.

use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretSlice};

use crate::models::Model;
use crate::names::Name;
use crate::vault::custody::{Custody, Lent, Use, UseId, Withheld};

/// The operator's key. Its uses are the operator's, so they go to the server's log and not to an account's audit.
#[derive(Debug)]
pub(super) struct OperatorKey {
    pub(super) model: Arc<Model>,
    pub(super) run_id: String,
}

impl Custody for OperatorKey {
    fn lend<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<Lent, Withheld>> {
        Box::pin(async move {
            let key = self.model.key.as_ref().ok_or_else(|| Withheld::Unknown(name.clone()))?;
            let secret = SecretSlice::from(key.expose_secret().as_bytes().to_vec());
            Ok(Lent { version: 1, place: None, secret })
        })
    }

    fn sign<'a>(&'a self, name: &'a Name, _bytes: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], Withheld>> {
        Box::pin(async { Err(Withheld::Unknown(name.clone())) })
    }

    fn used(&self, _used: Use) -> UseId {
        tracing::debug!(run = %self.run_id, model = %self.model.name, "the operator's key goes along");
        UseId(0)
    }

    fn ended(&self, _used: UseId, status: Option<u16>) {
        tracing::debug!(run = %self.run_id, model = %self.model.name, status, "a request to a model has ended");
    }
}
