//! `Idempotency-Key`: the header that makes a write safe to repeat.
//!
//! Every POST that makes something takes it (draft-ietf-httpapi-idempotency-key-header). The same key with the same
//! request is answered as the first was and does nothing more; with another request it is refused with 422. PUT,
//! PATCH, DELETE and the cancellation of a run are safe to repeat by themselves, and ignore the header.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Serialize;
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::Problem;
use super::routes::{Described, Part};
use crate::app::App;
use crate::db::Once;

/// A request that may carry the header.
pub(super) struct MayRepeat {
    /// The key: 1 to 255 visible ASCII characters.
    pub key: Option<String>,
    /// Method and path.
    target: [String; 2],
}

impl<S: Send + Sync> FromRequestParts<S> for MayRepeat {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let target = [parts.method.to_string(), parts.uri.path().to_owned()];
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self { key: None, target }) };
        let text = value.to_str().ok().filter(|text| (1..=255).contains(&text.len()));
        let key = text
            .ok_or_else(|| Problem::invalid("", "the header Idempotency-Key has 1 to 255 visible ASCII characters"))?;
        Ok(Self { key: Some(key.to_owned()), target })
    }
}

impl Part for MayRepeat {
    fn describe(described: &mut Described) {
        let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
        let parameter = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("Makes the request safe to repeat: it is done once, and answered alike each time"))
            .schema(Some(text));
        described.takes(parameter);
        described.refuses(&Problem::invalid("", ""));
    }
}

impl MayRepeat {
    /// The request of a caller, an account or an operator, as what it asks for.
    pub(super) fn by(&self, app: &App, caller: impl ToString, body: &impl Serialize) -> Option<Once> {
        let key = self.key.as_deref()?;
        let body = serde_json::to_string(body).unwrap_or_default();
        Some(app.accounts.once(caller, key, &[&self.target[0], &self.target[1], &body]))
    }
}
