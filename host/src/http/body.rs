//! Bodies and path parts, read so that an error names the field.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType};

use super::Problem;
use super::routes::{Described, Part};
use crate::app::App;
use crate::names::Name;
use crate::objects::{self, Objects};

/// The type of a component's bytes.
const WASM: &str = "application/wasm";

/// A JSON body. Unknown fields are errors where the type says so.
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let bytes = received(app, request).await?;
        if !json {
            return Err(Problem::unsupported_media_type("application/json"));
        }
        parsed(&bytes).map(Self)
    }
}

impl<T: ToSchema> Part for Json<T> {
    fn describe(described: &mut Described) {
        let schema = described.reference::<T>();
        described.takes_body("application/json", schema);
        refuses_bodies(described);
    }
}

/// All of a body, within the limit of the route.
pub(super) async fn received(app: &Arc<App>, request: Request) -> Result<Bytes, Problem> {
    let bytes = in_time(app, Bytes::from_request(request, app)).await?;
    bytes.map_err(|rejection| Problem::of_status(rejection.status(), rejection.body_text()))
}

/// Waits for what a client sends, for as long as the operator lets it take.
async fn in_time<T>(app: &App, sent: impl Future<Output = T>) -> Result<T, Problem> {
    let patience = Duration::from_millis(app.config.now().values.host.slow_client_ms);
    tokio::time::timeout(patience, sent).await.map_err(|_| Problem::too_slow())
}

/// A component's bytes, which the handler reads within the account's limit.
pub(super) struct Component(Body);

impl Component {
    /// Reads the bytes, and stops reading where they pass the limit.
    pub(super) async fn received(self, app: &App, limit: u64) -> Result<Bytes, Problem> {
        let mut received = BytesMut::new();
        let mut chunks = self.0.into_data_stream();
        while let Some(chunk) = in_time(app, chunks.next()).await? {
            let chunk = chunk.map_err(|error| Problem::malformed(format!("the body ended early: {error}")))?;
            if (received.len() + chunk.len()) as u64 > limit {
                let detail = format!("the component is larger than the limit `component_bytes` of {limit}");
                return Err(Problem::too_large(detail).about_limit("component_bytes", limit));
            }
            received.extend_from_slice(&chunk);
        }
        Ok(received.freeze())
    }
}

impl<S: Send + Sync> FromRequest<S> for Component {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if request.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != WASM) {
            return Err(Problem::unsupported_media_type(WASM));
        }
        Ok(Self(request.into_body()))
    }
}

impl Part for Component {
    fn describe(described: &mut Described) {
        described.takes_body(WASM, ObjectBuilder::new().schema_type(SchemaType::any()).build());
        refuses_bodies(described);
    }
}

fn refuses_bodies(described: &mut Described) {
    described.refuses(&Problem::malformed(""));
    described.refuses(&Problem::too_slow());
    described.refuses(&Problem::too_large(""));
    described.refuses(&Problem::unsupported_media_type(""));
    described.refuses(&Problem::invalid("", ""));
}

/// Reads JSON; an error names the field by its pointer.
fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if let Ok(value) = objects::from_json(bytes) {
        return Ok(value);
    }
    // Only now the slower way, which knows where it was.
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let error = match serde_path_to_error::deserialize::<_, T>(Objects(&mut deserializer)) {
        Ok(_) => return Err(Problem::malformed("the body is not one JSON value: something follows it")),
        Err(error) => error,
    };
    let pointer: String = error
        .path()
        .iter()
        .map(|segment| {
            format!("/{}", segment.to_string().trim_matches(['[', ']']).replace('~', "~0").replace('/', "~1"))
        })
        .filter(|part| part != "/?")
        .collect();
    let inner = error.into_inner();
    if inner.is_data() {
        Err(Problem::invalid(pointer, inner.to_string()))
    } else {
        Err(Problem::malformed(format!("the body is not JSON: {inner}")))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_none_or(|value| {
        value.to_str().is_ok_and(|text| {
            let kind = text.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
        })
    })
}

/// The name in the path. A text that can't be a name names nothing.
pub(super) struct PathName(pub Name);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // A path that is no text at all names as little as one that is no name.
        let text = path_text(parts, state).await.unwrap_or_default();
        match text.parse() {
            Ok(name) => Ok(Self(name)),
            Err(error) if parts.method == Method::PUT => Err(Problem::invalid("", format!("`{text}`: {error}"))),
            Err(_) => Err(Problem::not_found("name")),
        }
    }
}

impl Part for PathName {
    fn describe(described: &mut Described) {
        takes_in_path::<Name>(described);
        if described.method == Method::PUT {
            described.refuses(&Problem::invalid("", ""));
        } else {
            described.refuses(&Problem::not_found(""));
        }
    }
}

fn takes_in_path<T: ToSchema>(described: &mut Described) {
    let (name, schema) = (described.path_parameter(), described.reference::<T>());
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
    described.takes(parameter.schema(Some(schema)));
}

/// The id in the path. A text that can't be an id names nothing.
pub(super) struct PathId<T>(pub T);

impl<S: Send + Sync, T: std::str::FromStr> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_text(parts, state).await?;
        text.parse().map(Self).map_err(|_| Problem::not_found("id"))
    }
}

impl<T: ToSchema> Part for PathId<T> {
    fn describe(described: &mut Described) {
        takes_in_path::<T>(described);
        described.refuses(&Problem::not_found(""));
    }
}

async fn path_text<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    Path::<String>::from_request_parts(parts, state)
        .await
        .map(|Path(text)| text)
        .map_err(|_| Problem::not_found("path"))
}
