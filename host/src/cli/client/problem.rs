//! Problem documents, as a person reads them: what is wrong, the field errors, the request's id.

use std::fmt;

use serde::Deserialize;

/// A problem document (RFC 9457) of the server.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Problem {
    pub status: u16,
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    detail: String,
}

impl Problem {
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether the detail is that of the field's error already, as it is where only one field is wrong.
    fn says(&self, error: &FieldError) -> bool {
        self.detail == error.detail || self.detail == format!("{}: {}", error.pointer, error.detail)
    }
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        for error in self.errors.iter().filter(|error| !self.says(error)) {
            let place = if error.pointer.is_empty() { "/" } else { &error.pointer };
            write!(f, "\n  {place}: {}", error.detail)?;
        }
        if let Some(request) = &self.request_id {
            write!(f, "\n  ({}, request {request})", self.status)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_what_is_wrong_where_and_under_which_id() {
        let text = r#"{"type": "urn:x", "title": "A field is invalid", "status": 422, "request_id": "req_1",
                       "detail": "the input does not fit", "errors": [{"pointer": "/input/a", "detail": "no"}]}"#;
        let problem = Problem::read(text).unwrap();
        let expected = "A field is invalid: the input does not fit\n  /input/a: no\n  (422, request req_1)";
        assert_eq!(problem.to_string(), expected);
        assert!(Problem::read("<html>").is_none());
    }
}
