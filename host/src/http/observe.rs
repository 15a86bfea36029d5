//! Around every request: its id, its line in the log, and problem documents for whatever went wrong.

use std::sync::Arc;
use std::time::Instant;

use axum::body::to_bytes;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use metrics::{Label, SharedString};

use super::address::client_address;
use super::found::Found;
use super::{Problem, breaches, pages, rates, unread};
use crate::app::App;
use crate::db::requests::RequestMetadata;
use crate::ids::RequestId;
use crate::server_log;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of an error text that a layer of the framework made.
const DETAIL_BYTES: usize = 4 << 10;

/// Gives the request its id, logs it, and turns a failure into a problem document.
pub(super) async fn request(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::generate();
    let method = request.method().clone();
    // The pattern, not the path: names and ids of people's things stay out of the log.
    let route: Option<Arc<str>> = request.extensions().get::<MatchedPath>().map(|path| path.as_str().into());
    let (mut parts, body) = request.into_parts();
    let address = client_address(&parts, &app);
    let user_agent = parts.headers.get(header::USER_AGENT).filter(|_| app.server_log.is_kept()).cloned();
    let found = Arc::new(Found::default());
    parts.extensions.insert(Arc::clone(&found));
    let counted = app.rates.count_address(address);
    let is_taken = counted.is_ok();
    let response = match counted {
        Ok(()) => undisturbed(Request::from_parts(parts, body), next).await,
        Err(problem) => problem.into_response(),
    };
    let mut response = finished(response, id).await;
    let elapsed = started.elapsed();
    if let (Some((account, api_key)), Some(route)) = (found.caller.get(), &route) {
        app.requests.note(RequestMetadata {
            id,
            account: *account,
            api_key: *api_key,
            method: known(&method).into(),
            route: Arc::clone(route),
            status: response.status().as_u16(),
            duration_us: i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX),
        });
    }
    if is_taken && app.server_log.is_kept() {
        app.server_log.note(server_log::Line {
            at: app.clock.now(),
            request: id,
            account: found.caller.get().map(|(account, _)| *account),
            address,
            user_agent: user_agent.as_ref().and_then(|name| name.to_str().ok()).map(server_log::user_agent),
            method: known(&method).into(),
            route: route.as_deref().unwrap_or("none").into(),
            status: response.status().as_u16(),
        });
    }
    if response.status().is_success() && route.as_deref().is_some_and(|route| route.starts_with("/v1/admin/")) {
        breaches::show_clock(&app, response.headers_mut()).await;
    }
    rates::tell(response.headers_mut(), found.standing.get().into_iter().flatten().flatten());
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let (status, route) = (response.status(), route.unwrap_or_else(|| "none".into()));
    tracing::debug!(request = %id, %method, %route, status = status.as_u16(), ?elapsed, "request");
    let labels =
        vec![Label::from_static_parts("method", known(&method)), Label::new("route", SharedString::from_shared(route))];
    metrics::histogram!("aaasp_http_request_seconds", labels.clone()).record(elapsed);
    let answered = Label::new("status", status.as_str().to_owned());
    let labels = labels.into_iter().chain([answered]).collect::<Vec<_>>();
    metrics::counter!("aaasp_http_requests_total", labels).increment(1);
    response
}

/// The method as a label of metrics. Anybody can make up methods, and each label is kept for as long as the host lives.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// Handles a request. One that changes something is handled in a task of its own, so that it is not broken
/// off half done when its client hangs up.
async fn undisturbed(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    tokio::spawn(unread::handled(request, next)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a handler ended badly");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

async fn finished(mut response: Response, id: RequestId) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let allow = response.headers_mut().remove(header::ALLOW);
        let mut document = problem.into_document(id);
        if let Some(allow) = allow {
            document.headers_mut().insert(header::ALLOW, allow);
        }
        return document;
    }
    let status = response.status();
    // What is meant for people says by itself what went wrong.
    let is_page = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == pages::CONTENT_TYPE);
    if is_page || status.is_success() || status.is_informational() || status.is_redirection() {
        return response;
    }
    let text = to_bytes(response.into_body(), DETAIL_BYTES).await.unwrap_or_default();
    Problem::of_status(status, String::from_utf8_lossy(&text).into_owned()).into_document(id)
}
