//! Words: enumerations whose words are the same in runtime, database, API, the operator's file and `docs/`.

/// Declares enumerations with the word of each variant. What a variant means is told once, by its documentation.
///
/// Attributes and words are matched as tokens: other derives than serde's don't look into what is matched as `literal`.
macro_rules! words {
    ($( $(#[$($meta:tt)+])* $name:ident { $( $(#[doc = $doc:tt])+ $variant:ident = $word:tt, )+ } )+) => { $(
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema,
        )]
        $(#[$($meta)+])*
        pub enum $name { $( $(#[doc = $doc])+ #[serde(rename = $word)] $variant, )+ }

        impl $name {
            /// Each of them, in the order of their declaration.
            pub const ALL: &[Self] = &[$( Self::$variant, )+];

            /// The word, in the database, in routes and in messages.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }

            /// The one with a word; none when this release does not know it.
            #[must_use]
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }

            /// Each word with what it means, as its documentation says it.
            #[must_use]
            pub fn explained() -> Vec<(&'static str, &'static str)> {
                vec![ $( ($word, concat!($($doc, "\n"),+)), )+ ]
            }
        }
    )+ };
}

pub(crate) use words;

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
