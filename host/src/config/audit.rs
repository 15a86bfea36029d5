//! The audit.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What operators and owners did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditValues {
    /// How often the end of the audit's chain is signed, in minutes, as long as something is added to it.
    pub head_minutes: u32,
}

impl Default for AuditValues {
    fn default() -> Self {
        Self { head_minutes: 60 }
    }
}
