//! A provider's answer, as a guest takes it: pieces, ends and errors.

use std::error::Error as _;

use rig_core::completion::{CompletionResponse, FinishReason};
use rig_core::http_client;
use rig_core::message::{AssistantContent, Origin, ToolCall};
use rig_core::{ProviderError, ProviderResponseError};
use serde_json::Value;

use super::opaque::Mark;
use super::transport::{NoAnswer, retry_after};
use crate::capabilities::egress::Denied;
use crate::runtime::agent_model as guest;

/// Bytes of a provider's own words that a guest gets.
const WORDS_BYTES: usize = 2 << 10;

/// A call of a tool.
pub(super) fn tool_call(call: &ToolCall, origin: &Origin, mark: &Mark) -> guest::ToolCall {
    let arguments = match &call.function.invalid_arguments {
        Some(as_sent) => as_sent.clone(),
        None => call.function.arguments_value().to_string(),
    };
    guest::ToolCall {
        id: call.id.wire().into_owned(),
        name: call.function.name.as_str().to_owned(),
        arguments,
        opaque: mark.write(origin, call),
    }
}

/// Why an answer ended; an error when the model or its provider refused.
pub(super) fn finish(response: &CompletionResponse) -> Result<guest::FinishReason, guest::Error> {
    match response.finish_reason() {
        Some(FinishReason::ContentFilter) => Ok(guest::FinishReason::Filtered),
        _ if response.error.is_some() => {
            Err(guest::Error::Refused(words(response.error.as_deref().unwrap_or_default())))
        }
        Some(FinishReason::Stop) => Ok(guest::FinishReason::Stop),
        Some(FinishReason::Length) => Ok(guest::FinishReason::Length),
        Some(FinishReason::ToolCalls) => Ok(guest::FinishReason::ToolCalls),
        // A reason of the provider's own, with calls that are well-formed all the same.
        _ if calls(response) => Ok(guest::FinishReason::ToolCalls),
        Some(_) | None => Ok(guest::FinishReason::Other),
    }
}

fn calls(response: &CompletionResponse) -> bool {
    let whole = |content: &AssistantContent| match content {
        AssistantContent::ToolCall(call) => call.function.invalid_arguments.is_none(),
        _ => false,
    };
    response.choice.iter().any(whole)
}

/// An error, by its type.
pub(super) fn error(error: &ProviderError) -> guest::Error {
    match error {
        ProviderError::Http(error) => unanswered(error),
        ProviderError::ProviderResponse(answer)
        | ProviderError::InvalidAuthentication(answer)
        | ProviderError::CacheExpired { response: answer, .. } => refused(answer),
        ProviderError::Request(_) | ProviderError::UnsupportedOption(_) | ProviderError::Url(_) => {
            guest::Error::Invalid(words(&error.to_string()))
        }
        // What is left is an answer that can't be read, or that broke off.
        _ => guest::Error::Unavailable(words(&error.to_string())),
    }
}

/// Egress brought no answer. Its reasons are for the deployment's author, who reads them in the log.
fn unanswered(error: &http_client::Error) -> guest::Error {
    let source = match error {
        http_client::Error::Instance(error) => error.downcast_ref::<NoAnswer>(),
        other => other.source().and_then(|source| source.downcast_ref::<NoAnswer>()),
    };
    match source {
        Some(NoAnswer(Denied::Limit(name))) => guest::Error::LimitReached((*name).to_owned()),
        Some(NoAnswer(denied)) => guest::Error::Unavailable(denied.to_string()),
        None => guest::Error::Unavailable("the exchange with the provider broke off".to_owned()),
    }
}

/// The provider said no.
fn refused(answer: &ProviderResponseError) -> guest::Error {
    let said = words(&said(&answer.body));
    if answer.refusal {
        return guest::Error::Refused(said);
    }
    match answer.status.map(|status| status.as_u16()) {
        Some(429) => {
            let pause = answer.headers.as_ref().and_then(retry_after);
            guest::Error::RateLimited(pause.and_then(|pause| u64::try_from(pause.as_millis()).ok()))
        }
        // The key is not the guest's: it can do nothing about it.
        Some(401..=403) => guest::Error::Unavailable(format!("the provider does not take the credential: {said}")),
        Some(status @ 400..=499) if status != 408 => guest::Error::Invalid(said),
        _ => guest::Error::Unavailable(said),
    }
}

/// The sentence in a provider's refusal; OpenAI, Anthropic and Gemini all have it at `error.message`.
fn said(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let message = value.pointer("/error/message").or_else(|| value.get("message")).or_else(|| value.get("error"));
    message.and_then(Value::as_str).map_or_else(|| body.to_owned(), str::to_owned)
}

fn words(text: &str) -> String {
    text[..text.floor_char_boundary(WORDS_BYTES)].to_owned()
}
