//! What a provider wants back with a tool's call: Gemini signs its thoughts so. The guest carries it as a text.

use rig_core::message::{Native, Origin};
use serde::{Deserialize, Serialize};

/// A call as the provider wrote it, and which provider that was; nobody else is sent it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) origin: Origin,
    pub(super) native: Native,
}

/// As a text. It is empty where nothing is wanted back.
pub(super) fn write(origin: &Origin, native: Option<&Native>) -> String {
    let Some(native) = native else { return String::new() };
    let memory = Memory { origin: origin.clone(), native: native.clone() };
    serde_json::to_string(&memory).unwrap_or_default()
}

/// From a text. What can't be read was not written here, and means nothing.
pub(super) fn read(text: &str) -> Option<Memory> {
    serde_json::from_str(text).ok()
}
