//! The words for where a run is and how it ended: those of runtime, database and API alike.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! words {
    ($( $(#[$meta:meta])* $name:ident { $( $(#[$doc:meta])* $variant:ident = $word:literal, )+ } )+) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $( $(#[$doc])* $variant, )+ }

        impl $name {
            /// The word, as the database has it too.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }

            #[cfg(test)]
            const ALL: &[Self] = &[$( Self::$variant, )+];
        }
    )+ };
}

words! {
    /// Where a run is in its life.
    RunStatus {
        /// It waits for a slot.
        Queued = "queued",
        /// A host executes it.
        Running = "running",
        /// It has an outcome.
        Finished = "finished",
    }

    /// How a run ended.
    RunOutcome {
        /// It returned an output.
        Succeeded = "succeeded",
        /// It returned an error, or left without an output.
        Failed = "failed",
        /// It did what no instance may do.
        Trapped = "trapped",
        /// It burned its fuel.
        OutOfFuel = "out_of_fuel",
        /// Memory was refused and it did not succeed.
        OutOfMemory = "out_of_memory",
        /// It took too long.
        TimedOut = "timed_out",
        /// It reached another limit, which its error names.
        LimitExceeded = "limit_exceeded",
        /// It was stopped from outside.
        Cancelled = "cancelled",
        /// The host failed.
        Lost = "lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_the_database_and_in_the_api() {
        for status in RunStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for outcome in RunOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }
}
