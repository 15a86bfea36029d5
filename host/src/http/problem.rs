//! Problem documents (RFC 9457): the one place where an error becomes a response.
//!
//! Whatever a route, an extractor or the router refuses comes out as one, with its `X-Request-Id`. Not so what hyper
//! refuses before there is a request: a head that can't be parsed (400), one with more than 100 headers or of more
//! than its buffer (431), or a URI that is too long (414) is answered by hyper itself, with an empty body, and the
//! connection is closed. hyper gives no way to put anything in between.

mod causes;
mod kinds;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use kinds::Kind;

use super::rates::{self, Standing};
use crate::accounts::{Role, Scope};
use crate::ids::RequestId;
use crate::ledger::Microcredits;
use crate::names::Name;

/// An error as a client sees it. What it must not see goes to the log, under the same request id.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    extra: Box<ExtensionMembers>,
    retry_after_s: Option<u32>,
    standing: Option<Standing>,
}

/// What some kinds of problems say besides: extension members (RFC 9457, 3.2).
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
struct ExtensionMembers {
    /// The limit that is reached, or passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<u64>,
    /// The scope that the key lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    /// The region of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Name>,
    /// Where that region is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    region_url: Option<String>,
    /// What would be held.
    #[serde(skip_serializing_if = "Option::is_none")]
    required_microcredits: Option<Microcredits>,
    /// What could be held.
    #[serde(skip_serializing_if = "Option::is_none")]
    available_microcredits: Option<Microcredits>,
    /// What other runs hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_microcredits: Option<Microcredits>,
    /// What is owed.
    #[serde(skip_serializing_if = "Option::is_none")]
    debt_microcredits: Option<Microcredits>,
}

impl ExtensionMembers {
    fn limit(limit: &'static str, value: u64) -> Self {
        Self { limit: Some(limit), value: Some(value), ..Self::default() }
    }

    /// True when the kind of problem may say all of them.
    fn are_of(&self, kind: Kind) -> bool {
        let said = serde_json::to_value(self).unwrap_or_default();
        said.as_object().is_some_and(|said| said.keys().all(|name| kind.members().contains(&name.as_str())))
    }
}

/// What went wrong (RFC 9457), and what to do about it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// Names the kind of problem.
    r#type: String,
    /// The kind of problem, for people.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// What is wrong, and what to do about it.
    detail: String,
    /// The id of the request, as in `X-Request-Id`.
    request_id: RequestId,
    /// What is wrong with single fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    #[serde(flatten)]
    extra: ExtensionMembers,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// The media type of the document.
    pub(super) const CONTENT_TYPE: &str = "application/problem+json";

    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (errors, extra) = (Vec::new(), Box::default());
        Self { kind, detail: detail.into(), errors, extra, retry_after_s: None, standing: None }
    }

    /// 401.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(Kind::Unauthenticated, detail)
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    /// 403: the key lacks a scope (RFC 6750, 3.1).
    pub fn scope_missing(scope: Scope) -> Self {
        let detail =
            format!("the key lacks the scope `{scope}`; use one that has it, or make one: `aaasp keys create`");
        let mut problem = Self::new(Kind::ScopeMissing, detail);
        problem.extra.scope = Some(scope);
        problem
    }

    /// 403: the operator's key is for another role.
    pub fn role_missing(role: Role, roles: &[Role]) -> Self {
        let asked: Vec<_> = roles.iter().chain([&Role::Admin]).map(|role| role.as_str()).collect();
        let asked = asked.join(" or ");
        Self::forbidden(format!("this asks for an operator's key of the role {asked}; this one's is {role}"))
    }

    /// 404.
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, format!("there is no such {what}"))
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        let detail = "the route exists, but not for this method; the Allow header names those that it has";
        Self::new(Kind::MethodNotAllowed, detail)
    }

    /// 400: the request can't be read at all.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, detail)
    }

    /// 408.
    pub fn too_slow() -> Self {
        let detail = "the body did not arrive within the operator's `host.slow_client_ms`; send it again";
        Self::new(Kind::TooSlow, detail)
    }

    /// 413.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(Kind::TooLarge, detail)
    }

    /// 415.
    pub fn unsupported_media_type(expected: &str) -> Self {
        let detail = format!("the body must be `{expected}`; say so in the Content-Type header");
        Self::new(Kind::UnsupportedMediaType, detail)
    }

    /// 422: a field has a value that it can't have.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        let mut problem =
            Self::new(Kind::Invalid, if pointer.is_empty() { detail.clone() } else { format!("{pointer}: {detail}") });
        problem.errors.push(FieldError { pointer, detail });
        problem
    }

    /// 422: fields have values that they can't have, each named by its pointer. None when there are none.
    pub fn invalid_fields(found: Vec<(String, String)>) -> Option<Self> {
        let mut fields = found.into_iter();
        let (pointer, detail) = fields.next()?;
        let mut problem = Self::invalid(pointer, detail);
        problem.errors.extend(fields.map(|(pointer, detail)| FieldError { pointer, detail }));
        Some(problem)
    }

    /// 404: there could be such a thing, but not at this operator's.
    pub(super) fn not_offered(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotOffered, detail)
    }

    /// 409.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, detail)
    }

    /// 410.
    pub fn gone(detail: impl Into<String>) -> Self {
        Self::new(Kind::Gone, detail)
    }

    /// 421: hosts of another region serve the account.
    pub(super) fn misdirected(detail: impl Into<String>, region: Option<Name>, url: Option<String>) -> Self {
        let mut problem = Self::new(Kind::Misdirected, detail);
        (problem.extra.region, problem.extra.region_url) = (region, url);
        problem
    }

    /// 503.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(Kind::Unavailable, detail);
        problem.retry_after_s = Some(1);
        problem
    }

    /// 507: there is no room to keep what the request asks for.
    pub fn disk_full() -> Self {
        let detail = "the host's disk is full, so nothing was done; try again later. The host goes on by itself as \
                      soon as its operator has made room, on the disk of the data folder or of the database";
        let mut problem = Self::new(Kind::DiskFull, detail);
        problem.retry_after_s = Some(5);
        problem
    }

    /// 429.
    pub fn too_many(detail: impl Into<String>, retry_after_s: u32) -> Self {
        let mut problem = Self::new(Kind::TooManyRequests, detail);
        problem.retry_after_s = Some(retry_after_s);
        problem
    }

    /// Names the limit that is reached, and its value.
    #[must_use]
    pub(super) fn about_limit(mut self, limit: &'static str, value: u64) -> Self {
        *self.extra = ExtensionMembers::limit(limit, value);
        self
    }

    /// Tells how the caller stands under the rate that refuses.
    #[must_use]
    pub(super) fn standing(mut self, standing: Standing) -> Self {
        self.standing = Some(standing);
        self
    }

    /// 402.
    pub(super) fn insufficient_credits(detail: impl Into<String>) -> Self {
        Self::new(Kind::InsufficientCredits, detail)
    }

    /// 402: something is owed.
    pub(super) fn debt_outstanding(detail: impl Into<String>, debt: Microcredits) -> Self {
        let mut problem = Self::new(Kind::DebtOutstanding, detail);
        problem.extra.debt_microcredits = Some(debt);
        problem
    }

    /// 500.
    pub(super) fn internal() -> Self {
        let detail = "something failed that should not; the operator finds it in the log by the request id";
        Self::new(Kind::Internal, detail)
    }

    /// For a response that some layer made without saying why.
    pub(super) fn of_status(status: StatusCode, detail: String) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(detail),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::unsupported_media_type("application/json"),
            StatusCode::METHOD_NOT_ALLOWED => Self::method_not_allowed(),
            StatusCode::NOT_FOUND => Self::not_found("route"),
            status if status.is_server_error() => Self::internal(),
            _ => Self::malformed(detail),
        }
    }

    /// The response, once the request's id is known.
    pub(super) fn into_document(self, request: RequestId) -> Response {
        let (headers, status) = (self.headers(), self.status());
        debug_assert!(self.extra.are_of(self.kind), "{:?} says what its kind does not: {:?}", self.kind, self.extra);
        let document = Document {
            r#type: format!("{}{}", Kind::TYPES, self.kind.as_str()),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: self.detail,
            request_id: request,
            errors: self.errors,
            extra: *self.extra,
        };
        let content_type = [(header::CONTENT_TYPE, Self::CONTENT_TYPE)];
        (status, headers, content_type, serde_json::to_string(&document).unwrap_or_default()).into_response()
    }

    pub(super) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    pub(super) fn title(&self) -> &'static str {
        self.kind.title()
    }

    /// The headers that a problem of this kind has.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        rates::tell(&mut headers, self.standing.as_slice());
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(scope) = self.extra.scope {
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            headers.extend(HeaderValue::from_str(&challenge).ok().map(|value| (header::WWW_AUTHENTICATE, value)));
        }
        headers
    }
}

impl IntoResponse for Problem {
    /// A response that carries the problem to `observe::request`, which knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
