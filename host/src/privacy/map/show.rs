//! The map for people: as a page, and as the record of processing activities (GDPR, Article 30).

use std::collections::BTreeSet;

use serde::Serialize;

use super::{About, Erasure, Form, Kept, Purpose, Table, tables};
use crate::config::Config;
use crate::privacy::recipients::Recipient;
use crate::reference::Page;

impl Kept {
    /// How long that is under a configuration.
    #[must_use]
    pub fn words(self, config: &Config) -> String {
        let kept = &config.values.retention;
        let days = |days: u32| format!("{days} days");
        let of_runs = |most| format!("{}, unless the plan says otherwise, or the deployment less", days(most));
        match self {
            Self::Account => "as long as the account".to_owned(),
            Self::Logs => of_runs(kept.log_days),
            Self::Content => of_runs(kept.content_days),
            Self::Requests => format!("{}, unless the plan says otherwise", days(kept.request_days)),
            Self::Audit => days(kept.audit_days),
            Self::Idempotency => format!("{} hours", kept.idempotency_hours),
            Self::Letters => format!("{} once it is sent or given up", days(kept.letter_days)),
            Self::EndedKeys => format!("{} once they ended", days(kept.ended_key_days)),
            Self::Exports => days(kept.export_days),
            Self::Webhooks => days(kept.webhook_days),
            Self::Expiry => "until it expires".to_owned(),
            Self::Billing => format!("{}, for the law", days(kept.billing_days)),
            Self::Service => "as long as the service".to_owned(),
        }
    }
}

impl Erasure {
    /// In words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Pseudonymised => "kept under a pseudonym",
            Self::Itself => "kept as the proof, without saying whose account it was",
            Self::Untouched => "left as it is",
        }
    }
}

impl Form {
    /// How it is protected in the database.
    const fn protection(self) -> &'static str {
        match self {
            Self::Sealed(_) => "sealed (AES-256-GCM)",
            Self::Secret => "a digest, or sealed; leaves the service never",
            Self::Text | Self::Number | Self::Flag | Self::Time | Self::Json | Self::Rows(_) | Self::Bytes => {
                "as it is"
            }
        }
    }
}

/// The word that JSON has for one of ours.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The map as a page.
#[must_use]
pub fn markdown(config: &Config) -> String {
    let about = "Every table of the database, and every column that holds something about a person: what it holds, \
                 why, on what legal basis, for how long, and what erasing an account does to it. Erasure follows \
                 this map, and a test fails for a column that is not in it.";
    let mut page = Page::new("Data map", about);
    for table in tables().filter(|table| table.is_personal()) {
        let Table { name, holds, purpose, kept, erasure, .. } = *table;
        page.section(&format!("`{name}`"), &format!("Each row is {holds}."));
        page.says(&format!(
            "- Why: {} ({})\n- Kept: {}\n- When the account is erased: {}",
            purpose.words(),
            purpose.basis(),
            kept.words(config),
            if table.about == About::Tenant {
                "kept; nothing links it to the account any more"
            } else {
                erasure.words()
            },
        ));
        let rows = table.columns.iter().filter_map(|column| {
            let category = column.category?;
            let kept = column.kept.map_or_else(String::new, |kept| kept.words(config));
            let name = format!("`{}`", column.name);
            Some([name, word(category), category.source().to_owned(), column.form.protection().to_owned(), kept])
        });
        page.table(&["column", "what", "provided or observed", "in the database", "kept less"], rows);
    }
    page.section("Nobody is in these", "They keep the service itself running.");
    let rows = tables()
        .filter(|table| !table.is_personal())
        .map(|table| [format!("`{}`", table.name), table.holds.to_owned()]);
    page.table(&["table", "each row is"], rows);
    page.text()
}

/// The record of processing activities of a controller (GDPR, Article 30).
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// Who is responsible.
    pub controller: String,
    /// How to reach them.
    pub contact: String,
    /// Where the data are.
    pub region: Option<String>,
    /// Whose data are processed.
    pub data_subjects: &'static str,
    /// What is done with them.
    pub activities: Vec<Activity>,
    /// Who else sees some of them.
    pub recipients: Vec<String>,
    /// How they are protected.
    pub measures: Vec<&'static str>,
}

/// One purpose, with all that serves it.
#[derive(Clone, Debug, Serialize)]
pub struct Activity {
    /// Why.
    pub purpose: &'static str,
    /// What allows it.
    pub legal_basis: &'static str,
    /// What about people.
    pub categories: Vec<String>,
    /// In which tables.
    pub tables: Vec<&'static str>,
    /// How long.
    pub kept: Vec<String>,
}

const MEASURES: [&str; 6] = [
    "email addresses, inputs, outputs, logs, configuration and credentials are sealed with AES-256-GCM, under a key of \
     each account",
    "of keys and links only digests are kept",
    "agents run in a sandbox, and never see credentials",
    "each query names the account that it is for",
    "operators' acts are recorded with their reasons",
    "what is kept for a time is deleted by the service itself",
];

impl Record {
    /// That of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let operator = &config.values.operator;
        Self {
            controller: operator.name.clone().unwrap_or_else(|| "not said: set `operator.name`".to_owned()),
            contact: operator.contact.clone().unwrap_or_else(|| "not said: set `operator.contact`".to_owned()),
            region: config.values.region.as_ref().map(ToString::to_string),
            data_subjects: "holders of accounts, and whoever they let their agents process data of",
            activities: Purpose::ALL.into_iter().filter_map(|purpose| Activity::of(purpose, config)).collect(),
            recipients: Recipient::all(config).iter().map(Recipient::words).collect(),
            measures: MEASURES.to_vec(),
        }
    }

    /// As a page.
    #[must_use]
    pub fn markdown(&self) -> String {
        let region = self.region.as_deref().unwrap_or("not said: set `region`");
        let about = format!(
            "GDPR, Article 30.\n\n- Controller: {}\n- Contact: {}\n- Region: {region}\n- Whose data: {}",
            self.controller, self.contact, self.data_subjects
        );
        let mut page = Page::new("Record of processing activities", &about);
        page.section("Activities", "Each purpose, and all that serves it.");
        let rows = self.activities.iter().map(|activity| {
            [
                activity.purpose.to_owned(),
                activity.legal_basis.to_owned(),
                activity.categories.join(", "),
                activity.kept.join("; "),
            ]
        });
        page.table(&["purpose", "legal basis", "what", "kept"], rows);
        page.section("Recipients", "Who else sees some of it.");
        let none = ["nobody".to_owned()];
        let recipients = if self.recipients.is_empty() { &none[..] } else { &self.recipients };
        page.says(&recipients.iter().map(|name| format!("- {name}")).collect::<Vec<_>>().join("\n"));
        page.section("Measures", "How it is protected.");
        page.says(&self.measures.iter().map(|name| format!("- {name}")).collect::<Vec<_>>().join("\n"));
        page.text()
    }
}

impl Activity {
    fn of(purpose: Purpose, config: &Config) -> Option<Self> {
        let serving: Vec<_> = tables().filter(|table| table.purpose == purpose && table.is_personal()).collect();
        let columns = || serving.iter().flat_map(|table| table.columns);
        let categories: BTreeSet<String> = columns().filter_map(|column| column.category).map(word).collect();
        let kept = serving.iter().map(|table| table.kept).chain(columns().filter_map(|column| column.kept));
        let kept: BTreeSet<String> = kept.map(|kept| kept.words(config)).collect();
        (!serving.is_empty()).then(|| Self {
            purpose: purpose.words(),
            legal_basis: purpose.basis(),
            categories: categories.into_iter().collect(),
            tables: serving.iter().map(|table| table.name).collect(),
            kept: kept.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::map::Category;

    #[test]
    fn every_category_is_provided_or_observed() {
        let all: BTreeSet<&str> = tables()
            .flat_map(|table| table.columns)
            .filter_map(|column| column.category)
            .map(Category::source)
            .collect();
        assert_eq!(all, BTreeSet::from(["observed", "provided"]));
    }
}
