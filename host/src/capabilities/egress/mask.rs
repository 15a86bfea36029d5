//! Takes secrets out of a stream of bytes, across the borders of its chunks.
//!
//! What is kept back does not depend on the secrets: whoever sees that a byte was kept back would learn that it may be
//! the beginning of one, and so read it byte by byte. A control character is a border that no form reaches over, so
//! everything up to the last one leaves, and lines of a stream of events are not late.

use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};

use super::needles::{MASK, Needles, Sought};

/// Masks secrets in a stream.
#[derive(Debug)]
pub(crate) struct Masker {
    sought: Arc<Sought>,
    /// What was searched for last.
    needles: Arc<Needles>,
    /// What came behind the last border, as it came, and no more than a window of it.
    held: BytesMut,
    /// The same bytes as they will leave, where some of them are masked.
    covered: Option<BytesMut>,
    found: bool,
}

impl Masker {
    pub(crate) fn new(sought: Arc<Sought>) -> Self {
        let needles = sought.now();
        Self { sought, needles, held: BytesMut::new(), covered: None, found: false }
    }

    /// Whether a secret was in what came so far.
    pub(crate) fn found(&self) -> bool {
        self.found
    }

    /// What may leave of what came so far.
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Bytes {
        let before = self.held.len();
        self.held.extend_from_slice(chunk);
        if let Some(covered) = &mut self.covered {
            covered.extend_from_slice(chunk);
        }
        self.cover(before);
        let behind_a_border = chunk.iter().rev().position(u8::is_ascii_control).unwrap_or(self.held.len());
        self.leave(self.held.len() - behind_a_border.min(self.needles.window()))
    }

    /// What is left at the end.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.cover(self.held.len());
        self.leave(self.held.len())
    }

    /// Masks what is held, of which so much was searched before.
    fn cover(&mut self, searched: usize) {
        let now = self.sought.now();
        let same = Arc::ptr_eq(&now, &self.needles);
        let mut from = if same { searched.saturating_sub(now.longest().saturating_sub(1)) } else { 0 };
        self.needles = now;
        while let Some((start, end)) = self.needles.next(&self.held, from) {
            self.covered.get_or_insert_with(|| self.held.clone())[start..end].fill(MASK);
            self.found = true;
            // Forms may overlap, so the next one may begin within this one.
            from = start + 1;
        }
    }

    fn leave(&mut self, bytes: usize) -> Bytes {
        let leaves = match &mut self.covered {
            None => self.held.split_to(bytes),
            Some(covered) => {
                self.held.advance(bytes);
                covered.split_to(bytes)
            }
        };
        if self.held.is_empty() {
            self.covered = None;
        }
        leaves.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sought(secrets: &[&[u8]]) -> Arc<Sought> {
        let sought = Sought::default();
        sought.replace(Arc::new(Needles::new(secrets.iter().copied())));
        Arc::new(sought)
    }

    fn masked(sought: &Arc<Sought>, chunks: &[&[u8]]) -> Vec<u8> {
        let mut masker = Masker::new(Arc::clone(sought));
        let mut out: Vec<u8> = chunks.iter().flat_map(|chunk| masker.feed(chunk)).collect();
        out.extend_from_slice(&masker.finish());
        out
    }

    /// Every occurrence of every form, found the slow way.
    fn expected(needles: &[&[u8]], text: &[u8]) -> Vec<u8> {
        let mut out = text.to_vec();
        for needle in needles {
            for at in 0..text.len() {
                if text[at..].starts_with(needle) {
                    out[at..at + needle.len()].fill(MASK);
                }
            }
        }
        out
    }

    #[test]
    fn a_secret_is_masked_wherever_its_chunks_break() {
        let needles = sought(&[b"swordfish-1234"]);
        let text = b"data: swordfish-1234\n\nswordfish-123 swordfish-1234swordfish-1234";
        let whole = masked(&needles, &[text]);
        assert_eq!(whole, b"data: **************\n\nswordfish-123 ****************************");
        for border in 0..text.len() {
            assert_eq!(masked(&needles, &[&text[..border], &text[border..]]), whole, "{border}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(masked(&needles, &single), whole);
    }

    #[test]
    fn an_event_leaves_at_once() {
        let mut masker = Masker::new(sought(&[b"swordfish-1234"]));
        assert_eq!(masker.feed(b"data: hello\n\n"), "data: hello\n\n");
        assert_eq!(masker.feed(b"data: {}\ndata: sword"), "data: {}\n");
        assert_eq!(masker.feed(b"fish-1234\n"), "data: **************\n");
    }

    /// Sizes of what leaves, chunk by chunk; what would still be held when the stream breaks off is not among them.
    fn sizes(chunks: &[&[u8]]) -> Vec<usize> {
        let mut masker = Masker::new(sought(&[b"swordfish-1234"]));
        chunks.iter().map(|chunk| masker.feed(chunk).len()).collect()
    }

    #[test]
    fn what_is_kept_back_does_not_tell_whether_a_guess_is_right() {
        let long = [b'x'; 9000];
        for before in [&b""[..], b"line\n", &long] {
            for length in 1..14 {
                let (right, wrong) = (&b"swordfish-1234"[..length], &b"Swordfish-1234"[..length]);
                assert_eq!(sizes(&[before, b"|", right]), sizes(&[before, b"|", wrong]), "{length}");
                let (right, wrong) =
                    (&b"73776f7264666973682d31323334"[..length], &b"83776f7264666973682d31323334"[..length]);
                assert_eq!(sizes(&[before, b"|", right, b"\n"]), sizes(&[before, b"|", wrong, b"\n"]), "{length}");
            }
        }
        assert_eq!(sizes(&[&long]), [9000 - 4096], "a stream without borders goes on all the same");
    }

    #[test]
    fn a_secret_that_is_learned_on_the_way_is_masked_in_what_is_held_and_what_comes() {
        let sought = sought(&[]);
        let mut masker = Masker::new(Arc::clone(&sought));
        assert_eq!(masker.feed(b"line\nswordfish-1234 sword"), "line\n");
        sought.replace(Arc::new(Needles::new([&b"swordfish-1234"[..]])));
        assert_eq!(masker.feed(b"fish-1234\n"), "************** **************\n");
        let mut masker = Masker::new(Arc::clone(&sought));
        assert_eq!(masker.feed(b"a second one"), "");
        sought.replace(Arc::new(Needles::new([&b"a second one"[..]])));
        assert_eq!(masker.finish(), "************");
    }

    proptest! {
        #[test]
        fn every_covered_byte_is_masked_and_no_other(
            text in prop::collection::vec(prop::sample::select(b"ab".to_vec()), 0..200),
            cuts in prop::collection::vec(0..200_usize, 0..6),
            first in prop::collection::vec(prop::sample::select(b"ab".to_vec()), 12..16),
            second in prop::collection::vec(prop::sample::select(b"ab".to_vec()), 12..20),
        ) {
            let needles = sought(&[&first, &second]);
            // A text that is likely to hold them, overlapping.
            let text = [&text[..], &first[..], &first[3..], &second[..], &second[5..], &text[..]].concat();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(masked(&needles, &chunks), expected(&[&first, &second], &text));
        }
    }
}
