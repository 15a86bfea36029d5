//! Write an AAASP agent in Rust: a struct for the input, and a function.
//!
//! ```
//! use aaasp_sdk::{Failure, log};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// What a run is asked.
//! #[derive(Deserialize, JsonSchema)]
//! struct Input {
//!     /// Text to count.
//!     text: String,
//! }
//!
//! /// What it answers.
//! #[derive(Serialize, JsonSchema)]
//! struct Count {
//!     words: usize,
//! }
//!
//! #[aaasp_sdk::agent(name = "word-count", description = "Counts words")]
//! fn word_count(input: Input) -> Result<Count, Failure> {
//!     if input.text.is_empty() {
//!         return Err(Failure::InvalidInput("/text: is empty".into()));
//!     }
//!     log::info!("counting {} bytes", input.text.len());
//!     Ok(Count { words: input.text.split_whitespace().count() })
//! }
//!
//! assert_eq!(word_count(Input { text: "two words".into() }).unwrap().words, 2);
//! ```
//!
//! Compiled for WebAssembly, the crate is a component of the world `aaasp:agent/agent`. Its JSON
//! Schemas come from the types; an input that does not fit them ends the run as `invalid-input` with
//! a JSON pointer to the field; a panic is logged with its message and place before it traps. What
//! an agent does not use, its component does not import (logging apart, which panics need).
//!
//! - [`log`] is the `log` crate: `log::info!("…")` becomes a line of the run's log.
//! - [`config`] reads the deployment's configuration.
//! - [`credentials`] names what the deployment grants of the account's credentials, and signs with them.
//! - [`http`] sends requests, where the deployment grants them; the host puts credentials in.
//! - [`model`] asks language models, where the deployment grants them.
//! - [`scratch`] keeps files for the length of the run, where the deployment grants it.

pub mod config;
pub mod credentials;
mod failure;
#[doc(hidden)]
pub mod guest;
pub mod http;
mod logger;
pub mod model;
mod schema;
pub mod scratch;

pub use aaasp_sdk_macros::agent;
pub use failure::Failure;
pub use log;

#[expect(missing_docs, reason = "written by wit-bindgen from the contract")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "aaasp:agent/agent",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "aaasp_sdk::guest",
    });
}
