//! Who operates the service.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who operates the service, as its policy and its record of processing activities say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OperatorValues {
    /// The name of the person or company that is responsible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where people reach them about their data: an email address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Who else sees data, and what for, besides the payment processor: a provider of machines, of mail.
    pub recipients: Vec<String>,
    /// Within how many hours of becoming known a breach is told, to the authority and to those whom it concerns.
    pub breach_hours: u32,
}

impl Default for OperatorValues {
    fn default() -> Self {
        Self { name: None, contact: None, recipients: Vec::new(), breach_hours: 72 }
    }
}
