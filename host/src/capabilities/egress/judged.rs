//! Fuzzed requests: whatever a guest writes, nothing panics, and what is allowed is inside the policy, as a slower
//! judge sees it that shares no code with what it judges.

use std::str::FromStr as _;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::destination::Destination;
use super::headers::{refuse_owned, refuse_reserved, refuse_secrets};
use super::needles::Needles;
use super::policy::Policy;
use crate::grants::{Grants, Place};

const SECRET: &str = "Sw0rdfish/1234+x";

/// Scheme, host (a leading dot stands for all names below), port, path, methods.
type JudgeRule = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const RULES: [JudgeRule; 4] = [
    ("https", "api.example.org", "443", "/repos", &["GET", "POST"]),
    ("https", ".wild.example.org", "443", "/", &[]),
    ("http", "127.0.0.1", "8080", "/", &["GET"]),
    ("https", "xn--bcher-kva.example", "8443", "/a/b", &[]),
];

fn policy() -> Policy {
    let rules: Vec<_> = RULES
        .iter()
        .map(|(scheme, host, port, path, methods)| {
            let host = host.strip_prefix('.').map_or_else(|| (*host).to_owned(), |below| format!("*.{below}"));
            serde_json::json!({
                "scheme": scheme, "host": host, "port": port.parse::<u16>().unwrap(), "path": path, "methods": methods,
            })
        })
        .collect();
    let grants: Grants = serde_json::from_value(serde_json::json!({"egress": {"allow": rules}})).unwrap();
    Policy::new(&grants)
}

/// What would be sent, if anything.
fn decided(
    policy: &Policy,
    needles: &Needles,
    (method, scheme, authority, path): (&str, &str, &str, &str),
    fields: &[(String, String)],
) -> Option<(String, String, HeaderMap)> {
    let method = Method::from_str(method).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let to = Destination::parse(scheme, authority, path).ok()?;
    if matches!(method, Method::TRACE | Method::CONNECT) || !policy.allows(&method, &to) {
        return None;
    }
    refuse_reserved(&headers).ok()?;
    refuse_owned(&headers, &to, &"token".parse().unwrap(), &Place::Bearer).ok()?;
    refuse_owned(&headers, &to, &"key".parse().unwrap(), &Place::Query { name: "key".into() }).ok()?;
    refuse_secrets(&headers, &to, needles).ok()?;
    Some((method.to_string(), to.uri(None).ok()?.to_string(), headers))
}

/// The judge: reads the URL by hand, character by character.
fn inside(method: &str, url: &str, headers: &HeaderMap) -> Result<(), String> {
    let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    if !authority.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_:[]".contains(&b)) {
        return Err(format!("the authority `{authority}`"));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, if scheme == "https" { "443" } else { "80" }),
    };
    let allowed = RULES.iter().any(|(rule_scheme, rule_host, rule_port, rule_path, methods)| {
        let hosts = if rule_host.starts_with('.') {
            host.ends_with(rule_host) && host != &rule_host[1..] && !host.starts_with('.')
        } else {
            host == *rule_host
        };
        let paths = *rule_path == "/" || path == *rule_path || path.starts_with(&format!("{rule_path}/"));
        scheme == *rule_scheme
            && hosts
            && port == *rule_port
            && paths
            && (methods.is_empty() || methods.contains(&method))
    });
    if !allowed {
        return Err("no rule".to_owned());
    }
    let mut layer = path.to_owned();
    for _ in 0..5 {
        let climbs = layer.replace('\\', "/").split('/').any(|part| part == ".." || part.starts_with("..;"));
        if climbs {
            return Err(format!("climbs: {layer}"));
        }
        layer = unescaped(&layer);
    }
    if query.split(['&', ';']).any(|pair| unescaped(pair.split('=').next().unwrap_or("")).eq_ignore_ascii_case("key")) {
        return Err("sets the parameter of a credential".to_owned());
    }
    for (name, value) in headers {
        let flat = name.as_str().replace('_', "-");
        let barred = ["host", "connection", "transfer-encoding", "upgrade", "te", "trailer", "authorization", "expect"];
        let overrides = flat.strip_prefix("x-").is_some_and(|rest| {
            ["http-method", "http-method-override", "method-override", "original-url", "rewrite-url"].contains(&rest)
        });
        if overrides || barred.contains(&flat.as_str()) || flat.starts_with("proxy-auth") || flat == "proxy-connection"
        {
            return Err(format!("sets {name}"));
        }
        if value.as_bytes().iter().any(|byte| b"\r\n\0".contains(byte)) {
            return Err(format!("breaks the line of {name}"));
        }
        if String::from_utf8_lossy(value.as_bytes()).contains(SECRET) {
            return Err("holds the secret".to_owned());
        }
    }
    if unescaped(url).contains(SECRET) || url.contains(['\r', '\n', ' ', '@', '#']) && !rest.contains('@') {
        return Err("the URL holds what it may not".to_owned());
    }
    Ok(())
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match digits.filter(|_| first == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Pieces that attacks are made of, mixed with arbitrary characters.
fn pieces(of: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(of).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[ -~]{1,3}",
    ];
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

const AUTHORITIES: &[&str] = &[
    "api.example.org",
    "API.Example.ORG",
    "a.wild.example.org",
    "wild.example.org",
    "127.0.0.1:8080",
    "127.1:8080",
    "0x7f.1:8080",
    "2130706433:8080",
    "bücher.example:8443",
    "xn--bcher-kva.example:8443",
    "evil.test",
    ".",
    "@",
    ":",
    ":443",
    ":80",
    "\\",
    "/",
    "?",
    "#",
    "%2e",
    "%40",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "a",
    "\r\n",
    "\t",
    "。",
    "\u{ad}",
];
const PATHS: &[&str] = &[
    "/repos",
    "/repos/",
    "/a/b",
    "/",
    "..",
    ".",
    "%2e",
    "%2f",
    "%5c",
    "\\",
    ";",
    "?",
    "&",
    "=",
    "key=",
    "%6bey=",
    "#",
    "@",
    "//",
    "x",
    "%252e",
    "%25252e",
    "%",
    "\r\n",
    " ",
    "Sw0rdfish/1234+x",
    "Sw0rdfish%2F1234%2Bx",
    "é",
];
const HEADERS: &[&str] = &[
    "authorization",
    "Authorization",
    "x",
    "-",
    "_",
    "host",
    "connection",
    "transfer",
    "encoding",
    "proxy-connection",
    "te",
    "upgrade",
    "a",
    "\r\n",
    ":",
    " ",
    "expect",
    "trailer",
    "x-http-method-override",
    "x-original-url",
];
const VALUES: &[&str] = &["a", "\r\nx: y", "\u{0}", "Sw0rdfish/1234+x", "Sw0rdfish", "/1234+x", " ", "é"];

/// Mostly what a rule allows, so that what is judged is not only refusals.
fn request() -> impl Strategy<Value = (String, String, String, String)> {
    let method = prop_oneof![
        6 => Just("GET".to_owned()),
        3 => prop::sample::select(&["GET", "POST", "TRACE", "CONNECT", "get", "DELETE"][..]).prop_map(str::to_owned),
        1 => "[ -~]{0,6}",
    ];
    let scheme = prop_oneof![
        8 => Just("https".to_owned()), 3 => Just("http".to_owned()), 1 => "[a-zA-Z:]{0,6}",
    ];
    let authority = prop_oneof![
        12 => prop::sample::select(&AUTHORITIES[..10]).prop_map(str::to_owned), 5 => pieces(AUTHORITIES, 4),
    ];
    let path = prop_oneof![4 => prop::sample::select(&["/repos", "/repos/a", "/a/b/c", "/"][..]).prop_map(str::to_owned), 3 => pieces(PATHS, 3).prop_map(|rest| format!("/repos{rest}")), 5 => pieces(PATHS, 6)];
    (method, scheme, authority, path)
}

#[test]
fn a_step_up_is_one_behind_any_number_of_layers() {
    let (policy, needles) = (policy(), Needles::new([SECRET.as_bytes()]));
    for layers in 0..8 {
        let dot = format!("%{}2e", "25".repeat(layers));
        for path in [format!("/repos/{dot}{dot}/admin"), format!("/repos/{dot}{dot}%{}2fadmin", "25".repeat(layers))] {
            let what = ("GET", "https", "api.example.org", path.as_str());
            assert!(layers > 3 || inside("GET", &format!("https://api.example.org{path}"), &HeaderMap::new()).is_err());
            assert_eq!(decided(&policy, &needles, what, &[]), None, "{path}");
        }
    }
}

#[test]
fn ten_thousand_requests_are_refused_or_inside_the_policy() {
    let (policy, needles) = (policy(), Needles::new([SECRET.as_bytes()]));
    let mut allowed = 0_u32;
    let counted = std::cell::RefCell::new(&mut allowed);
    let config = ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() };
    let fields = prop::collection::vec((pieces(HEADERS, 3), pieces(VALUES, 3)), 0..2);
    proptest::test_runner::TestRunner::new(config)
        .run(&(request(), fields), |((method, scheme, authority, path), fields)| {
            let what = (method.as_str(), scheme.as_str(), authority.as_str(), path.as_str());
            if let Some((method, url, headers)) = decided(&policy, &needles, what, &fields) {
                **counted.borrow_mut() += 1;
                let verdict = inside(&method, &url, &headers);
                prop_assert!(verdict.is_ok(), "{method} {url} {headers:?}: {verdict:?}");
            }
            Ok(())
        })
        .unwrap();
    assert!(allowed > 300, "only {allowed} were allowed, so hardly anything was judged");
}
