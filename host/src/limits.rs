//! What a run and an account may use: one list of quantities, set by host, plan and deployment,
//! of which the smallest holds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares a set of limits twice: with every value set, and as an overlay in which each may be absent. The first
/// paragraph on each says what it bounds, the second what happens at it; `docs/reference.md` and the API's description
/// have both from here.
macro_rules! limits {
    (
        $(#[$meta:meta])* $full:ident, $(#[$overlay_meta:meta])* $overlay:ident {
            $( $(#[$doc:meta])* $name:ident: $default:expr, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(default)]
        pub struct $full { $( $(#[$doc])* pub $name: u64, )+ }

        $(#[$overlay_meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $overlay {
            $( $(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<u64>, )+
        }

        impl Default for $full {
            fn default() -> Self { Self { $( $name: $default, )+ } }
        }

        impl $full {
            /// The smaller of each value and the overlay's.
            #[must_use]
            pub fn min(&self, overlay: &$overlay) -> Self {
                Self { $( $name: overlay.$name.map_or(self.$name, |v| v.min(self.$name)), )+ }
            }

            /// Each value, replaced by the overlay's where that sets one.
            #[must_use]
            pub fn replaced_by(&self, overlay: &$overlay) -> Self {
                Self { $( $name: overlay.$name.unwrap_or(self.$name), )+ }
            }

            /// Names and values, in the order of their declaration.
            #[must_use]
            pub fn entries(&self) -> Vec<(&'static str, u64)> {
                vec![ $( (stringify!($name), self.$name), )+ ]
            }
        }
    };
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

limits! {
    /// What one run may use. A value of zero grants none of the quantity.
    RunLimits,
    /// Limits of one run as a plan or a deployment sets them: absent values leave the host's.
    RunLimitsOverlay {
        /// Fuel that the run may burn, host calls and trap slack included.
        ///
        /// The run ends as `out_of_fuel`.
        fuel: 1_000_000_000,
        /// Linear memory in bytes, summed over all memories of the run.
        ///
        /// More is refused; a run that does not succeed then is `out_of_memory`.
        memory_bytes: 128 * MIB,
        /// Table elements, summed over all tables of the run.
        ///
        /// More is refused; a run that does not succeed then is `limit_exceeded`.
        table_elements: 100_000,
        /// Core module instances within the component.
        ///
        /// The run ends as `limit_exceeded` before its first instruction.
        core_instances: 64,
        /// Wall-clock time from the first instruction to the last, in milliseconds.
        ///
        /// The run ends as `timed_out`.
        wall_clock_ms: 30_000,
        /// JSON text of the input, in bytes.
        ///
        /// 413 `too-large`; there is no run.
        input_bytes: MIB,
        /// JSON text of the output, in bytes.
        ///
        /// The run ends as `limit_exceeded`.
        output_bytes: MIB,
        /// Lines of log, those of stdout and stderr included.
        ///
        /// The run ends as `limit_exceeded`.
        log_lines: 10_000,
        /// Bytes of log messages.
        ///
        /// The run ends as `limit_exceeded`.
        log_bytes: MIB,
        /// Bytes in the scratch folder at any one time.
        ///
        /// More is refused; a run that does not succeed then is `limit_exceeded`.
        scratch_bytes: 64 * MIB,
        /// Files, folders and links in the scratch folder at any one time.
        ///
        /// More is refused; a run that does not succeed then is `limit_exceeded`.
        scratch_files: 1_000,
        /// Files and folders open at any one time.
        ///
        /// More is refused; a run that does not succeed then is `limit_exceeded`.
        open_files: 64,
        /// Entries of the run's resource table: streams, descriptors, requests, pollables.
        ///
        /// The run ends as `limit_exceeded`.
        resource_handles: 1_000,
        /// Runs of the same deployment that execute at the same time on one host.
        ///
        /// The next run waits for a slot, and is queued after 5 s.
        concurrent_runs: 64,
        /// Outgoing HTTP requests.
        ///
        /// The agent gets a typed error; a run that does not succeed then is `limit_exceeded`.
        http_requests: 50,
        /// Outgoing HTTP requests whose answers are not yet read to their end.
        ///
        /// The agent gets a typed error; a run that does not succeed then is `limit_exceeded`.
        http_requests_in_flight: 16,
        /// Bytes of all outgoing HTTP request bodies and headers.
        ///
        /// The agent gets a typed error; a run that does not succeed then is `limit_exceeded`.
        http_request_bytes: 10 * MIB,
        /// Bytes of all HTTP response bodies and headers.
        ///
        /// The agent gets a typed error; a run that does not succeed then is `limit_exceeded`.
        http_response_bytes: 10 * MIB,
        /// Signatures made with credentials.
        ///
        /// The run ends as `limit_exceeded`.
        signatures: 1_000,
        /// Tokens of models, those of questions and of answers together.
        ///
        /// The agent gets a typed error; a run that does not succeed then is `limit_exceeded`.
        model_tokens: 200_000,
    }
}

limits! {
    /// What one account may have at any one time.
    AccountLimits,
    /// Limits of an account as a plan sets them: absent values leave the host's.
    AccountLimitsOverlay {
        /// Runs of the account that execute at the same time on one host.
        ///
        /// The next run waits for a slot, and is queued after 5 s.
        concurrent_runs: 16,
        /// Outgoing HTTP requests of all runs of the account on one host whose answers are not yet read to their end.
        ///
        /// The next request waits.
        http_requests_in_flight: 64,
        /// Runs of the account that wait for a slot.
        ///
        /// 429 `too-many-requests`; nothing is held.
        queued_runs: 1_000,
        /// Bytes of one component.
        ///
        /// 413 `too-large`.
        component_bytes: 64 * MIB,
        /// Agents.
        ///
        /// 409 `conflict`.
        agents: 100,
        /// Versions of one agent.
        ///
        /// 409 `conflict`.
        versions: 100,
        /// Deployments.
        ///
        /// 409 `conflict`.
        deployments: 100,
        /// API keys that are not revoked.
        ///
        /// 409 `conflict`.
        api_keys: 20,
        /// Bytes of one deployment's configuration values.
        ///
        /// 422 `invalid`.
        config_bytes: 64 * KIB,
        /// Credentials.
        ///
        /// 409 `conflict`.
        credentials: 100,
        /// Versions of one credential that are not retired.
        ///
        /// 409 `conflict`.
        credential_versions: 10,
        /// Bytes of one secret.
        ///
        /// 422 `invalid`.
        secret_bytes: 16 * KIB,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_limit_holds() {
        let host = RunLimits::default();
        let overlay = RunLimitsOverlay { fuel: Some(5), memory_bytes: Some(u64::MAX), ..Default::default() };
        let effective = host.min(&overlay);
        assert_eq!(effective.fuel, 5);
        assert_eq!(effective.memory_bytes, host.memory_bytes);
        assert_eq!(effective.log_lines, host.log_lines);
    }
}
