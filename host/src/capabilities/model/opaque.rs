//! What a provider wants back with a tool's call: Gemini signs its thoughts so. The guest carries it as a text.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rig_core::message::{CallId, Native, Origin, ToolCall};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::ids::AccountId;
use crate::names::Name;

/// Hexadecimal digits of an HMAC-SHA-256.
const DIGITS: usize = 64;

/// Marks what is written here. What a provider wants back goes into the next request as it is, so that a guest which
/// could write it itself would ask for anything under the operator's key. Each text is for one account and one model.
#[derive(Clone)]
pub struct Mark(Hmac<Sha256>);

/// A call as the provider wrote it, and which provider that was; nobody else is sent it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) origin: Origin,
    /// The call's id, and whether the provider gave it: a call that changed is not sent as the provider wrote it.
    pub(super) id: CallId,
    pub(super) native: Native,
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark")
    }
}

impl Mark {
    /// By a key that all hosts of a database have: a guest may keep a conversation from one run to the next.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length")))
    }

    /// By a key that goes with the process.
    ///
    /// # Errors
    /// The operating system gave no randomness.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice())?;
        Ok(Self::new(&key))
    }

    pub(super) fn of_account(&self, account: AccountId) -> Self {
        self.with(&account.to_string())
    }

    pub(super) fn of_model(&self, model: &Name) -> Self {
        self.with(model.as_str())
    }

    /// As a text. It is empty where nothing is wanted back.
    pub(super) fn write(&self, origin: &Origin, call: &ToolCall) -> String {
        let Some(native) = call.native.clone() else { return String::new() };
        let memory = Memory { origin: origin.clone(), id: call.id.clone(), native };
        let Ok(text) = serde_json::to_string(&memory) else { return String::new() };
        hex::encode(self.with(&text).0.finalize().into_bytes()) + &text
    }

    /// From a text. What was not written here means nothing.
    pub(super) fn read(&self, text: &str) -> Option<Memory> {
        let (digits, text) = text.split_at_checked(DIGITS)?;
        self.with(text).0.verify_slice(&hex::decode(digits).ok()?).ok()?;
        serde_json::from_str(text).ok()
    }

    /// Goes on with a text; its length keeps it apart from the next.
    fn with(&self, text: &str) -> Self {
        let mut mac = self.0.clone();
        mac.update(&(text.len() as u64).to_be_bytes());
        mac.update(text.as_bytes());
        Self(mac)
    }
}

#[cfg(test)]
mod tests {
    use rig_core::message::{AssistantContent, ToolFunction, ToolName};
    use serde_json::json;

    use super::*;

    fn mark(key: u8, account: AccountId, model: &str) -> Mark {
        Mark::new(&[key; 32]).of_account(account).of_model(&model.parse().unwrap())
    }

    fn written(mark: &Mark) -> String {
        let function = ToolFunction::parse(ToolName::new("lookup").unwrap(), "{}");
        let call = AssistantContent::ToolCall(ToolCall::from_wire("a", function));
        let AssistantContent::ToolCall(call) = call.with_native(json!({"functionCall": {"name": "lookup"}})) else {
            panic!("it is a call")
        };
        mark.write(&Origin::new("gemini", "gemini", "m-1"), &call)
    }

    #[test]
    fn what_is_written_is_read_by_every_host_for_the_same_account_and_model_and_by_nobody_else() {
        let (account, other) = (AccountId::generate(), AccountId::generate());
        let text = written(&mark(7, account, "fast"));
        assert_eq!(mark(7, account, "fast").read(&text).unwrap().id.wire(), "a");
        for stranger in [mark(8, account, "fast"), mark(7, other, "fast"), mark(7, account, "slow")] {
            assert!(stranger.read(&text).is_none());
        }
    }

    #[test]
    fn what_was_changed_or_written_by_a_guest_means_nothing() {
        let mark = mark(7, AccountId::generate(), "fast");
        let text = written(&mark);
        let forged = text.replace("functionCall", "fileData");
        let zeros = "0".repeat(DIGITS) + &text[DIGITS..];
        let wide = "é".repeat(DIGITS);
        for wrong in ["", "é", &wide, &text[1..], &text[..DIGITS], &text[DIGITS..], &forged, &zeros] {
            assert!(mark.read(wrong).is_none(), "{wrong}");
        }
    }
}
