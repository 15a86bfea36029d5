//! CSV (RFC 4180) that a spreadsheet may open: what is text stays text.

use std::borrow::Cow;

/// One cell of a table.
pub(crate) enum Cell<'c> {
    Text(&'c str),
    Number(i64),
}

/// One line of a table.
pub(crate) fn line(cells: &[Cell<'_>]) -> String {
    let mut text = String::new();
    for (column, cell) in cells.iter().enumerate() {
        if column > 0 {
            text.push(',');
        }
        match cell {
            Cell::Text(written) => text.push_str(&quoted(&harmless(written))),
            Cell::Number(number) => text.push_str(&number.to_string()),
        }
    }
    text.push_str("\r\n");
    text
}

/// A spreadsheet takes a cell that begins so for a formula; behind an apostrophe it is text.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        return format!("'{text}").into();
    }
    text.into()
}

fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains(['"', ',', ';', '\r', '\n', '\t']) || text.starts_with(' ') || text.ends_with(' ') {
        return format!("\"{}\"", text.replace('"', "\"\"")).into();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        let cells = [
            Cell::Text("plain"),
            Cell::Text("a \"b\", c"),
            Cell::Text("=1+2"),
            Cell::Text("-5"),
            Cell::Number(-5),
            Cell::Text("@x\r\ny"),
            Cell::Text(""),
        ];
        assert_eq!(line(&cells), "plain,\"a \"\"b\"\", c\",'=1+2,'-5,-5,\"'@x\r\ny\",\r\n");
    }
}
