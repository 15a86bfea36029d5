//! The comment: its text, and its way to GitHub.

use std::fmt::Write;

use aaasp_sdk::{Failure, http};
use serde::{Deserialize, Serialize};

use crate::event::Place;
use crate::triage::Triage;

/// The release of GitHub's REST API whose words are spoken here.
const API_VERSION: &str = "2022-11-28";

#[derive(Serialize)]
struct Comment<'t> {
    body: &'t str,
}

#[derive(Deserialize)]
struct Created {
    html_url: Option<String>,
}

/// The comment in Markdown.
pub fn text(triage: &Triage) -> String {
    let mut text = "Thank you for the issue. A program had a first look at it.\n\n".to_owned();
    // Writing to a string can't fail, hence the results that are dropped here and below.
    let _ = writeln!(text, "- Priority: {}", triage.priority.as_str());
    if !triage.labels.is_empty() {
        let labels: Vec<String> = triage.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(text, "- Labels that would fit: {}", labels.join(", "));
    }
    if !triage.missing.is_empty() {
        text.push_str("\nTo work on it, we would need to know:\n\n");
        for missing in &triage.missing {
            let _ = writeln!(text, "- {}", missing.as_str());
        }
    }
    text
}

/// Posts a comment on an issue, and says where it can be read. The token is put in by the host.
pub fn post(api: &str, place: &Place, body: &str) -> Result<Option<String>, Failure> {
    send(api, place, body).map_err(http::Error::into_failure)
}

fn send(api: &str, place: &Place, body: &str) -> Result<Option<String>, http::Error> {
    let Place { owner, repository, number } = place;
    let url = format!("{}/repos/{owner}/{repository}/issues/{number}/comments", api.trim_end_matches('/'));
    let answer = http::post(url)
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", API_VERSION)
        .header("user-agent", concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .json(&Comment { body })?
        .send()?
        .ok()?;
    // The comment is there; what GitHub says of it is a courtesy.
    Ok(answer.json::<Created>().ok().and_then(|created| created.html_url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::{Missing, Priority};

    #[test]
    fn a_comment_names_priority_labels_and_what_is_missing() {
        let missing = vec![Missing::Version, Missing::Logs];
        let full = text(&Triage { labels: vec!["bug".into()], priority: Priority::High, missing });
        assert!(full.contains("- Priority: high\n- Labels that would fit: `bug`\n"), "{full}");
        assert!(
            full.ends_with("- the version that you use\n- what it printed: the error message, the log\n"),
            "{full}"
        );
        let bare = text(&Triage { labels: Vec::new(), priority: Priority::Low, missing: Vec::new() });
        assert!(bare.ends_with("- Priority: low\n"), "{bare}");
    }
}
