//! Scopes: what the owner of a key lets it do. Rights: what a handler asks a caller for.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::status::Needs;
use crate::words::words;

words! {
    /// One thing that a key may do.
    Scope {
        /// Everything, what later releases add too.
        Everything = "*",
        /// See agents and deployments.
        AgentsRead = "agents:read",
        /// Upload agents, and change deployments. One that binds a credential needs `credentials:write` too.
        AgentsWrite = "agents:write",
        /// Start and cancel runs.
        RunsCreate = "runs:create",
        /// See runs, their inputs, outputs and logs, and what requests were made.
        RunsRead = "runs:read",
        /// See credentials, without their secrets, and the audit of their use.
        CredentialsRead = "credentials:read",
        /// Set and delete credentials, and bind them to deployments.
        CredentialsWrite = "credentials:write",
        /// See the balance, what moved it, receipts and statements.
        BillingRead = "billing:read",
        /// Buy credits.
        Billing = "billing",
        /// Make, rotate and revoke API keys; none stronger than itself.
        Keys = "keys",
        /// Change the account: its address, its settings.
        Account = "account",
    }
}

impl Scope {
    /// Every scope but `*`.
    pub const EACH: &[Self] = Self::ALL.split_at(1).1;
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A scope that there is not.
#[derive(Debug, thiserror::Error)]
#[error("there is no scope `{given}`; there are: *, {}", Scope::EACH.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "))]
pub struct UnknownScope {
    given: String,
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let found = Self::EACH.iter().copied().chain([Self::Everything]).find(|scope| scope.as_str() == text);
        found.ok_or_else(|| UnknownScope { given: text.to_owned() })
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u32);

impl Scopes {
    /// Every scope, those of later releases too.
    pub const EVERYTHING: Self = Self(u32::MAX);

    /// True when the scope, or `*`, is in the set.
    #[must_use]
    pub const fn contain(self, scope: Scope) -> bool {
        self.0 & bits(scope) == bits(scope)
    }

    /// True when the set allows nothing that the other doesn't.
    #[must_use]
    pub const fn are_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// True when the set allows nothing.
    #[must_use]
    pub const fn are_none(self) -> bool {
        self.0 == 0
    }

    fn each(self) -> Vec<Scope> {
        if self == Self::EVERYTHING {
            return vec![Scope::Everything];
        }
        Scope::EACH.iter().copied().filter(|scope| self.contain(*scope)).collect()
    }
}

const fn bits(scope: Scope) -> u32 {
    // Everything is the first variant; the bit of each other is its place behind it.
    match scope {
        Scope::Everything => u32::MAX,
        scope => 1 << (scope as u32 - 1),
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | bits(scope)))
    }
}

/// The words, with spaces between them, as OAuth writes them.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.each().into_iter().map(Scope::as_str).collect();
        f.write_str(&words.join(" "))
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        text.split_whitespace().map(str::parse::<Scope>).collect()
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.each().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        words.iter().map(|word| word.parse::<Scope>()).collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

/// What a handler asks of its caller: a scope of its key, and a status of its account.
pub trait Right: Send + Sync + 'static {
    /// The scope; none where any key will do.
    const SCOPE: Option<Scope>;
    /// What the account's status must allow.
    const NEEDS: Needs;
}

macro_rules! rights {
    ($( $(#[$doc:meta])* $name:ident: $scope:expr, $needs:ident; )+) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Right for $name {
            const SCOPE: Option<Scope> = $scope;
            const NEEDS: Needs = Needs::$needs;
        }
    )+ };
}

rights! {
    /// To be told who one is.
    KnowMyself: None, ToLook;
    /// To make a key useless; another than itself asks for `keys`.
    RevokeKeys: None, ToLook;
    /// To see agents and deployments.
    ReadAgents: Some(Scope::AgentsRead), ToLook;
    /// To upload agents, and change deployments.
    WriteAgents: Some(Scope::AgentsWrite), ToWork;
    /// To start runs.
    StartRuns: Some(Scope::RunsCreate), ToWork;
    /// To cancel runs.
    CancelRuns: Some(Scope::RunsCreate), ToLook;
    /// To see runs.
    ReadRuns: Some(Scope::RunsRead), ToLook;
    /// To see credentials and their use.
    ReadCredentials: Some(Scope::CredentialsRead), ToLook;
    /// To set credentials.
    WriteCredentials: Some(Scope::CredentialsWrite), ToWork;
    /// To see money.
    ReadBilling: Some(Scope::BillingRead), ToLook;
    /// To buy credits.
    Pay: Some(Scope::Billing), ToManage;
    /// To see keys.
    ReadKeys: Some(Scope::Keys), ToLook;
    /// To make keys.
    MakeKeys: Some(Scope::Keys), ToManage;
    /// To change the account.
    ChangeAccount: Some(Scope::Account), ToManage;
    /// To have a copy of everything.
    ExportData: Some(Scope::Account), ToLook;
    /// To say what may be done with the account's data.
    DecideOnData: Some(Scope::Account), ToLook;
    /// To ask the operator something, and read the answers.
    AskForHelp: Some(Scope::Account), ToLook;
    /// To delete the account, and to think again.
    CloseAccount: Some(Scope::Account), ToLook;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_survives_its_word_and_is_within_everything() {
        for scope in Scope::EACH.iter().copied().chain([Scope::Everything]) {
            assert_eq!(scope.as_str().parse::<Scope>().unwrap(), scope);
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
            let alone = Scopes::from_iter([scope]);
            assert_eq!(alone.to_string().parse::<Scopes>().unwrap(), alone);
            assert!(alone.contain(scope) && alone.are_within(Scopes::EVERYTHING));
        }
    }

    #[test]
    fn all_of_todays_scopes_are_not_everything() {
        let today: Scopes = Scope::EACH.iter().copied().collect();
        assert!(!today.contain(Scope::Everything) && !Scopes::EVERYTHING.are_within(today));
    }

    #[test]
    fn a_scope_holds_no_other() {
        for scope in Scope::EACH {
            let alone = Scopes::from_iter([*scope]);
            assert!(Scope::EACH.iter().all(|other| alone.contain(*other) == (other == scope)));
        }
    }
}
