//! What letters say.

use std::collections::BTreeMap;

use super::Letter;
use crate::ledger::Microcredits;
use crate::mail::content::Content;

const NOT_YOU: &str = "If this was not you, do nothing: nothing happens without the link.";
const NOT_YOU_REVOKE: &str = "If this was not you, revoke the key at once (`aaasp keys revoke`) and look at what it did \
    (`aaasp requests`).";

const COMPLAIN: &str = "If you don't agree, write to us, or complain to a data protection authority.";

impl Letter {
    /// What it says.
    pub(in crate::mail) fn content(&self) -> Content {
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
            Self::ExportReady { link, until } => Content::new("The copy of your data is ready")
                .says("You asked for a copy of everything that is kept about your account.")
                .action("Download it", link)
                .fact("There until", until.rfc3339())
                .says("The link works once. For another one: `aaasp account export`.")
                .says("If this was not you, revoke the key that asked for it (`aaasp keys revoke`)."),
            Self::AccountErased { erasure, certificate } => {
                let content = Content::new("Your account is erased")
                    .says("This is the last letter: your address is deleted once it is sent.")
                    .fact("Certificate", erasure)
                    .fact("When", "with this letter");
                let content = rows(content, "Deleted", &certificate.erased);
                let content = rows(content, "Kept", &certificate.kept);
                let content = if certificate.told.is_empty() {
                    content
                } else {
                    content.fact("Asked to erase it too", certificate.told.join(", "))
                };
                content.says(&certificate.kept_why)
            }
            Self::BreachAuthority { breach, text } => text
                .iter()
                .fold(Content::new(format!("Notification of a personal data breach: {breach}")), Content::says),
            Self::EraseElsewhere { erasure, recipient, holds, references } => {
                let content = Content::new(format!("Have an account erased by {recipient}"))
                    .says(
                        "An account is erased. Whoever was given data of it has to be told so that they erase it too, \
                         unless the law has them keep it (GDPR, Article 19). Please tell this recipient.",
                    )
                    .fact("Recipient", recipient)
                    .fact("What it holds", holds);
                let content = if references.is_empty() {
                    content
                } else {
                    content.fact("By what it finds it", references.join(", "))
                };
                content.fact("Certificate", erasure)
            }
            _ => return None,
        })
    }

    fn about_the_rest(&self) -> Content {
        match self {
            Self::Breach { breach, facts, concerned, advice, contact } => Content::new("Your data: something happened")
                .says("The protection of data of your account was breached. This is what we know.")
                .fact("What happened", facts)
                .fact("What it concerns", concerned)
                .fact("What it may mean, and what to do", advice)
                .fact("Questions to", contact)
                .fact("Reference", breach)
                .says(COMPLAIN),
            Self::SupportAnswer { thread, about, text } => text
                .iter()
                .fold(Content::new(format!("Re: {about}")).fact("About", about), Content::says)
                .says(format!("To say more: aaasp support say {thread}")),
            Self::SupportAsked { thread, account, about, text } => text
                .iter()
                .fold(
                    Content::new(format!("Asked: {about}")).fact("About", about).fact("Account", account),
                    Content::says,
                )
                .says(format!("To answer: aaasp admin support answer {thread}")),
            Self::RequestExtended { request, asked, because } => Content::new("Your request takes longer")
                .says("What you asked for about your data is not done yet. It is answered within 60 more days.")
                .fact("Asked for", asked)
                .fact("Why it takes longer", because)
                .fact("Request", request)
                .says(COMPLAIN),
            Self::RequestAnswered { request, asked, answer, because } => Content::new("Your request is answered")
                .fact("Asked for", asked)
                .fact("Answer", answer)
                .fact("What was done, or why not", because)
                .fact("Request", request)
                .says(COMPLAIN),
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
