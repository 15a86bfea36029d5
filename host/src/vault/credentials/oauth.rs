//! Access tokens (RFC 6749): fetched once for all runs that wait, kept until a minute before they end, and renewed
//! with a refresh token that the server may replace each time.

mod unkept;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderValue;
use moka::Expiry;
use moka::future::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio_util::task::TaskTracker;
use unkept::Unkept;
use zeroize::Zeroizing;

use super::endpoint::{self, TokenReply, TokenRequest};
use super::kind::{Grant, token_url};
use super::secret::{LEAST_BYTES, Secret};
use super::{Credentials, Kept, OauthClient};
use crate::accounts::Account;
use crate::ids::{AccountId, CredentialId};
use crate::vault::custody::{Custody, Purpose, Use};

/// How long before its end a token is renewed.
const BEFORE_ITS_END: Duration = Duration::from_secs(60);

/// How long a token is believed whose server does not say when it ends.
const UNSAID: Duration = Duration::from_secs(300);

/// A token that is refused and is younger than this is not renewed: another would be refused as well.
const YOUNG: Duration = Duration::from_secs(10);

/// Pauses between the tries of a request that the endpoint did not take or answered with its own failure.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// The longest pause that an endpoint may ask for; past it, the run is told.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Bytes of an access token.
const TOKEN_BYTES: usize = 16 << 10;

/// An access token.
pub(super) struct Token {
    pub value: SecretString,
    /// The version of the credential that is in use since it was fetched.
    pub version: u32,
    fetched: Instant,
    lifetime: Duration,
}

/// A token could not be fetched.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// What the endpoint answered, if it did.
    status: Option<u16>,
    /// The error code of RFC 6749, 5.2.
    code: Option<String>,
    /// For the agent's author.
    pub reason: String,
}

type Key = (CredentialId, u32);

/// The access tokens that this host has.
#[derive(Clone)]
pub(super) struct Tokens {
    kept: Cache<Key, Arc<Token>>,
    /// One fetch at a time for each credential.
    fetching: Arc<Mutex<HashMap<CredentialId, Arc<tokio::sync::Mutex<()>>>>>,
    /// Refresh tokens that the database does not have yet.
    unkept: Arc<Mutex<HashMap<CredentialId, Unkept>>>,
    /// What a host that stops waits for.
    tasks: TaskTracker,
}

struct Lifetime;

impl Expiry<Key, Arc<Token>> for Lifetime {
    fn expire_after_create(&self, _: &Key, token: &Arc<Token>, _: Instant) -> Option<Duration> {
        Some(token.lifetime.saturating_sub(token.fetched.elapsed()))
    }
}

impl Default for Tokens {
    fn default() -> Self {
        let kept = Cache::builder().max_capacity(10_000).expire_after(Lifetime).build();
        Self { kept, fetching: Arc::default(), unkept: Arc::default(), tasks: TaskTracker::new() }
    }
}

impl Tokens {
    /// The token of a credential, fetched once however many ask for it.
    pub(super) async fn token(
        &self,
        vault: &Credentials,
        account: &Arc<Account>,
        kept: &Arc<Kept>,
        custody: &dyn Custody,
    ) -> Result<Arc<Token>, Arc<Fault>> {
        let key = (kept.id, kept.version);
        if let Some(token) = self.kept.get(&key).await {
            return Ok(token);
        }
        let fetch = async {
            let (tokens, vault, account) = (self.clone(), vault.clone(), Arc::clone(account));
            let noted = custody.used(used(kept));
            let kept = Arc::clone(kept);
            // A task of its own: a run that ends meanwhile must not lose a refresh token that was just replaced.
            let fetching = async move { tokens.fetch_alone(&vault, &account, kept).await };
            let fetched = self.tasks.spawn(fetching).await;
            let fetched = fetched.unwrap_or_else(|_| Err(Fault::of("the request for a token ended badly".to_owned())));
            custody.ended(noted, fetched.as_ref().map_or_else(|fault| fault.status, |_| Some(200)));
            fetched
        };
        self.kept.try_get_with(key, fetch).await
    }

    /// Forgets a token that a server has refused, unless it is young.
    pub(super) async fn forget_refused(&self, key: Key) {
        if let Some(token) = self.kept.get(&key).await
            && token.fetched.elapsed() > YOUNG
        {
            self.kept.invalidate(&key).await;
        }
    }

    async fn fetch_alone(
        &self,
        vault: &Credentials,
        account: &Arc<Account>,
        mut kept: Arc<Kept>,
    ) -> Result<Arc<Token>, Fault> {
        let alone = self.lock_of(kept.id);
        let _alone = alone.lock().await;
        // Whoever was before us may have left one, though the run that asked for it is gone.
        if let Some(token) = self.kept.get(&(kept.id, kept.version)).await {
            return Ok(token);
        }
        let fetched = match self.fetch(vault, account, &kept).await {
            Err(fault) if fault.code.as_deref() == Some("invalid_grant") => {
                // Another host may have got a new refresh token for the old one.
                vault.forget(account.id, &kept.name).await;
                let again = vault.kept(account, &kept.name).await.map_err(|_| fault.clone())?;
                if again.version == kept.version {
                    return Err(fault);
                }
                kept = again;
                self.fetch(vault, account, &kept).await
            }
            fetched => fetched,
        };
        let token = Arc::new(fetched?);
        for version in [kept.version, token.version] {
            self.kept.insert((kept.id, version), Arc::clone(&token)).await;
        }
        Ok(token)
    }

    async fn fetch(&self, vault: &Credentials, account: &Arc<Account>, kept: &Arc<Kept>) -> Result<Token, Fault> {
        let Some((grant, client)) = kept.kind.oauth() else {
            return Err(Fault::of("the credential is of a kind that has no access tokens".to_owned()));
        };
        let (fetched, secret) = (Instant::now(), self.newest(kept));
        let granted = granted(vault, account.id, (grant, client), &secret).await?;
        let lifetime = granted.expires_in.as_ref().and_then(seconds).map_or(UNSAID, Duration::from_secs);
        let mut version = kept.version;
        if let Some(fresh) = granted.refresh_token
            && grant == Grant::RefreshToken
            && fresh != secret.value.expose_secret()
        {
            let secret = Secret { value: SecretString::from(fresh), client_secret: secret.client_secret };
            version = self.keep(vault, account, kept, secret).await;
        }
        Ok(Token {
            value: SecretString::from(granted.access_token),
            version,
            fetched,
            lifetime: lifetime.saturating_sub(BEFORE_ITS_END).max(lifetime / 2),
        })
    }

    fn lock_of(&self, id: CredentialId) -> Arc<tokio::sync::Mutex<()>> {
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        fetching.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(fetching.entry(id).or_default())
    }
}

impl Fault {
    fn of(reason: String) -> Self {
        Self { status: None, code: None, reason }
    }
}

/// For the audit: the credential goes to the token endpoint.
fn used(kept: &Kept) -> Use {
    let url = kept.kind.oauth().and_then(|(_, client)| token_url(&client.token_url).ok());
    let host = url.as_ref().map(|url| match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    });
    Use {
        credential: kept.name.clone(),
        version: kept.version,
        purpose: Purpose::Request {
            method: "POST".to_owned(),
            host: host.unwrap_or_default(),
            path: url.map(|url| url.path().to_owned()).unwrap_or_default(),
        },
    }
}

/// What the endpoint answers when it grants.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
    #[serde(default)]
    refresh_token: Option<String>,
}

/// What it answers when it does not (RFC 6749, 5.2). Its description is left aside: it may repeat a secret.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// Asks with HTTP Basic, which every server must take from a client with a secret, and once more with the secret in
/// the form for those that take only that (RFC 6749, 2.3.1).
async fn granted(
    vault: &Credentials,
    account: AccountId,
    (grant, client): (Grant, &OauthClient),
    secret: &Secret,
) -> Result<Granted, Fault> {
    match asked(vault, account, &request(grant, client, secret, true)?).await {
        Err(fault) if fault.code.as_deref() == Some("invalid_client") && client_secret(grant, secret).is_some() => {
            asked(vault, account, &request(grant, client, secret, false)?).await
        }
        answer => answer,
    }
}

fn client_secret(grant: Grant, secret: &Secret) -> Option<&SecretString> {
    match grant {
        Grant::ClientCredentials => Some(&secret.value),
        Grant::RefreshToken => secret.client_secret.as_ref(),
    }
}

fn request(grant: Grant, client: &OauthClient, secret: &Secret, basic: bool) -> Result<TokenRequest, Fault> {
    let url = token_url(&client.token_url).map_err(|reason| Fault::of(format!("its token_url is wrong: {reason}")))?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    match grant {
        Grant::ClientCredentials => form.append_pair("grant_type", "client_credentials"),
        Grant::RefreshToken => {
            form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", secret.value.expose_secret())
        }
    };
    if !client.scopes.is_empty() {
        form.append_pair("scope", &client.scopes.join(" "));
    }
    let mut authorization = None;
    match client_secret(grant, secret) {
        Some(secret) if basic => {
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = Zeroizing::new(format!("{}:{}", encoded(&client.client_id), encoded(secret.expose_secret())));
            let header = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
            let mut header = HeaderValue::from_str(&header)
                .map_err(|_| Fault::of("its client can't stand in a header".to_owned()))?;
            header.set_sensitive(true);
            authorization = Some(header);
        }
        secret => {
            form.append_pair("client_id", &client.client_id);
            if let Some(secret) = secret {
                form.append_pair("client_secret", secret.expose_secret());
            }
        }
    }
    Ok(TokenRequest { url, authorization, form: Zeroizing::new(form.finish()) })
}

/// Sends a request, again where that may help.
async fn asked(vault: &Credentials, account: AccountId, request: &TokenRequest) -> Result<Granted, Fault> {
    let host = request.url.host_str().unwrap_or_default();
    let mut pauses = PAUSES.into_iter();
    loop {
        let (fault, pause) = match endpoint::send(&vault.broker, account, request).await {
            Ok(reply) => {
                let busy = reply.status == 429 || reply.status >= 500;
                let pause = reply.retry_after;
                match read(&reply, host) {
                    Err(fault) if busy => (fault, pause),
                    answer => return answer,
                }
            }
            Err(reason) => (Fault::of(format!("the token endpoint {host}: {reason}")), None),
        };
        let Some(own) = pauses.next() else { return Err(fault) };
        let pause = pause.unwrap_or(own);
        if pause > LONGEST_PAUSE {
            return Err(fault);
        }
        tokio::time::sleep(pause).await;
    }
}

fn read(reply: &TokenReply, host: &str) -> Result<Granted, Fault> {
    let fault = |code, reason: String| Fault {
        status: Some(reply.status),
        code,
        reason: format!("the token endpoint {host} {reason}"),
    };
    if reply.status != 200 {
        let refused: Option<Refused> = serde_json::from_slice(&reply.body).ok();
        let Some(explained) = refused.as_ref().and_then(|refused| explained(&refused.error)) else {
            return Err(fault(None, format!("answered with status {}", reply.status)));
        };
        let code = refused.map(|refused| refused.error).unwrap_or_default();
        let reason = format!("answered with status {} and `{code}`: {explained}", reply.status);
        return Err(fault(Some(code), reason));
    }
    // The parser's own message might quote a token, and it would take an array for an object.
    let object = reply.body.trim_ascii_start().starts_with(b"{");
    let granted: Option<Granted> = object.then(|| serde_json::from_slice(&reply.body).ok()).flatten();
    let granted =
        granted.ok_or_else(|| fault(None, "answered with something that is no token of RFC 6749".to_owned()))?;
    if granted.token_type.as_ref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(fault(None, "gave a token that is no bearer token".to_owned()));
    }
    let token = &granted.access_token;
    let visible = token.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    if !(LEAST_BYTES..=TOKEN_BYTES).contains(&token.len()) || !visible {
        let bytes = format!("gave a token that is not {LEAST_BYTES} to {TOKEN_BYTES} bytes of visible ASCII");
        return Err(fault(None, bytes));
    }
    Ok(granted)
}

/// What an error code of RFC 6749, 5.2 means for whoever set the credential. No other code is repeated.
fn explained(code: &str) -> Option<&'static str> {
    Some(match code {
        "invalid_request" => "it does not understand the request",
        "invalid_client" => "it does not accept the client's id and secret",
        "invalid_grant" => "it does not accept the refresh token, which may have ended or been revoked; set another",
        "unauthorized_client" => "the client may not get tokens in this way",
        "unsupported_grant_type" => "it gives no tokens in this way",
        "invalid_scope" => "it does not give the scopes",
        _ => return None,
    })
}

/// Some servers write the number as a text.
fn seconds(value: &serde_json::Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
