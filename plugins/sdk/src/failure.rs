//! Why a run gave no output.

use std::error::Error;
use std::fmt;

/// Why a run gave no output; the host reports it as the outcome `failed`.
///
/// Any error converts into [`Failure::Failed`] through `?`, with its causes in the message. Where
/// the caller can do something about it, say which of the other two it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The input can't be worked on; the same input will fail again.
    InvalidInput(String),
    /// Something outside failed; the same input may succeed later.
    Retryable(String),
    /// Anything else.
    Failed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidInput(message) => write!(f, "invalid input: {message}"),
            Self::Retryable(message) => write!(f, "failed for now: {message}"),
            Self::Failed(message) => write!(f, "failed: {message}"),
        }
    }
}

// `Failure` is no `Error` itself: then this conversion could not be written.
impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Self::Failed(message)
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[derive(Debug, thiserror::Error)]
    #[error("no report")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn an_error_becomes_a_failure_that_names_its_causes() {
        let cause = "x".parse::<i32>().unwrap_err();
        assert_eq!(Failure::from(Outer(cause)), Failure::Failed("no report: invalid digit found in string".into()));
    }
}
