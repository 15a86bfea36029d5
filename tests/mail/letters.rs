//! What each letter is, as a real mail server receives it.

use std::collections::BTreeMap;

use aaasp::clock::{Clock, Micros};
use aaasp::config::{Config, Overrides};
use aaasp::db::erasures::Certificate;
use aaasp::db::letters;
use aaasp::folder::Folder;
use aaasp::host::Store;
use aaasp::ledger::Microcredits;
use aaasp::mail::{self, Letter as Wanted, Outbox, Transport};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::database::Database;
use crate::support::outbox::Letter;
use crate::support::smtp::{MailServer, PASSWORD};
use crate::support::until;

const LINK: &str = "https://agents.example.org/confirm/AbCdEfGh";

/// The letter that follows, so that a kind that is added and not written here does not compile.
fn following(letter: Option<&Wanted>) -> Option<Wanted> {
    let (link, minutes, at) = (LINK.to_owned(), 15, Micros(1_767_225_600_000_000));
    let (top_up, credits) = ("tup_01h455vb4pex5vsknk084sn02q".to_owned(), Microcredits(12_345_678));
    Some(match letter {
        None => Wanted::Confirmation { link, minutes },
        Some(Wanted::Confirmation { .. }) => Wanted::Invitation { link, days: 7 },
        Some(Wanted::Invitation { .. }) => Wanted::SignIn { link, minutes },
        Some(Wanted::SignIn { .. }) => Wanted::NewSignIn { key: "made by a link".to_owned(), at },
        Some(Wanted::NewSignIn { .. }) => Wanted::EmailChangeOld { link, email: "ada@example.net".to_owned(), minutes },
        Some(Wanted::EmailChangeOld { .. }) => Wanted::EmailChangeNew { link, minutes },
        Some(Wanted::EmailChangeNew { .. }) => Wanted::EmailChanged { email: "ada@example.net".to_owned() },
        Some(Wanted::EmailChanged { .. }) => {
            Wanted::Receipt { top_up, paid: "12.00 EUR".to_owned(), credits, available: credits }
        }
        Some(Wanted::Receipt { .. }) => {
            Wanted::PaymentFailed { top_up, amount: "12.00 EUR".to_owned(), reason: "card declined".to_owned() }
        }
        Some(Wanted::PaymentFailed { .. }) => Wanted::Refunded { top_up, credits, debt: Microcredits(1_500_000) },
        Some(Wanted::Refunded { .. }) => Wanted::AutoTopUpOff { reason: "a payment failed".to_owned() },
        Some(Wanted::AutoTopUpOff { .. }) => Wanted::LowBalance { available: credits, threshold: credits },
        Some(Wanted::LowBalance { .. }) => {
            Wanted::KeyCreated { name: "<b>laptop</b> & \u{1f511}".to_owned(), scopes: "runs:read".to_owned() }
        }
        Some(Wanted::KeyCreated { .. }) => Wanted::KeyRevoked { name: "laptop".to_owned() },
        Some(Wanted::KeyRevoked { .. }) => Wanted::DataLookedAt { at, until: at, contents: true },
        Some(Wanted::DataLookedAt { .. }) => {
            Wanted::CredentialFirstUsed { credential: "github".to_owned(), deployment: "issues".to_owned() }
        }
        Some(Wanted::CredentialFirstUsed { .. }) => Wanted::Deletion { link, minutes, days: 14 },
        Some(Wanted::Deletion { .. }) => Wanted::AccountClosing { until: at },
        Some(Wanted::AccountClosing { .. }) => Wanted::AccountKept,
        Some(Wanted::AccountKept) => Wanted::ExportReady { link, until: at },
        Some(Wanted::ExportReady { .. }) => {
            let erased = [("runs".to_owned(), 3)].into();
            let certificate =
                Certificate { erased, kept_why: "The law asks for it.".to_owned(), ..Certificate::default() };
            Wanted::AccountErased { erasure: "ers_01h455vb4pex5vsknk084sn02q".to_owned(), certificate }
        }
        Some(Wanted::AccountErased { .. }) => Wanted::EraseElsewhere {
            erasure: "ers_01h455vb4pex5vsknk084sn02q".to_owned(),
            recipient: "dodo".to_owned(),
            holds: "means of payment".to_owned(),
            references: vec!["pay_1".to_owned()],
        },
        Some(Wanted::EraseElsewhere { .. }) => Wanted::BreachAuthority {
            breach: "brc_01h455vb4pex5vsknk084sn02q".to_owned(),
            text: vec!["What happened: a backup was left in the open.".to_owned()],
        },
        Some(Wanted::BreachAuthority { .. }) => Wanted::Breach {
            breach: "brc_01h455vb4pex5vsknk084sn02q".to_owned(),
            facts: "A backup was left in the open.".to_owned(),
            concerned: "how to reach you".to_owned(),
            advice: "Rotate your keys.".to_owned(),
            contact: "privacy@example.org".to_owned(),
        },
        Some(Wanted::Breach { .. }) => Wanted::SupportAnswer {
            thread: "sup_01h455vb4pex5vsknk084sn02q".to_owned(),
            about: "a run that is stuck".to_owned(),
            text: vec!["It goes on.".to_owned(), "Bye & good luck.".to_owned()],
        },
        Some(Wanted::SupportAnswer { .. }) => Wanted::SupportAsked {
            thread: "sup_01h455vb4pex5vsknk084sn02q".to_owned(),
            account: "acc_01h455vb4pex5vsknk084sn02q".to_owned(),
            about: "a run that is stuck".to_owned(),
            text: vec!["It waits since noon.".to_owned()],
        },
        Some(Wanted::SupportAsked { .. }) => Wanted::RequestExtended {
            request: "rrq_01h455vb4pex5vsknk084sn02q".to_owned(),
            asked: "access".to_owned(),
            because: "There is much of it.".to_owned(),
        },
        Some(Wanted::RequestExtended { .. }) => Wanted::RequestAnswered {
            request: "rrq_01h455vb4pex5vsknk084sn02q".to_owned(),
            asked: "access".to_owned(),
            answer: "done".to_owned(),
            because: "A copy was sent.".to_owned(),
        },
        Some(Wanted::RequestAnswered { .. }) => {
            Wanted::PolicyChange { from: at, summary: "Logs are kept for 30 days.".to_owned(), link }
        }
        Some(Wanted::PolicyChange { .. }) => Wanted::Announcement {
            subject: "A new region\r\nBcc: everybody@example.org".to_owned(),
            text: vec!["There is one more.".to_owned()],
            unsubscribe: "https://agents.example.org/unsubscribe/AbCdEfGh".to_owned(),
        },
        Some(Wanted::Announcement { .. }) => return None,
    })
}

fn every_letter() -> Vec<Wanted> {
    std::iter::successors(following(None), |letter| following(Some(letter))).collect()
}

#[tokio::test]
async fn every_letter_arrives_over_starttls_as_plain_text_and_html() {
    arrives("starttls").await;
}

#[tokio::test]
async fn every_letter_arrives_over_tls_from_the_first_byte() {
    arrives("tls").await;
}

async fn arrives(tls: &'static str) {
    let server = MailServer::start(tls);
    let (folder, database) = (TempDir::new().unwrap(), Database::fresh().await);
    std::fs::write(folder.path().join("aaasp.toml"), server.config()).unwrap();
    let overrides =
        Overrides { database: database.as_ref().map(|database| database.url().into()), ..Overrides::default() };
    let config = Config::load(folder.path(), &overrides).unwrap();
    let values = config.values.mail.clone();
    let store = Store::open(Folder::take(folder.path()).unwrap(), config, Clock::System).await.unwrap();
    let first = store.first_account("ada@example.org", Microcredits::ZERO).await.unwrap().account;
    let account = store.accounts.load(first).await.unwrap().unwrap();

    let wanted = every_letter();
    for letter in &wanted {
        let letter = mail::sealed(first, &account.data_key, "ada@example.org", letter.clone(), Micros(1)).unwrap();
        store
            .db
            .write(move |tx| {
                let letter = letter.clone();
                Box::pin(async move { letters::put(tx, &letter).await })
            })
            .await
            .unwrap();
    }
    let transport = Transport::new(&values, folder.path(), Some(&PASSWORD.into())).unwrap();
    let outbox = Outbox::new(store.db.clone(), store.accounts.clone(), store.clock.clone(), transport);
    let stop = CancellationToken::new();
    let sending = tokio::spawn(outbox.do_duties(stop.clone()));
    let arrived = until("every letter", async || {
        let letters = server.letters();
        (letters.len() >= wanted.len()).then_some(letters)
    })
    .await;
    stop.cancel();
    sending.await.unwrap();
    assert_eq!(arrived.len(), wanted.len());

    let ids: BTreeMap<_, _> = arrived.iter().map(|letter| (letter.id.clone(), letter)).collect();
    assert_eq!(ids.len(), wanted.len(), "each has an id of its own");
    for (letter, wanted) in ids.values().zip(&wanted) {
        check(letter, wanted);
    }
}

/// What holds for every letter. Ids sort by the time of their making.
fn check(letter: &Letter, wanted: &Wanted) {
    assert_eq!(letter.to, "ada@example.org");
    assert!(letter.headers.contains("From: AAASP <agents@example.org>"), "{}", letter.headers);
    assert!(letter.headers.contains("Auto-Submitted: auto-generated"), "{}", letter.headers);
    assert!(!letter.headers.contains("\r\nBcc"), "{}", letter.headers);
    assert!(letter.text.starts_with(&letter.subject), "{}", letter.text);
    for text in facts(&serde_json::to_value(wanted).unwrap()) {
        let shown = text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;");
        assert!(letter.text.contains(&text), "{text} is not in {}", letter.text);
        assert!(letter.html.contains(&shown), "{shown} is not in {}", letter.html);
    }
    let may_be_turned_off = matches!(wanted, Wanted::Announcement { .. });
    let one_click = letter.headers.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click");
    assert_eq!((may_be_turned_off, letter.headers.contains("List-Unsubscribe: <https://")), (one_click, one_click));
    assert!(!letter.html.contains("<script") && !letter.html.contains("<img"), "{}", letter.html);
}

/// Every text that a letter was given, but its subject and its kind.
fn facts(letter: &serde_json::Value) -> Vec<String> {
    let fields = letter.as_object().unwrap().iter();
    let texts = fields.filter(|(name, value)| value.is_string() && !matches!(name.as_str(), "kind" | "subject"));
    texts.map(|(_, value)| value.as_str().unwrap().to_owned()).collect()
}
