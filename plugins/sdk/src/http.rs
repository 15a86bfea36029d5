//! Sends HTTP requests to where the deployment's `egress.allow` lets them go.
//!
//! ```no_run
//! use aaasp_sdk::http;
//!
//! # fn comment(url: &str, text: &str) -> Result<(), http::Error> {
//! let made: serde_json::Value =
//!     http::post(url).header("accept", "application/json").json(&serde_json::json!({"body": text}))?.send()?.ok()?.json()?;
//! println!("{}", made["html_url"]);
//! # Ok(())
//! # }
//! ```
//!
//! Credentials are not set here: the host puts the one that the deployment binds to the URL in on the way out.
//! Redirects are answers like any other. A request or an answer above a limit of the run ends in an error, and so does
//! every request outside of a component.

mod exchange;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;

/// Characters of a body that an error repeats.
const SHOWN_CHARS: usize = 200;

/// A request, until it is sent.
#[derive(Clone, Debug)]
#[must_use = "a request is sent by `send`"]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

/// An answer, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields in their order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// Who answered: scheme, host and port, for errors.
    origin: String,
}

/// Why there is no answer, or not the one that was hoped for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no URL that can be asked.
    #[error("`{0}` is no URL of http or https")]
    NoUrl(String),
    /// The request can't be made as it is.
    #[error("the request can't be sent: {0}")]
    Invalid(String),
    /// No rule of the deployment or of the host lets it pass; the run's log says which, and how to grant it.
    #[error("{origin} may not be asked: {reason}")]
    Refused {
        /// Where it was to go.
        origin: String,
        /// The host's word for why.
        reason: String,
    },
    /// A limit of the run is reached.
    #[error("a limit of the run ended the exchange with {origin}: {reason}")]
    LimitReached {
        /// Where it was to go.
        origin: String,
        /// The host's word for the limit.
        reason: String,
    },
    /// There is no answer, or not all of it.
    #[error("{origin} can't be reached: {reason}")]
    Unavailable {
        /// Where it was to go.
        origin: String,
        /// The host's word for why.
        reason: String,
    },
    /// The answer says that the request had no success.
    #[error("{origin} answered {status}: {text}")]
    Status {
        /// Who answered.
        origin: String,
        /// The status code.
        status: u16,
        /// Where the body begins.
        text: String,
    },
    /// The body is not of the type that was asked for.
    #[error("the answer of {origin} does not fit: {reason}")]
    Unfit {
        /// Who answered.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A GET of a URL.
pub fn get(url: impl Into<String>) -> Request {
    request("GET", url)
}

/// A POST to a URL.
pub fn post(url: impl Into<String>) -> Request {
    request("POST", url)
}

/// A request with any method.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> Request {
    Request { method: method.into(), url: url.into(), headers: Vec::new(), body: None }
}

impl Request {
    /// A header field more.
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// The body's bytes.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some(bytes.into());
        self
    }

    /// A value as the body, in JSON.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the value can't be written as JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(|error| Error::Invalid(error.to_string()))?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// Sends it, and waits for the whole answer.
    ///
    /// # Errors
    /// See [`Error`]. A status that says that something went wrong is no error yet: [`Response::ok`] makes it one.
    pub fn send(self) -> Result<Response, Error> {
        let target = Target::of(&self.url)?;
        if !cfg!(target_family = "wasm") {
            let reason = "there is no network outside of a component".to_owned();
            return Err(Error::Refused { origin: target.origin(), reason });
        }
        exchange::exchange(self, &target)
    }
}

impl Response {
    /// The first value of a header, where it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The answer, when its status is one of success (2xx).
    ///
    /// # Errors
    /// [`Error::Status`] otherwise.
    pub fn ok(self) -> Result<Self, Error> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let text = self.text().chars().take(SHOWN_CHARS).collect();
        Err(Error::Status { origin: self.origin, status: self.status, text })
    }

    /// The body as text; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// [`Error::Unfit`] when it is not of the type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Error::Unfit { origin: self.origin.clone(), reason: error.to_string() })
    }
}

impl Error {
    /// How a run fails that can't go on without the answer: what may pass is worth another run, the rest is not.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Unavailable { .. } | Self::Status { status: 429 | 500.., .. } => Failure::Retryable(self.to_string()),
            _ => Failure::Failed(self.to_string()),
        }
    }
}

/// The parts of a URL that a request is made of. Whether they are right, the host decides, which reads them as browsers
/// do.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    secure: bool,
    authority: String,
    path: String,
}

impl Target {
    fn of(url: &str) -> Result<Self, Error> {
        let no_url = || Error::NoUrl(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(no_url)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(no_url()),
        };
        // What follows `#` is the reader's own, and never sent.
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        if authority.is_empty() {
            return Err(no_url());
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { secure, authority: authority.to_owned(), path })
    }

    fn origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        let headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
        Response { status, headers, body: body.into(), origin: "https://a.example".into() }
    }

    #[test]
    fn a_url_is_taken_apart() {
        for (url, authority, path) in [
            ("https://a.example", "a.example", "/"),
            ("HTTPS://a.example:8443/x/y?z=1#end", "a.example:8443", "/x/y?z=1"),
            ("https://a.example?z=1", "a.example", "/?z=1"),
        ] {
            let target = Target::of(url).unwrap();
            assert_eq!((target.secure, &*target.authority, &*target.path), (true, authority, path), "{url}");
        }
        assert_eq!(Target::of("http://[::1]:80/").unwrap().origin(), "http://[::1]:80");
        for wrong in ["", "a.example/x", "ftp://a.example", "https://", "https:///x"] {
            assert_eq!(Target::of(wrong), Err(Error::NoUrl(wrong.into())));
        }
    }

    #[test]
    fn an_answer_without_success_is_an_error_that_shows_how_its_body_begins() {
        assert_eq!(answer(201, "[1,2]").ok().unwrap().json::<Vec<u32>>().unwrap(), [1, 2]);
        let long = "x".repeat(1_000);
        let Err(Error::Status { status: 404, text, .. }) = answer(404, &long).ok() else { panic!("no such status") };
        assert_eq!(text.len(), SHOWN_CHARS);
        assert!(matches!(answer(200, "<html>").json::<Vec<u32>>(), Err(Error::Unfit { .. })));
        assert_eq!(answer(200, "").header("Content-Type"), Some("application/json"));
    }

    #[test]
    fn what_may_pass_is_retryable() {
        for (status, retryable) in [(429, true), (500, true), (503, true), (401, false), (404, false), (422, false)] {
            let failure = answer(status, "").ok().unwrap_err().into_failure();
            assert_eq!(matches!(failure, Failure::Retryable(_)), retryable, "{status}: {failure}");
        }
    }

    #[test]
    fn outside_of_a_component_nothing_is_sent() {
        let sent = post("https://a.example/x").json(&[1]).unwrap().header("accept", "text/plain").send();
        assert!(matches!(sent, Err(Error::Refused { .. })));
    }
}
