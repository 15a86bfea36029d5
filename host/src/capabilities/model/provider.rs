//! The three APIs: where each has its endpoints, and where in a request the key stands.

use rig_core::DynModel;
use rig_core::operation::{Completion, Embedding};
use rig_core::providers::anthropic::wire::AnthropicConfig;
use rig_core::providers::gemini::GeminiConfig;
use rig_core::providers::openai::OpenAIConfig;

use super::transport::{PLACEHOLDER, Transport};
use crate::config::Provider;
use crate::grants::Place;
use crate::models::Model;

/// Where the key stands.
pub(super) fn place(provider: Provider) -> Place {
    let header = |name: &str| Place::Header { name: name.to_owned(), prefix: String::new() };
    match provider {
        Provider::Openai => Place::Bearer,
        Provider::Anthropic => header("x-api-key"),
        Provider::Gemini => header("x-goog-api-key"),
    }
}

/// A model that answers.
pub(super) fn chat(model: &Model, transport: Transport) -> DynModel<Completion> {
    let (base, id) = (model.base_url.as_str(), model.id.as_str());
    match model.provider {
        Provider::Openai => OpenAIConfig::new(PLACEHOLDER).with_base_url(base).connect(transport).chat(id).erase(),
        Provider::Anthropic => {
            AnthropicConfig::new(PLACEHOLDER).with_base_url(base).connect(transport).completion(id).erase()
        }
        Provider::Gemini => {
            GeminiConfig::new(PLACEHOLDER).with_base_url(base).connect(transport).completion(id).erase()
        }
    }
}

/// A model that makes vectors; none for a provider that has no such API.
pub(super) fn embedding(model: &Model, transport: Transport) -> Option<DynModel<Embedding>> {
    let (base, id) = (model.base_url.as_str(), model.id.as_str());
    match model.provider {
        Provider::Openai => {
            Some(OpenAIConfig::new(PLACEHOLDER).with_base_url(base).connect(transport).embedding(id, None).erase())
        }
        Provider::Anthropic => None,
        Provider::Gemini => {
            Some(GeminiConfig::new(PLACEHOLDER).with_base_url(base).connect(transport).embedding(id, None).erase())
        }
    }
}
