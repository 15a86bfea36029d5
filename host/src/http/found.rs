//! What is found out about a request while it is handled, for whoever stands around the handler.

use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;

use super::rates::Standings;
use crate::ids::{AccountId, ApiKeyId};

/// What is found out about one request; an extension of it.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Who it is from.
    pub caller: OnceLock<(AccountId, ApiKeyId)>,
    /// How its caller stands under the rates that it is counted under.
    pub standing: OnceLock<Standings>,
}

impl Found {
    /// That of a request. Every request has one.
    pub(super) fn of(parts: &Parts) -> Option<&Arc<Self>> {
        parts.extensions.get()
    }
}
