//! How wide a text is in Helvetica, which every reader of PDF has: Adobe's font metrics of the Core 14 fonts.

/// The widths of the characters from the space to the tilde, in thousandths of the font's size.
#[rustfmt::skip]
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// The width of a text of ASCII at a size. Digits, points and signs are as wide in Helvetica-Bold.
pub(super) fn width(text: &str, size: f32) -> f32 {
    let thousandths: u32 =
        text.bytes().map(|byte| WIDTHS.get(usize::from(byte).wrapping_sub(32)).copied().map_or(556, u32::from)).sum();
    thousandths as f32 / 1_000.0 * size
}
