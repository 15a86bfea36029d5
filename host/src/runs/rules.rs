//! What holds of a run wherever it executes, on a host or in an author's terminal: its input fits the agent, its
//! output is JSON, and what the host did not bring to an end is free.

use jsonschema::{ValidationError, Validator};
use serde_json::value::RawValue;

use super::Refused;
use crate::ledger::{Charge, Metered, Terms};
use crate::limits::RunLimits;
use crate::runtime::{Finished, Outcome, RunError};

/// The most errors of an input that are named.
const INPUT_ERRORS: usize = 20;

/// Bytes of the text of one error.
const ERROR_BYTES: usize = 512;

/// Of a larger input only the first error is named: all of them are found before any can be taken, and need memory
/// hundreds of times the input's size.
const SMALL_INPUT_BYTES: usize = 16 << 10;

/// Refuses an input that is too large, or that breaks the manifest's schema, before anything is held.
///
/// # Errors
/// [`Refused::InputTooLarge`] and [`Refused::InputInvalid`].
pub fn check_input(input: &str, schema: Option<&Validator>, limits: &RunLimits) -> Result<(), Refused> {
    if input.len() as u64 > limits.input_bytes {
        return Err(Refused::InputTooLarge { bytes: input.len(), limit: limits.input_bytes });
    }
    let Some(schema) = schema else { return Ok(()) };
    let value =
        serde_json::from_str(input).map_err(|error| Refused::InputInvalid(vec![(String::new(), error.to_string())]))?;
    if schema.is_valid(&value) {
        return Ok(());
    }
    let named = |error: ValidationError<'_>| (error.instance_path().to_string(), shortened(error.to_string()));
    let errors = if input.len() > SMALL_INPUT_BYTES {
        schema.validate(&value).err().map(named).into_iter().collect()
    } else {
        schema.iter_errors(&value).take(INPUT_ERRORS).map(named).collect()
    };
    Err(Refused::InputInvalid(errors))
}

/// An error repeats the value that it is about, which may be most of the input.
fn shortened(mut text: String) -> String {
    if text.len() > ERROR_BYTES {
        text.truncate(text.floor_char_boundary(ERROR_BYTES));
        text.push('…');
    }
    text
}

/// Takes the output as JSON. A run whose output is none has failed.
pub fn checked_output(finished: &mut Finished) -> Option<Box<RawValue>> {
    match RawValue::from_string(finished.output.take()?) {
        Ok(output) => Some(output),
        Err(error) => {
            let message = format!("the output is not JSON: {error}");
            finished.outcome = Outcome::Failed;
            finished.error = Some(RunError { code: "failed".to_owned(), message, backtrace: Vec::new() });
            None
        }
    }
}

/// What a run costs. One that the host did not bring to an end costs nothing.
#[must_use]
pub fn charged(finished: &Finished, terms: &Terms) -> Charge {
    if finished.outcome == Outcome::Lost {
        return Charge::default();
    }
    let usage = &finished.usage;
    let metered = Metered {
        fuel: usage.fuel,
        trap_slack_fuel: usage.trap_slack_fuel,
        peak_memory_bytes: usage.peak_memory_bytes,
        wall_clock_us: usage.wall_clock_us,
        log_bytes: usage.log_bytes,
        http_requests: usage.http_requests_sent,
        http_bytes: usage.http_request_bytes.saturating_add(usage.http_response_bytes),
    };
    terms.charge(metered, &usage.models)
}
