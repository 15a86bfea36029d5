//! Whoever else holds data of an account that is erased is told (GDPR, Article 19): by letters to the operator, one each.

use serde_json::json;

use super::erasure::{EMAIL, confirm, erased, letter};
use crate::api::text;
use crate::payments::paid;
use crate::support::dodo::Dodo;
use crate::support::outbox::Letter;
use crate::support::{Server, guests, until};

const CONTACT: &str = "privacy@operator-example.org";
const CONFIG: &str = "
    [operator]
    contact = \"privacy@operator-example.org\"
    recipients = [\"A provider of machines: all of it, sealed\"]
    [accounts]
    closing_days = 0
    [host]
    slow_client_ms = 1000
    [models.small]
    provider = \"openai\"
    model = \"small\"
    base_url = \"http://127.0.0.1:9/v1\"
    million_input_tokens_microcredits = 1
    million_output_tokens_microcredits = 1
";

fn asked_for(server: &Server) -> Vec<Letter> {
    let mut letters = server.letters();
    letters.retain(|letter| letter.to == CONTACT && letter.subject.starts_with("Have an account erased by"));
    letters
}

#[tokio::test]
async fn each_recipient_of_an_erased_accounts_data_is_told_once_by_what_it_knows_it() {
    let dodo = Dodo::start().await;
    let server = dodo.server_with(CONFIG, 1_000_000).await;
    let zora = server.another_account(EMAIL, 5_000_000).await;
    let id = text(&zora.get("/v1/account").await.expect(200), "id").to_owned();
    let (top_up, payment) = paid(&dodo, &server, &zora, 500).await;
    zora.deploy("echo", guests::echo(), json!({})).await;
    zora.run("echo", json!(1)).await;
    zora.delete("/v1/account").await.expect(202);
    confirm(&server, letter(&server, EMAIL, "Delete your account").await.link()).await;
    let erasure = erased(&server).await;
    let told = json!(["dodo", "A provider of machines: all of it, sealed", "openai"]);
    assert_eq!(erasure["certificate"]["told"], told);
    let last = letter(&server, EMAIL, "Your account is erased").await;
    assert!(last.text.contains("A provider of machines") && last.text.contains("openai"), "{}", last.text);

    // They arrive though the account is gone.
    let letters = until("the letters", async || Some(asked_for(&server)).filter(|letters| letters.len() >= 3)).await;
    assert_eq!(letters.len(), 3);
    for letter in &letters {
        assert!(letter.text.contains(text(&erasure, "id")), "{}", letter.text);
        for own in [EMAIL, &id, zora.key()] {
            assert!(!letter.text.contains(own) && !letter.html.contains(own), "{}", letter.text);
        }
        let to_processor = letter.subject.ends_with("dodo");
        assert_eq!(letter.text.contains(&payment), to_processor, "{}", letter.text);
        assert!(!letter.text.contains(&top_up), "its payment says enough: {}", letter.text);
    }
    let waiting = server.count("SELECT COUNT(*) FROM letters WHERE kind = 'erase_elsewhere' AND state <> 'sent'").await;
    assert_eq!(waiting, 0);
}

#[tokio::test]
async fn who_can_hold_nothing_of_an_account_is_not_told() {
    let dodo = Dodo::start().await;
    let server = dodo.server_with(CONFIG, 1_000_000).await;
    let zora = server.another_account(EMAIL, 0).await;
    zora.delete("/v1/account").await.expect(202);
    confirm(&server, letter(&server, EMAIL, "Delete your account").await.link()).await;
    let erasure = erased(&server).await;
    assert_eq!(erasure["certificate"]["told"], json!(["A provider of machines: all of it, sealed"]));
    until("the letter", async || (asked_for(&server).len() == 1).then_some(())).await;
}
