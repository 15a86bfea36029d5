//! Requests as bytes on a socket, since a proper client would not send them.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Random;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(found, _)| *found == name).map(|(_, v)| v)
    }
}

impl Request {
    pub(super) fn of(method: &str, target: &str, key: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: vec![("Authorization", format!("Bearer {key}").into_bytes())],
            body: Vec::new(),
        }
    }

    pub(super) fn with_json(mut self, body: Value) -> Self {
        self.headers.push(("Content-Type", b"application/json".to_vec()));
        self.body = body.to_string().into_bytes();
        self
    }

    pub(super) fn with_component(mut self, body: Vec<u8>) -> Self {
        self.headers.push(("Content-Type", b"application/wasm".to_vec()));
        self.body = body;
        self
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Changes one thing about the request.
    pub(super) fn mutate(&mut self, random: &mut Random) {
        match random.below(12) {
            0 => {
                let methods = ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW", "get"];
                self.method = (*random.of(&methods)).to_owned();
            }
            1..3 => self.mutate_path(random),
            3..6 => self.mutate_query(random),
            6..8 => self.mutate_headers(random),
            _ => self.mutate_body(random),
        }
    }

    fn mutate_path(&mut self, random: &mut Random) {
        let mut segments: Vec<_> = self.path.split('/').map(str::to_owned).collect();
        let at = 1 + random.below(segments.len() - 1);
        match random.below(5) {
            0 => segments[at] = random.odd_text(),
            1 => segments.insert(at, random.odd_text()),
            2 => drop(segments.remove(at)),
            3 => segments.push(String::new()),
            _ => segments[at].push_str(&random.odd_text()),
        }
        self.path = segments.join("/");
        if !self.path.starts_with('/') {
            self.path.insert(0, '/');
        }
    }

    fn mutate_query(&mut self, random: &mut Random) {
        let names = ["limit", "after", "wait", "follow", "deployment", "status", "outcome", "", "x", "limit%5B%5D"];
        let pair = format!("{}={}", random.of(&names), random.odd_text());
        self.query = match random.below(4) {
            0 => pair,
            1 => random.odd_text(),
            2 => self.query.split('=').map(|part| format!("{part}={}", random.odd_text())).collect(),
            _ => format!("{}&{pair}", self.query),
        };
    }

    fn mutate_headers(&mut self, random: &mut Random) {
        // Bytes above 0x7f are allowed in a value and are no text.
        let odd: Vec<u8> = match random.below(4) {
            0 => (0..random.below(40)).map(|_| 0x80 | random.below(128) as u8).collect(),
            1 => b"Bearer ".to_vec(),
            _ => random.odd_text().into_bytes(),
        };
        let names = ["Idempotency-Key", "Last-Event-ID", "Accept", "X-Request-Id", "Content-Type", "Authorization"];
        match random.below(4) {
            0 if !self.headers.is_empty() => {
                let at = random.below(self.headers.len());
                self.headers.remove(at);
            }
            1 if !self.headers.is_empty() => {
                let at = random.below(self.headers.len());
                self.headers[at].1 = odd;
            }
            _ => self.headers.push((*random.of(&names), odd)),
        }
    }

    fn mutate_body(&mut self, random: &mut Random) {
        let at = random.below(self.body.len());
        match (random.below(8), serde_json::from_slice::<Value>(&self.body)) {
            (0..5, Ok(mut document)) => {
                random.change(&mut document);
                self.body = document.to_string().into_bytes();
            }
            (0 | 5, _) => self.body.truncate(at),
            (1 | 6, _) if !self.body.is_empty() => self.body[at] ^= 1 << random.below(8),
            (2, _) => self.body.extend_from_slice(random.odd_value().to_string().as_bytes()),
            _ => self.body.splice(at..at, random.odd_text().into_bytes()).for_each(drop),
        }
    }

    pub(super) async fn send(&self, address: &str) -> Answer {
        let exchanged = tokio::time::timeout(PATIENCE, self.exchange(address)).await;
        let bytes = exchanged.unwrap_or_else(|_| panic!("no answer: {self}")).unwrap_or_else(|e| panic!("{e}: {self}"));
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("half an answer: {self}\n{text}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer { status: status.unwrap_or_else(|| panic!("{self}\n{head}")), head: head.into(), body: body.into() }
    }

    async fn exchange(&self, address: &str) -> std::io::Result<Vec<u8>> {
        let mut connection = TcpStream::connect(address).await?;
        connection.write_all(&self.bytes(address)).await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        Ok(answer)
    }

    fn bytes(&self, address: &str) -> Vec<u8> {
        let mark = if self.query.is_empty() { "" } else { "?" };
        let Self { method, path, query, .. } = self;
        let mut bytes = format!("{method} {path}{mark}{query} HTTP/1.1\r\nHost: {address}\r\n").into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("Connection: close\r\nContent-Length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.bytes("host")).into_owned();
        f.write_str(&text.chars().take(2_000).collect::<String>())
    }
}
