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
