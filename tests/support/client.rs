//! A client of the API that speaks in tests: `account.put("/v1/…", json!(…)).await.expect(201)`.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::authority;

/// One principal's view of one server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Client {
    pub fn new(base: &str, key: Option<&str>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        if base.starts_with("https://") {
            let authority = reqwest::Certificate::from_der(&authority::certificate()).unwrap();
            http = http.tls_certs_only([authority]);
        }
        let http = http.build().unwrap();
        Self { http, base: base.to_owned(), key: key.map(str::to_owned) }
    }

    /// The same server, seen with another key or none.
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends a request; a connection that fails is an error value, since some tests kill the server.
    pub async fn try_send(request: RequestBuilder) -> Result<Reply, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, text: response.text().await? })
    }

    pub async fn send(request: RequestBuilder) -> Reply {
        Self::try_send(request).await.expect("the server answers")
    }

    pub async fn get(&self, path: &str) -> Reply {
        Self::send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        Self::send(self.request(Method::DELETE, path)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        Self::send(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        Self::send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        Self::send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn upload(&self, agent: &str, component: Vec<u8>) -> Reply {
        let request = self.request(Method::PUT, &format!("/v1/agents/{agent}"));
        Self::send(request.header(CONTENT_TYPE, "application/wasm").body(component)).await
    }

    /// Uploads a component and deploys it under the same name.
    pub async fn deploy(&self, name: &str, component: Vec<u8>, deployment: Value) {
        let uploaded = self.upload(name, component).await;
        assert!(uploaded.status == 201 || uploaded.status == 200, "{uploaded:?}");
        let mut body = deployment;
        body["agent"] = name.into();
        let put = self.put(&format!("/v1/deployments/{name}"), body).await;
        assert!(put.status == 201 || put.status == 200, "{put:?}");
    }

    /// Runs a deployment to its end.
    pub async fn run(&self, deployment: &str, input: Value) -> Value {
        let body = serde_json::json!({ "input": input });
        self.post(&format!("/v1/deployments/{deployment}/runs?wait=60"), body).await.expect(200)
    }

    /// What is available and what is held, in microcredits.
    pub async fn balance(&self) -> (i64, i64) {
        let credits = self.get("/v1/credits").await.expect(200);
        (credits["available_microcredits"].as_i64().unwrap(), credits["held_microcredits"].as_i64().unwrap())
    }
}

impl Reply {
    /// The body, when the status is the expected one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).expect("JSON") }
    }

    /// The problem document, when the status is the expected one.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.headers["x-request-id"].to_str().unwrap());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem
    }
}
