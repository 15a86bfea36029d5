//! Runs a `wasi:cli/command`: the input on stdin, the output from stdout.

use wasmtime::Store;
use wasmtime_wasi::p2::bindings::CommandPre;

use super::RunError;
use super::invoke::{Raised, while_instantiating};
use super::state::{State, Stop};

/// One run. The output is stdout as JSON, or else as a JSON string.
pub(super) async fn run(
    store: &mut Store<State>,
    command: &CommandPre<State>,
) -> Result<Result<String, RunError>, Raised> {
    let instance = command.instantiate_async(&mut *store).await.map_err(while_instantiating)?;
    let returned = instance.wasi_cli_run().call_run(&mut *store).await;
    let code = match returned {
        Ok(status) => u8::from(status.is_err()),
        Err(error) => match error.downcast_ref::<Stop>() {
            Some(Stop::Exit(code)) => *code,
            _ => return Err(error.into()),
        },
    };
    if code != 0 {
        return Ok(Err(RunError::new("failed", format!("the command ended with exit code {code}"))));
    }
    Ok(Ok(output(store.data().stdio.take_output())))
}

fn output(stdout: Vec<u8>) -> String {
    let text = String::from_utf8(stdout).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
        text
    } else {
        serde_json::Value::String(text).to_string()
    }
}
