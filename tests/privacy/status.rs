//! Owner and operator change what an account is at the same moment: it is then as if one came after the other.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::Row as _;

use crate::api::text;
use crate::support::{Client, Server, until};

const ACCOUNTS: usize = 24;
const KEEP: &str = "/v1/account/deletion";
const RESTRICT: &str = "/v1/privacy/restriction";

/// What is done to an account.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Suspend,
    Restrict,
    Close,
    Keep,
}

/// What an account is.
#[derive(Clone, Debug, PartialEq)]
struct State {
    status: String,
    restricted: bool,
    /// What it was before its owner closed it.
    before: Option<String>,
}

impl State {
    fn new() -> Self {
        Self { status: "active".to_owned(), restricted: false, before: None }
    }

    /// After a change that was made; none when it could not have been made here.
    fn after(mut self, change: Change) -> Option<Self> {
        let of = |status: &str, restricted: bool| match (status, restricted) {
            ("active" | "restricted", true) => "restricted".to_owned(),
            ("active" | "restricted", false) => "active".to_owned(),
            _ => status.to_owned(),
        };
        match change {
            Change::Suspend if self.before.is_some() => self.before = Some("suspended".to_owned()),
            Change::Suspend => self.status = "suspended".to_owned(),
            Change::Restrict => {
                self.restricted = true;
                self.status = of(&self.status, true);
            }
            Change::Close if self.before.is_some() => {}
            Change::Close => self.before = Some(std::mem::replace(&mut self.status, "closing".to_owned())),
            Change::Keep => self.status = of(&self.before.take()?, self.restricted),
        }
        Some(self)
    }
}

/// What an account may be after changes that were made in any order.
fn outcomes(state: &State, made: &[Change]) -> Vec<State> {
    if made.is_empty() {
        return vec![state.clone()];
    }
    let each = made.iter().filter_map(|change| Some((change, state.clone().after(*change)?)));
    let rest = |first: &Change| made.iter().copied().filter(|change| change != first).collect::<Vec<_>>();
    each.flat_map(|(change, after)| outcomes(&after, &rest(change))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_is_after_changes_of_one_moment_is_what_it_would_be_after_one_and_another() {
    let server = Server::start().await;
    let second = server.second_host();
    let hosts = [&server, second.as_ref().unwrap_or(&server)];
    let operator = server.operator().key().to_owned();
    let mut accounts = Vec::new();
    for number in 0..ACCOUNTS {
        let email = format!("{number}@example.org");
        let account = server.another_account(&email, 0).await;
        let id = text(&account.get("/v1/account").await.expect(200), "id").to_owned();
        account.delete("/v1/account").await.expect(202);
        accounts.push((account, id, email));
    }
    for (number, (account, id, email)) in accounts.iter().enumerate() {
        let link = until("the link", async || {
            let letters = hosts.iter().flat_map(|host| host.letters()).find(|letter| letter.to == *email);
            letters.map(|letter| letter.link().to_owned())
        })
        .await;
        let of = |host: &Server, change: Change| {
            let (owner, operator) =
                (host.account.with_key(Some(account.key())), host.account.with_key(Some(&operator)));
            change_it((owner, operator), id.clone(), link.clone(), change)
        };
        let mut changes = vec![Change::Close, Change::Suspend, Change::Restrict, Change::Keep];
        let mut before = State::new();
        // Half of them are closed before, so that there is something to keep.
        if number % 2 == 1 {
            before = before.after(of(&server, changes.remove(0)).await.unwrap()).unwrap();
        }
        let places = changes.len();
        changes.rotate_left(number / 2 % places);
        let asked = changes.iter().enumerate().map(|(place, change)| of(hosts[(number / 2 + place) % 2], *change));
        let made: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        let state = state(&server, id).await;
        let possible = outcomes(&before, &made);
        assert!(possible.contains(&state), "{made:?} made {state:?}, and not one of {possible:?}");
    }
}

/// Asks for a change: it, when it was made.
async fn change_it((owner, operator): (Client, Client), id: String, link: String, change: Change) -> Option<Change> {
    let request = match change {
        Change::Suspend => operator
            .request(Method::PATCH, &format!("/v1/admin/accounts/{id}"))
            .json(&json!({"status": "suspended", "reason": "a test"})),
        Change::Restrict => owner.request(Method::PUT, RESTRICT).json(&json!({"reason": "a test"})),
        Change::Close => {
            owner.with_key(None).request(Method::POST, "/v1/accounts/confirm").json(&json!({"link": link}))
        }
        Change::Keep => owner.request(Method::DELETE, KEEP),
    };
    let reply = Client::send(request).await;
    assert!(reply.status < 500, "{change:?}: {reply:?}");
    (reply.status < 300).then_some(change)
}

async fn state(server: &Server, id: &str) -> State {
    let row = sqlx::query(
        "SELECT status, (SELECT COUNT(*) FROM restrictions WHERE account_id = $1),
             (SELECT status_before FROM erasures WHERE account_id = $1)
         FROM accounts WHERE id = $1",
    )
    .bind(id.to_owned())
    .fetch_one(&mut server.connect().await)
    .await
    .unwrap();
    State { status: row.get(0), restricted: row.get::<i64, _>(1) > 0, before: row.get(2) }
}
