//! An authority that speaks ACME (RFC 8555) and believes nothing that it has not seen: it verifies each signature,
//! takes each nonce once, connects to whoever asks for a certificate, and signs what is proved.

mod jws;
mod proof;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::sync::watch;

use self::jws::{Jws, Key};
use super::authority;
use super::https::{HttpsServer, Pieces, Received, answer};

/// The authority, until it is dropped.
pub struct Acme {
    server: HttpsServer,
    state: Arc<State>,
}

struct State {
    url: OnceLock<String>,
    /// Where the domains are, whatever they are called.
    host: watch::Sender<Option<SocketAddr>>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    nonces: HashSet<String>,
    accounts: HashMap<String, Key>,
    orders: Vec<Order>,
    /// Whether it takes orders.
    closed: bool,
    /// How long what it signs is good for.
    lasts: Duration,
    /// How often it was told something that it did not believe.
    rejected: usize,
    made: usize,
}

struct Order {
    account: String,
    domains: Vec<String>,
    token: String,
    /// What became of the proof of each domain: none while it is looked at.
    proofs: Vec<Option<Result<(), String>>>,
    asked: Vec<bool>,
    certificate: Option<String>,
}

impl Acme {
    /// One that signs for 90 days.
    pub async fn start() -> Self {
        let book = Mutex::new(Book { lasts: Duration::from_secs(90 * 86_400), ..Book::default() });
        let state = Arc::new(State { url: OnceLock::new(), host: watch::Sender::new(None), book });
        let shared = Arc::clone(&state);
        let server = HttpsServer::start(move |request| shared.answer(request)).await;
        state.url.set(format!("https://{}", server.address)).unwrap();
        Self { server, state }
    }

    /// Where the domains lead to. Until it is told, it waits.
    pub fn leads_to(&self, host: SocketAddr) {
        self.state.host.send_replace(Some(host));
    }

    /// What an operator's file says of it.
    pub fn settings(&self, folder: &Path, domains: &[&str]) -> String {
        let (address, ca) = (self.server.address, authority::file(folder));
        format!(
            "[tls.acme]\ndomains = {domains:?}\ncontact = \"ops@example.com\"\n\
             directory = \"https://{address}/directory\"\ndirectory_ca = {ca:?}\n"
        )
    }

    /// Lets what is signed from now on be good for so long.
    pub fn sign_for(&self, lasts: Duration) {
        self.state.book.lock().unwrap().lasts = lasts;
    }

    /// Lets it take no orders, or take them again.
    pub fn close(&self, closed: bool) {
        self.state.book.lock().unwrap().closed = closed;
    }

    /// Certificates that were signed.
    pub fn signed(&self) -> usize {
        self.state.book.lock().unwrap().orders.iter().filter(|order| order.certificate.is_some()).count()
    }

    /// Accounts that were made.
    pub fn accounts(&self) -> usize {
        self.state.book.lock().unwrap().accounts.len()
    }

    /// Requests that were not believed.
    pub fn rejected(&self) -> usize {
        self.state.book.lock().unwrap().rejected
    }
}

/// An answer's status, body, and where what was made is.
struct Said(&'static str, Value, Option<String>);

fn problem(status: &'static str, kind: &str, detail: &str) -> Said {
    Said(status, json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail}), None)
}

impl State {
    fn url(&self) -> &str {
        self.url.get().unwrap()
    }

    fn answer(self: &Arc<Self>, request: &Received) -> Pieces {
        let Said(status, body, location) = match request.target() {
            "/directory" => self.directory(),
            "/nonce" => Said("200 OK", Value::Null, None),
            path => self.posted(path, &request.body).unwrap_or_else(|refused| {
                self.book.lock().unwrap().rejected += 1;
                refused
            }),
        };
        let nonce = self.fresh("nonce");
        self.book.lock().unwrap().nonces.insert(nonce.clone());
        let location = location.map_or_else(String::new, |url| format!("location: {url}\r\n"));
        let headers = format!("replay-nonce: {nonce}\r\n{location}content-type: application/json\r\n");
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        if request.head.starts_with("HEAD ") {
            return vec![format!("HTTP/1.1 {status}\r\n{headers}\r\n").into_bytes()];
        }
        answer(status, &headers, body.as_bytes())
    }

    fn directory(&self) -> Said {
        let url = |path: &str| format!("{}/{path}", self.url());
        let found = json!({"newNonce": url("nonce"), "newAccount": url("account"), "newOrder": url("order")});
        Said("200 OK", found, None)
    }

    fn fresh(&self, kind: &str) -> String {
        let mut book = self.book.lock().unwrap();
        book.made += 1;
        format!("{kind}-{}", book.made)
    }

    fn posted(self: &Arc<Self>, path: &str, body: &[u8]) -> Result<Said, Said> {
        let jws = Jws::read(body).ok_or_else(|| problem("400 Bad Request", "malformed", "this is no JWS"))?;
        if !self.book.lock().unwrap().nonces.remove(&jws.nonce) {
            return Err(problem("400 Bad Request", "badNonce", "no such nonce"));
        }
        let unauthorized = |detail| problem("401 Unauthorized", "unauthorized", detail);
        if jws.url != format!("{}{path}", self.url()) {
            return Err(unauthorized("it was signed for another URL"));
        }
        if path == "/account" {
            let key = jws.key.clone().filter(|key| jws.is_signed_by(key)).ok_or_else(|| unauthorized("a signature"))?;
            let account = format!("{}/{}", self.url(), self.fresh("account"));
            self.book.lock().unwrap().accounts.insert(account.clone(), key);
            return Ok(Said("201 Created", json!({"status": "valid"}), Some(account)));
        }
        let account = jws.account.clone().unwrap_or_default();
        let key = self.book.lock().unwrap().accounts.get(&account).cloned();
        let key = key.ok_or_else(|| problem("400 Bad Request", "accountDoesNotExist", "no such account"))?;
        if !jws.is_signed_by(&key) {
            return Err(unauthorized("this is not the account's signature"));
        }
        self.ordered(path, &jws, account, &key).ok_or_else(|| problem("404 Not Found", "malformed", "no such thing"))
    }

    fn ordered(self: &Arc<Self>, path: &str, jws: &Jws, account: String, key: &Key) -> Option<Said> {
        if path == "/order" {
            return Some(self.book_order(jws, account));
        }
        let mut parts = path[1..].split('/');
        let (what, order) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
        let of: Option<usize> = parts.next().and_then(|part| part.parse().ok());
        let mut book = self.book.lock().unwrap();
        let lasts = book.lasts;
        let found = book.orders.get_mut(order).filter(|found| found.account == account)?;
        match what {
            "authorization" => Some(Said("200 OK", self.authorization(found, order, of?), None)),
            "challenge" => {
                let of = of?;
                *found.asked.get_mut(of)? = true;
                let (domain, token) = (found.domains[of].clone(), found.token.clone());
                let (state, proof) = (Arc::clone(self), format!("{token}.{}", key.thumbprint()));
                tokio::spawn(async move {
                    let looked = proof::look(state.host.subscribe(), &domain, &proof).await;
                    state.book.lock().unwrap().orders[order].proofs[of] = Some(looked);
                });
                Some(Said("200 OK", self.challenge(found, order, of), None))
            }
            "finalize" if found.is_proved() => {
                let request = URL_SAFE_NO_PAD.decode(jws.payload["csr"].as_str()?).ok()?;
                found.certificate = Some(authority::sign(&request, &found.domains, lasts)?);
                Some(Said("200 OK", self.order(found, order), None))
            }
            "certificate" => Some(Said("200 OK", found.certificate.clone()?.into(), None)),
            "orders" => Some(Said("200 OK", self.order(found, order), None)),
            _ => None,
        }
    }

    fn book_order(&self, jws: &Jws, account: String) -> Said {
        let token = self.fresh("token-of-an-order");
        let mut book = self.book.lock().unwrap();
        if book.closed {
            return problem("503 Service Unavailable", "serverInternal", "closed for today");
        }
        let domains: Vec<_> = jws.payload["identifiers"].as_array().into_iter().flatten().collect();
        let domains: Vec<_> = domains.iter().map(|of| of["value"].as_str().unwrap_or_default().to_owned()).collect();
        let (proofs, asked) = (vec![None; domains.len()], vec![false; domains.len()]);
        let order = Order { account, domains, token, proofs, asked, certificate: None };
        let number = book.orders.len();
        let shown = self.order(&order, number);
        book.orders.push(order);
        Said("201 Created", shown, Some(format!("{}/orders/{number}", self.url())))
    }

    fn order(&self, order: &Order, number: usize) -> Value {
        let failed = order.proofs.iter().any(|proof| matches!(proof, Some(Err(_))));
        let status = match &order.certificate {
            Some(_) => "valid",
            None if failed => "invalid",
            None if order.is_proved() => "ready",
            None => "pending",
        };
        let url = |of: String| format!("{}/{of}", self.url());
        let authorizations: Vec<_> =
            (0..order.domains.len()).map(|of| url(format!("authorization/{number}/{of}"))).collect();
        let mut shown = json!({
            "status": status, "authorizations": authorizations, "finalize": url(format!("finalize/{number}")),
            "identifiers": order.domains.iter().map(|name| json!({"type": "dns", "value": name})).collect::<Vec<_>>(),
        });
        if order.certificate.is_some() {
            shown["certificate"] = url(format!("certificate/{number}")).into();
        }
        shown
    }

    fn authorization(&self, order: &Order, number: usize, of: usize) -> Value {
        let challenge = self.challenge(order, number, of);
        let status = if challenge["status"] == "processing" { json!("pending") } else { challenge["status"].clone() };
        let identifier = json!({"type": "dns", "value": order.domains[of]});
        json!({"status": status, "identifier": identifier, "challenges": [challenge]})
    }

    fn challenge(&self, order: &Order, number: usize, of: usize) -> Value {
        let url = format!("{}/challenge/{number}/{of}", self.url());
        let mut shown = json!({"type": "tls-alpn-01", "url": url, "token": order.token});
        shown["status"] = match &order.proofs[of] {
            Some(Ok(())) => "valid",
            Some(Err(_)) => "invalid",
            None if order.asked[of] => "processing",
            None => "pending",
        }
        .into();
        if let Some(Err(why)) = &order.proofs[of] {
            shown["error"] = json!({"type": "urn:ietf:params:acme:error:connection", "detail": why});
        }
        shown
    }
}

impl Order {
    fn is_proved(&self) -> bool {
        self.proofs.iter().all(|proof| matches!(proof, Some(Ok(()))))
    }
}
