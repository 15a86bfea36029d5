//! Puts a secret into its place in a request, as the last step before it leaves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::request::Parts;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

use super::denied::Denied;
use super::destination::Destination;
use crate::grants::Place;
use crate::names::Name;

/// Shorter secrets can't be told from other text, so they can't be taken out of an answer.
const MIN_SECRET_BYTES: usize = 12;

/// Refuses what could not be taken out of an answer again. A control character ends what a form may reach over, so no
/// secret has one; the vault keeps none either.
pub(crate) fn refuse_unfit(name: &Name, secret: &[u8]) -> Result<(), Denied> {
    let unfit = |reason| Err(Denied::Unfit { name: name.clone(), reason });
    if secret.len() < MIN_SECRET_BYTES {
        return unfit("is shorter than 12 bytes, too short to be taken out of answers again");
    }
    if secret.iter().any(u8::is_ascii_control) {
        return unfit("holds control characters, such as a line break");
    }
    Ok(())
}

/// Puts the secret into its place; for a place in the query the request's URL is made anew.
pub(crate) fn inject(
    parts: &mut Parts,
    to: &Destination,
    name: &Name,
    place: &Place,
    secret: &[u8],
) -> Result<(), Denied> {
    let unfit = |reason| Denied::Unfit { name: name.clone(), reason };
    let mut set = |header: HeaderName, value: &[u8]| {
        let mut value = HeaderValue::from_bytes(value).map_err(|_| unfit("has characters that no header can hold"))?;
        value.set_sensitive(true);
        parts.headers.insert(header, value);
        Ok(())
    };
    match place {
        Place::Bearer => set(AUTHORIZATION, &Zeroizing::new([b"Bearer ", secret].concat())),
        Place::Header { name, prefix } => {
            let header = name.parse().map_err(|_| unfit("is bound to a header whose name is none"))?;
            set(header, &Zeroizing::new([prefix.as_bytes(), secret].concat()))
        }
        Place::Basic { username } => {
            let pair = Zeroizing::new([username.as_bytes(), b":", secret].concat());
            let encoded = Zeroizing::new(STANDARD.encode(&*pair));
            set(AUTHORIZATION, &Zeroizing::new([b"Basic ", encoded.as_bytes()].concat()))
        }
        Place::Query { name } => {
            let parameter = Zeroizing::new(format!(
                "{}={}",
                percent_encode(name.as_bytes(), NON_ALPHANUMERIC),
                percent_encode(secret, NON_ALPHANUMERIC)
            ));
            parts.uri = to.uri(Some(&parameter))?;
            Ok(())
        }
    }
}

/// What a place makes of a secret besides the secret itself, so that it is known in answers as a whole.
pub(crate) fn composed(place: &Place, secret: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    match place {
        Place::Basic { username } => Some(Zeroizing::new([username.as_bytes(), b":", secret].concat())),
        Place::Bearer | Place::Header { .. } | Place::Query { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn injected(place: &Place, secret: &str) -> Result<Parts, Denied> {
        let to = Destination::parse("https", "example.org", "/a?b=c").unwrap();
        let request = http::Request::builder().uri(to.uri(None).unwrap()).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        inject(&mut parts, &to, &"c".parse().unwrap(), place, secret.as_bytes())?;
        Ok(parts)
    }

    #[test]
    fn each_place_gets_the_secret_as_its_scheme_writes_it() {
        let parts = injected(&Place::Bearer, "secret-secret").unwrap();
        assert_eq!(parts.headers["authorization"], "Bearer secret-secret");
        assert!(!format!("{:?}", parts.headers).contains("secret"), "a sensitive header hides itself");
        let place = Place::Header { name: "x-key".into(), prefix: "token ".into() };
        assert_eq!(injected(&place, "secret-secret").unwrap().headers["x-key"], "token secret-secret");
        let place = Place::Basic { username: "user".into() };
        assert_eq!(
            injected(&place, "secret-secret").unwrap().headers["authorization"],
            "Basic dXNlcjpzZWNyZXQtc2VjcmV0"
        );
        let place = Place::Query { name: "api key".into() };
        let parts = injected(&place, "secret&secret=").unwrap();
        assert_eq!(parts.uri.to_string(), "https://example.org/a?b=c&api%20key=secret%26secret%3D");
    }

    #[test]
    fn a_secret_that_is_short_or_breaks_a_header_is_refused() {
        let name = "c".parse().unwrap();
        assert!(refuse_unfit(&name, b"short").is_err() && refuse_unfit(&name, b"secret\nsecret").is_err());
        assert!(refuse_unfit(&name, b"secret-secret").is_ok());
        assert!(injected(&Place::Bearer, "secret-secret\r\nx: y").is_err());
    }
}
