//! What a deployment sets for its runs, and `aaasp run` in the place of one: configuration, grants and limits.

use std::collections::BTreeMap;

use clap::{Args as ClapArgs, ValueEnum};

use super::input;

/// The flags, the same for a deployment and for a run on this machine.
#[derive(Debug, ClapArgs)]
pub(super) struct Settings {
    /// A value that the agent reads through wasi:config, or a JSON object of such; may be given several times.
    #[arg(long, value_name = "KEY=VALUE|JSON", env = "AAASP_AGENT_CONFIG", hide_env_values = true,
          value_parser = input::config)]
    config: Vec<BTreeMap<String, String>>,
    /// A limit of one run; may be given several times.
    #[arg(long, value_name = "NAME=N", env = "AAASP_LIMITS", value_delimiter = ',', value_parser = input::limit)]
    limit: Vec<(String, u64)>,
    /// A capability to grant; may be given several times.
    #[arg(long, value_name = "CAPABILITY", env = "AAASP_GRANT", value_delimiter = ',')]
    grant: Vec<Grant>,
}

/// A capability that can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Grant {
    /// A folder that exists for the length of a run.
    Scratch,
}

impl Grant {
    /// Its name in the API.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Scratch => "scratch",
        }
    }
}

impl Settings {
    /// Configuration values. What is given later wins.
    pub(super) fn config(&self) -> BTreeMap<String, String> {
        self.config.iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Limits by name.
    pub(super) fn limits(&self) -> BTreeMap<String, u64> {
        self.limit.iter().cloned().collect()
    }

    /// Capabilities.
    pub(super) fn grants(&self) -> &[Grant] {
        &self.grant
    }
}
