//! The forms in which a secret can be seen: plain, URL-encoded, hex, base64 at all three alignments, and as JSON
//! writes it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use zeroize::Zeroizing;

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

/// What JSON writers escape though they need not: PHP's flags one by one, Go and Rails, Django, Gson, PHP's flags
/// together, .NET. The two separators end a line in JavaScript.
const GUARDED: [&str; 8] = [
    "",
    "<>",
    "&",
    "&<>\u{2028}\u{2029}",
    "&<>'\u{2028}\u{2029}",
    "&<>'=\u{2028}\u{2029}",
    "&<>'\"",
    "&<>'\"+`\u{2028}\u{2029}",
];

/// Adds every form of a secret, some of them more than once.
pub(super) fn push_forms(forms: &mut Vec<Zeroizing<Vec<u8>>>, secret: &[u8]) {
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
        push_json_forms(forms, text);
    }
}

fn push_json_forms(forms: &mut Vec<Zeroizing<Vec<u8>>>, text: &str) {
    for upper in [false, true] {
        forms.push(json(text, |_| true, upper, false));
        for slash in [false, true] {
            for guarded in GUARDED {
                forms.push(json(text, |c| guarded.contains(c), upper, slash));
                forms.push(json(text, |c| guarded.contains(c) || !c.is_ascii(), upper, slash));
            }
        }
    }
}

/// The text within a JSON string, with `\u` where it is wanted, its digits in one case, and `\/` or not. Secrets hold
/// no control characters, which JSON would escape too.
fn json(text: &str, escapes: impl Fn(char) -> bool, upper: bool, slash: bool) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(6 * text.len()));
    for c in text.chars() {
        if escapes(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let escape = if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
                bytes.extend_from_slice(escape.as_bytes());
            }
            continue;
        }
        if matches!(c, '"' | '\\') || (slash && c == '/') {
            bytes.push(b'\\');
        }
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    bytes
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
    use super::*;

    #[test]
    fn json_is_known_as_encoders_write_it() {
        let mut forms = Vec::new();
        push_forms(&mut forms, r#"a<b>&'"c/\=+`ü🔑"#.as_bytes());
        for written in [
            // JavaScript and serde_json, Python, PHP, Go, Rails behind an ASCII encoder, Gson, PHP's flags, .NET.
            r#"a<b>&'\"c/\\=+`ü🔑"#,
            r#"a<b>&'\"c/\\=+`\u00fc\ud83d\udd11"#,
            r#"a<b>&'\"c\/\\=+`\u00fc\ud83d\udd11"#,
            r#"a\u003cb\u003e\u0026'\"c/\\=+`ü🔑"#,
            r#"a\u003Cb\u003E\u0026'\"c/\\=+`\u00FC\uD83D\uDD11"#,
            r#"a\u003cb\u003e\u0026\u0027\"c/\\\u003d+`ü🔑"#,
            r#"a\u003Cb\u003E\u0026\u0027\u0022c\/\\=+`\u00FC\uD83D\uDD11"#,
            r#"a\u003Cb\u003E\u0026\u0027\u0022c/\\=\u002B\u0060\u00FC\uD83D\uDD11"#,
        ] {
            assert!(forms.iter().any(|form| form.as_slice() == written.as_bytes()), "{written}");
        }
        let mut forms = Vec::new();
        push_forms(&mut forms, b"ab");
        assert!(forms.iter().any(|form| form.as_slice() == br"\u0061\u0062"));
    }
}
