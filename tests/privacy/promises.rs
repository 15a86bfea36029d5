//! `PRIVACY.md` names each promise once, and what it names is there.

use crate::invariants::tree;

#[test]
fn each_promise_is_named_once_and_what_keeps_and_shows_it_is_there() {
    let page = tree::read("PRIVACY.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| P"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let numbers: Vec<_> = rows.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(numbers, (1..=28).map(|number| format!("P{number:02}")).collect::<Vec<_>>());
    let mut shown = 0;
    for row in &rows {
        for path in quoted(row[2]).filter(|path| path.ends_with(".rs") || path.ends_with('/')) {
            let beside = quoted(row[2]).find(|first| first.ends_with(".rs")).and_then(|first| first.rsplit_once('/'));
            let folder = beside.map_or("", |(folder, _)| folder);
            let places = [format!("host/src/{path}"), format!("host/src/{folder}/{path}")];
            assert!(places.iter().any(|place| tree::exists(place)), "{}: there is no {path}", row[0]);
        }
        for module in quoted(row[3]) {
            let path = module.replace("::", "/");
            let places = [format!("tests/{path}.rs"), format!("host/src/{path}.rs")];
            assert!(places.iter().any(|place| tree::exists(place)), "{}: there are no tests {module}", row[0]);
            shown += 1;
        }
        assert!(!row[3].is_empty() || row[2].contains("yet"), "{}: nothing shows that it is kept", row[0]);
    }
    assert!(shown > 20);
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}
