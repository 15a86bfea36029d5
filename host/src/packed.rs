//! Text that takes less room than it is long: compressed before it is sealed, where that is worth the time.

use std::io;

/// Text that is shorter is left as it is: few pages of the database are saved, and most logs are shorter.
const WORTH_BYTES: usize = 4 << 10;

/// Levels above take several times as long for a tenth less.
const LEVEL: i32 = 1;

/// What a compressed text begins with, and no UTF-8 ever does.
const MAGIC: [u8; 4] = zstd::zstd_safe::MAGICNUMBER.to_le_bytes();

/// Compresses a text, if that makes it shorter.
#[must_use]
pub fn pack(text: Vec<u8>) -> Vec<u8> {
    if text.len() < WORTH_BYTES {
        return text;
    }
    match zstd::bulk::compress(&text, LEVEL) {
        Ok(packed) if packed.len() < text.len() => packed,
        Ok(_) | Err(_) => text,
    }
}

/// The text, whether it was compressed or not.
///
/// # Errors
/// When it is compressed, and not whole.
pub fn unpack(packed: Vec<u8>) -> io::Result<Vec<u8>> {
    if packed.starts_with(&MAGIC) { zstd::decode_all(packed.as_slice()) } else { Ok(packed) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_comes_back_as_it_was(text in "\\PC{0,40}", times in 0_usize..2_000) {
            let text = text.repeat(times).into_bytes();
            let packed = pack(text.clone());
            prop_assert!(packed.len() <= text.len());
            prop_assert_eq!(unpack(packed).unwrap(), text);
        }
    }

    #[test]
    fn long_text_takes_less_room_and_half_of_it_is_refused() {
        let lines: String = (0..1_000).map(|line| format!("line {line} of a log\n")).collect();
        let packed = pack(lines.clone().into_bytes());
        assert!(packed.len() * 5 < lines.len());
        assert!(unpack(packed[..packed.len() / 2].to_vec()).is_err());
        assert!(std::str::from_utf8(&MAGIC).is_err());
    }
}
