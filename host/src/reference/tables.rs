//! Markdown: a page of sections with tables, and what their cells are written like.

/// A page, while it is written.
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn new(title: &str, about: &str) -> Self {
        Self(format!("# {title}\n\n{about}\n"))
    }

    pub(crate) fn section(&mut self, title: &str, about: &str) {
        self.0.push_str(&format!("\n## {title}\n\n{about}\n"));
    }

    /// A title below a section's.
    pub(super) fn below(&mut self, title: &str) {
        self.0.push_str(&format!("\n### {title}\n"));
    }

    pub(crate) fn says(&mut self, text: &str) {
        self.0.push_str(&format!("\n{text}\n"));
    }

    pub(crate) fn table<const N: usize>(&mut self, head: &[&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        self.0.push('\n');
        self.0.push_str(&line(&head.map(str::to_owned)));
        self.0.push_str(&line(&head.map(|_| "---".to_owned())));
        self.0.extend(rows.into_iter().map(|row| line(&row.map(|cell| cell.replace('|', "\\|")))));
    }

    pub(crate) fn text(self) -> String {
        self.0
    }
}

pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

pub(super) fn codes(texts: &[&str]) -> String {
    texts.iter().map(|text| code(text)).collect::<Vec<_>>().join(", ")
}

/// Documentation in one line.
pub(super) fn written(documentation: &str) -> String {
    documentation.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first paragraph of documentation, and the rest.
pub(super) fn paragraphs(documentation: &str) -> (String, String) {
    let (first, rest) = documentation.split_once("\n\n").unwrap_or((documentation, ""));
    (written(first), written(rest))
}

/// A value as TOML has it, large numbers in groups of three digits.
pub(super) fn value(toml: &str) -> String {
    if toml.len() < 5 || !toml.bytes().all(|byte| byte.is_ascii_digit()) {
        return if toml.starts_with('(') { toml.trim_matches(['(', ')']).to_owned() } else { code(toml) };
    }
    let mut grouped = String::new();
    for (position, digit) in toml.chars().enumerate() {
        if position > 0 && (toml.len() - position).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    code(&grouped)
}

/// The unit of a quantity, which its name ends in.
pub(super) fn unit(key: &str) -> String {
    let units = [
        ("_microcredits", "microcredits"),
        ("_bytes", "bytes"),
        ("_ms", "ms"),
        ("_days", "days"),
        ("_hours", "hours"),
        ("_minutes", "minutes"),
        ("_per_minute", "a minute"),
        ("_per_hour", "an hour"),
        ("fuel", "fuel"),
        ("_tokens", "tokens"),
    ];
    units.iter().find(|(end, _)| key.ends_with(end)).map_or_else(String::new, |(_, unit)| (*unit).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_read_in_groups() {
        assert_eq!((value("1000"), value("134217728")), ("`1000`".to_owned(), "`134_217_728`".to_owned()));
        assert_eq!((value("[]"), value("(embedded)")), ("`[]`".to_owned(), "embedded".to_owned()));
    }

    #[test]
    fn what_stands_in_a_cell_does_not_break_its_table() {
        let mut page = Page::new("A", "b");
        page.table(&["c"], [["d|e".to_owned()]]);
        assert!(page.text().ends_with("| c |\n| --- |\n| d\\|e |\n"));
    }
}
