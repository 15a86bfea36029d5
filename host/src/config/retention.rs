//! How long what is kept.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BILLING_DAYS;

/// How long things are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionValues {
    /// Logs of runs, in days.
    pub log_days: u32,
    /// Inputs, outputs and errors of runs, in days.
    pub content_days: u32,
    /// Idempotency keys and the answers that they repeat, in hours.
    pub idempotency_hours: u32,
    /// Uses of credentials, in days.
    pub audit_days: u32,
    /// Letters that were sent or given up, without what they said, in days.
    pub letter_days: u32,
    /// Metadata of requests, in days.
    pub request_days: u32,
    /// Copies of what is kept of an account, from when they are ready, in days.
    pub export_days: u32,
    /// Which address asked for what, with which program, in days; 0 writes no server log.
    pub server_log_days: u32,
    /// API keys that were revoked or have expired, in days.
    pub ended_key_days: u32,
    /// Which webhooks of the payment processor were taken, in days. One that comes again later is known by its payment.
    pub webhook_days: u32,
    /// Statements, top-ups, payments and what operators did, in days: seven years, or more where the law asks for more.
    pub billing_days: u32,
}

/// How long what a deployment's runs leave is kept, where that is less than the account's plan says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionOverlay {
    /// Logs of its runs, in days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_days: Option<u32>,
    /// Inputs, outputs and errors of its runs, in days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_days: Option<u32>,
}

impl RetentionOverlay {
    /// The same, with what another one says in the place of this one's.
    #[must_use]
    pub fn replaced_by(self, other: Self) -> Self {
        Self { log_days: other.log_days.or(self.log_days), content_days: other.content_days.or(self.content_days) }
    }

    /// The same, no longer than a plan says.
    #[must_use]
    pub fn within(self, plan: RunRetention) -> Self {
        Self {
            log_days: self.log_days.map(|days| days.min(plan.log_days)),
            content_days: self.content_days.map(|days| days.min(plan.content_days)),
        }
    }
}

/// How long what runs leave is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunRetention {
    /// Logs, in days.
    pub log_days: u32,
    /// Inputs, outputs and errors, in days.
    pub content_days: u32,
}

impl RunRetention {
    /// The smaller of both.
    #[must_use]
    pub fn min(self, less: RetentionOverlay) -> Self {
        Self {
            log_days: less.log_days.map_or(self.log_days, |days| days.min(self.log_days)),
            content_days: less.content_days.map_or(self.content_days, |days| days.min(self.content_days)),
        }
    }
}

impl Default for RetentionValues {
    fn default() -> Self {
        Self {
            log_days: 90,
            content_days: 90,
            idempotency_hours: 24,
            audit_days: 365,
            letter_days: 30,
            request_days: 30,
            export_days: 7,
            server_log_days: 7,
            ended_key_days: 90,
            webhook_days: 90,
            billing_days: BILLING_DAYS,
        }
    }
}
