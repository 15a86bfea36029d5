//! The privacy policy: a page that is made of the settings and of the data map, so that it says what is done. It is
//! served as it is made; each text that differs from the one before is a version, which is kept for good.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use askama::Template;
use sha2::{Digest as _, Sha256};

use super::map::{About, Category, Record, tables};
use crate::clock::Clock;
use crate::config::{Config, LiveConfig};
use crate::db::policies::{self, StoredPolicy};
use crate::db::{Db, DbError};

/// Characters of a version: 64 bits of a digest.
const VERSION_LENGTH: usize = 16;

/// A right, and how it is used.
struct Right {
    to: &'static str,
    command: &'static str,
    request: &'static str,
}

const fn right(to: &'static str, command: &'static str, request: &'static str) -> Right {
    Right { to, command, request }
}

/// What people can do by themselves.
const RIGHTS: &[Right] = &[
    right("see what we know of your account", "aaasp account", "GET /v1/account"),
    right("see what you did, and who used your keys", "aaasp requests", "GET /v1/requests"),
    right("see each use of your credentials", "aaasp audit", "GET /v1/audit"),
    right("see what moved your balance", "aaasp credits history", "GET /v1/credits/transactions"),
    right("have a copy of everything, and take it elsewhere", "aaasp account export", "POST /v1/privacy/exports"),
    right("see what operators looked at, and why", "aaasp account accesses", "GET /v1/account/accesses"),
    right("correct what we know of you", "aaasp account set", "PATCH /v1/account"),
    right("have your data kept and not worked with", "aaasp account restrict", "PUT /v1/privacy/restriction"),
    right("not have your use analysed", "aaasp account object", "PUT /v1/privacy/objection"),
    right("get news, or no more of them", "aaasp account consents", "PUT /v1/privacy/consents"),
    right("delete your account", "aaasp account delete", "DELETE /v1/account"),
];

struct Activity {
    why: &'static str,
    what: String,
    basis: &'static str,
}

struct Entry {
    holds: &'static str,
    kept: String,
    erased: &'static str,
}

/// The text of the page, without what tells versions apart.
#[derive(Template)]
#[template(path = "pages/policy_text.html")]
struct Text<'a> {
    name: Option<&'a str>,
    contact: Option<&'a str>,
    regions: Vec<String>,
    activities: Vec<Activity>,
    categories: Vec<(&'static str, &'static str)>,
    retention: Vec<(&'static str, String)>,
    plans: Vec<String>,
    closing_days: u32,
    breach_hours: u32,
    recipients: Vec<String>,
    measures: Vec<&'static str>,
    rights: &'static [Right],
    tables: Vec<Entry>,
}

/// The text under a configuration.
#[must_use]
pub fn text(config: &Config) -> String {
    let (operator, record) = (&config.values.operator, Record::of(config));
    let regions = config.values.region.iter().chain(config.values.regions.keys());
    let mut regions: Vec<_> = regions.map(ToString::to_string).collect();
    regions.sort();
    regions.dedup();
    let activities = record.activities.iter().map(|activity| Activity {
        why: activity.purpose,
        what: activity.categories.join(", "),
        basis: activity.legal_basis,
    });
    let text = Text {
        name: operator.name.as_deref(),
        contact: operator.contact.as_deref(),
        regions,
        activities: activities.collect(),
        categories: Category::ALL.iter().map(|category| (category.word(), category.words())).collect(),
        retention: retention(config),
        plans: plans(config),
        closing_days: config.values.accounts.closing_days,
        breach_hours: operator.breach_hours,
        recipients: record.recipients,
        measures: record.measures,
        rights: RIGHTS,
        tables: entries(config),
    };
    // A template in memory that can't be written does not exist.
    text.render().unwrap_or_default()
}

fn retention(config: &Config) -> Vec<(&'static str, String)> {
    let kept = &config.values.retention;
    let days = |days: u32| format!("{days} days");
    vec![
        ("your account, and what you brought", "as long as the account".to_owned()),
        ("logs of runs", days(kept.log_days)),
        ("inputs, outputs and errors of runs", days(kept.content_days)),
        ("metadata of requests: time, route, status, key", days(kept.request_days)),
        ("which address asked for what, with which program", server_log(kept.server_log_days)),
        ("copies of your data that you asked for", days(kept.export_days)),
        ("each use of a credential", days(kept.audit_days)),
        ("that a letter was sent, without what it said", days(kept.letter_days)),
        ("keys that were revoked or expired, of which there is a digest", days(kept.ended_key_days)),
        ("answers to requests that may be repeated", format!("{} hours", kept.idempotency_hours)),
        ("what the payment processor told us", days(kept.webhook_days)),
        ("payments, statements and the reasons of operators, which the law wants", years(kept.billing_days)),
    ]
}

fn server_log(days: u32) -> String {
    if days == 0 { "not kept".to_owned() } else { format!("{days} days") }
}

fn years(days: u32) -> String {
    format!("{days} days, which is {} years", days / 365)
}

fn plans(config: &Config) -> Vec<String> {
    let said = |name: &str, days: Option<u32>| days.map(|days| format!("{name} {days} days"));
    let of = |(name, plan): (&String, &crate::config::PlanValues)| {
        let all = [
            said("logs", plan.log_days),
            said("inputs, outputs and errors", plan.content_days),
            said("metadata of requests", plan.request_days),
        ];
        let all: Vec<_> = all.into_iter().flatten().collect();
        (!all.is_empty()).then(|| format!("{name}: {}", all.join(", ")))
    };
    config.values.plans.iter().filter_map(of).collect()
}

fn entries(config: &Config) -> Vec<Entry> {
    let personal = tables().filter(|table| table.is_personal());
    personal
        .map(|table| Entry {
            holds: table.holds,
            kept: table.kept.words(config),
            erased: if table.about == About::Tenant {
                "kept; nothing links it to you any more"
            } else {
                table.erasure.words()
            },
        })
        .collect()
}

/// The version of a text.
fn version(text: &str) -> String {
    hex::encode(Sha256::digest(text)).chars().take(VERSION_LENGTH).collect()
}

/// What the policy is now.
pub struct Policy {
    db: Db,
    config: LiveConfig,
    clock: Clock,
    known: ArcSwapOption<(Arc<Config>, StoredPolicy)>,
}

impl Policy {
    /// Over the configuration.
    #[must_use]
    pub fn new(db: Db, config: LiveConfig, clock: Clock) -> Self {
        Self { db, config, clock, known: ArcSwapOption::empty() }
    }

    /// The policy that is in force: made anew when the configuration has changed, and kept if it says something new.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn now(&self) -> Result<StoredPolicy, DbError> {
        let config = self.config.now();
        if let Some(known) = self.known.load_full().filter(|known| Arc::ptr_eq(&known.0, &config)) {
            return Ok(known.1.clone());
        }
        let text = text(&config);
        let (version, at) = (version(&text), self.clock.now());
        // Almost always it says what it said before, which takes no write to know.
        let policy = match policies::current(&self.db).await?.filter(|current| current.version == version) {
            Some(current) => current,
            None => {
                let write = self.db.write(move |tx| {
                    let (version, text) = (version.clone(), text.clone());
                    Box::pin(async move { policies::put(tx, &version, &text, at).await })
                });
                write.await?
            }
        };
        if policy.said_at.is_none() {
            tracing::warn!(
                version = policy.version,
                "the privacy policy says something new; say what, and whether it matters: `aaasp admin policy explain`"
            );
        }
        self.known.store(Some(Arc::new((config, policy.clone()))));
        Ok(policy)
    }

    /// Looks at it again when it is asked for next: an operator has said something of it.
    pub fn forget(&self) {
        self.known.store(None);
    }
}
