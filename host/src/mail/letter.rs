//! What letters say. Each is one variant, with what it needs to say it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::content::Content;
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
    /// The account is erased: the last letter.
    AccountErased {
        /// By what the operator finds the certificate again.
        erasure: String,
        /// What was erased, and what is kept.
        certificate: Certificate,
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

const NOT_YOU: &str = "If this was not you, do nothing: nothing happens without the link.";
const NOT_YOU_REVOKE: &str = "If this was not you, revoke the key at once (`aaasp keys revoke`) and look at what it did \
    (`aaasp requests`).";

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
            Self::AccountErased { .. } => "account_erased",
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

    /// What it says.
    pub(super) fn content(&self) -> Content {
        self.about_access()
            .or_else(|| self.about_money())
            .or_else(|| self.about_the_end())
            .unwrap_or_else(|| self.about_the_rest())
    }

    fn about_access(&self) -> Option<Content> {
        let soon = |minutes: &u32| format!("The link works once, within {minutes} minutes.");
        Some(match self {
            Self::Confirmation { link, minutes } => Content::new("Confirm your email address")
                .says("Somebody, probably you, asked for an account with this address.")
                .action("Confirm the address", link)
                .says(soon(minutes))
                .says(NOT_YOU),
            Self::Invitation { link, days } => Content::new("You are invited")
                .says("The operator has made an account for this address.")
                .action("Accept, and get a key", link)
                .says(format!("The link works once, within {days} days.")),
            Self::SignIn { link, minutes } => Content::new("Your link to a new API key")
                .says("Somebody, probably you, asked for an account with this address, which has one already.")
                .says("If you have lost your keys, this link makes another one:")
                .action("Make a new key", link)
                .says(soon(minutes))
                .says(NOT_YOU),
            Self::NewSignIn { key, at } => Content::new("A new API key was made by a link that we sent you")
                .says("The link in a letter to this address was used to make a key that may do everything.")
                .fact("Key", key)
                .fact("When", at.rfc3339())
                .says(NOT_YOU_REVOKE),
            Self::EmailChangeOld { link, email, minutes } => Content::new("Confirm your new email address")
                .says("Your account is about to get another address. It changes once both addresses have confirmed it.")
                .fact("New address", email)
                .action("Confirm the change", link)
                .says(soon(minutes))
                .says("If this was not you, do nothing, and revoke the key that asked for it."),
            Self::EmailChangeNew { link, minutes } => Content::new("Confirm your new email address")
                .says("An account is about to get this address. It changes once both addresses have confirmed it.")
                .action("Confirm the change", link)
                .says(soon(minutes))
                .says(NOT_YOU),
            Self::EmailChanged { email } => Content::new("Your email address has changed")
                .says("Both addresses have confirmed it. Letters go to the new address from now on.")
                .fact("New address", email),
            Self::KeyCreated { name, scopes } => Content::new("An API key was made")
                .says("Your account has a new API key.")
                .fact("Key", name)
                .fact("May do", scopes)
                .says(NOT_YOU_REVOKE),
            Self::KeyRevoked { name } => Content::new("An API key was revoked")
                .says("A key of your account works no longer, on no host.")
                .fact("Key", name),
            Self::DataLookedAt { at, until, contents } => Content::new("An operator looked at your data")
                .says("An operator of this service looked at what your account has.")
                .fact("When", at.rfc3339())
                .fact("May look until", until.rfc3339())
                .fact("Inputs, outputs and logs", if *contents { "may be looked at, too" } else { "are not shown" })
                .says("Your account shows why, and each thing that was looked at: `aaasp account accesses`."),
            Self::CredentialFirstUsed { credential, deployment } => {
                Content::new("A credential was used for the first time")
                    .says("A deployment of your account has used a credential that it had not used before.")
                    .fact("Credential", credential)
                    .fact("Deployment", deployment)
                    .says("Each use is in the audit: `aaasp audit`.")
            }
            _ => return None,
        })
    }

    fn about_money(&self) -> Option<Content> {
        Some(match self {
            Self::Receipt { top_up, paid, credits, available } => Content::new("Receipt")
                .says("Thank you. Your payment has arrived, and your credits can be spent.")
                .fact("Paid", paid)
                .fact("Credits", credits)
                .fact("Available now", available)
                .fact("Top-up", top_up)
                .says("The invoice comes from the payment processor."),
            Self::PaymentFailed { top_up, amount, reason } => Content::new("A payment failed")
                .says("Nothing was charged, and no credits were added.")
                .fact("Amount", amount)
                .fact("Why", reason)
                .fact("Top-up", top_up)
                .says("To try again, make another top-up: `aaasp credits buy`."),
            Self::Refunded { top_up, credits, debt } => {
                let content = Content::new("A payment was given back")
                    .says("The credits that it bought were taken out of your balance.")
                    .fact("Credits", credits)
                    .fact("Top-up", top_up);
                if *debt == Microcredits::ZERO {
                    content
                } else {
                    content
                        .fact("Still owed", debt)
                        .says("Some of them were spent already. The next top-up pays that first; until then no run starts.")
                }
            }
            Self::AutoTopUpOff { reason } => Content::new("Automatic top-ups are off")
                .says("Your account buys no credits by itself any more.")
                .fact("Why", reason)
                .says("To have it do so again: `aaasp credits auto set`. To buy credits once: `aaasp credits buy`."),
            Self::LowBalance { available, threshold } => Content::new("Your balance is low")
                .says("Runs are refused when the balance does not cover the most that they may cost.")
                .fact("Available", available)
                .fact("You are told below", threshold)
                .says("To buy credits: `aaasp credits buy`. To be told at another balance, or never: `aaasp account set`."),
            _ => return None,
        })
    }

    fn about_the_end(&self) -> Option<Content> {
        Some(match self {
            Self::Deletion { link, minutes, days } => Content::new("Delete your account")
                .says("Somebody, probably you, asked for your account to be deleted, with all that it has.")
                .action("Delete the account", link)
                .says(format!("The link works once, within {minutes} minutes. You can think again for {days} days."))
                .says("If this was not you, do nothing, and revoke the key that asked for it."),
            Self::AccountClosing { until } => Content::new("Your account is being deleted")
                .says("No runs start any more, and everything is erased at the moment below.")
                .fact("Erased on", until.rfc3339())
                .says("To keep it until then: `aaasp account keep`."),
            Self::AccountKept => Content::new("Your account is kept")
                .says("You thought again: nothing is erased, and everything works as before."),
            Self::AccountErased { erasure, certificate } => {
                let content = Content::new("Your account is erased")
                    .says("This is the last letter: your address is deleted once it is sent.")
                    .fact("Certificate", erasure)
                    .fact("When", "with this letter");
                let content = rows(content, "Deleted", &certificate.erased);
                rows(content, "Kept", &certificate.kept).says(&certificate.kept_why)
            }
            _ => return None,
        })
    }

    fn about_the_rest(&self) -> Content {
        match self {
            Self::PolicyChange { from, summary, link } => {
                Content::new("The policy changes").says(summary).fact("From", from.rfc3339()).action("Read it", link)
            }
            Self::Announcement { subject, text, .. } => text.iter().fold(Content::new(subject), Content::says),
            _ => Content::new(self.kind()),
        }
    }
}

/// How many rows of each table.
fn rows(content: Content, what: &str, tables: &BTreeMap<String, u64>) -> Content {
    let list: Vec<_> = tables.iter().map(|(table, rows)| format!("{table} ({rows})")).collect();
    let list = if list.is_empty() { "nothing".to_owned() } else { list.join(", ") };
    content.fact(what, list)
}
