//! Asks language models that the deployment grants.
//!
//! ```no_run
//! use aaasp_sdk::model::{self, Chat};
//!
//! # fn triage(issue: &str) -> Result<(), model::Error> {
//! let answer = model::chat(&Chat::new(issue).system("Answer with one word: bug, question or idea."))?;
//! println!("{} ({} tokens)", answer.text, answer.usage.input + answer.usage.output);
//! # Ok(())
//! # }
//! ```
//!
//! What is asked and answered is kept nowhere, unless the deployment sets `log_output`; the tokens are charged to the
//! account. Outside of a component, and where the deployment grants no model, every call ends in
//! [`Error::NotGranted`].

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::aaasp::agent::model as host;
use crate::{Failure, schema};

pub use host::{FinishReason, ToolCall, Usage};

/// A question: a conversation so far, and how it is to be answered.
#[derive(Clone, Debug)]
pub struct Chat {
    request: host::ChatRequest,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the model said.
    pub text: String,
    /// The tools that it wants called.
    pub calls: Vec<ToolCall>,
    /// Why the answer ended.
    pub finish: FinishReason,
    /// Its tokens.
    pub usage: Usage,
}

/// A piece of an answer.
#[derive(Clone, Debug)]
pub enum Piece {
    /// The text goes on.
    Text(String),
    /// A tool that the model wants called.
    Call(ToolCall),
    /// Nothing follows.
    End {
        /// Why the answer ended.
        finish: FinishReason,
        /// Its tokens.
        usage: Usage,
    },
}

/// Why there is no answer, or no more of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The deployment grants no model, or not this one.
    #[error("no model: {0}")]
    NotGranted(String),
    /// The operator offers no model of this name to the account.
    #[error("{0}")]
    UnknownModel(String),
    /// The question can't be asked as it is.
    #[error("the question can't be asked: {0}")]
    Invalid(String),
    /// The provider refuses to answer.
    #[error("the provider refuses: {0}")]
    Refused(String),
    /// The provider is asked too often; it may say after how many milliseconds it may be asked again.
    #[error("the provider is asked too often")]
    RateLimited(Option<u64>),
    /// A limit of the run is reached.
    #[error("the run reached its limit of {0}")]
    LimitReached(String),
    /// The provider can't be reached, or is in trouble.
    #[error("the provider is not available: {0}")]
    Unavailable(String),
    /// The answer is not of the type that was asked for.
    #[error("the answer does not fit: {0}")]
    Unfit(String),
}

impl Chat {
    /// A user's words.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self::of(host::Message::User(text.into()))
    }

    /// What the model is told about its task.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        let system = host::Message::System(text.into());
        match self.request.messages.first_mut() {
            Some(first @ host::Message::System(_)) => *first = system,
            _ => self.request.messages.insert(0, system),
        }
        self
    }

    /// A further turn of the user.
    #[must_use]
    pub fn user(mut self, text: impl Into<String>) -> Self {
        self.request.messages.push(host::Message::User(text.into()));
        self
    }

    /// An answer that came before, with the calls that it asked for.
    #[must_use]
    pub fn answered(mut self, answer: &Answer) -> Self {
        let turn = host::AssistantTurn { text: answer.text.clone(), calls: answer.calls.clone() };
        self.request.messages.push(host::Message::Assistant(turn));
        self
    }

    /// What a call that the model asked for came to: its value, or why there is none.
    #[must_use]
    pub fn result(mut self, call: &ToolCall, result: Result<impl Into<String>, impl std::fmt::Display>) -> Self {
        let (content, failed) = match result {
            Ok(content) => (content.into(), false),
            Err(reason) => (reason.to_string(), true),
        };
        self.request.messages.push(host::Message::Tool(host::ToolResult { call: call.id.clone(), content, failed }));
        self
    }

    /// A tool that the model may call, with arguments of a type.
    #[must_use]
    pub fn tool<A: JsonSchema>(mut self, name: &str, description: &str) -> Self {
        let parameters = schema::of_input::<A>();
        self.request.tools.push(host::Tool { name: name.into(), description: description.into(), parameters });
        self
    }

    /// The model has to call a tool: this one, or any when none is named.
    #[must_use]
    pub fn must_call(mut self, name: Option<&str>) -> Self {
        self.request.tool_choice =
            name.map_or(host::ToolChoice::Required, |name| host::ToolChoice::Specific(name.to_owned()));
        self
    }

    /// The model, by the name that the deployment grants it under; the first one when this is not said.
    #[must_use]
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.request.model = Some(name.into());
        self
    }

    /// The most tokens of the answer.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.request.max_tokens = Some(tokens);
        self
    }

    /// How freely the model chooses its words: from 0, which chooses the likeliest.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.request.temperature = Some(temperature);
        self
    }

    /// A text at which the answer ends.
    #[must_use]
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.request.stop.push(text.into());
        self
    }

    fn of(message: host::Message) -> Self {
        Self {
            request: host::ChatRequest {
                model: None,
                messages: vec![message],
                tools: Vec::new(),
                tool_choice: host::ToolChoice::Auto,
                output_schema: None,
                max_tokens: None,
                temperature: None,
                stop: Vec::new(),
            },
        }
    }
}

/// Names of the models that the deployment grants.
#[must_use]
pub fn names() -> Vec<String> {
    if cfg!(target_family = "wasm") { host::names() } else { Vec::new() }
}

/// Asks a model, and waits for its whole answer.
///
/// # Errors
/// See [`Error`].
pub fn chat(chat: &Chat) -> Result<Answer, Error> {
    in_a_component()?;
    let host::Answer { text, calls, finish, usage } = host::chat(&chat.request)?;
    Ok(Answer { text, calls, finish, usage })
}

/// Asks a model for an answer of a type: its JSON Schema goes along, and the text is read as it.
///
/// # Errors
/// [`Error::Unfit`] when the answer is not of the type; see [`Error`].
pub fn ask<T: DeserializeOwned + JsonSchema>(chat: &Chat) -> Result<T, Error> {
    let mut asked = chat.clone();
    asked.request.output_schema = Some(schema::of_input::<T>());
    let answer = self::chat(&asked)?;
    serde_json::from_str(answer.text.trim()).map_err(|error| Error::Unfit(error.to_string()))
}

/// Asks a model, and gives its answer out as it comes.
///
/// # Errors
/// See [`Error`].
pub fn stream(chat: &Chat) -> Result<Pieces, Error> {
    in_a_component()?;
    Ok(Pieces { stream: Some(host::chat_stream(&chat.request)?) })
}

/// Vectors for texts, in their order.
///
/// # Errors
/// See [`Error`].
pub fn embed(model: Option<&str>, texts: &[impl AsRef<str>]) -> Result<Vec<Vec<f32>>, Error> {
    in_a_component()?;
    let texts: Vec<String> = texts.iter().map(|text| text.as_ref().to_owned()).collect();
    Ok(host::embed(model, &texts)?.vectors)
}

/// An answer on its way. Dropping it ends it.
#[derive(Debug)]
pub struct Pieces {
    stream: Option<host::AnswerStream>,
}

impl Iterator for Pieces {
    type Item = Result<Piece, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = match self.stream.as_ref()?.next() {
            Ok(Some(host::Event::Text(text))) => Ok(Piece::Text(text)),
            Ok(Some(host::Event::Call(call))) => Ok(Piece::Call(call)),
            Ok(Some(host::Event::End(host::Ending { finish, usage }))) => Ok(Piece::End { finish, usage }),
            Ok(None) => {
                self.stream = None;
                return None;
            }
            Err(error) => Err(error.into()),
        };
        if !matches!(piece, Ok(Piece::Text(_) | Piece::Call(_))) {
            self.stream = None;
        }
        Some(piece)
    }
}

fn in_a_component() -> Result<(), Error> {
    if cfg!(target_family = "wasm") {
        return Ok(());
    }
    Err(Error::NotGranted("there is none outside of a component".to_owned()))
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        match error {
            host::Error::NotGranted(reason) => Self::NotGranted(reason),
            host::Error::UnknownModel(reason) => Self::UnknownModel(reason),
            host::Error::Invalid(reason) => Self::Invalid(reason),
            host::Error::Refused(reason) => Self::Refused(reason),
            host::Error::RateLimited(pause_ms) => Self::RateLimited(pause_ms),
            host::Error::LimitReached(limit) => Self::LimitReached(limit),
            host::Error::Unavailable(reason) => Self::Unavailable(reason),
        }
    }
}

impl Error {
    /// How a run fails that can't go on without the answer: what may pass is worth another run, the rest is not.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::RateLimited(_) | Self::Unavailable(_) => Failure::Retryable(self.to_string()),
            _ => Failure::Failed(self.to_string()),
        }
    }
}

/// Arguments of a call as a type.
///
/// # Errors
/// [`Error::Unfit`] when the model wrote something else.
pub fn arguments<A: DeserializeOwned>(call: &ToolCall) -> Result<A, Error> {
    serde_json::from_str(&call.arguments).map_err(|error| Error::Unfit(format!("{}: {error}", call.name)))
}

/// A value as the text of a tool's result.
///
/// # Errors
/// [`Error::Unfit`] when it can't be written as JSON.
pub fn result(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Unfit(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Lookup {
        /// The issue's number.
        number: u32,
    }

    #[test]
    fn a_chat_is_a_conversation_in_order() {
        let call = ToolCall { id: "c1".into(), name: "lookup".into(), arguments: "{}".into(), opaque: String::new() };
        let usage = Usage { input: 1, output: 1, cached: 0, reported: true };
        let answer = Answer { text: String::new(), calls: vec![call.clone()], finish: FinishReason::ToolCalls, usage };
        let chat = Chat::new("hello")
            .system("be brief")
            .tool::<Lookup>("lookup", "Looks an issue up")
            .answered(&answer)
            .result(&call, Err::<String, _>("not found"))
            .user("and?");
        let kinds: Vec<&str> = chat
            .request
            .messages
            .iter()
            .map(|message| match message {
                host::Message::System(_) => "system",
                host::Message::User(_) => "user",
                host::Message::Assistant(_) => "assistant",
                host::Message::Tool(_) => "tool",
            })
            .collect();
        assert_eq!(kinds, ["system", "user", "assistant", "tool", "user"]);
        assert!(chat.request.tools[0].parameters.contains("The issue's number."));
    }

    #[test]
    fn outside_of_a_component_no_model_is_granted() {
        assert!(names().is_empty());
        assert!(matches!(chat(&Chat::new("hello")), Err(Error::NotGranted(_))));
        assert!(matches!(stream(&Chat::new("hello")), Err(Error::NotGranted(_))));
        assert!(matches!(embed(None, &["hello"]), Err(Error::NotGranted(_))));
    }

    #[test]
    fn arguments_are_read_as_their_type() {
        #[derive(serde::Deserialize)]
        struct Number {
            number: u32,
        }
        let call = |arguments: &str| ToolCall {
            id: "c1".into(),
            name: "lookup".into(),
            arguments: arguments.into(),
            opaque: String::new(),
        };
        assert_eq!(arguments::<Number>(&call("{\"number\": 7}")).unwrap().number, 7);
        assert!(matches!(arguments::<Number>(&call("{\"num")), Err(Error::Unfit(_))));
    }
}
