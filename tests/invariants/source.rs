//! As much of Rust's and SQL's lexical structure as the invariants need: names, without comments and strings.

use std::collections::BTreeSet;

/// A file by its path from the repository's root.
pub struct SourceFile {
    /// `host/src/main.rs`
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// Rust text with the contents of comments, strings and characters left out.
pub fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| raw_string(rest)).or_else(|| quoted(rest));
        if let Some(length) = skipped {
            code.push(' ');
            rest = &rest[length..];
        } else if first.is_alphanumeric() || first == '_' {
            // A whole word at once, so that the `r` of `for` is not taken for the start of a raw string.
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            code.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// The names in code.
pub fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The names that code gives, as opposed to those that it uses.
pub fn declared_names(code: &str) -> BTreeSet<String> {
    const GIVE: [&str; 10] = ["const", "enum", "fn", "let", "mod", "mut", "static", "struct", "trait", "type"];
    let words: Vec<_> = identifiers(code).collect();
    words
        .windows(2)
        .filter(|pair| GIVE.contains(&pair[0]) && !GIVE.contains(&pair[1]))
        .map(|pair| pair[1].into())
        .collect()
}

/// `RunLimits` → run, limits; `run_limits` too.
pub fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        after_lower = c.is_lowercase() || c.is_ascii_digit();
        if c != '_' {
            words.last_mut().unwrap().extend(c.to_lowercase());
        }
    }
    words
}

/// Text in which any run of white space and line continuations is one space.
pub fn one_space(text: &str) -> String {
    text.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The tables that a migration creates or alters, with their columns.
pub fn tables(sql: &str) -> Vec<(String, BTreeSet<String>)> {
    let without_comments: String =
        sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
    let mut tables = Vec::new();
    for statement in without_comments.split(';') {
        let statement = one_space(statement);
        let Some(rest) = statement.strip_prefix("CREATE TABLE ") else { continue };
        let (name, body) = rest.split_once(" (").unwrap_or_else(|| panic!("not understood: {statement}"));
        let body = &body[..body.rfind(')').unwrap()];
        let columns = top_level(body).into_iter().filter_map(|item| {
            let first = item.split_whitespace().next()?;
            let constraint = ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "CONSTRAINT"].contains(&first);
            (!constraint).then(|| first.to_owned())
        });
        tables.push((name.to_owned(), columns.collect()));
    }
    tables
}

/// The parts between commas that are in no parentheses.
fn top_level(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (position, c) in list.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts
}

/// The length of a comment that starts here; block comments nest.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut depth, mut position) = (0, 0);
    while position < rest.len() {
        if rest[position..].starts_with("/*") {
            depth += 1;
            position += 2;
        } else if rest[position..].starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                break;
            }
        } else {
            position += rest[position..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(position)
}

/// The length of a raw string that starts here.
fn raw_string(rest: &str) -> Option<usize> {
    let opening = ["br", "cr", "r"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let hashes = opening.len() - opening.trim_start_matches('#').len();
    let body = opening[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&closing)? + closing.len();
    Some(rest.len() - body.len() + end)
}

/// The length of a string or character that starts here; a lifetime is neither.
fn quoted(rest: &str) -> Option<usize> {
    let quote = rest.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    if quote == '\'' && !rest[1..].starts_with('\\') && rest.chars().nth(2) != Some('\'') {
        return None;
    }
    let mut escaped = false;
    for (position, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(position + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

#[test]
fn comments_and_strings_hold_no_names() {
    let text = r###"
        //! wasmtime
        /* wasmtime /* nested wasmtime */ wasmtime */
        fn for_lifetime<'a>(x: &'a str) -> char { let y = "wasmtime \" wasmtime"; r#"wasmtime " "#; '"' }
        use tokio; // wasmtime
    "###;
    let code = code(text);
    let names: Vec<_> = identifiers(&code).collect();
    assert!(!names.contains(&"wasmtime"), "{names:?}");
    assert!(names.contains(&"tokio"), "{names:?}");
    assert_eq!(declared_names(&code), BTreeSet::from(["for_lifetime".to_owned(), "y".to_owned()]));
}

#[test]
fn columns_are_told_from_constraints() {
    let sql = "-- (a, b);\nCREATE TABLE t (\n a INTEGER CHECK (a IN (1, 2)),\n b TEXT,\n PRIMARY KEY (a, b)\n) STRICT;";
    assert_eq!(tables(sql), [("t".to_owned(), BTreeSet::from(["a".to_owned(), "b".to_owned()]))]);
}

#[test]
fn names_fall_into_words() {
    assert_eq!(words("RunLimits"), ["run", "limits"]);
    assert_eq!(words("new_run"), ["new", "run"]);
    assert_eq!(words("MAX_V2"), ["max", "v2"]);
}
