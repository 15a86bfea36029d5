//! HTTPS servers in this process, whose every byte a test decides, under an authority of their own.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::authority::{self, Issued};

/// Names that the servers' certificate is good for.
const NAMES: [&str; 5] = ["api.test", "other.test", "xn--bcher-kva.test", "127.0.0.1", "localhost"];

static SERVER: LazyLock<ServerConfig> = LazyLock::new(|| {
    let Issued { certificate, key, .. } = Issued::to(&NAMES);
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap()
});

/// The certificate of the servers' authority.
pub fn authority() -> CertificateDer<'static> {
    authority::certificate()
}

/// The servers' side of TLS, speaking these protocols.
pub fn acceptor(protocols: &[&[u8]]) -> TlsAcceptor {
    let mut config = SERVER.clone();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Request line and headers.
    pub head: String,
    /// The body, freed of its chunks.
    pub body: Vec<u8>,
    /// The connection that it came over, by number.
    pub connection: usize,
}

impl Received {
    /// All values of a header.
    pub fn values(&self, name: &str) -> Vec<String> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// The request's target.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

/// Pieces that are written one by one, each on its way before the next; an empty piece hangs for ever.
pub type Pieces = Vec<Vec<u8>>;

/// A server, until it is dropped.
pub struct HttpsServer {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpsServer {
    /// A server over TLS that answers each request with what `answer` makes of it.
    pub async fn start(answer: impl Fn(&Received) -> Pieces + Send + Sync + 'static) -> Self {
        Self::listen(Some(acceptor(&[b"http/1.1"])), answer).await
    }

    /// The same in the clear.
    pub async fn in_the_clear(answer: impl Fn(&Received) -> Pieces + Send + Sync + 'static) -> Self {
        Self::listen(None, answer).await
    }

    async fn listen(tls: Option<TlsAcceptor>, answer: impl Fn(&Received) -> Pieces + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&received), Arc::new(answer));
        let task = tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, _)) = listener.accept().await {
                connection += 1;
                let (tls, kept, answer) = (tls.clone(), Arc::clone(&kept), Arc::clone(&answer));
                tokio::spawn(async move { serve(tls, stream, connection, &kept, &*answer).await });
            }
        });
        Self { address, received, task }
    }

    /// Everything that came so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn serve(
    tls: Option<TlsAcceptor>,
    stream: TcpStream,
    connection: usize,
    kept: &Mutex<Vec<Received>>,
    answer: &(dyn Fn(&Received) -> Pieces + Send + Sync),
) -> Option<()> {
    match tls {
        Some(tls) => converse(tls.accept(stream).await.ok()?, connection, kept, answer).await,
        None => converse(stream, connection, kept, answer).await,
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    kept: &Mutex<Vec<Received>>,
    answer: &(dyn Fn(&Received) -> Pieces + Send + Sync),
) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let request = request(&mut stream, &mut buffer, connection).await?;
        kept.lock().unwrap().push(request.clone());
        for piece in answer(&request) {
            if piece.is_empty() {
                std::future::pending::<()>().await;
            }
            stream.write_all(&piece).await.ok()?;
            stream.flush().await.ok()?;
            // Without a pause the pieces would come in one.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}

async fn request(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>, connection: usize) -> Option<Received> {
    let head_end = until(stream, buffer, b"\r\n\r\n").await?;
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    buffer.drain(..head_end);
    let mut request = Received { head, body: Vec::new(), connection };
    if let Some(length) = request.values("content-length").first() {
        let length: usize = length.parse().ok()?;
        while buffer.len() < length {
            more(stream, buffer).await?;
        }
        request.body = buffer.drain(..length).collect();
    } else if request.values("transfer-encoding").iter().any(|value| value == "chunked") {
        loop {
            let line = until(stream, buffer, b"\r\n").await?;
            let size = usize::from_str_radix(std::str::from_utf8(&buffer[..line - 2]).ok()?, 16).ok()?;
            buffer.drain(..line);
            while buffer.len() < size + 2 {
                more(stream, buffer).await?;
            }
            request.body.extend(buffer.drain(..size));
            buffer.drain(..2);
            if size == 0 {
                break;
            }
        }
    }
    Some(request)
}

async fn until(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>, end: &[u8]) -> Option<usize> {
    loop {
        if let Some(at) = buffer.windows(end.len()).position(|window| window == end) {
            return Some(at + end.len());
        }
        more(stream, buffer).await?;
    }
}

async fn more(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(buffer).await.ok()? > 0).then_some(())
}

/// A whole answer with this status line, these header lines and this body, in one piece.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Pieces {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    vec![[head.as_bytes(), body].concat()]
}

/// An answer whose body comes in these chunks, each on its way before the next, with these trailer lines.
pub fn chunked(headers: &str, chunks: &[&[u8]], trailers: &str) -> Pieces {
    let mut pieces = vec![format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{headers}\r\n").into_bytes()];
    for chunk in chunks {
        pieces.push([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    pieces.push(format!("0\r\n{trailers}\r\n").into_bytes());
    pieces
}
