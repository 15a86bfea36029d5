//! What the API says and does about TLS: it tells browsers to come by nothing else (RFC 6797), and whoever comes in clear
//! text where to come instead.

use axum::Router;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};

/// The routes, whose every answer says for how long browsers come by TLS only.
pub fn by_tls_only(router: Router, seconds: u32) -> Router {
    let said = HeaderValue::try_from(format!("max-age={seconds}"));
    let Some(said) = said.ok().filter(|_| seconds > 0) else { return router };
    router.layer(map_response(move |mut response: Response| {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, said.clone());
        std::future::ready(response)
    }))
}

/// Sends every request on to the same path elsewhere, with its method (308). Where that is, the operator says, and
/// nothing of the request: its `Host` may be anybody's.
pub fn redirects(origin: String) -> Router {
    Router::new().fallback(move |uri: Uri| {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let to = HeaderValue::try_from(format!("{origin}{}", if path.starts_with('/') { path } else { "/" }));
        let response = match to {
            Ok(to) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response(),
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        };
        std::future::ready(response)
    })
}
