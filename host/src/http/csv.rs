//! Answers in CSV, for whoever asks for it.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::Problem;
use super::routes::{Described, Part};

/// The media type, as answers name it.
pub(super) const CSV: &str = "text/csv; charset=utf-8; header=present";

/// Whether the request's `Accept` header asks for CSV rather than for JSON.
pub(super) struct AcceptsCsv(pub bool);

impl<S: Send + Sync> FromRequestParts<S> for AcceptsCsv {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let accepted = parts.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let refused = |parameter: &str| matches!(parameter.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        let mut kinds =
            accepted.flat_map(|value| value.split(',')).filter(|range| !range.split(';').skip(1).any(refused));
        let kind = kinds.find_map(|range| match range.split(';').next().unwrap_or_default().trim() {
            kind if kind.eq_ignore_ascii_case("text/csv") => Some(true),
            kind if kind.eq_ignore_ascii_case("application/json") || kind == "*/*" => Some(false),
            _ => None,
        });
        Ok(Self(kind == Some(true)))
    }
}

impl Part for AcceptsCsv {
    fn describe(_: &mut Described) {}
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[tokio::test]
    async fn csv_is_sent_to_whom_names_it_first() {
        for (accept, expected) in [
            ("text/csv", true),
            ("Text/CSV; header=present, application/json", true),
            ("application/json, text/csv", false),
            ("text/csv;q=0, */*", false),
            ("*/*", false),
            ("text/html", false),
        ] {
            let (mut parts, ()) = Request::get("/").header("accept", accept).body(()).unwrap().into_parts();
            assert_eq!(AcceptsCsv::from_request_parts(&mut parts, &()).await.unwrap().0, expected, "{accept}");
        }
    }
}
