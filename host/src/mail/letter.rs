//! Letters. Each is one variant, with what it needs to say what it says.

mod says;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Micros;
use crate::db::erasures::Certificate;
use crate::ledger::Microcredits;

/// A letter to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Letter {
    /// Somebody signed up with the address.
    Confirmation {
        /// Confirms it.
        link: String,
        /// How long the link works, in minutes.
        minutes: u32,
    },
    /// The operator made an account for the address.
    Invitation {
        /// Accepts it.
        link: String,
        /// How long the link works, in days.
        days: u32,
    },
    /// Somebody signed up again, or lost every key.
    SignIn {
        /// Makes another key.
        link: String,
        /// How long the link works, in minutes.
        minutes: u32,
    },
    /// A key was made by a link that was sent.
    NewSignIn {
        /// What the key is called.
        key: String,
        /// When.
        at: Micros,
    },
    /// The account's address is about to change; to the old one.
    EmailChangeOld {
        /// Confirms it.
        link: String,
        /// The new address.
        email: String,
        /// How long the link works, in minutes.
        minutes: u32,
    },
    /// The account's address is about to change; to the new one.
    EmailChangeNew {
        /// Confirms it.
        link: String,
        /// How long the link works, in minutes.
        minutes: u32,
    },
    /// The account's address has changed; to the old one.
    EmailChanged {
        /// The new address.
        email: String,
    },
    /// A top-up was paid.
    Receipt {
        /// The top-up.
        top_up: String,
        /// What was paid, as it is written: `12.00 EUR`.
        paid: String,
        /// What it bought.
        credits: Microcredits,
        /// What can be spent now.
        available: Microcredits,
    },
    /// A top-up was not paid.
    PaymentFailed {
        /// The top-up.
        top_up: String,
        /// What should have been paid, as it is written.
        amount: String,
        /// Why, as the processor says it.
        reason: String,
    },
    /// A payment was given back, or taken back by a dispute.
    Refunded {
        /// The top-up.
        top_up: String,
        /// Credits that went with it.
        credits: Microcredits,
        /// What could not be taken, and is paid first by the next top-up.
        debt: Microcredits,
    },
    /// Credits are not bought by themselves any more, though nobody asked for that.
    AutoTopUpOff {
        /// Why.
        reason: String,
    },
    /// The balance fell below the account's threshold.
    LowBalance {
        /// What is left.
        available: Microcredits,
        /// The threshold.
        threshold: Microcredits,
    },
    /// An API key was made.
    KeyCreated {
        /// What it is called.
        name: String,
        /// What it may do.
        scopes: String,
    },
    /// An API key was revoked.
    KeyRevoked {
        /// What it is called.
        name: String,
    },
    /// An operator looked at what the account has: once for each access.
    DataLookedAt {
        /// When.
        at: Micros,
        /// Until when the access lasts.
        until: Micros,
        /// Whether it is to contents, too.
        contents: bool,
    },
    /// A deployment used a credential for the first time.
    CredentialFirstUsed {
        /// The credential.
        credential: String,
        /// The deployment.
        deployment: String,
    },
    /// Somebody asked for the account to be deleted.
    Deletion {
        /// Deletes it.
        link: String,
        /// How long the link works, in minutes.
        minutes: u32,
        /// How long its owner can think again afterwards, in days.
        days: u32,
    },
    /// The account was deleted, and is erased later.
    AccountClosing {
        /// Until when its owner can think again.
        until: Micros,
    },
    /// The account's owner thought again.
    AccountKept,
    /// The copy that the account asked for is ready.
    ExportReady {
        /// Downloads it, once.
        link: String,
        /// Until when it is there.
        until: Micros,
    },
    /// The account is erased: the last letter.
    AccountErased {
        /// By what the operator finds the certificate again.
        erasure: String,
        /// What was erased, and what is kept.
        certificate: Certificate,
    },
    /// An account is erased of which somebody else holds a copy; to the operator, who tells them.
    EraseElsewhere {
        /// By what the operator finds the certificate again.
        erasure: String,
        /// Who holds the copy.
        recipient: String,
        /// What they hold.
        holds: String,
        /// By what they find it; ids of theirs, and ours that they were told.
        references: Vec<String>,
    },
    /// The protection of data was breached; to the authority.
    BreachAuthority {
        /// By what the operator finds it again.
        breach: String,
        /// What is notified, by paragraphs.
        text: Vec<String>,
    },
    /// The protection of the account's data was breached.
    Breach {
        /// By what the operator finds it again.
        breach: String,
        /// What happened.
        facts: String,
        /// What it concerns.
        concerned: String,
        /// What it may mean, and what to do.
        advice: String,
        /// Where questions go.
        contact: String,
    },
    /// An operator answers what was asked.
    SupportAnswer {
        /// By what it is found again.
        thread: String,
        /// What it is about.
        about: String,
        /// Paragraphs.
        text: Vec<String>,
    },
    /// An owner asks something; to the operator.
    SupportAsked {
        /// By what it is found again.
        thread: String,
        /// Who asks.
        account: String,
        /// What it is about.
        about: String,
        /// Paragraphs.
        text: Vec<String>,
    },
    /// What was asked for about the account's data takes longer.
    RequestExtended {
        /// By what the operator finds it again.
        request: String,
        /// What was asked for.
        asked: String,
        /// Why, as the operator says it.
        because: String,
    },
    /// What was asked for about the account's data is done, or refused.
    RequestAnswered {
        /// By what the operator finds it again.
        request: String,
        /// What was asked for.
        asked: String,
        /// `done` or `refused`.
        answer: String,
        /// What was done, or why not, as the operator says it.
        because: String,
    },
    /// The privacy policy or the terms change.
    PolicyChange {
        /// From when on.
        from: Micros,
        /// What changes, in a sentence or two.
        summary: String,
        /// Where it stands.
        link: String,
    },
    /// Anything else that the operator wants to tell, which nobody has to be told.
    Announcement {
        /// The subject.
        subject: String,
        /// Paragraphs.
        text: Vec<String>,
        /// Where whoever does not want any more says so.
        unsubscribe: String,
    },
}

impl Letter {
    /// The kind, as the database and the operator's list have it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Confirmation { .. } => "confirmation",
            Self::Invitation { .. } => "invitation",
            Self::SignIn { .. } => "sign_in",
            Self::NewSignIn { .. } => "new_sign_in",
            Self::EmailChangeOld { .. } => "email_change_old",
            Self::EmailChangeNew { .. } => "email_change_new",
            Self::EmailChanged { .. } => "email_changed",
            Self::Receipt { .. } => "receipt",
            Self::PaymentFailed { .. } => "payment_failed",
            Self::Refunded { .. } => "refunded",
            Self::AutoTopUpOff { .. } => "auto_top_up_off",
            Self::LowBalance { .. } => "low_balance",
            Self::KeyCreated { .. } => "key_created",
            Self::KeyRevoked { .. } => "key_revoked",
            Self::DataLookedAt { .. } => "data_looked_at",
            Self::CredentialFirstUsed { .. } => "credential_first_used",
            Self::Deletion { .. } => "deletion",
            Self::AccountClosing { .. } => "account_closing",
            Self::AccountKept => "account_kept",
            Self::ExportReady { .. } => "export_ready",
            Self::AccountErased { .. } => "account_erased",
            Self::EraseElsewhere { .. } => "erase_elsewhere",
            Self::BreachAuthority { .. } => "breach_authority",
            Self::Breach { .. } => "breach",
            Self::SupportAnswer { .. } => "support_answer",
            Self::SupportAsked { .. } => "support_asked",
            Self::RequestExtended { .. } => "request_extended",
            Self::RequestAnswered { .. } => "request_answered",
            Self::PolicyChange { .. } => "policy_change",
            Self::Announcement { .. } => "announcement",
        }
    }

    /// Whether somebody waits for the link that it carries, which works for minutes.
    pub(super) const fn is_waited_for(&self) -> bool {
        matches!(
            self,
            Self::Confirmation { .. }
                | Self::Invitation { .. }
                | Self::SignIn { .. }
                | Self::EmailChangeOld { .. }
                | Self::EmailChangeNew { .. }
                | Self::Deletion { .. }
        )
    }

    /// Where whoever does not want such letters says so; none for those that belong to the account itself.
    #[must_use]
    pub fn unsubscribe(&self) -> Option<&str> {
        match self {
            Self::Announcement { unsubscribe, .. } => Some(unsubscribe),
            _ => None,
        }
    }
}
