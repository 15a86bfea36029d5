//! `[models.NAME]` of the operator's file: models that deployments may grant, and what their tokens cost.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ledger::ModelPrice;
use crate::words::words;

/// A model that the operator offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelValues {
    /// Whose API it is asked through.
    pub provider: Provider,
    /// The model's name at the provider.
    pub model: String,
    /// Where the API is; the provider's own, unless another is named: `http://127.0.0.1:11434/v1`. Addresses that are
    /// not public have to be allowed in `[egress]` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// A file that holds the operator's key for the provider, relative to the data folder. Nobody but its owner may
    /// read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub api_key_file: Option<PathBuf>,
    /// An environment variable that holds the key instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// The most tokens of one answer, and how many it may have when an agent does not say.
    #[serde(default = "default_output_tokens")]
    pub max_output_tokens: u32,
    /// One million tokens of questions.
    pub million_input_tokens_microcredits: u32,
    /// One million tokens of answers.
    pub million_output_tokens_microcredits: u32,
    /// What tokens cost when the account's own credential pays the provider: nothing, unless it says otherwise.
    #[serde(default)]
    pub own_credential: ModelPrice,
    /// Plans that may use it; every plan when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<String>,
}

words! {
    /// An API that many models are asked through.
    Provider {
        /// Chat completions and embeddings as OpenAI has them, and Ollama, vLLM, llama.cpp and many others.
        Openai = "openai",
        /// Anthropic's messages.
        Anthropic = "anthropic",
        /// Google's Gemini: `generateContent` and its relatives.
        Gemini = "gemini",
    }
}

impl Provider {
    /// Where the provider's own API is.
    #[must_use]
    pub const fn base_url(self) -> &'static str {
        match self {
            Self::Openai => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com",
            Self::Gemini => "https://generativelanguage.googleapis.com",
        }
    }
}

impl ModelValues {
    /// Whether accounts of a plan may use it.
    #[must_use]
    pub fn serves(&self, plan: &str) -> bool {
        self.plans.is_empty() || self.plans.iter().any(|served| served == plan)
    }

    /// What its tokens cost, with the operator's key or with the account's own credential.
    #[must_use]
    pub fn price(&self, own_credential: bool) -> ModelPrice {
        if own_credential {
            return self.own_credential;
        }
        ModelPrice {
            million_input_tokens_microcredits: self.million_input_tokens_microcredits,
            million_output_tokens_microcredits: self.million_output_tokens_microcredits,
        }
    }

    /// Where its API is.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.base_url.as_deref().unwrap_or(self.provider.base_url())
    }

    /// What is wrong with it, by key.
    pub(super) fn impossible(&self, plans: &[&str]) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.model.trim().is_empty() {
            found.push(("model", "a model has a name at its provider".to_owned()));
        }
        if crate::models::base_of(self.base_url()).is_none() {
            let reason = "a base URL is `https://HOST[:PORT][/PATH]` or `http://…`, with no user, query or fragment";
            found.push(("base_url", reason.to_owned()));
        }
        if self.api_key_file.is_some() && self.api_key_env.is_some() {
            found.push(("api_key_env", "the key is in a file or in the environment, not in both".to_owned()));
        }
        if self.max_output_tokens == 0 {
            found.push(("max_output_tokens", "an answer has at least one token".to_owned()));
        }
        if let Some(unknown) = self.plans.iter().find(|plan| !plans.contains(&plan.as_str())) {
            found.push(("plans", format!("there is no plan `{unknown}`")));
        }
        found
    }
}

fn default_output_tokens() -> u32 {
    4_096
}
