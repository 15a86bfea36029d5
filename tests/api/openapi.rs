//! The description of the API: whole, and true of every answer.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::routes::{Door, Route, selling, walk};
use super::{runs_of, text};
use crate::support::{Client, Reply, Server, guests};

/// The description as the server tells it, ready to judge answers by.
pub struct Description {
    document: Value,
    /// By path, method, status and media type; an answer without a body has none.
    answers: BTreeMap<(String, String, u16), BTreeMap<String, Validator>>,
    problem: Validator,
}

impl Description {
    pub async fn of(server: &Server) -> Self {
        let document = server.account.with_key(None).get("/v1/openapi.json").await.expect(200);
        let mut answers = BTreeMap::new();
        for (path, method, operation) in operations(&document) {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let contents = response.get("content").and_then(Value::as_object).into_iter().flatten();
                let schemas = contents.map(|(kind, content)| (kind.clone(), validator(&document, &content["schema"])));
                answers.insert((path.to_owned(), method.clone(), status.parse().unwrap()), schemas.collect());
            }
        }
        let problem = validator(&document, &json!({"$ref": "#/components/schemas/Problem"}));
        Self { document, answers, problem }
    }

    /// Path and method of each route.
    pub fn routes(&self) -> BTreeSet<(String, String)> {
        operations(&self.document).map(|(path, method, _)| (path.to_owned(), method)).collect()
    }

    /// The scope that each route asks for; none where any key will do, or another kind of key.
    pub(super) fn scopes(&self) -> BTreeMap<(String, String), Option<String>> {
        let scope = |operation: &Value| operation["security"][0]["account_key"][0].as_str().map(str::to_owned);
        operations(&self.document)
            .map(|(path, method, operation)| ((path.to_owned(), method), scope(operation)))
            .collect()
    }

    /// Whether a request may be answered so: status, media type and body are as described, or it is a problem
    /// document about a route that does not exist.
    pub(super) fn check(
        &self,
        method: &str,
        path: &str,
        (status, kind, body): (u16, Option<&str>, &str),
    ) -> Result<(), String> {
        let asked = if method == "HEAD" { "GET" } else { method };
        let path = path.split('?').next().unwrap_or_default();
        let found = self.answers.keys().filter(|(pattern, described, _)| described == asked && fits(pattern, path));
        let patterns: BTreeSet<_> = found.map(|(pattern, ..)| pattern).collect();
        let Some(pattern) = patterns.first() else {
            let told = matches!(status, 404 | 405);
            return if told { self.valid(&self.problem, method, body) } else { Err(format!("{status} of no route")) };
        };
        let contents = self
            .answers
            .get(&((*pattern).clone(), asked.to_owned(), status))
            .ok_or_else(|| format!("{asked} {pattern} is not described to answer {status}"))?;
        match kind.map(|kind| kind.split(';').next().unwrap_or_default()) {
            None if contents.is_empty() && body.is_empty() => Ok(()),
            // What is no JSON, a stream of events, a page or a table: only that it may come is described.
            Some(
                kind
                @ ("text/event-stream" | "text/html" | "text/csv" | "application/pdf" | "application/octet-stream"),
            ) if contents.contains_key(kind) => Ok(()),
            Some(kind) if contents.contains_key(kind) => self.valid(&contents[kind], method, body),
            other => Err(format!("{asked} {pattern} is not described to answer {status} with {other:?}")),
        }
    }

    fn valid(&self, schema: &Validator, method: &str, body: &str) -> Result<(), String> {
        if method == "HEAD" {
            return Ok(());
        }
        let value: Value = match serde_json::from_str(body) {
            Ok(value) => value,
            // A guest may give back a number that no 64-bit float holds: JSON all the same, though no `Value`.
            Err(_) if serde_json::from_str::<&RawValue>(body).is_ok() => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        schema.validate(&value).map_err(|error| format!("{error}, at {} of {value}", error.instance_path()))
    }

    #[track_caller]
    fn expect(&self, method: &Method, path: &str, reply: &Reply) {
        let kind = reply.headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap());
        self.check(method.as_str(), path, (reply.status, kind, &reply.text)).unwrap();
    }
}

/// Path, method in capitals, and description of each route.
fn operations(document: &Value) -> impl Iterator<Item = (&str, String, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (path.as_str(), method.to_uppercase(), operation))
    })
}

/// Schemas of OpenAPI 3.1 are JSON Schemas; their references go to the document's root.
fn validator(document: &Value, schema: &Value) -> Validator {
    let root = json!({"allOf": [schema], "components": document["components"]});
    jsonschema::draft202012::options().should_validate_formats(true).build(&root).expect("a schema")
}

/// Whether a path is one that a pattern with `{…}` for some segments means.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    let alike = |(part, given): (&&str, &&str)| part == given || part.starts_with('{') && !given.is_empty();
    pattern.len() == path.len() && pattern.iter().zip(&path).all(alike)
}

#[tokio::test]
async fn the_document_is_whole() {
    let server = Server::start().await;
    let document = Description::of(&server).await.document;
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert!(schemes.values().all(|scheme| scheme["type"] == "http" && scheme["scheme"] == "bearer"), "{schemes:?}");
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        assert!(ids.insert(text(operation, "operationId")), "{method} {path} has the id of another");
        assert!(!text(operation, "summary").is_empty());
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let in_path: Vec<_> = parameters.filter(|parameter| parameter["in"] == "path").collect();
        let names: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(in_path.iter().map(|parameter| text(parameter, "name")).collect::<Vec<_>>(), names, "{path}");
        for requirement in operation["security"].as_array().into_iter().flatten() {
            assert!(requirement.as_object().unwrap().keys().all(|name| schemes.contains_key(name)), "{requirement}");
        }
    }
}

fn collect_references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn whose_key_a_route_asks_for_is_described() {
    let (dodo, server) = selling().await;
    let document = Description::of(&server).await.document;
    for route in walk(&dodo, &server).await {
        let operation = &document["paths"][route.pattern][route.method.as_str().to_lowercase()];
        let asked = match route.door {
            Door::Nobody | Door::Signer => Value::Null,
            Door::Account => continue,
            // `roles` knows which.
            Door::Operator => continue,
        };
        assert_eq!(operation["security"], asked, "{route:?}");
    }
}

#[tokio::test]
async fn the_methods_that_a_path_has_are_those_that_are_described() {
    let server = Server::start().await;
    let description = Description::of(&server).await;
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, method) in description.routes() {
        described.entry(path).or_default().insert(method);
    }
    for (path, methods) in described {
        let path = path.replace("{name}", "echo").replace("{id}", "none");
        let brew = Method::from_bytes(b"BREW").unwrap();
        let reply = Client::send(server.account.request(brew, &path)).await;
        reply.problem(405);
        let allow = reply.headers["allow"].to_str().unwrap();
        let allowed: BTreeSet<_> = allow.split(',').map(|method| method.trim().to_owned()).collect();
        let without_head: BTreeSet<_> = allowed.into_iter().filter(|method| method != "HEAD").collect();
        assert_eq!(without_head, methods, "{path}");
    }
}

#[tokio::test]
async fn every_route_answers_as_described() {
    let (dodo, server) = selling().await;
    let description = Description::of(&server).await;
    let mut routes = walk(&dodo, &server).await;
    routes.sort_by_key(Route::turn);
    let mut done = 0;
    for route in &routes {
        let operator = server.operator();
        let client = if route.door == Door::Operator { &operator } else { &server.account };
        if route.door != Door::Nobody {
            let refused = route.send(&client.with_key(None)).await;
            description.expect(&route.method, &route.path, &refused);
        }
        let reply = route.send(client).await;
        description.expect(&route.method, &route.path, &reply);
        done += usize::from(reply.status < 300);
    }
    assert!(done + 7 >= routes.len(), "only {done} of {} routes did what they were asked", routes.len());
}

#[tokio::test]
async fn runs_of_every_end_are_answered_as_described() {
    let server = Server::with("", 100).await;
    let (account, description) = (&server.account, Description::of(&server).await);
    account.deploy("echo", guests::echo(), json!({})).await;
    account.deploy("poor", guests::echo(), json!({"limits": {"fuel": 1}})).await;
    account.deploy("rich", guests::echo(), json!({"limits": {"wall_clock_ms": 30_000}})).await;
    for deployment in ["echo", "poor", "rich", "none"] {
        let path = runs_of(deployment);
        for query in ["", "?wait=60", "?wait=61"] {
            for body in [json!({"input": {"n": 1}}), json!({"input": "x".repeat(2_000_000)}), json!({"inputs": 1})] {
                let path = format!("{path}{query}");
                description.expect(&Method::POST, &path, &account.post(&path, body).await);
            }
        }
    }
    for path in [
        "/v1/runs",
        "/v1/runs?outcome=out_of_fuel",
        "/v1/runs?outcome=nothing",
        "/v1/credits/transactions",
        "/v1/credits/transactions?format=csv",
    ] {
        description.expect(&Method::GET, path, &account.get(path).await);
    }
}
