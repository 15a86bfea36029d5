//! As much HTTP as talking to our own API takes: one request a connection, over loopback, without TLS.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A client of one server and, mostly, one account.
pub struct Client {
    /// `host:port`.
    pub address: String,
    /// Sent as the bearer token.
    pub api_key: String,
}

impl Client {
    /// Sends JSON and expects a success and JSON.
    pub fn json(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send(method, path, "application/json", body.as_bytes())
    }

    /// Sends bytes and expects a success and JSON.
    pub fn send(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Result<Value> {
        let (status, answer) =
            self.exchange(method, path, content_type, body).with_context(|| format!("{method} {path}"))?;
        if !(200..300).contains(&status) {
            bail!("{method} {path} was answered with {status}: {answer}");
        }
        serde_json::from_str(&answer).with_context(|| format!("{method} {path} was answered with no JSON: {answer}"))
    }

    /// Uploads a component as the next version of an agent and deploys it under the same name.
    pub fn deploy(&self, name: &str, component: &Path, settings: Value) -> Result<Value> {
        let bytes = std::fs::read(component).with_context(|| format!("cannot read {}", component.display()))?;
        let version = self.send("PUT", &format!("/v1/agents/{name}"), "application/wasm", &bytes)?;
        let mut deployment = serde_json::json!({ "agent": name });
        if let (Some(deployment), Value::Object(settings)) = (deployment.as_object_mut(), settings) {
            deployment.extend(settings);
        }
        self.json("PUT", &format!("/v1/deployments/{name}"), Some(&deployment))?;
        Ok(version)
    }

    /// How many bytes an answer has.
    pub fn bytes(&self, method: &str, path: &str) -> Result<u64> {
        let mut stream = TcpStream::connect(&self.address)?;
        let head = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", self.address);
        stream.write_all(head.as_bytes())?;
        let mut answer = BufReader::new(stream);
        let mut line = String::new();
        while answer.read_line(&mut line)? > 2 {
            line.clear();
        }
        Ok(std::io::copy(&mut answer, &mut std::io::sink())?)
    }

    /// The status of an answer, whatever it is.
    pub fn status(&self, path: &str) -> Result<u16> {
        Ok(self.exchange("GET", path, "application/json", b"")?.0)
    }

    /// HTTP/1.0 on purpose: the answer then ends with the connection and is never chunked.
    fn exchange(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: {content_type}\r\n\
             Content-Length: {}\r\n\r\n",
            self.address,
            self.api_key,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8(answer).context("the answer is no UTF-8")?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of headers")?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("the answer has no status")?;
        Ok((status, body.to_owned()))
    }
}
