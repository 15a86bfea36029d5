//! The forms in which a secret can be seen: plain, URL-encoded, hex, base64 at all three alignments, and as JSON
//! writes it.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, Span, packed};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

/// What is put in place of each byte of a secret. The length stays, so that framing and offsets do.
pub(crate) const MASK: u8 = b'*';

/// Which bytes encoders leave alone, from the strictest to the most lenient: PHP's `urlencode`, HTML forms, RFC 3986's
/// unreserved characters, `encodeURIComponent`, Python's `quote`, a path's segments, `encodeURI`.
const BARE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');
const FORM: &AsciiSet = &BARE.remove(b'*');
const STRICT: &AsciiSet = &BARE.remove(b'~');
const COMPONENT: &AsciiSet = &STRICT.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
const QUOTE: &AsciiSet = &STRICT.remove(b'/');
const SEGMENT: &AsciiSet =
    &COMPONENT.remove(b':').remove(b'@').remove(b'$').remove(b'&').remove(b',').remove(b';').remove(b'=').remove(b'+');
const WHOLE: &AsciiSet = &SEGMENT.remove(b'/').remove(b'?').remove(b'#');
const ENCODERS: [&AsciiSet; 8] = [NON_ALPHANUMERIC, BARE, FORM, STRICT, COMPONENT, QUOTE, SEGMENT, WHOLE];

/// Forms of some secrets, and how to find them.
#[derive(Default)]
pub(crate) struct Needles {
    forms: Vec<Zeroizing<Vec<u8>>>,
    starts: Starts,
    search: Option<Search>,
    shortest: usize,
    longest: usize,
}

/// Finds the leftmost form, and the longest of those that begin there.
enum Search {
    /// With the processor's vectors; made in microseconds.
    Packed(packed::Searcher),
    /// For processors without them, and for more forms than they take.
    Automaton(AhoCorasick),
}

/// Which bytes begin a form.
struct Starts([bool; 256]);

impl Default for Starts {
    fn default() -> Self {
        Self([false; 256])
    }
}

impl std::fmt::Debug for Needles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Needles({} forms)", self.forms.len())
    }
}

impl Needles {
    /// Every form of these secrets.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut forms = Vec::new();
        for secret in secrets {
            if !secret.is_empty() {
                push_forms(&mut forms, secret);
            }
        }
        forms.sort_by(|one: &Zeroizing<Vec<u8>>, other| one.as_slice().cmp(other));
        forms.dedup_by(|one, other| one.as_slice() == other.as_slice());
        let mut starts = Starts::default();
        for form in &forms {
            starts.0[usize::from(form[0])] = true;
        }
        let longest = forms.iter().map(|form| form.len()).max().unwrap_or(0);
        let shortest = forms.iter().map(|form| form.len()).min().unwrap_or(0);
        let search = Search::new(&forms);
        Self { forms, starts, search, shortest, longest }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Whether a form is in these bytes.
    pub(crate) fn are_in(&self, bytes: &[u8]) -> bool {
        self.next(bytes, 0).is_some()
    }

    /// Whether a form is in this text, whatever became of the case of its letters: in a header's name, or a host.
    pub(crate) fn are_in_any_case(&self, text: &[u8]) -> bool {
        text.len() >= self.shortest && self.places_in_any_case(text).next().is_some()
    }

    /// The text with every form masked, whatever became of the case of its letters.
    pub(crate) fn masked(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for (start, end) in self.places_in_any_case(text.as_bytes()) {
            bytes[start..end].fill(MASK);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where the next form stands, at or behind `from`; the longest of those that begin there.
    pub(crate) fn next(&self, bytes: &[u8], from: usize) -> Option<(usize, usize)> {
        let found = match self.search.as_ref()? {
            Search::Packed(searcher) => {
                searcher.find_in(bytes, Span { start: from.min(bytes.len()), end: bytes.len() })?
            }
            Search::Automaton(automaton) => {
                automaton.find(aho_corasick::Input::new(bytes).range(from.min(bytes.len())..))?
            }
        };
        Some((found.start(), found.end()))
    }

    /// How many bytes at the end are the beginning of a form that could go on.
    pub(crate) fn open_end(&self, bytes: &[u8]) -> usize {
        let from = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        let open = |at: &usize| {
            let tail = &bytes[*at..];
            self.starts.0[usize::from(tail[0])]
                && self.forms.iter().any(|form| form.len() > tail.len() && form.starts_with(tail))
        };
        (from..bytes.len()).find(open).map_or(0, |at| bytes.len() - at)
    }

    /// Slow, and for short text only.
    fn places_in_any_case<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a {
        self.forms.iter().flat_map(move |form| {
            let same = move |(_, window): &(usize, &[u8])| window.eq_ignore_ascii_case(form);
            text.windows(form.len()).enumerate().filter(same).map(|(at, window)| (at, at + window.len()))
        })
    }
}

impl Search {
    fn new(forms: &[Zeroizing<Vec<u8>>]) -> Option<Self> {
        if forms.is_empty() {
            return None;
        }
        let patterns = || forms.iter().map(|form| form.as_slice());
        let packed =
            packed::Config::new().match_kind(packed::MatchKind::LeftmostLongest).builder().extend(patterns()).build();
        if let Some(searcher) = packed {
            return Some(Self::Packed(searcher));
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::NoncontiguousNFA))
            .build(patterns());
        automaton.ok().map(Self::Automaton)
    }
}

fn push_forms(forms: &mut Vec<Zeroizing<Vec<u8>>>, secret: &[u8]) {
    let mut push = |form: Vec<u8>| forms.push(Zeroizing::new(form));
    push(secret.to_vec());
    for set in ENCODERS {
        let encoded = percent_encode(secret, set).to_string();
        push(lower_escapes(&encoded));
        push(encoded.replace("%20", "+").into_bytes());
        push(encoded.into_bytes());
    }
    let every: String = secret.iter().map(|byte| format!("%{byte:02X}")).collect();
    push(lower_escapes(&every));
    push(every.into_bytes());
    push(hex::encode(secret).into_bytes());
    push(hex::encode_upper(secret).into_bytes());
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        push(engine.encode(secret).into_bytes());
        for before in 0..3 {
            push(inside(&engine.encode([&[0; 3][..before], secret].concat()), before, secret.len()));
        }
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        let quoted = serde_json::Value::from(text).to_string();
        let inner = &quoted[1..quoted.len() - 1];
        push(inner.replace('/', "\\/").into_bytes());
        push(inner.as_bytes().to_vec());
    }
}

/// The characters of a base64 text that depend on nothing but the secret behind `before` other bytes.
fn inside(text: &str, before: usize, length: usize) -> Vec<u8> {
    let first = (before * 8).div_ceil(6);
    let last = (before + length) * 8 / 6;
    text.as_bytes()[first..last].to_vec()
}

fn lower_escapes(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let escapes: Vec<_> = text.match_indices('%').map(|(at, _)| at).collect();
    for at in escapes {
        bytes[at + 1..at + 3].make_ascii_lowercase();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const SECRET: &[u8] = b"s3cr3t/+?=&\"~\xc3\xbc-tail";

    #[test]
    fn every_form_of_the_design_is_found() {
        let needles = Needles::new([SECRET]);
        let text = std::str::from_utf8(SECRET).unwrap();
        let strict = percent_encode(SECRET, STRICT).to_string();
        for form in [
            text.to_owned(),
            strict.clone(),
            strict
                .replace("%C3%BC", "%c3%bc")
                .replace("%2F", "%2f")
                .replace("%2B", "%2b")
                .replace("%3F", "%3f")
                .replace("%3D", "%3d"),
            form_urlencoded::byte_serialize(SECRET).collect(),
            hex::encode(SECRET),
            hex::encode_upper(SECRET),
            serde_json::to_string(text).unwrap(),
        ] {
            assert!(needles.are_in(format!("before {form} after").as_bytes()), "{form}");
        }
        for before in 0..7 {
            for behind in 0..4 {
                let bytes = [&b"padding"[..before], SECRET, &b"more"[..behind]].concat();
                for text in [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)] {
                    assert!(needles.are_in(text.as_bytes()), "{text}");
                }
            }
        }
        assert!(!needles.are_in(b"s3cr3t/+?=&\"~ and something else"));
    }

    #[test]
    fn letters_of_another_case_are_found_where_case_is_not_kept() {
        let needles = Needles::new([&b"AbCdEfGhIjKl"[..]]);
        assert!(needles.are_in_any_case(b"x-abcdefghijkl") && !needles.are_in(b"x-abcdefghijkl"));
        assert_eq!(needles.masked("at abcdefghijkl.test"), "at ************.test");
    }

    #[test]
    fn an_open_end_is_the_longest_beginning_of_a_form() {
        let needles = Needles::new([&b"aabaabaabaac"[..]]);
        assert_eq!(needles.open_end(b"xxaabaabaabaa"), 11);
        assert_eq!(needles.open_end(b"xxaab"), 3);
        assert_eq!(needles.open_end(b"xx"), 0);
        assert_eq!(needles.open_end(b""), 0);
        assert_eq!(Needles::default().open_end(b"abc"), 0);
    }
}
