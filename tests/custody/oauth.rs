//! Access tokens, from a real token endpoint.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aaasp::names::Name;
use aaasp::vault::custody::{Custody, Empty, Lent, Use, UseId, Withheld};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use futures::future::{BoxFuture, join_all};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::support::vault::Vault;
use crate::support::{Server, components, server, until};

const SECRET: &str = "s3cret-of-the-oauth-tests";
const REFRESH: &str = "refresh-token-of-the-oauth-tests";

/// A request that the endpoint got: its Authorization header, and its form.
type Asked = (Option<String>, String);

/// A token endpoint that answers what it is told to, and remembers what it was asked.
#[derive(Clone, Default)]
struct Endpoint {
    asked: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<Vec<(u16, Value)>>>,
}

impl Endpoint {
    async fn start() -> (Self, String) {
        let endpoint = Self::default();
        let router = Router::new().route("/token", post(answer)).with_state(endpoint.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (endpoint, url)
    }

    /// What it answers next, each answer once.
    fn will_answer(&self, answers: &[(u16, Value)]) {
        self.answers.lock().unwrap().extend(answers.iter().cloned());
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(endpoint): State<Endpoint>, headers: HeaderMap, form: String) -> (StatusCode, String) {
    // So long that whoever asks is still waiting when the others ask.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    endpoint.asked.lock().unwrap().push((authorization, form));
    let mut answers = endpoint.answers.lock().unwrap();
    assert!(!answers.is_empty(), "the endpoint was asked once more than expected");
    let (status, body) = answers.remove(0);
    (StatusCode::from_u16(status).unwrap(), body.to_string())
}

fn granted(token: &str) -> Value {
    json!({"access_token": token, "token_type": "bearer", "expires_in": 3600})
}

/// A vault that keeps the credential `crm` of this kind at the endpoint.
async fn vault_with(kind: &str, url: &str, client_secret: Option<&str>) -> (Server, Vault, Name) {
    let mut server = Server::start().await;
    let client = json!({"token_url": url, "client_id": "me & you", "scopes": ["read", "write"]});
    let secret = if kind == "oauth_refresh_token" { REFRESH } else { SECRET };
    let mut body = json!({"kind": {kind: client}, "secret": secret});
    if let Some(secret) = client_secret {
        body["client_secret"] = secret.into();
    }
    server.account.put("/v1/credentials/crm", body).await.expect(201);
    let account = server.account.get("/v1/account").await.expect(200);
    server.stop();
    let vault = Vault::open(&server, account["id"].as_str().unwrap()).await;
    (server, vault, "crm".parse().unwrap())
}

#[track_caller]
fn token(lent: Result<Lent, Withheld>) -> String {
    match lent {
        Ok(lent) => String::from_utf8(lent.secret.expose_secret().to_vec()).unwrap(),
        Err(withheld) => panic!("{withheld}"),
    }
}

#[track_caller]
fn refusal(lent: Result<Lent, Withheld>) -> String {
    let said = lent.err().unwrap().to_string();
    assert!(!said.contains(SECRET) && !said.contains(REFRESH), "{said}");
    said
}

/// Remembers the uses that it is told of, and how they ended.
#[derive(Debug, Default)]
struct Witness(Mutex<Vec<(Use, Option<u16>)>>);

impl Custody for Witness {
    fn lend<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<Lent, Withheld>> {
        Box::pin(async { Err(Withheld::Unknown(name.clone())) })
    }

    fn sign<'a>(&'a self, name: &'a Name, _: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], Withheld>> {
        Box::pin(async { Err(Withheld::Unknown(name.clone())) })
    }

    fn used(&self, used: Use) -> UseId {
        let mut uses = self.0.lock().unwrap();
        uses.push((used, None));
        UseId(uses.len() as u64 - 1)
    }

    fn ended(&self, used: UseId, status: Option<u16>) {
        self.0.lock().unwrap()[used.0 as usize].1 = status;
    }
}

#[tokio::test]
async fn many_runs_at_once_fetch_one_token() {
    let (endpoint, url) = Endpoint::start().await;
    endpoint.will_answer(&[(200, granted("access-token-1"))]);
    let (_server, vault, name) = vault_with("oauth_client_credentials", &url, None).await;
    let (credentials, witness) = (vault.credentials(), Witness::default());
    let lends = (0..20).map(|_| credentials.lend(&vault.account, &name, &witness));
    let tokens: Vec<_> = join_all(lends).await.into_iter().map(token).collect();
    assert_eq!(tokens, ["access-token-1"; 20]);
    assert_eq!(token(credentials.lend(&vault.account, &name, &witness).await), "access-token-1");

    let asked = endpoint.asked();
    let [(authorization, form)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(form, "grant_type=client_credentials&scope=read+write");
    // `me+%26+you:s3cret-of-the-oauth-tests`, as RFC 6749, 2.3.1 has it.
    let expected = "Basic bWUrJTI2K3lvdTpzM2NyZXQtb2YtdGhlLW9hdXRoLXRlc3Rz";
    assert_eq!(authorization.as_deref(), Some(expected));

    // What the host itself did with the credential is a use of the run that asked first.
    let uses = witness.0.lock().unwrap();
    let [(used, Some(200))] = &uses[..] else { panic!("{uses:?}") };
    assert!(format!("{:?}", used.purpose).contains("/token"), "{used:?}");
}

#[tokio::test]
async fn a_refresh_token_that_the_server_replaces_is_kept() {
    let (endpoint, url) = Endpoint::start().await;
    let mut first = granted("access-token-1");
    first["refresh_token"] = "another-refresh-token".into();
    endpoint.will_answer(&[(200, first), (200, granted("access-token-2"))]);
    let (mut server, vault, name) = vault_with("oauth_refresh_token", &url, Some(SECRET)).await;
    let lent = vault.credentials().lend(&vault.account, &name, &Empty).await.unwrap();
    assert_eq!(lent.version, 2);
    // A host that starts anew has no access token, and sends the refresh token that took the place of the first.
    assert_eq!(token(vault.credentials().lend(&vault.account, &name, &Empty).await), "access-token-2");
    let forms: Vec<_> = endpoint.asked().into_iter().map(|(_, form)| form).collect();
    assert_eq!(forms[0], format!("grant_type=refresh_token&refresh_token={REFRESH}&scope=read+write"));
    assert_eq!(forms[1], "grant_type=refresh_token&refresh_token=another-refresh-token&scope=read+write");
    vault.close().await;
    server.serve();
    let kept = server.account.get("/v1/credentials/crm").await.expect(200);
    assert_eq!((&kept["version"], kept["versions"].as_array().unwrap().len()), (&json!(2), 1), "{kept}");
}

#[tokio::test]
async fn a_run_that_ends_while_a_token_is_fetched_loses_nothing() {
    let (endpoint, url) = Endpoint::start().await;
    let mut answer = granted("access-token-1");
    answer["refresh_token"] = "another-refresh-token".into();
    endpoint.will_answer(&[(200, answer)]);
    let (_server, vault, name) = vault_with("oauth_refresh_token", &url, None).await;
    let (credentials, witness) = (vault.credentials(), Witness::default());
    {
        let mut lend = std::pin::pin!(credentials.lend(&vault.account, &name, &witness));
        // Polled until the request is on its way, and then dropped, as a run that is cancelled is.
        while witness.0.lock().unwrap().is_empty() {
            assert!(tokio::time::timeout(Duration::from_millis(1), &mut lend).await.is_err());
        }
        assert!(futures::poll!(&mut lend).is_pending());
    }
    assert_eq!(token(credentials.lend(&vault.account, &name, &Empty).await), "access-token-1");
    let asked = endpoint.asked();
    // A public client names itself in the form.
    let [(None, form)] = &asked[..] else { panic!("{asked:?}") };
    assert!(form.ends_with("&client_id=me+%26+you"), "{form}");
}

#[tokio::test]
async fn a_refresh_token_that_can_t_be_kept_at_once_is_used_until_it_is() {
    let (endpoint, url) = Endpoint::start().await;
    let mut first = granted("access-token-1");
    (first["refresh_token"], first["expires_in"]) = ("another-refresh-token".into(), 1.into());
    let mut second = granted("access-token-2");
    second["refresh_token"] = "third-refresh-token".into();
    endpoint.will_answer(&[(200, first), (200, second), (200, granted("access-token-3"))]);
    let (_server, vault, name) = vault_with("oauth_refresh_token", &url, None).await;
    refuse_versions(&vault).await;
    let credentials = vault.credentials();
    let lent = credentials.lend(&vault.account, &name, &Empty).await.unwrap();
    assert_eq!(lent.version, 1);
    let second = until("the first access token to end", || async {
        let token = token(credentials.lend(&vault.account, &name, &Empty).await);
        (token != "access-token-1").then_some(token)
    });
    assert_eq!(second.await, "access-token-2");
    take_versions(&vault).await;
    assert!(credentials.settle().await);
    // Kept, it is what a host that starts anew sends; this one goes on with the access token that it has.
    assert_eq!(token(vault.credentials().lend(&vault.account, &name, &Empty).await), "access-token-3");
    assert_eq!(token(credentials.lend(&vault.account, &name, &Empty).await), "access-token-2");
    let sent: Vec<_> = endpoint.asked().into_iter().map(|(_, form)| form).collect();
    for (form, refresh) in sent.iter().zip([REFRESH, "another-refresh-token", "third-refresh-token"]) {
        assert!(form.contains(&format!("refresh_token={refresh}&")), "{form}");
    }
    assert_eq!(sent.len(), 3);
}

/// Makes the database refuse new versions of credentials, and nothing else.
async fn refuse_versions(vault: &Vault) {
    if server::on_postgres() {
        vault.execute("ALTER TABLE credential_versions ADD CONSTRAINT refused CHECK (version < 2)").await;
        return;
    }
    let refuse = "CREATE TRIGGER refused BEFORE INSERT ON credential_versions
                  BEGIN SELECT RAISE(ABORT, 'refused'); END";
    vault.execute(refuse).await;
}

async fn take_versions(vault: &Vault) {
    let take = if server::on_postgres() {
        "ALTER TABLE credential_versions DROP CONSTRAINT refused"
    } else {
        "DROP TRIGGER refused"
    };
    vault.execute(take).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_while_a_token_is_fetched_keeps_the_refresh_token() {
    let (endpoint, url) = Endpoint::start().await;
    let mut answer = granted("access-token-1");
    answer["refresh_token"] = "another-refresh-token".into();
    // The first two answers make the host try again, a second after it was told to stop.
    endpoint.will_answer(&[(503, json!({})), (503, json!({})), (200, answer)]);
    let config = "[egress]\nallow_addresses = [\"127.0.0.1/32\"]\n[host]\nshutdown_grace_ms = 0\n";
    let mut server = Server::with_config(config).await;
    let kind = json!({"oauth_refresh_token": {"token_url": url, "client_id": "me", "scopes": []}});
    server.account.put("/v1/credentials/crm", json!({"kind": kind, "secret": REFRESH})).await.expect(201);
    let here = json!([{"scheme": "http", "host": "127.0.0.1", "port": 9}]);
    let grants = json!({"egress": {"allow": here}, "credentials": {"crm": {"to": here}}});
    server.account.deploy("probe", components::built("egress-probe"), grants).await;
    let step = json!({"scheme": "http", "authority": "127.0.0.1:9", "path": "/"});
    server.account.post("/v1/deployments/probe/runs", json!({"input": {"steps": [step]}})).await.expect(202);
    until("the endpoint to be asked", || async { (!endpoint.asked().is_empty()).then_some(()) }).await;
    let server = tokio::task::spawn_blocking(move || {
        server.stop();
        server.serve();
        server
    });
    let kept = server.await.unwrap().account.get("/v1/credentials/crm").await.expect(200);
    assert_eq!((&kept["version"], endpoint.asked().len()), (&json!(2), 3), "{kept}");
}

#[tokio::test]
async fn a_server_that_wants_the_secret_in_the_form_gets_it_there() {
    let (endpoint, url) = Endpoint::start().await;
    endpoint.will_answer(&[(401, json!({"error": "invalid_client"})), (200, granted("access-token-1"))]);
    let (_server, vault, name) = vault_with("oauth_client_credentials", &url, None).await;
    assert_eq!(token(vault.credentials().lend(&vault.account, &name, &Empty).await), "access-token-1");
    let (authorization, form) = &endpoint.asked()[1];
    assert_eq!(*authorization, None);
    assert!(form.ends_with(&format!("&client_id=me+%26+you&client_secret={SECRET}")), "{form}");
}

#[tokio::test]
async fn an_endpoint_that_fails_is_asked_again_and_one_that_refuses_is_not() {
    let (endpoint, url) = Endpoint::start().await;
    endpoint.will_answer(&[(503, json!({})), (200, granted("access-token-1"))]);
    let (_server, vault, name) = vault_with("oauth_client_credentials", &url, None).await;
    assert_eq!(token(vault.credentials().lend(&vault.account, &name, &Empty).await), "access-token-1");

    let echo = json!({"error": "invalid_scope", "error_description": format!("no {SECRET}")});
    endpoint.will_answer(&[(400, echo)]);
    let said = refusal(vault.credentials().lend(&vault.account, &name, &Empty).await);
    assert!(said.contains("127.0.0.1") && said.contains("`invalid_scope`: it does not give the scopes"), "{said}");
    assert_eq!(endpoint.asked().len(), 3);
}

#[tokio::test]
async fn what_is_wrong_with_an_answer_is_said_without_repeating_it() {
    let (endpoint, url) = Endpoint::start().await;
    let (_server, vault, name) = vault_with("oauth_refresh_token", &url, Some(SECRET)).await;
    let odd = |change: Value| {
        let mut answer = granted("access-token-1");
        answer.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        answer
    };
    for (status, answer, expected) in [
        (400, json!({"error": "invalid_grant"}), "it does not accept the refresh token"),
        (400, json!({"error": SECRET}), "answered with status 400"),
        (302, json!({}), "answered with status 302"),
        (200, json!([SECRET, REFRESH]), "no token of RFC 6749"),
        (200, odd(json!({"token_type": "mac"})), "no bearer token"),
        (200, odd(json!({"access_token": "short"})), "not 12 to"),
        (200, odd(json!({"access_token": "with a space in it"})), "visible ASCII"),
    ] {
        endpoint.will_answer(&[(status, answer)]);
        let said = refusal(vault.credentials().lend(&vault.account, &name, &Empty).await);
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    drop(listener);
    let (_server, vault, name) = vault_with("oauth_client_credentials", &url, None).await;
    let said = refusal(vault.credentials().lend(&vault.account, &name, &Empty).await);
    assert!(said.contains("the token endpoint 127.0.0.1:") && said.contains("refused"), "{said}");
}

#[tokio::test]
async fn an_endpoint_at_an_address_that_no_guest_may_reach_is_not_asked() {
    let (endpoint, url) = Endpoint::start().await;
    let (_server, vault, name) = vault_with("oauth_client_credentials", &url, None).await;
    let said = refusal(vault.credentials_through(&[]).lend(&vault.account, &name, &Empty).await);
    assert!(said.contains("127.0.0.1") && said.contains("allow_addresses"), "{said}");
    assert!(endpoint.asked().is_empty());
}
