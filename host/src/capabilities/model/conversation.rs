//! One question and its answer, piece by piece.

use std::collections::VecDeque;

use futures::StreamExt as _;
use rig_core::message::AssistantContent;
use rig_core::streaming::{CompletionStream, Item, StreamEvent};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::Pollable;

use super::answer;
use super::meter::Call;
use super::opaque::Mark;
use crate::runtime::agent_model::{Answer, Ending, Error, Event};

/// An answer on its way. Dropped before its end, it is counted as far as it came.
pub(crate) struct Conversation {
    /// None once the answer has ended.
    going: Option<Going>,
    /// Pieces that are there and were not asked for yet.
    pieces: VecDeque<Event>,
    /// What was said, where the deployment wants it in the log.
    said: Option<String>,
    /// For what comes back with a call.
    mark: Mark,
}

struct Going {
    stream: CompletionStream,
    call: Call,
}

impl Conversation {
    /// Nothing is sent until the first piece is asked for.
    pub(super) fn new(stream: CompletionStream, call: Call, keep: bool, mark: Mark) -> Self {
        let said = keep.then(String::new);
        Self { going: Some(Going { stream, call }), pieces: VecDeque::new(), said, mark }
    }

    /// The next piece; none behind the end.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Ok(Some(piece));
            }
            let Some(going) = &mut self.going else { return Ok(None) };
            match going.stream.next().await {
                Some(Ok(Item::Event(event))) => self.take(event),
                Some(Ok(Item::Unknown(_))) => {}
                Some(Err(error)) => {
                    going.call.reported(going.stream.partial().usage);
                    self.going = None;
                    return Err(answer::error(&error));
                }
                None => self.end().await?,
            }
        }
    }

    /// Waits for the first piece, so that a refusal is known before there is a stream to read.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        if let Some(first) = self.next().await? {
            self.pieces.push_front(first);
        }
        Ok(())
    }

    /// Waits for the whole answer.
    pub(super) async fn whole(&mut self) -> Result<Answer, Error> {
        let (mut text, mut calls) = (String::new(), Vec::new());
        loop {
            match self.next().await? {
                Some(Event::Text(more)) => text.push_str(&more),
                Some(Event::Call(call)) => calls.push(call),
                Some(Event::End(Ending { finish, usage })) => return Ok(Answer { text, calls, finish, usage }),
                None => return Err(Error::Unavailable("the answer has no end".to_owned())),
            }
        }
    }

    /// What was said since this was last asked, where it is to be kept.
    pub(super) fn take_said(&mut self) -> Option<String> {
        self.said.as_mut().map(std::mem::take).filter(|said| !said.is_empty())
    }

    fn take(&mut self, event: StreamEvent) {
        let Some(going) = &mut self.going else { return };
        match event {
            StreamEvent::Text { text, .. } => {
                going.call.said(text.len());
                if let Some(said) = &mut self.said {
                    said.push_str(&text);
                }
                if !text.is_empty() {
                    self.pieces.push_back(Event::Text(text));
                }
            }
            // Thoughts are paid for, though only the provider's own agents make use of them.
            StreamEvent::Reasoning { text, .. } => going.call.said(text.len()),
            StreamEvent::Arguments { json, .. } => going.call.said(json.len()),
            StreamEvent::Start { name, .. } => going.call.said(name.map_or(0, |name| name.as_str().len())),
            // Calls are given out at the end, when everything that has to come back with them is known.
            StreamEvent::End { .. } => {}
        }
    }

    async fn end(&mut self) -> Result<(), Error> {
        let Some(Going { stream, mut call }) = self.going.take() else { return Ok(()) };
        call.reported(stream.partial().usage);
        let response = stream.finish().await.map_err(|error| answer::error(&error))?;
        call.reported(response.usage);
        let usage = call.end();
        let finish = answer::finish(&response)?;
        for content in &response.choice {
            let AssistantContent::ToolCall(call) = content else { continue };
            let call = answer::tool_call(call, &response.origin, &self.mark);
            if let Some(said) = &mut self.said {
                said.push_str(&format!("\ncalls {}({})", call.name, call.arguments));
            }
            self.pieces.push_back(Event::Call(call));
        }
        self.pieces.push_back(Event::End(Ending { finish, usage }));
        Ok(())
    }
}

/// The resource that a guest reads an answer from.
pub struct AnswerStream {
    pub(super) conversation: Conversation,
    /// What a wait has brought already.
    waited: Option<Result<Option<Event>, Error>>,
}

impl AnswerStream {
    pub(super) fn new(conversation: Conversation) -> Self {
        Self { conversation, waited: None }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Event>, Error> {
        match self.waited.take() {
            Some(waited) => waited,
            None => self.conversation.next().await,
        }
    }
}

#[async_trait]
impl Pollable for AnswerStream {
    async fn ready(&mut self) {
        if self.waited.is_none() {
            self.waited = Some(self.conversation.next().await);
        }
    }
}
