//! Finds secrets, in every form that they can be seen in.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, packed};
use zeroize::Zeroizing;

use super::forms::push_forms;

/// What is put in place of each byte of a secret. The length stays, so that framing and offsets do.
pub(crate) const MASK: u8 = b'*';

/// Bytes at the beginning of forms that are searched for; most forms of one secret share them with others.
const HEAD_BYTES: usize = 8;
/// The least that is kept back of a message where it has no border.
const LEAST_WINDOW: usize = 4 << 10;

/// What a run looks for in every message. It grows while messages are on their way, so each part of one is searched for
/// what is known by then.
#[derive(Debug, Default)]
pub(crate) struct Sought(RwLock<Arc<Needles>>);

impl Sought {
    pub(crate) fn now(&self) -> Arc<Needles> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, needles: Arc<Needles>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = needles;
    }
}

/// Forms of some secrets, and how to find them.
#[derive(Default)]
pub(crate) struct Needles {
    /// In order, so that forms with one head are neighbours.
    forms: Vec<Zeroizing<Vec<u8>>>,
    /// The forms of each head, by the head's number in the search.
    heads: Vec<Range<usize>>,
    search: Option<Search>,
    shortest: usize,
    longest: usize,
}

/// Finds the next head of a form. All are equally long, so there is one at most at each place.
enum Search {
    /// With the processor's vectors; made in microseconds.
    Packed(packed::Searcher),
    /// For processors without them, and for more heads than they take.
    Automaton(AhoCorasick),
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
        forms.retain(|form: &Zeroizing<Vec<u8>>| !form.is_empty());
        forms.sort_by(|one, other| one.as_slice().cmp(other));
        forms.dedup_by(|one, other| one.as_slice() == other.as_slice());
        let longest = forms.iter().map(|form| form.len()).max().unwrap_or(0);
        let shortest = forms.iter().map(|form| form.len()).min().unwrap_or(0);
        let head = |form: &Zeroizing<Vec<u8>>| form[..shortest.min(HEAD_BYTES)].to_vec();
        let mut heads: Vec<Range<usize>> = Vec::new();
        for (number, form) in forms.iter().enumerate() {
            match heads.last_mut() {
                Some(last) if head(&forms[last.start]) == head(form) => last.end = number + 1,
                _ => heads.push(number..number + 1),
            }
        }
        let search = Search::new(heads.iter().map(|forms_of_it| head(&forms[forms_of_it.start])));
        Self { forms, heads, search, shortest, longest }
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
        let search = self.search.as_ref()?;
        let mut from = from;
        loop {
            let (head, at) = search.next(bytes, from)?;
            let there = self.forms[self.heads[head].clone()].iter().filter(|form| bytes[at..].starts_with(form));
            if let Some(length) = there.map(|form| form.len()).max() {
                return Some((at, at + length));
            }
            from = at + 1;
        }
    }

    /// Bytes that the longest form has.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// How much is kept back of a message where it has no border: no less than any form has, and so coarse that it says
    /// next to nothing of a secret.
    pub(crate) fn window(&self) -> usize {
        self.longest.next_power_of_two().max(LEAST_WINDOW)
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
    fn new(heads: impl Iterator<Item = Vec<u8>>) -> Option<Self> {
        let heads: Vec<_> = heads.map(Zeroizing::new).collect();
        if heads.is_empty() {
            return None;
        }
        let patterns = || heads.iter().map(|head| head.as_slice());
        if let Some(searcher) = packed::Config::new().builder().extend(patterns()).build() {
            return Some(Self::Packed(searcher));
        }
        let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::NoncontiguousNFA)).build(patterns());
        automaton.ok().map(Self::Automaton)
    }

    /// The number and the place of the next head.
    fn next(&self, bytes: &[u8], from: usize) -> Option<(usize, usize)> {
        let from = from.min(bytes.len());
        let found = match self {
            Self::Packed(searcher) => searcher.find_in(bytes, (from..bytes.len()).into())?,
            Self::Automaton(automaton) => automaton.find(Input::new(bytes).range(from..))?,
        };
        Some((found.pattern().as_usize(), found.start()))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

    use super::*;

    const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
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
    fn many_secrets_are_found_without_the_processor_s_vectors() {
        let secrets: Vec<String> = (0..200).map(|number| format!("{number:03}-swordfish")).collect();
        let needles = Needles::new(secrets.iter().map(String::as_bytes));
        assert!(matches!(needles.search, Some(Search::Automaton(_))));
        assert_eq!(needles.next(b"a 123-swordfisc 123-swordfish", 0), Some((16, 29)));
    }

    #[test]
    fn the_window_tells_next_to_nothing_of_a_secret() {
        let window = |length| Needles::new([vec![b'x'; length].as_slice()]).window();
        assert_eq!((Needles::default().window(), window(12), window(600)), (4096, 4096, 4096));
        assert_eq!(window(16 << 10), 128 << 10);
    }
}
