//! `/v1/webhooks`: what others tell. Whoever they are, their signature says so, and no key.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::request::Parts;
use axum::response::NoContent;
use bytes::Bytes;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::Problem;
use super::address::client_address;
use super::body;
use super::routes::{Described, Part};
use crate::app::App;
use crate::payments::{Unread, WebhookError};

/// A body with the headers that sign it, as it came.
pub(super) struct Signed {
    parts: Parts,
    body: Bytes,
}

impl FromRequest<Arc<App>> for Signed {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts.clone(), body);
        let body = body::received(app, request).await?;
        Ok(Self { parts, body })
    }
}

impl Part for Signed {
    fn describe(described: &mut Described) {
        described.takes_body("application/json", ObjectBuilder::new().schema_type(Type::Object).build());
        described.refuses(&Problem::malformed(""));
        described.refuses(&Problem::unauthenticated(""));
        described.refuses(&Problem::too_slow());
        described.refuses(&Problem::too_large(""));
        described.refuses(&Problem::invalid("", ""));
        described.refuses(&Problem::too_many("", 1));
    }
}

/// Takes what Dodo Payments tells. It is answered when it is committed; what was told before changes nothing.
pub(super) async fn dodo(State(app): State<Arc<App>>, told: Signed) -> Result<NoContent, Problem> {
    match app.payments.webhook(&told.parts.headers, &told.body).await {
        Ok(_) => Ok(NoContent),
        Err(error) => {
            if let WebhookError::Unread(Unread::Forged(_)) = error {
                app.rates.count_failure(client_address(&told.parts, &app))?;
            }
            Err(error.into())
        }
    }
}
