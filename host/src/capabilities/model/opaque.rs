//! What a provider wants back with a tool's call: Gemini signs its thoughts so. The guest carries it as a text.

use rig_core::message::{CallId, Native, Origin, ToolCall};
use serde::{Deserialize, Serialize};

/// A call as the provider wrote it, and which provider that was; nobody else is sent it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) origin: Origin,
    /// The call's id, and whether the provider gave it: a call that changed is not sent as the provider wrote it.
    pub(super) id: CallId,
    pub(super) native: Native,
}

/// As a text. It is empty where nothing is wanted back.
pub(super) fn write(origin: &Origin, call: &ToolCall) -> String {
    let Some(native) = call.native.clone() else { return String::new() };
    let memory = Memory { origin: origin.clone(), id: call.id.clone(), native };
    serde_json::to_string(&memory).unwrap_or_default()
}

/// From a text. What can't be read was not written here, and means nothing.
pub(super) fn read(text: &str) -> Option<Memory> {
    serde_json::from_str(text).ok()
}
