//! Takes secrets out of a stream of bytes, across the borders of its chunks, holding back no more than it must.

use std::sync::Arc;

use bytes::Bytes;

use super::needles::{MASK, Needles};

/// Masks secrets in a stream. A byte leaves as soon as no secret that covers it can still be on its way.
#[derive(Debug)]
pub(crate) struct Masker {
    needles: Arc<Needles>,
    /// The end of what came so far, as it came: the beginning of a form.
    held: Vec<u8>,
    /// The same bytes as they will leave; some may be masked already.
    covered: Vec<u8>,
    found: bool,
}

impl Masker {
    pub(crate) fn new(needles: Arc<Needles>) -> Self {
        Self { needles, held: Vec::new(), covered: Vec::new(), found: false }
    }

    /// Whether a secret was in what came so far.
    pub(crate) fn found(&self) -> bool {
        self.found
    }

    /// What may leave of what came so far.
    pub(crate) fn feed(&mut self, chunk: Bytes) -> Bytes {
        if self.held.is_empty() && self.needles.next(&chunk, 0).is_none() {
            let open = self.needles.open_end(&chunk);
            let (leaves, held) = chunk.split_at(chunk.len() - open);
            self.held = held.to_vec();
            self.covered = held.to_vec();
            return chunk.slice_ref(leaves);
        }
        let mut raw = std::mem::take(&mut self.held);
        let mut out = std::mem::take(&mut self.covered);
        raw.extend_from_slice(&chunk);
        out.extend_from_slice(&chunk);
        let mut from = 0;
        while let Some((start, end)) = self.needles.next(&raw, from) {
            out[start..end].fill(MASK);
            self.found = true;
            // Forms may overlap, so the next one may begin within this one.
            from = start + 1;
        }
        let leaves = raw.len() - self.needles.open_end(&raw);
        self.held = raw.split_off(leaves);
        self.covered = out.split_off(leaves);
        out.into()
    }

    /// What is left at the end.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.held.clear();
        std::mem::take(&mut self.covered).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(needles: &Arc<Needles>, chunks: &[&[u8]]) -> Vec<u8> {
        let mut masker = Masker::new(Arc::clone(needles));
        let mut out: Vec<u8> = chunks.iter().flat_map(|chunk| masker.feed(Bytes::copy_from_slice(chunk))).collect();
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
        let needles = Arc::new(Needles::new([&b"swordfish-1234"[..]]));
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
        let mut masker = Masker::new(Arc::new(Needles::new([&b"swordfish-1234"[..]])));
        assert_eq!(masker.feed(Bytes::from_static(b"data: hello\n\n")), "data: hello\n\n");
        assert_eq!(masker.feed(Bytes::from_static(b"data: sword")), "data: ");
        assert_eq!(masker.feed(Bytes::from_static(b" and more")), "sword and more");
    }

    proptest! {
        #[test]
        fn every_covered_byte_is_masked_and_no_other(
            text in prop::collection::vec(prop::sample::select(b"ab".to_vec()), 0..200),
            cuts in prop::collection::vec(0..200_usize, 0..6),
            first in prop::collection::vec(prop::sample::select(b"ab".to_vec()), 12..16),
            second in prop::collection::vec(prop::sample::select(b"ab".to_vec()), 12..20),
        ) {
            let needles = Arc::new(Needles::new([first.as_slice(), second.as_slice()]));
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
