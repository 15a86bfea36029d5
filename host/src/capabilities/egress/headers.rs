//! What a guest may not set: headers of the connection, and the places that credentials own.

use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;

use super::denied::Denied;
use super::destination::Destination;
use super::needles::Needles;
use crate::grants::Place;
use crate::names::Name;

/// Headers that say how a message travels, or to whom: two readers that take them differently read two messages.
const OF_THE_CONNECTION: [&str; 15] = [
    "alt-used",
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Headers that some servers take for the request's method or path, which rules have judged.
const OVERRIDING: [&str; 5] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"];

/// Headers that ask for a part of an answer, in which a part of a secret would not be recognised.
const OF_PARTS: [&str; 3] = ["if-range", "range", "request-range"];

/// Whether no guest may set a header. Servers that turn `-` into `_` (CGI, WSGI) take both for one.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    let name = hyphened(name.as_str());
    OF_THE_CONNECTION.contains(&name.as_str()) || OVERRIDING.contains(&name.as_str())
}

/// Refuses what the host sets, or nobody.
pub(crate) fn refuse_reserved(headers: &HeaderMap) -> Result<(), Denied> {
    match headers.keys().find(|name| is_reserved(name)) {
        Some(name) => Err(Denied::Header(name.to_string())),
        None => Ok(()),
    }
}

/// Refuses to ask for a part of an answer, where a credential goes along.
pub(crate) fn refuse_parts(headers: &HeaderMap) -> Result<(), Denied> {
    match headers.keys().find(|name| OF_PARTS.contains(&hyphened(name.as_str()).as_str())) {
        Some(name) => Err(Denied::Range(name.to_string())),
        None => Ok(()),
    }
}

/// Refuses what the guest set where a credential stands.
pub(crate) fn refuse_owned(
    headers: &HeaderMap,
    to: &Destination,
    credential: &Name,
    place: &Place,
) -> Result<(), Denied> {
    let owned =
        |what, place: &str| Err(Denied::Owned { what, place: place.to_owned(), credential: credential.clone() });
    match place {
        Place::Query { name } if has_parameter(to, name) => owned("parameter", name),
        Place::Query { .. } => Ok(()),
        place if headers.keys().any(|set| hyphened(set.as_str()) == hyphened(header_of(place))) => {
            owned("header", header_of(place))
        }
        _ => Ok(()),
    }
}

/// Refuses a request whose URL or headers hold a secret.
pub(crate) fn refuse_secrets(headers: &HeaderMap, to: &Destination, needles: &Needles) -> Result<(), Denied> {
    if needles.is_empty() {
        return Ok(());
    }
    let url = to.as_str();
    let decoded: Vec<u8> = percent_decode_str(url).collect();
    if needles.are_in(url.as_bytes()) || needles.are_in(&decoded) || needles.are_in_any_case(to.authority().as_bytes())
    {
        return Err(Denied::Secret("URL"));
    }
    refuse_secrets_in(headers, needles)
}

/// Refuses headers or trailers that hold a secret.
pub(crate) fn refuse_secrets_in(headers: &HeaderMap, needles: &Needles) -> Result<(), Denied> {
    let holds = |(name, value): (&HeaderName, &http::HeaderValue)| {
        needles.are_in_any_case(name.as_str().as_bytes()) || needles.are_in(value.as_bytes())
    };
    if headers.iter().any(holds) { Err(Denied::Secret("headers")) } else { Ok(()) }
}

/// The header that a place stands in; the empty text for a place that is none.
pub(crate) fn header_of(place: &Place) -> &str {
    match place {
        Place::Bearer | Place::Basic { .. } => "authorization",
        Place::Header { name, .. } => name,
        Place::Query { .. } => "",
    }
}

fn hyphened(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Whether the query has this parameter, in any spelling that some server may take for it.
fn has_parameter(to: &Destination, name: &str) -> bool {
    let Some(query) = to.query() else { return false };
    query.split(['&', ';']).any(|pair| {
        let key = pair.split('=').next().unwrap_or_default().replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8_lossy();
        key.trim().trim_end_matches("[]").eq_ignore_ascii_case(name)
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(names: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for name in names {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("x"));
        }
        map
    }

    fn owned(names: &[&str], query: &str, place: &Place) -> bool {
        let to = Destination::parse("https", "example.org", query).unwrap();
        refuse_owned(&headers(names), &to, &"c".parse().unwrap(), place).is_err()
    }

    #[test]
    fn headers_that_ask_for_a_part_are_known() {
        assert!(["Range", "IF-RANGE", "if_range"].iter().all(|name| refuse_parts(&headers(&[name])).is_err()));
        assert!(refuse_parts(&headers(&["accept-ranges", "if-match"])).is_ok());
    }

    #[test]
    fn reserved_headers_are_refused() {
        for name in [
            "Host",
            "transfer-encoding",
            "Connection",
            "upgrade",
            "proxy-connection",
            "TE",
            "Transfer_Encoding",
            "X-HTTP-Method-Override",
            "X_Original_URL",
        ] {
            assert!(refuse_reserved(&headers(&[name])).is_err(), "{name}");
        }
        assert!(refuse_reserved(&headers(&["accept", "x-host", "content-type"])).is_ok());
    }

    #[test]
    fn a_binding_owns_its_header_in_any_case_and_number() {
        for names in [&["authorization"][..], &["Authorization"], &["AUTHORIZATION", "authorization"]] {
            assert!(owned(names, "/", &Place::Bearer), "{names:?}");
            assert!(owned(names, "/", &Place::Basic { username: "u".into() }), "{names:?}");
        }
        let place = Place::Header { name: "x-api-key".into(), prefix: String::new() };
        assert!(owned(&["X-Api-Key"], "/", &place) && owned(&["x_api_key"], "/", &place));
        assert!(!owned(&["authorization", "x-api-key-2"], "/", &place));
    }

    #[test]
    fn a_binding_owns_its_parameter_in_any_spelling() {
        let place = Place::Query { name: "key".into() };
        for query in ["/?key=1", "/?a=b&KEY=", "/?a;key=2", "/?%6bey=1", "/?key[]=1", "/?+key=1", "/?key"] {
            assert!(owned(&[], query, &place), "{query}");
        }
        assert!(!owned(&[], "/?keys=1&a=key", &place));
    }

    #[test]
    fn a_secret_is_seen_in_the_url_and_in_headers() {
        let needles = Needles::new([&b"Swordfish-1234"[..]]);
        let refused = |authority, path, name: &'static str, value| {
            let to = Destination::parse("https", authority, path).unwrap();
            let mut map = HeaderMap::new();
            map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            refuse_secrets(&map, &to, &needles).is_err()
        };
        assert!(!refused("example.org", "/", "x", "y"));
        assert!(refused("swordfish-1234.example.org", "/", "x", "y"));
        assert!(refused("example.org", "/Swordfish-1234", "x", "y"));
        assert!(refused("example.org", "/?q=Sw%6frdfish%2D1234", "x", "y"));
        assert!(refused("example.org", "/", "x", "a Swordfish-1234"));
        assert!(refused("example.org", "/", "swordfish-1234", "y"));
    }
}
