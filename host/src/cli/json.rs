//! JSON for programs: the flag that asks for it, and its text with one field a line.

use clap::Args;
use clap::builder::FalseyValueParser;
use serde::Serialize;

use super::out;

/// Whether a program reads the answer.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct JsonArgs {
    /// Print JSON.
    #[arg(long, env = "AAASP_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
}

impl JsonArgs {
    /// Says what was done to what, where the server has nothing to say.
    pub(super) fn done(self, verb: &str, subject: &str, said: &str) -> anyhow::Result<()> {
        if self.json {
            return print(&serde_json::json!({verb: subject}));
        }
        out::note(said);
        Ok(())
    }
}

/// Prints a value as JSON.
pub(super) fn print<T: Serialize>(value: &T) -> anyhow::Result<()> {
    out::line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints JSON as a server wrote it, with its fields in their order and its numbers to the last digit.
pub(super) fn print_text(json: &str) {
    out::line(indented(json, 0));
}

/// The same JSON with one field or item a line. `json` must be valid.
pub(super) fn indented(json: &str, depth: usize) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = depth;
    let (mut in_string, mut escaped) = (false, false);
    let mut previous = None;
    for c in json.chars() {
        if in_string {
            text.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let opened = matches!(previous, Some('{' | '['));
        let closes = matches!(c, '}' | ']');
        depth -= usize::from(closes);
        if opened != closes {
            text.push('\n');
            text.extend(std::iter::repeat_n("  ", depth));
        }
        text.push(c);
        match c {
            '"' => in_string = true,
            '{' | '[' => depth += 1,
            ':' => text.push(' '),
            ',' => {
                text.push('\n');
                text.extend(std::iter::repeat_n("  ", depth));
            }
            _ => {}
        }
        previous = Some(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_numbers_their_digits() {
        let text = r#"{"b":[1,{}, []],"a":"x\"}{,\\","n":123456789012345678901234567890.10}"#;
        let expected = "{\n  \"b\": [\n    1,\n    {},\n    []\n  ],\n  \"a\": \"x\\\"}{,\\\\\",\n  \
                        \"n\": 123456789012345678901234567890.10\n}";
        assert_eq!(indented(text, 0), expected);
    }

    #[test]
    fn it_is_what_serde_prints() {
        let value = serde_json::json!({"a": [], "b": {"c": [[1], [null, true]], "d": {}}, "e": ["", "é\n"]});
        assert_eq!(indented(&value.to_string(), 0), serde_json::to_string_pretty(&value).unwrap());
    }
}
