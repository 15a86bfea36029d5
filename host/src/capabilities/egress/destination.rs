//! Where a request goes, in one normal form: what is checked here is, byte for byte, what is sent.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::grants::Scheme;

/// How often a path is decoded to see what a server might make of it.
const DECODINGS: usize = 3;
/// The longest URL that is sent, in bytes.
const MAX_URL_BYTES: usize = 16 << 10;

/// A request's URL, parsed as browsers do (WHATWG) and freed of what two readers may read in two ways.
#[derive(Clone)]
pub(crate) struct Destination {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    url: Url,
}

/// Why a URL is not sent anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl Destination {
    /// Reads the three parts that a guest gives.
    pub(crate) fn parse(scheme: &str, authority: &str, path_and_query: &str) -> Result<Self, Malformed> {
        let scheme = match scheme {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(Malformed("the scheme is neither `https` nor `http`")),
        };
        if authority.contains('@') {
            return Err(Malformed("a URL with user information is not sent"));
        }
        let odd = |c: char| c.is_control() || c.is_whitespace();
        if authority.contains(|c| odd(c) || matches!(c, '/' | '\\' | '?' | '#')) || path_and_query.contains(odd) {
            return Err(Malformed("the URL has characters that no URL has"));
        }
        if path_and_query.contains('#') || path_and_query.len() + authority.len() > MAX_URL_BYTES {
            return Err(Malformed("the URL has a fragment, or is too long"));
        }
        let slash = if path_and_query.starts_with('/') { "" } else { "/" };
        let text = format!("{}://{authority}{slash}{path_and_query}", scheme.as_str());
        let mut url = Url::parse(&text).map_err(|_| Malformed("the URL can't be read"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Malformed("a URL with user information is not sent"));
        }
        without_trailing_dot(&mut url)?;
        let host = url.host().ok_or(Malformed("the URL names no host"))?.to_owned();
        if let Host::Domain(domain) = &host
            && !domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
        {
            return Err(Malformed("the host has characters that no host name has"));
        }
        let port = url.port_or_known_default().filter(|&port| port != 0).ok_or(Malformed("port 0 can't be reached"))?;
        if climbs(url.path()) {
            return Err(Malformed("the path hides steps up (`..`) behind an encoding"));
        }
        Ok(Self { scheme, host, port, url })
    }

    pub(crate) fn path(&self) -> &str {
        self.url.path()
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.url.query()
    }

    /// Host, and port when it is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// The whole URL, as it will be sent.
    pub(crate) fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The request's target, with one more parameter in the query when there is one.
    pub(crate) fn uri(&self, parameter: Option<&str>) -> Result<http::Uri, Malformed> {
        let unfit = |_| Malformed("the URL has characters that can't be sent");
        let Some(parameter) = parameter else { return self.url.as_str().parse().map_err(unfit) };
        let mut text = zeroize::Zeroizing::new(self.url.as_str().to_owned());
        text.push(match self.url.query() {
            None => '?',
            Some(_) => '&',
        });
        text.push_str(parameter);
        text.parse().map_err(unfit)
    }
}

/// Without path and query, which may hold what no log should.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A rule's path in the form that requests' paths have; none when no request could have it.
pub(crate) fn normal_path(path: &str) -> Option<String> {
    if !path.starts_with('/') || path.contains('?') {
        return None;
    }
    Destination::parse("https", "host", path).ok().map(|to| to.path().to_owned())
}

/// `example.org.` is `example.org`: the resolver means the same, so the rules must.
fn without_trailing_dot(url: &mut Url) -> Result<(), Malformed> {
    let Some(Host::Domain(domain)) = url.host() else { return Ok(()) };
    let bare = domain.strip_suffix('.').unwrap_or(domain).to_owned();
    if bare.is_empty() || bare.len() > 253 || bare.split('.').any(str::is_empty) {
        return Err(Malformed("the host is no name"));
    }
    if bare.len() < domain.len() {
        url.set_host(Some(&bare)).map_err(|_| Malformed("the host is no name"))?;
    }
    Ok(())
}

/// Whether a server that decodes the path, once or more, would find a step up in it. Path parameters
/// (`..;x`) hide one from some servers' front and not from their back.
fn climbs(path: &str) -> bool {
    let mut path = path.to_owned();
    // One more than the layers: what the last decoding brings to light is looked at, too.
    for _ in 0..=DECODINGS {
        let up = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
        if path.split(['/', '\\']).any(up) {
            return true;
        }
        let decoded = percent_decode_str(&path).decode_utf8_lossy().into_owned();
        if decoded == path {
            return false;
        }
        path = decoded;
    }
    // What is still encoded after so many layers is meant for no honest server.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(authority: &str, path: &str) -> String {
        match Destination::parse("https", authority, path) {
            Ok(destination) => destination.as_str().to_owned(),
            Err(Malformed(_)) => "refused".to_owned(),
        }
    }

    #[test]
    fn spellings_of_one_host_are_one_host() {
        assert_eq!(url("API.Example.ORG", "/a"), "https://api.example.org/a");
        assert_eq!(url("example.org.", "/"), "https://example.org/");
        assert_eq!(url("example.org:443", "/"), "https://example.org/");
        assert_eq!(url("bücher.example", "/"), "https://xn--bcher-kva.example/");
        assert_eq!(url("ｅxample。org", "/"), "https://example.org/");
        assert_eq!(url("%65xample.org", "/"), "https://example.org/");
    }

    #[test]
    fn spellings_of_one_address_are_one_address() {
        for authority in ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "127.0.0.1."] {
            assert_eq!(url(authority, "/"), "https://127.0.0.1/", "{authority}");
        }
        assert_eq!(url("[::ffff:127.0.0.1]", "/"), "https://[::ffff:7f00:1]/");
    }

    #[test]
    fn what_two_readers_read_in_two_ways_is_refused() {
        for (authority, path) in [
            ("user@example.org", "/"),
            ("&a.example.org", "/"),
            ("example.org@evil.test", "/"),
            ("@example.org", "/"),
            ("example.org\\@evil.test", "/"),
            ("example.org#", "/"),
            ("example.org/", "/"),
            ("exa mple.org", "/"),
            ("exam\tple.org", "/"),
            ("example.org\r\nHost: evil", "/"),
            ("example.org..", "/"),
            ("a..example.org", "/"),
            ("..", "/"),
            ("", "/"),
            ("example.org:0", "/"),
            ("example.org:99999", "/"),
            ("[::1", "/"),
            ("example.org", "/a\r\nb"),
            ("example.org", "/a b"),
            ("example.org", "/a%2f..%2fb"),
            ("example.org", "/a/..%5cb"),
            ("example.org", "/a/%252e%252e/b"),
            ("example.org", "/a/..;x/b"),
            ("example.org", "/a/%25252e%25252e/b"),
            ("example.org", "/a/..%25252fb"),
            ("example.org", "/a/%2525252e"),
        ] {
            assert_eq!(url(authority, path), "refused", "{authority} {path}");
        }
    }

    #[test]
    fn steps_are_taken_before_the_path_is_looked_at() {
        assert_eq!(url("example.org", "/repos/../admin"), "https://example.org/admin");
        assert_eq!(url("example.org", "/repos/%2e%2e/admin"), "https://example.org/admin");
        assert_eq!(url("example.org", "\\..\\admin"), "https://example.org/admin");
        assert_eq!(url("example.org", "?q=1"), "https://example.org/?q=1");
        assert_eq!(url("example.org", "/projects/group%2Fname"), "https://example.org/projects/group%2Fname");
    }

    #[test]
    fn a_parameter_is_put_behind_the_query() {
        let plain = Destination::parse("https", "example.org", "/a").unwrap();
        assert_eq!(plain.uri(Some("key=1")).unwrap().to_string(), "https://example.org/a?key=1");
        let asked = Destination::parse("https", "example.org", "/a?b=c").unwrap();
        assert_eq!(asked.uri(Some("key=1")).unwrap().to_string(), "https://example.org/a?b=c&key=1");
        assert_eq!(asked.to_string(), "https://example.org");
    }
}
