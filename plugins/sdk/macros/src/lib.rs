//! The attribute macro `#[aaasp_sdk::agent]`, which makes a component of one function.

mod about;
mod expand;

use proc_macro::TokenStream;

/// Turns a function into an agent.
///
/// The function takes the input by value and returns a `Result`: the input is anything that
/// implements `serde::Deserialize` and `schemars::JsonSchema`, the output anything that implements
/// `serde::Serialize` and `schemars::JsonSchema`, the error anything that converts into
/// `aaasp_sdk::Failure`. The function itself stays as it was written, so tests call it directly.
///
/// Arguments, each optional:
/// - `name = "…"`: the agent's name; the crate's by default;
/// - `description = "…"`: one sentence; the crate's `description` by default;
/// - `hosts = ["api.github.com", "*.example.org"]`: hosts that the agent wants to reach;
/// - `credentials = ["github"]`: credentials that it wants used on its behalf;
/// - `capabilities = ["scratch"]`: capabilities that a deployment has to grant.
#[proc_macro_attribute]
pub fn agent(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::agent(arguments.into(), item.into()).unwrap_or_else(|error| error.into_compile_error()).into()
}
