//! The HTTP client of our own API that every command shares.

mod list;
mod problem;
mod profiles;

use std::sync::Once;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
pub(super) use list::{ListArgs, Rows};
pub(super) use problem::Problem;
pub(super) use profiles::{DEFAULT_PROFILE, Profile, Profiles};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::json::{self, JsonArgs};
use super::out;
use crate::http::BREACH_DUE;

/// Where `aaasp serve` listens when nothing else is said.
pub(super) const DEFAULT_URL: &str = "http://127.0.0.1:8080";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest silence of a server: it answers an upload only when it has compiled it.
const SILENCE: Duration = Duration::from_secs(300);

/// Which server, and whose key.
#[derive(Clone, Debug, Args)]
pub(super) struct ServerArgs {
    /// The server's address [default: the profile's, or http://127.0.0.1:8080].
    #[arg(long, global = true, value_name = "URL", env = "AAASP_URL", help_heading = "Server")]
    pub url: Option<String>,
    /// The profile that `aaasp login` wrote; AAASP_API_KEY needs none.
    #[arg(long, global = true, value_name = "NAME", env = "AAASP_PROFILE", help_heading = "Server")]
    pub profile: Option<String>,
}

impl ServerArgs {
    /// A client for the account whose key is in `AAASP_API_KEY` or in the profile.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let key = std::env::var("AAASP_API_KEY").ok().filter(|key| !key.is_empty());
        match (key, &self.profile) {
            (Some(_), Some(profile)) => {
                bail!("both AAASP_API_KEY and the profile `{profile}` are given; unset one of them")
            }
            (Some(key), None) => {
                let url = self.url.as_deref().unwrap_or(DEFAULT_URL);
                Client::connect(url, key.trim().into(), "the key in AAASP_API_KEY")
            }
            (None, profile) => {
                let name = profile.as_deref().unwrap_or(DEFAULT_PROFILE);
                let found = Profiles::read()?.get(name)?;
                let profile = found.ok_or_else(|| match &self.profile {
                    Some(name) => anyhow!("there is no profile `{name}`; make it with `aaasp login --profile {name}`"),
                    None => anyhow!("there is no API key; set AAASP_API_KEY, or store a key with `aaasp login`"),
                })?;
                if let Some(url) = &self.url
                    && address(url)? != address(&profile.url)?
                {
                    // A key is told to nobody but the server that it was stored for.
                    bail!(
                        "the key of the profile `{name}` is for {}, not for {url}; use another profile, or set \
                         AAASP_API_KEY",
                        profile.url
                    );
                }
                Client::connect(&profile.url, profile.api_key, &format!("the key of the profile `{name}`"))
            }
        }
    }
}

/// Talks to one server with one key.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    /// None for what anybody may ask.
    key: Option<SecretString>,
    /// What the key is, to a person.
    key_name: String,
}

/// A good answer: JSON text, or nothing.
#[derive(Debug)]
pub(super) struct Answer {
    pub text: String,
}

impl Answer {
    /// The answer as a value.
    pub(super) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_str(&self.text).context("the server's answer is not what this release understands")
    }

    /// Shows the answer: as it is to a program, as `show` prints it to a person.
    pub(super) fn show<T: DeserializeOwned>(&self, json: JsonArgs, show: impl FnOnce(&T)) -> anyhow::Result<()> {
        if json.json {
            json::print_text(&self.text);
        } else {
            show(&self.read()?);
        }
        Ok(())
    }
}

impl Client {
    /// For the server at an address, with a key that `key_name` tells a person from others.
    pub(super) fn connect(url: &str, key: SecretString, key_name: &str) -> anyhow::Result<Self> {
        let base = address(url)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("aaasp/", env!("CARGO_PKG_VERSION")));
        let host = base.host_str().unwrap_or_default();
        if host == "localhost" || host.starts_with("127.") || host == "[::1]" {
            // Whatever proxy the environment names, it does not know this machine's own addresses.
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build().context("can't set up HTTPS")?,
            base,
            key: Some(key),
            key_name: key_name.to_owned(),
        })
    }

    /// For what anybody may ask the server at an address.
    pub(super) fn without_key(url: &str) -> anyhow::Result<Self> {
        Ok(Self { key: None, ..Self::connect(url, SecretString::default(), "no key")? })
    }

    /// The server's address.
    pub(super) fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    pub(super) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.answer(self.request(Method::GET, path)?.query(query)).await
    }

    pub(super) async fn delete(&self, path: &[&str]) -> anyhow::Result<Answer> {
        self.answer(self.request(Method::DELETE, path)?).await
    }

    pub(super) async fn send<T: Serialize>(&self, method: Method, path: &[&str], body: &T) -> anyhow::Result<Answer> {
        self.answer(self.request(method, path)?.json(body)).await
    }

    /// Sends a request that was made by [`Client::request`].
    pub(super) async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        let response = self.response(request).await?;
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        Ok(Answer { text })
    }

    /// Sends a body as it comes, whose length is known.
    pub(super) async fn upload(
        &self,
        path: &[&str],
        bytes: usize,
        body: impl futures::Stream<Item = std::io::Result<bytes::Bytes>> + Send + 'static,
    ) -> anyhow::Result<Answer> {
        let request = self.request(Method::PUT, path)?;
        let headers = request.header(CONTENT_TYPE, "application/wasm").header(CONTENT_LENGTH, bytes);
        self.answer(headers.body(reqwest::Body::wrap_stream(body))).await
    }

    /// Begins to read server-sent events, after the one with this id.
    pub(super) async fn events(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        last: Option<&str>,
    ) -> anyhow::Result<Response> {
        let mut request = self.request(Method::GET, path)?.query(query).header(ACCEPT, "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        self.response(request).await
    }

    /// Begins to read a table.
    pub(super) async fn table(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Response> {
        self.response(self.request(Method::GET, path)?.query(query).header(ACCEPT, "text/csv")).await
    }

    /// An answer that is no text.
    pub(super) async fn bytes(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<bytes::Bytes> {
        let response = self.response(self.request(Method::GET, path)?.query(query)).await?;
        response.bytes().await.map_err(|error| self.unreachable(&error))
    }

    /// Begins to read what a link of ours, which names no key, is for.
    pub(super) async fn download(&self, path: &[&str]) -> anyhow::Result<Response> {
        let response = self.http.post(self.place(path)?).send().await.map_err(|error| self.unreachable(&error))?;
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::GONE => bail!("the link was used, or another one was made meanwhile; ask again"),
            status => bail!("{} answered {status}; ask again", self.url()),
        }
    }

    /// What a server tells anybody, at a path of its own.
    pub(super) async fn public(url: &str, path: &[&str]) -> anyhow::Result<Answer> {
        let client = Self::without_key(url)?;
        let place = client.place(path)?;
        client.answer(client.http.get(place)).await
    }

    /// More of an answer that was begun; none at its end.
    pub(super) async fn more(&self, response: &mut Response) -> anyhow::Result<Option<bytes::Bytes>> {
        response.chunk().await.map_err(|error| self.unreachable(&error))
    }

    /// A request that carries the key.
    pub(super) fn request(&self, method: Method, path: &[&str]) -> anyhow::Result<RequestBuilder> {
        let place = self.place(&[&["v1"], path].concat())?;
        let request = self.http.request(method, place);
        Ok(match &self.key {
            Some(key) => request.bearer_auth(key.expose_secret()),
            None => request,
        })
    }

    /// The address of a path.
    fn place(&self, path: &[&str]) -> anyhow::Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow!("{} can't be the address of a server", self.base))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn response(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            tell_of_breach(&response);
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        let Some(problem) = Problem::read(&text) else {
            bail!("{} answered {status}, which is no answer of an AAASP server", self.url());
        };
        let problem = anyhow::Error::new(problem);
        if status == StatusCode::UNAUTHORIZED {
            return Err(problem.context(format!("{} does not take {}", self.url(), self.key_name)));
        }
        Err(problem)
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let url = self.url().to_owned();
        let reason = if error.is_timeout() { "it does not answer".to_owned() } else { root(error) };
        if error.is_connect() { Unreachable::Refused { url, reason } } else { Unreachable::Broken { url, reason } }
            .into()
    }
}

/// Tells an operator, once, by when a breach is to be told.
fn tell_of_breach(response: &Response) {
    static TOLD: Once = Once::new();
    if let Some(due) = response.headers().get(BREACH_DUE).and_then(|due| due.to_str().ok()) {
        TOLD.call_once(|| out::note(format!("A breach is to be told by {due}: aaasp admin breach")));
    }
}

/// The server can't be reached, or broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreachable {
    #[error("can't reach {url}: {reason}; start a server with `aaasp serve`, or name another one with --url")]
    Refused { url: String, reason: String },
    #[error("lost the connection to {url}: {reason}")]
    Broken { url: String, reason: String },
}

fn address(url: &str) -> anyhow::Result<Url> {
    let url: Url = url.parse().with_context(|| format!("`{url}` is not the address of a server"))?;
    if !matches!(url.scheme(), "http" | "https") {
        bail!("`{url}` is not the address of a server: it begins with http:// or https://");
    }
    Ok(url)
}

fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
