//! An agent that triages a new GitHub issue with a model, and says so in a comment.

mod comment;
mod event;
mod triage;

use aaasp_sdk::{Failure, config, log};
use schemars::JsonSchema;
use serde::Serialize;

pub use event::{Event, Issue, Label, Repository};
pub use triage::{Missing, Priority, Triage};

/// Where GitHub's REST API is, unless the deployment says otherwise.
const GITHUB_API: &str = "https://api.github.com";

/// Labels to choose from, unless the deployment names others: those of a repository that was just made.
const LABELS: &str = "bug,documentation,enhancement,question";

/// What came of an event.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Handled {
    /// What was done, or why nothing was.
    pub summary: String,
    /// What the model made of the issue; absent for events that are no new issue.
    pub triage: Option<Triage>,
    /// The comment that was posted; absent for events that are no new issue.
    pub comment: Option<Posted>,
}

/// A comment that was posted.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Posted {
    /// Where it can be read, as GitHub says.
    pub url: Option<String>,
    /// Its text.
    pub body: String,
}

/// Handles one event of the webhook `issues`. Only `opened` is acted on.
///
/// # Errors
/// [`Failure::InvalidInput`] when the event names no repository; [`Failure::Retryable`] or [`Failure::Failed`] when the
/// model or GitHub gives no answer.
#[aaasp_sdk::agent(hosts = ["api.github.com"], credentials = ["github"], capabilities = ["model"])]
pub fn issue_helper(event: Event) -> Result<Handled, Failure> {
    let place = event.place()?;
    if event.action != "opened" {
        log::info!("{place}: nothing to do for `{}`", event.action);
        let summary = format!("{place}: nothing to do for an issue that was {}", event.action);
        return Ok(Handled { summary, triage: None, comment: None });
    }
    let labels = config::get("labels")?.unwrap_or_else(|| LABELS.to_owned());
    let labels: Vec<&str> = labels.split(',').map(str::trim).filter(|label| !label.is_empty()).collect();
    let triage = triage::triage(&event.issue, &labels)?;
    log::info!("{place}: {triage}");
    let body = comment::text(&triage);
    let api = config::get("github_api")?.unwrap_or_else(|| GITHUB_API.to_owned());
    let url = comment::post(&api, &place, &body)?;
    log::info!("{place}: commented");
    Ok(Handled { summary: format!("{place}: {triage}"), triage: Some(triage), comment: Some(Posted { url, body }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Event {
        serde_json::from_str(include_str!("../sample.json")).unwrap()
    }

    #[test]
    fn other_events_than_a_new_issue_cost_nothing() {
        for action in ["edited", "closed", "labeled"] {
            let handled = issue_helper(Event { action: action.into(), ..sample() }).unwrap();
            assert!(handled.summary.starts_with("acme/tally#482: nothing to do"), "{}", handled.summary);
            assert_eq!((handled.triage, handled.comment), (None, None));
        }
    }

    #[test]
    fn without_a_model_a_new_issue_fails_and_is_not_commented_on() {
        let Err(Failure::Failed(reason)) = issue_helper(sample()) else { panic!("it has a model") };
        assert!(reason.starts_with("no model"), "{reason}");
    }
}
