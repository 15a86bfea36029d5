//! P26: letters that nobody has to get come to nobody who did not ask for them, and end with one command.

use serde_json::json;

use crate::cli::shell::Shell;
use crate::privacy::erasure::letter;
use crate::support::Server;

#[tokio::test]
async fn news_come_to_whoever_asked_for_them_until_they_say_no() {
    let server = Server::start().await;
    let ada = server.another_account("ada@example.org", 0).await;
    server.another_account("bob@example.org", 0).await;
    let announce = async |subject: &str| {
        let news = json!({"subject": subject, "text": ["There is one more."], "reason": "a test"});
        server.operator().post("/v1/admin/announcements", news).await.expect(202);
    };
    let shell = Shell::of(&ada);
    shell.run(&["account", "consents", "--news", "yes"]).expect(0);
    announce("First").await;
    let first = letter(&server, "ada@example.org", "First").await;
    assert!(first.headers.to_lowercase().contains("list-unsubscribe-post: list-unsubscribe=one-click"), "{first:?}");
    shell.run(&["account", "consents", "--news", "no"]).expect(0);
    announce("Second").await;
    // Something that all get shows that the second is over.
    ada.post("/v1/api-keys", json!({"name": "later"})).await.expect(201);
    letter(&server, "ada@example.org", "An API key was made").await;
    let subjects: Vec<_> = server.letters().into_iter().map(|letter| (letter.to, letter.subject)).collect();
    assert!(!subjects.iter().any(|(to, subject)| subject == "Second" || to == "bob@example.org"), "{subjects:?}");
}
