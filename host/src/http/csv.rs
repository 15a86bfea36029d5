//! CSV (RFC 4180) that a spreadsheet may open: what is text stays text.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::Problem;
use super::routes::{Described, Part};

/// The media type, as answers name it.
pub(super) const CSV: &str = "text/csv; charset=utf-8; header=present";

/// One cell of a table.
pub(super) enum Cell<'c> {
    Text(&'c str),
    Number(i64),
}

/// One line of a table.
pub(super) fn line(cells: &[Cell<'_>]) -> String {
    let mut text = String::new();
    for (column, cell) in cells.iter().enumerate() {
        if column > 0 {
            text.push(',');
        }
        match cell {
            Cell::Text(written) => text.push_str(&quoted(&harmless(written))),
            Cell::Number(number) => text.push_str(&number.to_string()),
        }
    }
    text.push_str("\r\n");
    text
}

/// A spreadsheet takes a cell that begins so for a formula; behind an apostrophe it is text.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        return format!("'{text}").into();
    }
    text.into()
}

fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains(['"', ',', ';', '\r', '\n', '\t']) || text.starts_with(' ') || text.ends_with(' ') {
        return format!("\"{}\"", text.replace('"', "\"\"")).into();
    }
    text.into()
}

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

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        let cells = [
            Cell::Text("plain"),
            Cell::Text("a \"b\", c"),
            Cell::Text("=1+2"),
            Cell::Text("-5"),
            Cell::Number(-5),
            Cell::Text("@x\r\ny"),
            Cell::Text(""),
        ];
        assert_eq!(line(&cells), "plain,\"a \"\"b\"\", c\",'=1+2,'-5,-5,\"'@x\r\ny\",\r\n");
    }
}
