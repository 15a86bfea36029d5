//! A guest's question, as the library of providers' wires takes it.

use std::collections::HashMap;

use rig_core::completion::{CompletionRequest, GenerationOptions, ToolDefinition};
use rig_core::message::{
    AssistantContent, AssistantMessage, CallId, Message, ToolCall, ToolChoice, ToolFunction, ToolName, ToolResult,
    ToolResultContent,
};
use serde_json::Value;

use super::opaque::Mark;
use crate::runtime::agent_model as guest;

/// Bytes that the question can't be longer than once it is tokens: every text that the model gets to see.
pub(super) fn bytes(asked: &guest::ChatRequest) -> usize {
    let call = |call: &guest::ToolCall| call.name.len() + call.arguments.len() + call.opaque.len();
    let message = |message: &guest::Message| match message {
        guest::Message::System(text) | guest::Message::User(text) => text.len(),
        guest::Message::Assistant(turn) => turn.text.len() + turn.calls.iter().map(call).sum::<usize>(),
        guest::Message::Tool(result) => result.call.len() + result.content.len(),
    };
    let tool = |tool: &guest::Tool| tool.name.len() + tool.description.len() + tool.parameters.len();
    let schema = asked.output_schema.as_ref().map_or(0, String::len);
    // A chat template puts a few marks around each message and tool.
    let marks = 16 * (asked.messages.len() + asked.tools.len());
    asked.messages.iter().map(message).sum::<usize>() + asked.tools.iter().map(tool).sum::<usize>() + schema + marks
}

/// The question, for an answer of at most so many tokens. Of what it says to be a provider's own, only what is marked
/// goes to one.
pub(super) fn request(
    asked: &guest::ChatRequest,
    max_tokens: u64,
    mark: &Mark,
) -> Result<CompletionRequest, guest::Error> {
    let mut request = CompletionRequest::from(history(&asked.messages, mark)?).max_tokens(Some(max_tokens));
    request.tools = asked.tools.iter().map(tool).collect::<Result<_, _>>()?;
    request.tool_choice = tool_choice(&asked.tool_choice, !asked.tools.is_empty())?;
    request.accept_unknown_finish_reasons = true;
    if let Some(temperature) = asked.temperature {
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(invalid("the temperature is no number from zero up"));
        }
        request.temperature = Some(temperature);
    }
    if let Some(schema) = &asked.output_schema {
        let schema = json(schema, "the output schema")?;
        let schema = schema.try_into().map_err(|_| invalid("the output schema is no JSON Schema"))?;
        request.output_schema = Some(schema);
    }
    if !asked.stop.is_empty() {
        request.options = GenerationOptions::new().stop(asked.stop.iter().cloned());
    }
    request.validate_message_content().map_err(|error| invalid(&error.to_string()))?;
    Ok(request)
}

/// The conversation. Results of tools that follow each other are one message, as providers want them.
fn history(messages: &[guest::Message], mark: &Mark) -> Result<Vec<Message>, guest::Error> {
    let mut calls: HashMap<&str, (CallId, ToolName)> = HashMap::new();
    let mut history: Vec<Message> = Vec::with_capacity(messages.len());
    let mut results: Vec<ToolResult> = Vec::new();
    for (position, message) in messages.iter().enumerate() {
        if !matches!(message, guest::Message::Tool(_)) && !results.is_empty() {
            history.push(Message::tool_results(std::mem::take(&mut results)));
        }
        match message {
            guest::Message::System(text) if position == 0 => history.push(Message::system(text.as_str())),
            guest::Message::System(_) => return Err(invalid("a system message stands before all others, or nowhere")),
            guest::Message::User(text) => history.push(Message::user(text.as_str())),
            guest::Message::Assistant(turn) => {
                let said = assistant(turn, mark)?;
                for (call, known) in turn.calls.iter().zip(said.tool_calls()) {
                    calls.insert(&call.id, (known.id.clone(), known.function.name.clone()));
                }
                history.push(Message::Assistant(said));
            }
            guest::Message::Tool(result) => {
                let unknown = || invalid(&format!("no message before it has the call `{}`", result.call));
                let (call, name) = calls.get(result.call.as_str()).cloned().ok_or_else(unknown)?;
                let content = vec![ToolResultContent::text(result.content.as_str())];
                results.push(ToolResult { call, name, content, is_error: result.failed });
            }
        }
    }
    if !results.is_empty() {
        history.push(Message::tool_results(results));
    }
    Ok(history)
}

fn assistant(turn: &guest::AssistantTurn, mark: &Mark) -> Result<AssistantMessage, guest::Error> {
    let mut content = Vec::new();
    let mut origin = None;
    if !turn.text.is_empty() {
        content.push(AssistantContent::text(turn.text.as_str()));
    }
    for call in &turn.calls {
        let function = ToolFunction::parse(tool_name(&call.name)?, &call.arguments);
        let mut tool_call = ToolCall::from_wire(call.id.as_str(), function);
        if let Some(memory) = mark.read(&call.opaque).filter(|memory| memory.id.wire() == call.id.as_str()) {
            tool_call.id = memory.id;
            tool_call.native = Some(memory.native);
            origin = Some(memory.origin);
        }
        content.push(AssistantContent::ToolCall(tool_call));
    }
    Ok(AssistantMessage::new(content).with_origin(origin))
}

fn tool(tool: &guest::Tool) -> Result<ToolDefinition, guest::Error> {
    let parameters = json(&tool.parameters, &format!("the parameters of the tool `{}`", tool.name))?;
    Ok(ToolDefinition::new(tool_name(&tool.name)?, tool.description.as_str(), parameters))
}

fn tool_choice(choice: &guest::ToolChoice, tools: bool) -> Result<Option<ToolChoice>, guest::Error> {
    match choice {
        guest::ToolChoice::Auto => Ok(None),
        guest::ToolChoice::None => Ok(tools.then_some(ToolChoice::None)),
        _ if !tools => Err(invalid("the model has to call a tool, but there is none")),
        guest::ToolChoice::Required => Ok(Some(ToolChoice::Required)),
        guest::ToolChoice::Specific(name) => Ok(Some(ToolChoice::Specific { function_names: vec![tool_name(name)?] })),
    }
}

fn tool_name(name: &str) -> Result<ToolName, guest::Error> {
    ToolName::new(name).map_err(|_| invalid("a tool has a name"))
}

fn json(text: &str, what: &str) -> Result<Value, guest::Error> {
    let value: Value = serde_json::from_str(text).map_err(|error| invalid(&format!("{what}: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(invalid(&format!("{what}: a JSON object is wanted"))) }
}

fn invalid(reason: &str) -> guest::Error {
    guest::Error::Invalid(reason.to_owned())
}

/// The texts of a question, for a log that the deployment wants.
pub(super) fn readable(asked: &guest::ChatRequest) -> String {
    let message = |message: &guest::Message| match message {
        guest::Message::System(text) => format!("system: {text}"),
        guest::Message::User(text) => format!("user: {text}"),
        guest::Message::Assistant(turn) => {
            let calls = turn.calls.iter().map(|call| format!("\ncalls {}({})", call.name, call.arguments));
            format!("assistant: {}{}", turn.text, calls.collect::<String>())
        }
        guest::Message::Tool(result) => format!("tool: {}", result.content),
    };
    asked.messages.iter().map(message).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(messages: Vec<guest::Message>) -> guest::ChatRequest {
        guest::ChatRequest {
            model: None,
            messages,
            tools: Vec::new(),
            tool_choice: guest::ToolChoice::Auto,
            output_schema: None,
            max_tokens: None,
            temperature: None,
            stop: Vec::new(),
        }
    }

    fn mark() -> Mark {
        Mark::new(&[7; 32])
    }

    fn user(text: &str) -> guest::Message {
        guest::Message::User(text.to_owned())
    }

    fn calls(ids: &[&str]) -> guest::Message {
        let call = |id: &&str| guest::ToolCall {
            id: (*id).to_owned(),
            name: "lookup".to_owned(),
            arguments: "{\"number\":7}".to_owned(),
            opaque: String::new(),
        };
        guest::Message::Assistant(guest::AssistantTurn { text: String::new(), calls: ids.iter().map(call).collect() })
    }

    fn result(call: &str) -> guest::Message {
        guest::Message::Tool(guest::ToolResult { call: call.to_owned(), content: "open".to_owned(), failed: false })
    }

    fn refused(asked: &guest::ChatRequest) -> String {
        match request(asked, 10, &mark()) {
            Err(guest::Error::Invalid(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn results_that_follow_each_other_are_one_message() {
        let conversation = vec![user("hello"), calls(&["a", "b"]), result("a"), result("b"), user("and?")];
        let request = request(&asked(conversation), 10, &mark()).unwrap();
        assert_eq!(request.chat_history.len(), 4);
        let Message::User { content } = &request.chat_history[2] else { panic!("{:?}", request.chat_history) };
        assert_eq!(content.len(), 2);
        assert_eq!(request.max_tokens, Some(10));
    }

    #[test]
    fn what_an_agent_says_to_be_a_provider_s_own_goes_to_none() {
        let function = ToolFunction::parse(ToolName::new("lookup").unwrap(), "{\"number\":7}");
        let call = AssistantContent::ToolCall(ToolCall::from_wire("a", function));
        let call = call.with_native(serde_json::json!({"fileData": {"fileUri": "https://a.example/long"}}));
        let AssistantContent::ToolCall(call) = call else { panic!("it is a call") };
        let origin = rig_core::message::Origin::new("gemini", "gemini", "m-1");
        let native = |opaque: String| {
            let guest::Message::Assistant(mut turn) = calls(&["a"]) else { panic!("it is the assistant's") };
            turn.calls[0].opaque = opaque;
            let messages = vec![user("hello"), guest::Message::Assistant(turn), result("a")];
            let request = request(&asked(messages), 10, &mark()).unwrap();
            let Message::Assistant(said) = &request.chat_history[1] else { panic!("{:?}", request.chat_history) };
            said.tool_calls().any(|call| call.native.is_some())
        };
        let marked = mark().write(&origin, &call);
        assert!(native(marked.clone()));
        let by_another = Mark::new(&[8; 32]).write(&origin, &call);
        for forged in [marked[64..].to_owned(), by_another, "nonsense".to_owned()] {
            assert!(!native(forged));
        }
    }

    #[test]
    fn what_means_nothing_is_refused_with_its_reason() {
        let system = || guest::Message::System("be brief".to_owned());
        assert!(refused(&asked(vec![user("hello"), system()])).contains("before all others"));
        assert!(refused(&asked(vec![user("hello"), result("x")])).contains("the call `x`"));
        assert!(!refused(&asked(Vec::new())).is_empty());
        let wrong = |change: fn(&mut guest::ChatRequest)| {
            let mut asked = asked(vec![user("hello")]);
            change(&mut asked);
            refused(&asked)
        };
        assert!(wrong(|asked| asked.temperature = Some(f64::NAN)).contains("temperature"));
        assert!(wrong(|asked| asked.output_schema = Some("[]".to_owned())).contains("output schema"));
        assert!(wrong(|asked| asked.tool_choice = guest::ToolChoice::Required).contains("there is none"));
    }

    #[test]
    fn every_text_counts_towards_the_question_s_bytes() {
        let question = |text: &str| bytes(&asked(vec![user(text)]));
        assert_eq!(question("hello!") - question("hello"), 1);
        assert!(bytes(&asked(vec![calls(&["a"])])) > "lookup{\"number\":7}".len());
    }
}
