//! Nothing of an account that is closed or erased is told by any route, whoever asks and whatever they kept: keys, links,
//! ids, addresses of downloads.

use reqwest::Method;
use serde_json::json;

use super::erasure::{confirm, letter};
use crate::api::routes::{Door, Route, selling, walk};
use crate::api::{items, text};
use crate::support::{Client, Reply, Server, until};

const EMAIL: &str = "zora.neale@hurston-example.org";
const NEW_EMAIL: &str = "zora.hurston@neale-example.org";

/// What somebody kept of an account.
struct Kept {
    routes: Vec<Route>,
    /// Paths of links.
    links: Vec<String>,
    /// What only this account has: who it is, then ids.
    markers: Vec<String>,
}

/// So many markers say who it is: two addresses and a key.
const WHO: usize = 3;

#[tokio::test]
async fn nothing_answers_for_an_account_that_is_closed_or_erased() {
    let (dodo, mut server) = selling().await;
    let live = server.account.clone();
    server.account = server.another_account(EMAIL, 100_000_000).await;
    let (zora, operator) = (server.account.clone(), server.operator());
    let mut kept = keep(&server, walk(&dodo, &server).await).await;

    // While its owner can think again, others see nothing of it.
    assert_eq!(text(&zora.get("/v1/account").await.expect(200), "status"), "closing");
    kept.hide(&live).await;
    kept.refuse(&zora.with_key(None), 401).await;

    server.execute("UPDATE erasures SET due_at = 1").await;
    until("the account to be closed", async || {
        let begun = server.count("SELECT COUNT(*) FROM erasures WHERE state = 'erasing'").await == 1;
        begun.then_some(())
    })
    .await;
    // It stays so until it is let go.
    server.execute("UPDATE erasures SET state_at = 9000000000000000").await;
    until("the key to be forgotten", async || (zora.get("/v1/account").await.status == 403).then_some(())).await;
    kept.refuse(&zora, 403).await;
    kept.hide(&live).await;
    // Until it is erased, operators see by its id that it is to be, and what was done about it.
    kept.ask_operator(&operator, WHO).await;
    kept.open_links(&live).await;

    server.execute("UPDATE erasures SET state_at = 1").await;
    until("the account to be erased", async || {
        let left = server.count("SELECT COUNT(*) FROM erasures WHERE state <> 'erased'").await;
        (left == 0).then_some(())
    })
    .await;
    until("the key to be forgotten", async || (zora.get("/v1/account").await.status == 401).then_some(())).await;
    kept.refuse(&zora, 401).await;
    kept.hide(&live).await;
    kept.ask_operator(&operator, kept.markers.len()).await;
    kept.open_links(&live).await;
    // Who reads all pages of what operators can list finds it on none.
    kept.routes.retain(|route| route.door == Door::Operator && route.method == Method::GET && !route.names_a_thing());
    for route in &kept.routes {
        let reply = operator.get(&format!("{}?limit=100", route.path)).await;
        kept.tells_nothing(route.pattern, &reply);
    }
}

/// Gives the account a link of each kind, and closes it.
async fn keep(server: &Server, routes: Vec<Route>) -> Kept {
    let (zora, operator) = (&server.account, server.operator());
    zora.put("/v1/privacy/consents", json!({"purpose": "news", "given": true})).await.expect(200);
    let news = json!({"subject": "News for all", "text": ["Read on."], "reason": "a test"});
    operator.post("/v1/admin/announcements", news).await;
    zora.patch("/v1/account", json!({"email": NEW_EMAIL})).await;
    zora.with_key(None).post("/v1/accounts", json!({"email": EMAIL})).await.expect(202);
    zora.delete("/v1/account").await.expect(202);
    let asked = letter(server, EMAIL, "Delete your account").await;
    let links = until("a link of each kind", async || {
        let mut letters = server.letters();
        letters.retain(|letter| [EMAIL, NEW_EMAIL].contains(&letter.to.as_str()));
        let links: Vec<_> = letters.iter().flat_map(|letter| links(&letter.text)).collect();
        (links.len() >= 6).then_some(links)
    })
    .await;
    let mut markers = vec![EMAIL.to_owned(), NEW_EMAIL.to_owned(), zora.key().to_owned()];
    let known = zora.get("/v1/account").await.expect(200);
    markers.push(text(&known, "id").to_owned());
    for list in ["runs", "agents", "deployments", "credentials", "api-keys", "support", "credits/top-ups"] {
        let list = zora.get(&format!("/v1/{list}")).await.expect(200);
        markers.extend(items(&list).iter().filter_map(|item| item["id"].as_str()).map(str::to_owned));
    }
    markers.push(text(&zora.get("/v1/privacy/exports").await.expect(200), "id").to_owned());
    confirm(server, asked.link()).await;
    Kept { routes, links, markers }
}

/// The paths of links in a letter.
fn links(text: &str) -> Vec<String> {
    let words = text
        .split_whitespace()
        .filter_map(|word| word.find("/confirm/").or_else(|| word.find("/downloads/")).map(|at| &word[at..]));
    words.map(str::to_owned).collect()
}

impl Kept {
    /// Asks for everything that accounts are told, or can do, with a key that opens nothing.
    async fn refuse(&self, client: &Client, status: u16) {
        for route in self.routes.iter().filter(|route| route.door == Door::Account) {
            let reply = route.send(client).await;
            assert_eq!(reply.status, status, "{} {}: {reply:?}", route.method, route.pattern);
            self.tells_nothing(route.pattern, &reply);
        }
    }

    /// Asks for it with the key of another account, which has nothing of these names, and for lists behind its ids.
    async fn hide(&self, live: &Client) {
        for route in self.routes.iter().filter(|route| route.door == Door::Account) {
            let is_list = route.method == Method::GET && !route.names_a_thing();
            if is_list {
                for id in &self.markers {
                    let reply = live.get(&format!("{}?after={id}", route.path)).await;
                    self.tells_nothing(route.pattern, &reply);
                }
            } else if route.names_a_thing() && route.method != Method::PUT {
                let reply = route.send(live).await;
                assert!(matches!(reply.status, 404), "{} {}: {reply:?}", route.method, route.pattern);
                self.tells_nothing(route.pattern, &reply);
            }
        }
    }

    /// Asks an operator's routes for it.
    async fn ask_operator(&self, operator: &Client, markers: usize) {
        for route in self.routes.iter().filter(|route| route.door == Door::Operator) {
            let is_about_it = self.markers.iter().any(|marker| route.path.contains(marker.as_str()));
            if !is_about_it && route.method != Method::GET {
                continue;
            }
            let reply = route.send(operator).await;
            assert!(reply.status < 500, "{} {}: {reply:?}", route.method, route.pattern);
            if is_about_it {
                assert!(matches!(reply.status, 404 | 409 | 410), "{} {}: {reply:?}", route.method, route.pattern);
            }
            Self::tells_none(route.pattern, &reply, &self.markers[..markers]);
        }
    }

    /// Opens all links, as people do and as programs do.
    async fn open_links(&self, client: &Client) {
        let nobody = client.with_key(None);
        let downloads = self.routes.iter().filter(|route| route.pattern.starts_with("/downloads/"));
        for path in self.links.iter().chain(downloads.map(|route| &route.path)) {
            for method in [Method::GET, Method::POST] {
                let reply = Client::send(nobody.request(method.clone(), path)).await;
                assert_eq!(reply.status, 410, "{method} {path}: {reply:?}");
                self.tells_nothing(path, &reply);
            }
            let link = json!({"link": path.rsplit('/').next()});
            let reply = nobody.post("/v1/accounts/confirm", link).await;
            assert!(matches!(reply.status, 410), "{path}: {reply:?}");
        }
    }

    fn tells_nothing(&self, what: &str, reply: &Reply) {
        Self::tells_none(what, reply, &self.markers);
    }

    fn tells_none(what: &str, reply: &Reply, markers: &[String]) {
        assert!(reply.status < 500, "{what}: {reply:?}");
        let told: Vec<_> = markers.iter().filter(|marker| reply.text.contains(marker.as_str())).collect();
        assert!(told.is_empty(), "{what} tells {told:?}: {}", reply.text);
    }
}
