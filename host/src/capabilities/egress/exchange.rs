//! One exchange, in the order of the design: parse, allow, reject, search, resolve, inject, send, clean, count.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use secrecy::ExposeSecret as _;
use wasmtime_wasi_http::{RequestOptions, WasiBody};

use super::broker::{Broker, Pool};
use super::counts::Counts;
use super::denied::{Denied, TO_CONNECT};
use super::destination::Destination;
use super::headers::{refuse_owned, refuse_parts, refuse_reserved, refuse_secrets};
use super::incoming::{Receiving, received};
use super::inject::inject;
use super::outgoing::{Failure, Outgoing};
use super::policy::Policy;
use super::secrets::{Carried, Secrets};
use crate::capabilities::log::{Level, RunLog};
use crate::grants::{Grants, Scheme};
use crate::ids::AccountId;
use crate::runtime::{Gate, Invocation};
use crate::vault::custody::{Custody, Purpose, Use, UseId};

/// How long connecting takes at most, unless the guest says less.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// Time that a request may outlast its run's limit by, so that it is the run that ends it.
const GRACE: Duration = Duration::from_secs(1);

/// What the requests of one run share.
#[derive(Debug)]
pub(crate) struct Run {
    broker: Arc<Broker>,
    policy: Arc<Policy>,
    /// The account's connections; a run that is granted no host needs none.
    pool: Option<Arc<Pool>>,
    pub(super) counts: Arc<Counts>,
    secrets: Secrets,
    custody: Arc<dyn Custody>,
    log: Arc<RunLog>,
    gate: Gate,
    account: AccountId,
    account_in_flight: u64,
    deadline: Instant,
}

/// Waits of one request, none of them longer than the run.
#[derive(Clone, Copy)]
struct Waits {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
}

impl Run {
    pub(crate) fn new(broker: Arc<Broker>, invocation: &Invocation) -> Self {
        let grants = &invocation.grants;
        let pool = (!grants.egress.allow.is_empty())
            .then(|| broker.pool(invocation.account, invocation.account_http_in_flight));
        let policy = pool.as_ref().map_or_else(Arc::default, |pool| {
            pool.policies.find_or_make(|kept| Arc::ptr_eq(kept, grants), || (Arc::clone(grants), Policy::new(grants)))
        });
        Self {
            broker,
            policy,
            pool,
            counts: Arc::new(Counts::new(&invocation.limits)),
            secrets: Secrets::default(),
            custody: Arc::clone(&invocation.custody),
            log: Arc::clone(&invocation.log),
            gate: invocation.gate.clone(),
            account: invocation.account,
            account_in_flight: invocation.account_http_in_flight,
            // The run's own end comes first; what waits for longer than that is a mistake of ours.
            deadline: Instant::now() + Duration::from_millis(invocation.limits.wall_clock_ms) + GRACE,
        }
    }

    /// The same run under other grants, for requests that the host makes on its behalf. They count as the run's own.
    pub(crate) fn under(&self, grants: &Grants, custody: Arc<dyn Custody>) -> Self {
        Self {
            broker: Arc::clone(&self.broker),
            policy: Arc::new(Policy::new(grants)),
            pool: Some(self.pool.clone().unwrap_or_else(|| self.broker.pool(self.account, self.account_in_flight))),
            counts: Arc::clone(&self.counts),
            secrets: Secrets::default(),
            custody,
            log: Arc::clone(&self.log),
            gate: self.gate.clone(),
            account: self.account,
            account_in_flight: self.account_in_flight,
            deadline: self.deadline,
        }
    }

    /// When the run ends at the latest.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Sends a request and answers with what came back, or says why not: to the guest by a type, to the author by
    /// a line of the log.
    pub(crate) async fn exchange(
        self: Arc<Self>,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> wasmtime_wasi_http::Result<Response<WasiBody>> {
        self.ask(request, options).await.map_err(|denied| denied.code())
    }

    /// As [`exchange`](Self::exchange), for the host itself.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Denied> {
        let answer = self.attempt(request, options).await;
        if let Err(denied) = &answer {
            self.note(denied).await;
        }
        answer
    }

    async fn attempt(
        self: &Arc<Self>,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Denied> {
        self.counts.request()?;
        if !self.gate.passed().await {
            return Err(Denied::Unpaid);
        }
        let in_flight = self.counts.in_flight()?;
        let waits = self.waits(options);
        let (mut parts, body) = request.into_parts();
        let uri = std::mem::take(&mut parts.uri);
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let to = Destination::parse(uri.scheme_str().unwrap_or("https"), authority, path)?;
        let pool = self.allow(&parts.method, &to)?;
        refuse_reserved(&parts.headers)?;
        let (carried, sought) = self.secrets.for_request(&*self.custody, &self.policy, pool, &to).await?;
        for credential in &carried {
            refuse_owned(&parts.headers, &to, &credential.name, &credential.place)?;
        }
        let carries = !carried.is_empty();
        if carries {
            refuse_parts(&parts.headers)?;
        }
        if let Some(sought) = &sought {
            refuse_secrets(&parts.headers, &to, &sought.now())?;
        }
        self.counts.request_bytes(head_bytes(&parts, &to))?;
        let addresses = self.broker.pins().pin(self.account, &to).await?;
        if to.scheme == Scheme::Http
            && let Some(credential) = carried.first()
            && !addresses.iter().all(|address| self.broker.pins().allowed().names(address.ip()))
        {
            return Err(Denied::InTheClear { name: credential.name.clone() });
        }

        let declared = declared_length(&mut parts)?;
        parts.uri = to.uri(None)?;
        if sought.is_some() {
            parts.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        place(&mut parts, &to, &carried)?;
        let permit = Arc::clone(&pool.in_flight);
        let permit = tokio::time::timeout(waits.first_byte, permit.acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(Denied::Limit("http_requests_in_flight")) };

        let body = Outgoing::new(body, declared, sought.clone(), Arc::clone(&self.counts));
        let uses = Uses::begin(&self.custody, &carried, &parts.method, &to);
        let in_the_clear = carries && to.scheme == Scheme::Http;
        drop(carried);
        let request = Request::from_parts(parts, body);
        let failure = request.body().failure();
        let response = self.send(pool, request, &to, in_the_clear, waits).await?;
        uses.end(response.status().as_u16());
        if carries && response.status().as_u16() == 206 {
            return Err(Denied::Part);
        }
        let run = Arc::clone(self);
        let broke = Box::new(move |denied: Denied| run.write(&denied));
        let receiving = Receiving {
            sought,
            counts: Arc::clone(&self.counts),
            between_bytes: waits.between_bytes,
            held: Some((in_flight, permit)),
            failure,
            broke,
        };
        received(response, receiving)
    }

    fn allow(&self, method: &Method, to: &Destination) -> Result<&Pool, Denied> {
        if matches!(*method, Method::TRACE | Method::CONNECT) {
            return Err(Denied::Method(method.to_string()));
        }
        if let Some(pool) = self.pool.as_ref().filter(|_| self.policy.allows(method, to)) {
            return Ok(pool);
        }
        let rule = super::policy::rule_for(method, to);
        Err(Denied::NotAllowed { method: method.to_string(), to: to.to_string(), rule })
    }

    /// From here on bytes may leave the host.
    async fn send(
        &self,
        pool: &Pool,
        mut request: Request<Outgoing>,
        to: &Destination,
        in_the_clear: bool,
        waits: Waits,
    ) -> Result<Response<Incoming>, Denied> {
        self.counts.left();
        let failure = request.body().failure();
        let client = if in_the_clear { &pool.in_the_clear } else { &pool.client };
        let too_slow = |doing| Denied::TooSlow { to: to.to_string(), doing };
        let mut connection = capture_connection(&mut request);
        let answer = client.request(request);
        let mut answer = std::pin::pin!(tokio::time::timeout(waits.first_byte, answer));
        // The guest may wait for a connection less long than for an answer.
        let connected = async { connection.wait_for_connection_metadata().await.is_some() };
        let early = tokio::select! {
            biased;
            answered = &mut answer => Some(answered),
            connected = tokio::time::timeout(waits.connect, connected) => match connected {
                Ok(_) => None,
                Err(_) => return Err(too_slow(TO_CONNECT)),
            },
        };
        let answered = match early {
            Some(answered) => answered,
            None => answer.await,
        };
        match answered {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.broken(&error, to, &failure).await),
            Err(_) => Err(too_slow("to answer")),
        }
    }

    async fn broken(&self, error: &hyper_util::client::legacy::Error, to: &Destination, failure: &Failure) -> Denied {
        if let Some(denied) = failure.get() {
            return denied.clone();
        }
        if error.is_connect() {
            self.broker.pins().forget(self.account, to).await;
            return super::broken::connecting(error, to);
        }
        Denied::Broken(to.to_string())
    }

    fn waits(&self, options: Option<RequestOptions>) -> Waits {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let options = options.unwrap_or_default();
        let capped = |wait: Option<Duration>| wait.unwrap_or(left).min(left);
        Waits {
            connect: capped(options.connect_timeout).min(CONNECT_PATIENCE),
            first_byte: capped(options.first_byte_timeout),
            between_bytes: capped(options.between_bytes_timeout),
        }
    }

    /// A guest may have put a secret into anything that the message names, so the line is cleaned of all of them.
    async fn note(&self, denied: &Denied) {
        let mut text = denied.to_string();
        if let Some(pool) = &self.pool {
            text = self.secrets.needles(&*self.custody, &self.policy, pool).await.masked(&text);
        }
        self.line(denied, &text);
    }

    /// For what happens once a response is on its way: it names nothing that the guest chose.
    fn write(&self, denied: &Denied) {
        self.line(denied, &denied.to_string());
    }

    fn line(&self, denied: &Denied, text: &str) {
        // No limit refuses the host's own lines, so a guest that goes on at a limit makes one line of it.
        if matches!(denied, Denied::Limit(_)) && self.counts.noted() {
            return;
        }
        let what = if denied.is_refusal() { "refused" } else { "failed" };
        self.log.host(Level::Warn, &format!("egress {what}: {text}"));
    }
}

/// Puts each secret into its place.
fn place(parts: &mut http::request::Parts, to: &Destination, carried: &[Carried]) -> Result<(), Denied> {
    for (number, credential) in carried.iter().enumerate() {
        if let Some(other) = carried[..number].iter().find(|other| same_place(other, credential)) {
            return Err(Denied::Twice(other.name.clone(), credential.name.clone()));
        }
        inject(parts, to, &credential.name, &credential.place, credential.secret.expose_secret())?;
    }
    Ok(())
}

/// Whether two credentials would stand in each other's way; the query has room for one.
fn same_place(one: &Carried, other: &Carried) -> bool {
    use super::headers::header_of;
    header_of(&one.place).eq_ignore_ascii_case(header_of(&other.place))
}

/// The guest's declared length, taken out of the headers: the body's own size writes it anew.
fn declared_length(parts: &mut http::request::Parts) -> Result<Option<u64>, Denied> {
    let mut values = parts.headers.get_all(CONTENT_LENGTH).iter();
    let declared = match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => {
            let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            Some(text.and_then(|text| text.parse().ok()).ok_or(Denied::Length)?)
        }
        (Some(_), Some(_)) => return Err(Denied::Length),
    };
    parts.headers.remove(CONTENT_LENGTH);
    Ok(declared)
}

fn head_bytes(parts: &http::request::Parts, to: &Destination) -> usize {
    let fields = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    parts.method.as_str().len() + to.as_str().len() + fields
}

/// Uses that were written down and must be brought to an end, whatever becomes of the request.
struct Uses {
    custody: Arc<dyn Custody>,
    begun: Vec<UseId>,
}

impl Uses {
    fn begin(custody: &Arc<dyn Custody>, carried: &[Carried], method: &Method, to: &Destination) -> Self {
        let used = |credential: &Carried| {
            custody.used(Use {
                credential: credential.name.clone(),
                version: credential.version,
                purpose: Purpose::Request {
                    method: method.to_string(),
                    host: to.authority(),
                    path: to.path().to_owned(),
                },
            })
        };
        Self { custody: Arc::clone(custody), begun: carried.iter().map(used).collect() }
    }

    fn end(mut self, status: u16) {
        for begun in self.begun.drain(..) {
            self.custody.ended(begun, Some(status));
        }
    }
}

impl Drop for Uses {
    fn drop(&mut self) {
        for begun in self.begun.drain(..) {
            self.custody.ended(begun, None);
        }
    }
}
