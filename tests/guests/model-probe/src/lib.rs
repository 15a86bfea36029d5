//! An agent on a script: asks models what its input says, through the SDK, and tells everything that they answered.

use aaasp_sdk::Failure;
use aaasp_sdk::model::{self, Answer, Chat, Error, Piece, Usage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to ask, and how.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    how: How,
    text: String,
    system: Option<String>,
    model: Option<String>,
    max_tokens: Option<u32>,
    stop: Option<String>,
    /// Of a stream: how many pieces are read before it is dropped, or kept until the run ends.
    pieces: Option<usize>,
    /// Whether the run then goes on for ever.
    hang: bool,
    /// Whether an error fails the run, instead of being told.
    fail: bool,
}

/// How to ask.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// For the whole answer.
    #[default]
    Chat,
    /// With one tool, whose calls are answered until the model is content.
    Tool,
    /// For an answer of the type `Verdict`.
    Ask,
    /// Piece by piece.
    Stream,
    /// A question that is not in the input, for an answer that is not in the output.
    Secretly,
    /// For vectors.
    Embed,
    /// For the whole answer, whatever became of the same question just before.
    Insist,
    /// For the names of models.
    Names,
}

/// Arguments of the one tool.
#[derive(Debug, Deserialize, JsonSchema)]
struct Lookup {
    /// The number of the issue.
    number: u32,
}

/// A typed answer.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Verdict {
    label: String,
    confidence: f64,
}

/// Everything that was answered.
#[derive(Default, Serialize, JsonSchema)]
pub struct Told {
    texts: Vec<String>,
    calls: Vec<String>,
    finish: Vec<String>,
    tokens: Vec<[u64; 3]>,
    reported: Vec<bool>,
    vectors: Vec<Vec<f32>>,
    error: Option<String>,
}

/// One run.
#[aaasp_sdk::agent(name = "model-probe", description = "Asks what it is told to ask", capabilities = ["model"])]
pub fn probe(script: Script) -> Result<Told, Failure> {
    let mut told = Told::default();
    match run(&script, &mut told) {
        Ok(()) => {}
        Err(error) if script.fail => return Err(error.into_failure()),
        Err(error) => told.error = Some(format!("{error:?}")),
    }
    Ok(told)
}

fn run(script: &Script, told: &mut Told) -> Result<(), Error> {
    match script.how {
        How::Chat => told.answer(&model::chat(&chat(script))?),
        How::Insist => {
            let _ = model::chat(&chat(script));
            told.answer(&model::chat(&chat(script))?);
        }
        How::Secretly => {
            let question = format!("{} from the inside", script.text);
            let answer =
                model::chat(&chat(&Script { text: question, model: script.model.clone(), ..Script::default() }))?;
            told.end(&format!("{:?}", answer.finish), &answer.usage);
        }
        How::Tool => tool(script, told)?,
        How::Ask => {
            let verdict: Verdict = model::ask(&chat(script))?;
            told.texts.push(format!("{} {}", verdict.label, verdict.confidence));
        }
        How::Stream => stream(script, told)?,
        How::Embed => told.vectors = model::embed(script.model.as_deref(), &[&script.text, "another text"])?,
        How::Names => told.texts = model::names(),
    }
    Ok(())
}

fn chat(script: &Script) -> Chat {
    let mut chat = Chat::new(&script.text).temperature(0.0);
    if let Some(system) = &script.system {
        chat = chat.system(system);
    }
    if let Some(name) = &script.model {
        chat = chat.model(name);
    }
    if let Some(tokens) = script.max_tokens {
        chat = chat.max_tokens(tokens);
    }
    if let Some(stop) = &script.stop {
        chat = chat.stop(stop);
    }
    chat
}

fn tool(script: &Script, told: &mut Told) -> Result<(), Error> {
    let mut chat = chat(script).tool::<Lookup>("lookup", "Looks an issue up by its number");
    loop {
        let answer = model::chat(&chat)?;
        told.answer(&answer);
        if answer.calls.is_empty() {
            return Ok(());
        }
        chat = chat.answered(&answer);
        for call in &answer.calls {
            let result = model::arguments::<Lookup>(call).map(|lookup| format!("issue {} is open", lookup.number));
            chat = chat.result(call, result);
        }
    }
}

fn stream(script: &Script, told: &mut Told) -> Result<(), Error> {
    let mut pieces = model::stream(&chat(script))?;
    for piece in pieces.by_ref().take(script.pieces.unwrap_or(usize::MAX)) {
        match piece? {
            Piece::Text(text) => told.texts.push(text),
            Piece::Call(call) => told.calls.push(format!("{}({})", call.name, call.arguments)),
            Piece::End { finish, usage } => told.end(&format!("{finish:?}"), &usage),
        }
    }
    if script.hang {
        loop {
            std::hint::spin_loop();
        }
    }
    Ok(())
}

impl Told {
    fn answer(&mut self, answer: &Answer) {
        self.texts.push(answer.text.clone());
        self.calls.extend(answer.calls.iter().map(|call| format!("{}({})", call.name, call.arguments)));
        self.end(&format!("{:?}", answer.finish), &answer.usage);
    }

    fn end(&mut self, finish: &str, usage: &Usage) {
        self.finish.push(finish.to_owned());
        self.tokens.push([usage.input, usage.output, usage.cached]);
        self.reported.push(usage.reported);
    }
}
