//! The documents: what of them is generated is as the code says it, and their links lead somewhere.

use crate::cli::shell::Shell;
use crate::invariants::tree;

#[test]
fn the_reference_is_as_the_host_says_it() {
    let said = Shell::open().run(&["reference"]).expect(0).out;
    assert!(said == tree::read("docs/reference.md"), "docs/reference.md has drifted; run `cargo xtask docs`");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut seen = 0;
    for file in tree::documents() {
        let text = tree::read(&file);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
            let target = if path.is_empty() {
                file.clone()
            } else {
                format!("{folder}/{path}").trim_start_matches('/').to_owned()
            };
            assert!(tree::exists(&target), "{file}: {link} leads nowhere");
            assert!(anchor.is_empty() || anchors(&tree::read(&target)).any(|of| of == anchor), "{file}: no {link}");
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} links were found; the check reads the documents wrongly");
}

/// What the headings of a document are linked by.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
    })
}
