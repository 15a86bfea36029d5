//! What an account's status lets its callers do.

use std::fmt;
use std::str::FromStr;

use crate::words::words;

words! {
    /// The status of an account.
    #[schema(as = AccountStatus)]
    Status {
        /// Signed up; the email address is not confirmed, and there is no key yet.
        Pending = "pending",
        /// Everything works.
        Active = "active",
        /// Its owner or an operator asked for its data to be kept and not worked with: no run starts or goes on, nothing is
        /// bought by itself, and nothing is deleted because of its age.
        Restricted = "restricted",
        /// The operator stopped it; it can see what it has.
        Suspended = "suspended",
        /// Its owner deleted it; it is gone when the time to think again is over.
        Closing = "closing",
        /// Deleted.
        Closed = "closed",
    }
}

words! {
    /// What a request needs of an account, besides the right of its key.
    Needs {
        /// To be told what is there, and to stop what goes on.
        ToLook = "look",
        /// To manage the account itself: keys, payments, its address.
        ToManage = "manage",
        /// To have work done.
        ToWork = "work",
    }
}

impl Status {
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
        let found = Self::of_word(text);
        found.ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}
