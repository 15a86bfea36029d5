//! The payload of GitHub's webhook `issues`, as far as it is needed. What else is in it is passed over.

use std::fmt;

use aaasp_sdk::Failure;
use schemars::JsonSchema;
use serde::Deserialize;

/// One event of the webhook `issues`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Event {
    /// What happened: `opened`, `edited`, ….
    pub action: String,
    /// The issue that it happened to.
    pub issue: Issue,
    /// The issue's repository.
    pub repository: Repository,
}

/// An issue.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Issue {
    /// Its number in the repository.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its text; an issue may have none.
    #[serde(default)]
    pub body: Option<String>,
    /// Labels that it has already.
    #[serde(default)]
    pub labels: Vec<Label>,
}

/// A label of an issue.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Label {
    /// Its name.
    pub name: String,
}

/// A repository.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Repository {
    /// Owner and name: `acme/tally`.
    pub full_name: String,
}

/// An issue by its repository and number: `acme/tally#482`.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    pub owner: String,
    pub repository: String,
    pub number: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.owner, self.repository, self.number)
    }
}

impl Event {
    /// Which issue it is about.
    ///
    /// The names become a part of a URL that a credential goes along with, so they may not be anything but names.
    pub fn place(&self) -> Result<Place, Failure> {
        let full_name = &self.repository.full_name;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name = |name: &str| !name.is_empty() && name.chars().all(plain) && name != "." && name != "..";
        match full_name.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => {
                Ok(Place { owner: owner.to_owned(), repository: name.to_owned(), number: self.issue.number })
            }
            _ => Err(Failure::InvalidInput("/repository/full_name: is not OWNER/NAME".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_would_lead_elsewhere_is_refused() {
        let event = |full_name: &str| -> Event {
            let issue = serde_json::json!({"number": 7, "title": "x", "body": null});
            let event = serde_json::json!({
                "action": "opened", "issue": issue, "repository": {"full_name": full_name},
            });
            serde_json::from_value(event).unwrap()
        };
        assert_eq!(event("acme/tally.js").place().unwrap().to_string(), "acme/tally.js#7");
        for wrong in
            ["", "acme", "acme/", "/tally", "acme/..", "../user", "a/b/c", "a/b?c", "a/b%2fc", "a b/c", "a/b#c"]
        {
            assert!(matches!(event(wrong).place(), Err(Failure::InvalidInput(_))), "{wrong}");
        }
    }
}
