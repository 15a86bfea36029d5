//! What the attribute macro's code calls: the border between JSON texts and the author's types.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::exports::aaasp::agent::handler;
use crate::{Failure, logger, schema};

pub use crate::bindings::export;
pub use crate::bindings::exports;
pub use handler::Manifest;

/// What the author says of the agent in the macro's arguments.
pub struct About {
    /// The agent's name.
    pub name: &'static str,
    /// One sentence on what it does.
    pub description: &'static str,
    /// Hosts that it wants to reach.
    pub hosts: &'static [&'static str],
    /// Credentials that it wants used.
    pub credentials: &'static [&'static str],
    /// Capabilities that a deployment has to grant.
    pub capabilities: &'static [&'static str],
}

/// An agent, as the macro implements it.
pub trait Guest {
    /// What the agent says of itself.
    fn describe() -> Manifest;
    /// One run, from JSON text to JSON text.
    fn run(input: String) -> Result<String, Failure>;
}

impl<T: Guest> handler::Guest for T {
    fn describe() -> Manifest {
        logger::install();
        T::describe()
    }

    fn run(input: String) -> Result<String, handler::Failure> {
        logger::install();
        T::run(input).map_err(|failure| match failure {
            Failure::InvalidInput(message) => handler::Failure::InvalidInput(message),
            Failure::Retryable(message) => handler::Failure::Retryable(message),
            Failure::Failed(message) => handler::Failure::Failed(message),
        })
    }
}

/// The manifest: the author's words, and the schemas of the function's types.
pub fn describe<I, O, E>(about: &About, _function: fn(I) -> Result<O, E>) -> Manifest
where
    I: JsonSchema,
    O: JsonSchema,
{
    let owned = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    Manifest {
        name: about.name.into(),
        description: about.description.into(),
        input_schema: schema::of_input::<I>(),
        output_schema: schema::of_output::<O>(),
        hosts: owned(about.hosts),
        credentials: owned(about.credentials),
        capabilities: owned(about.capabilities),
    }
}

/// One run: reads the input into the function's type, calls it, writes its output.
///
/// # Errors
/// [`Failure::InvalidInput`] with a JSON pointer when the input does not fit the type; what the
/// function returns; [`Failure::Failed`] when its output can't be written as JSON.
pub fn run<I, O, E>(function: fn(I) -> Result<O, E>, input: &str) -> Result<String, Failure>
where
    I: DeserializeOwned,
    O: Serialize,
    E: Into<Failure>,
{
    let mut reader = serde_json::Deserializer::from_str(input);
    let typed: I = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = schema::pointer(error.path());
        Failure::InvalidInput(format!("{pointer}: {}", error.into_inner()))
    })?;
    reader.end().map_err(|error| Failure::InvalidInput(format!(": {error}")))?;
    let output = function(typed).map_err(Into::into)?;
    serde_json::to_string(&output).map_err(|error| Failure::Failed(format!("the output is no JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::Value;

    /// Items to add.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Input {
        items: Vec<Item>,
    }

    #[derive(Deserialize, JsonSchema)]
    struct Item {
        #[serde(rename = "a/b")]
        amount: u32,
    }

    #[derive(Serialize, JsonSchema)]
    struct Sum {
        total: u32,
    }

    fn add(input: Input) -> Result<Sum, Failure> {
        let total = input.items.iter().map(|item| item.amount).sum();
        if total == 0 { Err(Failure::Retryable("nothing yet".into())) } else { Ok(Sum { total }) }
    }

    const ABOUT: About = About {
        name: "adder",
        description: "Adds",
        hosts: &["a.example"],
        credentials: &[],
        capabilities: &["scratch"],
    };

    #[test]
    fn the_manifest_carries_the_schemas_of_the_types() {
        let manifest = describe(&ABOUT, add);
        let input: Value = serde_json::from_str(&manifest.input_schema).unwrap();
        assert_eq!(input["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(input["description"], "Items to add.");
        assert_eq!(input["additionalProperties"], false);
        let output: Value = serde_json::from_str(&manifest.output_schema).unwrap();
        assert_eq!(output["required"][0], "total");
        assert_eq!(manifest.hosts, ["a.example"]);
        assert_eq!(manifest.capabilities, ["scratch"]);
    }

    #[test]
    fn a_run_goes_from_json_to_json() {
        assert_eq!(run(add, r#"{"items":[{"a/b":1},{"a/b":2}]}"#).unwrap(), r#"{"total":3}"#);
        assert_eq!(run(add, r#"{"items":[]}"#), Err(Failure::Retryable("nothing yet".into())));
    }

    #[test]
    fn an_input_that_does_not_fit_is_refused_at_its_field() {
        for (input, pointer) in [
            (r#"{"items":[{"a/b":1},{"a/b":"x"}]}"#, "/items/1/a~1b: invalid type"),
            (r#"{"items":[{}]}"#, "/items/0: missing field"),
            (r#"{"items":[],"more":1}"#, "/more: unknown field"),
            (r#"[]  x"#, ": "),
            (r#"{"items":[]} x"#, ": trailing"),
        ] {
            match run(add, input) {
                Err(Failure::InvalidInput(message)) => {
                    assert!(message.starts_with(pointer), "{input}: {message}");
                }
                other => panic!("{input}: {other:?}"),
            }
        }
    }
}
