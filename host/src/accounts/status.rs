//! What an account's status lets its callers do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The status of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = AccountStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Signed up; the email address is not confirmed, and there is no key yet.
    Pending,
    /// Everything works.
    Active,
    /// Its owner or the operator asked for its data to be kept and not worked with: no runs.
    Restricted,
    /// The operator stopped it; it can see what it has.
    Suspended,
    /// Its owner deleted it; it is gone when the time to think again is over.
    Closing,
    /// Deleted.
    Closed,
}

/// What a request needs of an account, besides the right of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// To be told what is there, and to stop what goes on.
    ToLook,
    /// To manage the account itself: keys, payments, its address.
    ToManage,
    /// To have work done.
    ToWork,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Active, Self::Restricted, Self::Suspended, Self::Closing, Self::Closed];

    /// The word in the database, in routes and in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Restricted => "restricted",
            Self::Suspended => "suspended",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    /// Whether an account of this status may do what needs this.
    #[must_use]
    pub const fn allows(self, needs: Needs) -> bool {
        match self {
            Self::Active => true,
            Self::Restricted => matches!(needs, Needs::ToLook | Needs::ToManage),
            Self::Suspended | Self::Closing => matches!(needs, Needs::ToLook),
            Self::Pending | Self::Closed => false,
        }
    }

    /// What an account of this status can still do.
    #[must_use]
    pub const fn remains(self) -> &'static str {
        match self {
            Self::Active => "it can do everything",
            Self::Restricted => "it can read, cancel runs, pay and manage its keys, and start or change nothing else",
            Self::Suspended | Self::Closing => "it can read and cancel runs, and change nothing else",
            Self::Pending => "it can do nothing until its email address is confirmed by the link that was sent there",
            Self::Closed => "it can do nothing any more",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A status that this release doesn't know.
#[derive(Debug, thiserror::Error)]
#[error("the unknown account status `{0}`")]
pub struct UnknownStatus(String);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}
