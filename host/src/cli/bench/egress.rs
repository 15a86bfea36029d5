//! What the broker adds to one small HTTPS request, against reqwest alone, and what the search of a body costs.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use futures::future::{BoxFuture, try_join_all};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::capabilities::egress::{Broker, EgressSettings, measure};
use crate::grants::{Grants, Place};
use crate::limits::RunLimits;
use crate::names::Name;
use crate::runtime::Invocation;
use crate::vault::custody::{Custody, Lent, Use, UseId, Withheld};

const SECRET: &str = "the-token-of-the-benchmark";
const CLIENTS: [usize; 2] = [1, 64];
const SEARCHED_BYTES: usize = 10 << 20;
const CHUNK_BYTES: usize = 16 << 10;
const SEARCHES: u32 = 10;

/// Measures against a server of its own on this machine, which shows this certificate for `localhost`.
pub(super) async fn measured(certificate: &Path, key: &Path, length: Duration) -> anyhow::Result<Value> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| certificate.display().to_string())?;
    let port = serve(certificates.clone(), key).await?;
    let url: http::Uri = format!("https://localhost:{port}/small").parse()?;
    let broker = Arc::new(Broker::new(EgressSettings {
        allow_addresses: vec!["127.0.0.0/8".parse()?, "::1/128".parse()?],
        authorities: certificates.clone(),
        ..EgressSettings::default()
    })?);
    let run = invocation(port)?;
    let mut roots = Vec::new();
    for certificate in &certificates {
        roots.push(reqwest::Certificate::from_der(certificate)?);
    }
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(roots).build()?;
    let mut rows = Vec::new();
    for clients in CLIENTS {
        let alone = rate(clients, length, async || {
            let response = client.get(format!("https://localhost:{port}/small")).bearer_auth(SECRET).send().await?;
            Ok(response.error_for_status()?.bytes().await?.len())
        })
        .await?;
        let brokered =
            rate(clients, length, async || measure::get(&broker, &run, &url).await.map_err(|error| anyhow!(error)))
                .await?;
        rows.push(json!({
            "clients": clients,
            "reqwest": {"p50_us": alone.0, "per_second": alone.1},
            "broker": {"p50_us": brokered.0, "per_second": brokered.1},
            "p50_ratio": brokered.0 / alone.0,
            "throughput_ratio": brokered.1 / alone.1,
        }));
    }
    Ok(json!({"requests": rows, "search_10_mib_cpu_ms": search_cpu_ms()?}))
}

/// A server that answers every request with a few bytes, over HTTP/1.1 as both clients then speak it.
async fn serve(certificates: Vec<CertificateDer<'static>>, key: &Path) -> anyhow::Result<u16> {
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| key.display().to_string())?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let Ok(stream) = tls.accept(stream).await else { return };
                let small = hyper::service::service_fn(async |_| {
                    Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(Bytes::from_static(
                        b"{\"ok\":true}",
                    ))))
                });
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), small).await;
            });
        }
    });
    Ok(port)
}

/// Median latency in microseconds, and requests a second, of so many clients at once.
async fn rate(
    clients: usize,
    length: Duration,
    call: impl AsyncFn() -> anyhow::Result<usize>,
) -> anyhow::Result<(f64, f64)> {
    // Connections first: what is measured is a request, not a handshake.
    try_join_all((0..clients).map(|_| call())).await?;
    let started = Instant::now();
    let client = async || {
        let mut took = Vec::new();
        while started.elapsed() < length {
            let begun = Instant::now();
            if call().await? == 0 {
                bail!("an answer was empty");
            }
            took.push(begun.elapsed());
        }
        anyhow::Ok(took)
    };
    let mut took: Vec<Duration> = try_join_all((0..clients).map(|_| client())).await?.concat();
    let seconds = started.elapsed().as_secs_f64();
    took.sort_unstable();
    let median = took.get(took.len() / 2).context("nothing was measured")?;
    Ok((median.as_secs_f64() * 1e6, took.len() as f64 / seconds))
}

/// Processor time of searching 10 MiB of text that is all but random, in milliseconds.
fn search_cpu_ms() -> anyhow::Result<f64> {
    let mut bytes = vec![0; SEARCHED_BYTES * 3 / 4];
    getrandom::fill(&mut bytes)?;
    let text = Bytes::from({
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(bytes)
    });
    let before = cpu_time()?;
    for _ in 0..SEARCHES {
        let chunks = (0..text.len()).step_by(CHUNK_BYTES).map(|at| text.slice(at..(at + CHUNK_BYTES).min(text.len())));
        if measure::scrub(SECRET.as_bytes(), chunks) != text.len() {
            bail!("bytes were lost");
        }
    }
    Ok((cpu_time()? - before).as_secs_f64() * 1e3 / f64::from(SEARCHES))
}

/// What the kernel counts for this thread, which does not yield meanwhile.
fn cpu_time() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split_whitespace().next().context("the kernel counts no processor time")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

fn invocation(port: u16) -> anyhow::Result<Invocation> {
    let target = json!({"host": "localhost", "port": port});
    let grants: Grants = serde_json::from_value(json!({
        "egress": {"allow": [target]},
        "credentials": {"token": {"to": [target]}},
    }))?;
    let limits = RunLimits { wall_clock_ms: 3_600_000, ..RunLimits::default() };
    Ok(Invocation {
        grants: Arc::new(grants),
        custody: Arc::new(Token),
        account_http_in_flight: 1_000,
        limits,
        ..super::invocation()
    })
}

/// A vault of one token.
#[derive(Debug)]
struct Token;

impl Custody for Token {
    fn lend<'a>(&'a self, _name: &'a Name) -> BoxFuture<'a, Result<Lent, Withheld>> {
        Box::pin(async {
            Ok(Lent { version: 1, place: Some(Place::Bearer), secret: SECRET.as_bytes().to_vec().into() })
        })
    }

    fn sign<'a>(&'a self, name: &'a Name, _bytes: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], Withheld>> {
        Box::pin(async { Err(Withheld::Unknown(name.clone())) })
    }

    fn used(&self, _used: Use) -> UseId {
        UseId(0)
    }

    fn ended(&self, _used: UseId, _status: Option<u16>) {}
}
