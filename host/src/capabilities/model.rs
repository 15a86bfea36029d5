//! `aaasp:agent/model`: the operator's models that a deployment grants.
//!
//! One file per step: [`request`] and [`answer`] translate between the contract and the library that knows the
//! providers' wires, [`provider`] names the wires, [`transport`] sends through egress, [`conversation`] reads an answer
//! piece by piece, [`meter`] counts its tokens. Nothing of a question or an answer is kept, unless the deployment
//! sets `log_output`: then it is lines of the run's log.

mod answer;
mod conversation;
mod key;
mod meter;
mod opaque;
mod provider;
mod request;
mod transport;

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, subscribe};

pub use conversation::AnswerStream;
use conversation::Conversation;
use meter::{Call, Meter};
pub use opaque::Mark;
use transport::Transport;

use super::log::Level;
use crate::grants::{Binding, Egress, Grants, ModelGrant, Target};
use crate::ledger::{ModelPrices, Tokens};
use crate::models::{Model, Models};
use crate::names::Name;
use crate::runtime::agent_model::{
    self as contract, Answer, ChatRequest, Embeddings, Ending, Error, Event, HostAnswerStream,
};
use crate::runtime::{Invocation, State, Stop, fuel};
use crate::vault::custody::Custody;

/// The limit that a run's tokens are counted against.
const LIMIT: &str = "model_tokens";

/// The source of lines about models in a run's log.
const SOURCE: &str = "model";

/// The models of one run.
pub(crate) struct RunModels {
    offered: Arc<Models>,
    prices: Arc<ModelPrices>,
    meter: Arc<Meter>,
    mark: Mark,
    log_output: bool,
    run_id: String,
}

impl RunModels {
    pub(crate) fn new((offered, mark): (&Arc<Models>, &Mark), invocation: &Invocation) -> Self {
        Self {
            offered: Arc::clone(offered),
            prices: Arc::clone(&invocation.models),
            meter: Arc::new(Meter::new(invocation.limits.model_tokens)),
            mark: mark.of_account(invocation.account),
            log_output: invocation.log_output,
            run_id: invocation.run_id.clone(),
        }
    }

    /// Tokens of calls that have ended.
    pub(crate) fn used(&self) -> BTreeMap<Name, Tokens> {
        self.meter.used()
    }

    /// The limit that a call was refused by.
    pub(crate) fn refused(&self) -> Option<&'static str> {
        self.meter.refused().then_some(LIMIT)
    }
}

impl contract::Host for State {
    fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        let names: Vec<String> = self.models.prices.keys().map(ToString::to_string).collect();
        self.owe_bytes(names.iter().map(String::len).sum());
        Ok(names)
    }

    async fn chat(&mut self, request: ChatRequest) -> wasmtime::Result<Result<Answer, Error>> {
        let mut conversation = match self.ask(&request)? {
            Ok(conversation) => conversation,
            Err(error) => return Ok(Err(error)),
        };
        let answer = conversation.whole().await;
        self.keep(conversation.take_said())?;
        if let Ok(answer) = &answer {
            self.owe_bytes(answer.text.len() + answer.calls.iter().map(|call| call.arguments.len()).sum::<usize>());
        }
        Ok(answer)
    }

    async fn chat_stream(&mut self, request: ChatRequest) -> wasmtime::Result<Result<Resource<AnswerStream>, Error>> {
        let mut conversation = match self.ask(&request)? {
            Ok(conversation) => conversation,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = conversation.begin().await {
            return Ok(Err(error));
        }
        Ok(Ok(self.table.push(AnswerStream::new(conversation))?))
    }

    async fn embed(
        &mut self,
        model: Option<String>,
        texts: Vec<String>,
    ) -> wasmtime::Result<Result<Embeddings, Error>> {
        let bytes = texts.iter().map(String::len).sum::<usize>();
        self.owe(fuel::HTTP_REQUEST);
        self.owe_bytes(bytes);
        let (model, grant) = match self.granted(model) {
            Ok(granted) => granted,
            Err(error) => return Ok(Err(error)),
        };
        if self.models.log_output {
            self.keep(Some(format!("{} is asked for vectors of\n{}", model.name, texts.join("\n"))))?;
        }
        let Ok(call) = self.models.meter.call(&model.name, bytes + 16 * texts.len(), 0) else {
            return Ok(Err(Error::LimitReached(LIMIT.to_owned())));
        };
        let Some(embedding) = provider::embedding(&model, self.transport(&model, &grant, &call)) else {
            return Ok(Err(Error::Invalid(format!("the provider of `{}` makes no vectors", model.name))));
        };
        Ok(match vectors(&embedding, texts, call).await {
            Ok(embeddings) => {
                self.owe_bytes(embeddings.vectors.iter().map(|vector| 4 * vector.len()).sum());
                Ok(embeddings)
            }
            Err(error) => Err(error),
        })
    }
}

impl HostAnswerStream for State {
    async fn next(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<Result<Option<Event>, Error>> {
        let answer = self.table.get_mut(&stream)?;
        let next = answer.next().await;
        if matches!(next, Ok(Some(Event::End(Ending { .. }))) | Err(_)) {
            let said = answer.conversation.take_said();
            self.keep(said)?;
        }
        self.owe_bytes(match &next {
            Ok(Some(Event::Text(text))) => text.len(),
            Ok(Some(Event::Call(call))) => call.arguments.len(),
            _ => 0,
        });
        Ok(next)
    }

    fn subscribe(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<Resource<DynPollable>> {
        self.owe(fuel::POLLABLE);
        subscribe(&mut self.table, stream)
    }

    fn drop(&mut self, stream: Resource<AnswerStream>) -> wasmtime::Result<()> {
        let mut answer = self.table.delete(stream)?;
        self.keep(answer.conversation.take_said())
    }
}

impl State {
    /// Makes ready to ask: what is granted, paid for and well-formed. Nothing has been sent yet.
    fn ask(&mut self, request: &ChatRequest) -> wasmtime::Result<Result<Conversation, Error>> {
        let bytes = request::bytes(request);
        self.owe(fuel::HTTP_REQUEST);
        self.owe_bytes(bytes);
        let (model, grant) = match self.granted(request.model.clone()) {
            Ok(granted) => granted,
            Err(error) => return Ok(Err(error)),
        };
        let most = u64::from(request.max_tokens.unwrap_or(u32::MAX).min(model.max_output_tokens));
        let Ok(call) = self.models.meter.call(&model.name, bytes, most) else {
            return Ok(Err(Error::LimitReached(LIMIT.to_owned())));
        };
        if self.models.log_output {
            self.keep(Some(format!("{} is asked\n{}", model.name, request::readable(request))))?;
        }
        let mark = self.models.mark.of_model(&model.name);
        let asked = match request::request(request, call.most_output(), &mark) {
            Ok(asked) => asked,
            Err(error) => return Ok(Err(error)),
        };
        let chat = provider::chat(&model, self.transport(&model, &grant, &call));
        Ok(match chat.stream(asked) {
            Ok(stream) => Ok(Conversation::new(stream, call, self.models.log_output, mark)),
            Err(error) => Err(answer::error(&error)),
        })
    }

    /// The model of a name, or the first one.
    fn granted(&self, name: Option<String>) -> Result<(Arc<Model>, ModelGrant), Error> {
        if !self.grants.model {
            let reason = "the deployment does not grant the capability `model`";
            return Err(Error::NotGranted(reason.to_owned()));
        }
        let unknown = |name: &str| Error::UnknownModel(format!("the operator offers this account no model `{name}`"));
        let prices = &self.models.prices;
        let first = || prices.keys().chain(self.grants.models.keys()).next().map(ToString::to_string);
        let name = name.or_else(first).ok_or_else(|| unknown("of any name"))?;
        let Ok(name) = name.parse::<Name>() else { return Err(unknown(&name)) };
        let grant = self.grants.models.get(&name);
        if grant.is_none() && !self.grants.models.is_empty() {
            return Err(Error::NotGranted(format!("the deployment does not grant the model `{name}`")));
        }
        // Only what has a price among the run's terms was paid for.
        let model = self.models.offered.get(&name).filter(|_| prices.contains_key(&name));
        let model = model.ok_or_else(|| unknown(name.as_str()))?;
        Ok((Arc::clone(model), grant.cloned().unwrap_or_default()))
    }

    /// Egress as this one model needs it: its own address, and the key that pays for it.
    fn transport(&self, model: &Arc<Model>, grant: &ModelGrant, call: &Call) -> Transport {
        let custody: (Option<Name>, Arc<dyn Custody>) = match &grant.credential {
            Some(credential) => (Some(credential.clone()), Arc::clone(&self.custody)),
            None => (
                model.key.is_some().then(|| model.name.clone()),
                Arc::new(key::OperatorKey { model: Arc::clone(model), run_id: self.models.run_id.clone() }),
            ),
        };
        let to = Target {
            scheme: model.rule.scheme,
            host: model.rule.host.clone(),
            port: model.rule.port,
            path: model.rule.path.clone(),
        };
        let binding = Binding { to: vec![to], place: Some(provider::place(model.provider)) };
        let grants = Grants {
            egress: Egress { allow: vec![model.rule.clone()] },
            credentials: custody.0.into_iter().map(|name| (name, binding.clone())).collect(),
            ..Grants::default()
        };
        Transport { run: self.egress.under(&grants, custody.1), begun: call.begun() }
    }

    /// Writes a line about a model, where the deployment wants it. It counts as the guest's own.
    fn keep(&self, text: Option<String>) -> wasmtime::Result<()> {
        let Some(text) = text else { return Ok(()) };
        self.log.push(Level::Debug, SOURCE, &text).map_err(|limit| Stop::Limit(limit.0).into())
    }
}

async fn vectors(
    model: &rig_core::DynModel<rig_core::operation::Embedding>,
    texts: Vec<String>,
    mut call: Call,
) -> Result<Embeddings, Error> {
    let response = model.call(texts).await.map_err(|error| answer::error(&error))?;
    let mut usage = response.usage;
    // Vectors are no tokens, and not every provider says so.
    usage.output_tokens = usage.output_tokens.or(Some(0));
    call.reported(usage);
    #[expect(clippy::cast_possible_truncation, reason = "providers send what was f32 as decimal text")]
    let narrow = |value: f64| value as f32;
    let vectors = response.embeddings.into_iter().map(|vector| vector.vec.into_iter().map(narrow).collect()).collect();
    Ok(Embeddings { vectors, usage: call.end() })
}
