//! An entry: what it says, how its content is kept apart, and how it is chained.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::Micros;
use crate::db::DbError;
use crate::ids::{AccessId, AccountId, ActId, ApiKeyId, OperatorKeyId};
use crate::ledger::Microcredits;
use crate::vault::{DataKey, Place, RowSeal};
use crate::words::words;

/// The table that contents are bound to.
const TABLE: &str = "audit_contents";

/// The word of an owner.
const OWNER: &str = "owner";

/// The word of the service itself.
const SYSTEM: &str = "system";

words! {
    /// What was done.
    Act {
        /// An operator made an account.
        Create = "create",
        /// An operator invited somebody.
        Invite = "invite",
        /// An operator gave credits.
        Grant = "grant",
        /// An operator corrected a balance.
        Adjust = "adjust",
        /// An operator gave back what was paid.
        Refund = "refund",
        /// The processor refused what an operator wanted to give back.
        RefundRefused = "refund_refused",
        /// An operator set an account's status.
        Status = "status",
        /// An operator set a hold on an account. Why is with the hold, which is not for the account to know.
        SetHold = "set_hold",
        /// An operator lifted a hold.
        LiftHold = "lift_hold",
        /// An operator had a letter sent again.
        Resend = "resend",
        /// An operator compared payments with the processor's.
        Reconcile = "reconcile",
        /// An operator had the file read again.
        Reload = "reload",
        /// An operator gave a data key another version.
        RotateDataKey = "rotate_data_key",
        /// An operator added a master key.
        RotateMasterKey = "rotate_master_key",
        /// An operator removed master keys.
        RetireMasterKeys = "retire_master_keys",
        /// A key of an operator was made.
        CreateOperatorKey = "create_operator_key",
        /// An operator revoked a key of an operator.
        RevokeOperatorKey = "revoke_operator_key",
        /// An operator opened an access to what an account has.
        Access = "access",
        /// An operator looked at something of an account.
        Look = "look",
        /// An operator had news written to those who want them.
        Announce = "announce",
        /// An operator said what changed in the policy.
        Policy = "policy",
        /// An operator entered a request about rights.
        RightsOpen = "rights_open",
        /// An operator found out who asks.
        RightsIdentify = "rights_identify",
        /// An operator put a request about rights off.
        RightsExtend = "rights_extend",
        /// An operator ended a request about rights.
        RightsClose = "rights_close",
        /// An operator closed a thread of support.
        SupportClose = "support_close",
        /// An operator noted a breach.
        BreachOpen = "breach_open",
        /// An operator said whom a breach concerns.
        BreachScope = "breach_scope",
        /// An operator had those written to whom a breach concerns.
        BreachNotify = "breach_notify",
        /// An operator told the authority of a breach.
        BreachAuthority = "breach_authority",
        /// An operator ended a breach.
        BreachClose = "breach_close",
        /// An owner confirmed the address of a new account.
        Open = "open",
        /// An owner made a key by a link.
        SignIn = "sign_in",
        /// An owner made a key.
        CreateKey = "create_key",
        /// An owner revoked a key.
        RevokeKey = "revoke_key",
        /// An owner asked for another address.
        AskEmail = "ask_email",
        /// An owner's address changed, which both addresses confirmed.
        ChangeEmail = "change_email",
        /// An owner set when to be warned of a low balance.
        LowBalance = "low_balance",
        /// An owner set what may be spent in a day.
        DailySpend = "daily_spend",
        /// An owner had credits bought when the balance falls.
        SetAutoTopUp = "set_auto_top_up",
        /// An owner had no more credits bought by themselves.
        EndAutoTopUp = "end_auto_top_up",
        /// An owner had the data kept and not worked with.
        Restrict = "restrict",
        /// An owner had the data worked with again.
        LiftRestriction = "lift_restriction",
        /// An owner objected to the use being analysed.
        Object = "object",
        /// An owner let the use be analysed again.
        WithdrawObjection = "withdraw_objection",
        /// An owner said yes or no to something.
        Consent = "consent",
        /// An owner asked for a copy of everything.
        Export = "export",
        /// An owner made a link that downloads the copy.
        ExportLink = "export_link",
        /// An owner asked for the account to be deleted.
        AskDeletion = "ask_deletion",
        /// An owner confirmed that the account is deleted.
        Close = "close",
        /// An owner kept the account.
        Keep = "keep",
        /// An account was erased.
        Erase = "erase",
        /// The server was restored from a backup.
        Restore = "restore",
    }
}

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An operator, with a key.
    Operator(OperatorKeyId),
    /// The owner of the account, whose key the content names.
    Owner,
    /// The service itself.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(key) => key.fmt(f),
            Self::Owner => f.write_str(OWNER),
            Self::System => f.write_str(SYSTEM),
        }
    }
}

impl FromStr for Actor {
    type Err = crate::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            OWNER => Ok(Self::Owner),
            SYSTEM => Ok(Self::System),
            key => key.parse().map(Self::Operator),
        }
    }
}

/// What an entry is about: all that could name anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it was done to, what it made, or what was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// How many credits it was about; below zero when they were taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Microcredits>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The key that an owner did it with; none where it was a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKeyId>,
    /// The access that an operator looks under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessId>,
    /// Whether it is to contents, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<bool>,
    /// Until when it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Micros>,
}

impl Facts {
    /// Nothing but what it was done to.
    #[must_use]
    pub fn of(subject: impl ToString) -> Self {
        Self { subject: Some(subject.to_string()), ..Self::default() }
    }

    /// The same, done with an owner's key.
    #[must_use]
    pub fn with_key(self, key: ApiKeyId) -> Self {
        Self { api_key: Some(key), ..self }
    }
}

/// An entry to add. Its place in the chain is found when its commit is.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Its id.
    pub id: ActId,
    /// When it was done.
    pub at: Micros,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub act: Act,
    /// What it is about.
    pub content: Content,
}

/// What an entry is about, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The account, if it is about one.
    pub account: Option<String>,
    /// Without it nobody can try what the digest is of.
    pub salt: Vec<u8>,
    /// JSON, sealed under the account's data key.
    pub sealed: Option<Vec<u8>>,
    /// JSON, where it is about no account.
    pub open: Option<String>,
}

impl NewEntry {
    /// An entry, about an account whose data key seals what it says, or about none.
    ///
    /// # Errors
    /// [`DbError`] when there is no randomness to be had.
    pub fn new(
        (actor, act, at): (Actor, Act, Micros),
        about: Option<(AccountId, &DataKey)>,
        facts: &Facts,
    ) -> Result<Self, DbError> {
        let id = ActId::generate();
        let text = serde_json::to_string(facts).map_err(DbError::corrupt)?;
        let mut salt = vec![0; 32];
        getrandom::fill(&mut salt).map_err(|_| DbError::corrupt("the operating system gave no randomness"))?;
        let content = match about {
            Some((account, key)) => {
                let sealed =
                    seal(account, key, id)?.seal("content", text.as_bytes()).map_err(DbError::sealed(TABLE))?;
                Content { account: Some(account.to_string()), salt, sealed: Some(sealed), open: None }
            }
            None => Content { account: None, salt, sealed: None, open: Some(text) },
        };
        Ok(Self { id, at, actor, act, content })
    }
}

impl Content {
    /// What an entry keeps of it for ever.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(&self.salt);
        for part in [
            self.account.as_ref().map(String::as_bytes),
            self.sealed.as_deref(),
            self.open.as_ref().map(String::as_bytes),
        ] {
            // None is not the same as empty, and no part can run into the next.
            hasher.update(part.map_or(-1, |part| part.len() as i64).to_be_bytes());
            hasher.update(part.unwrap_or_default());
        }
        hasher.finalize().into()
    }

    /// What it says, opened with the account's data key where there is one.
    ///
    /// # Errors
    /// [`DbError`] when it doesn't open.
    pub fn facts(&self, id: ActId, about: Option<(AccountId, &DataKey)>) -> Result<Facts, DbError> {
        match (&self.sealed, &self.open, about) {
            (Some(sealed), _, Some((account, key))) => {
                let text = seal(account, key, id)?.open("content", sealed).map_err(DbError::sealed(TABLE))?;
                serde_json::from_slice(&text).map_err(DbError::corrupt)
            }
            (None, Some(text), _) => serde_json::from_str(text).map_err(DbError::corrupt),
            _ => Ok(Facts::default()),
        }
    }
}

fn seal(account: AccountId, key: &DataKey, id: ActId) -> Result<RowSeal, DbError> {
    key.row(Place { account, table: TABLE, row: &id.to_string() }).map_err(DbError::sealed(TABLE))
}

/// The end of the chain, or any place in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// How many entries there are up to here.
    pub position: i64,
    /// SHA-256 over the place before and the last entry.
    pub chain: [u8; 32],
}

/// What of an entry is chained, besides its position.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// When it was done.
    pub at: Micros,
    /// Its id, who did it, and what was done.
    pub words: [&'a str; 3],
    /// The digest of its content.
    pub digest: &'a [u8],
}

impl End {
    /// The end after one more entry.
    #[must_use]
    pub fn followed_by(&self, link: &Link<'_>) -> Self {
        let position = self.position + 1;
        let mut hasher = Sha256::new();
        hasher.update(self.chain);
        for number in [position, link.at.0] {
            hasher.update(number.to_be_bytes());
        }
        for part in link.words.iter().map(|word| word.as_bytes()).chain([link.digest]) {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self { position, chain: hasher.finalize().into() }
    }
}

/// An entry as it is stored, whatever was done to it since.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the chain.
    pub position: i64,
    /// Its id.
    pub id: String,
    /// When it was done.
    pub at: Micros,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub act: String,
    /// The digest of its content.
    pub digest: Vec<u8>,
    /// The chain up to here.
    pub chain: Vec<u8>,
    /// Its content, until it is erased.
    pub content: Option<Content>,
}

impl Entry {
    /// What of it is chained.
    #[must_use]
    pub fn link(&self) -> Link<'_> {
        Link { at: self.at, words: [&self.id, &self.actor, &self.act], digest: &self.digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_entry_do_not_run_into_each_other() {
        let link = |words| Link { at: Micros(1), words, digest: &[0; 32] };
        let after = |words| End::default().followed_by(&link(words));
        assert_ne!(after(["ab", "c", ""]), after(["a", "bc", ""]));
        assert_ne!(after(["ab", "c", ""]), after(["ab", "", "c"]));
        let content = |account: Option<&str>, open: Option<&str>| Content {
            account: account.map(str::to_owned),
            salt: vec![1; 32],
            sealed: None,
            open: open.map(str::to_owned),
        };
        assert_ne!(content(Some("a"), None).digest(), content(None, Some("a")).digest());
        assert_ne!(content(None, None).digest(), content(None, Some("")).digest());
    }

    #[test]
    fn an_actor_survives_its_text() {
        for actor in [Actor::Operator(OperatorKeyId::generate()), Actor::Owner, Actor::System] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        assert!("key_01h455vb4pex5vsknk084sn02q".parse::<Actor>().is_err());
    }
}
