//! `/v1/runs/{id}/logs`.

use serde_json::{Value, json};

use super::{fields, finished, items, start, text};
use crate::support::{Client, Server, guests};

/// An event of a server-sent stream.
#[derive(Debug)]
struct Event {
    kind: String,
    id: Option<String>,
    data: Value,
}

/// Reads a stream of events, one at a time.
struct Events {
    response: reqwest::Response,
    read: String,
}

impl Events {
    async fn follow(account: &Client, path: &str, last: Option<&str>) -> Self {
        let request = account.request(reqwest::Method::GET, path);
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(response.headers().contains_key("x-request-id"));
        Self { response, read: String::new() }
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                if let Some(event) = Event::read(&event) {
                    return Some(event);
                }
                continue;
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

impl Event {
    /// None for a comment, which only keeps the connection alive.
    fn read(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let kind = field("event")?.to_owned();
        Some(Self { kind, id: field("id").map(str::to_owned), data: serde_json::from_str(field("data")?).unwrap() })
    }
}

#[tokio::test]
async fn a_log_tells_level_source_and_message_line_by_line() {
    let server = Server::start().await;
    server.account.deploy("slow", guests::slow(), json!({})).await;
    let run = server.account.run("slow", json!(1)).await;
    let log = server.account.get(&format!("/v1/runs/{}/logs", text(&run, "id"))).await.expect(200);
    let told: Vec<_> = items(&log)
        .iter()
        .map(|line| (line["seq"].as_i64().unwrap(), text(line, "level"), text(line, "source"), text(line, "message")))
        .collect();
    assert_eq!(told, [(0, "debug", "slow", "begun"), (1, "warn", "slow", "ended")]);
    assert!(items(&log).iter().all(|line| text(line, "at").ends_with('Z')), "{log}");
}

#[tokio::test]
async fn a_log_is_read_page_by_page() {
    let server = Server::start().await;
    server.account.deploy("greet", guests::greet(), json!({})).await;
    let run = server.account.run("greet", json!(25)).await;
    let all = super::all_items(&server.account, &format!("/v1/runs/{}/logs", text(&run, "id")), 10).await;
    let expected: Vec<_> = (0..25).map(|seq| seq.to_string()).collect();
    assert_eq!(fields(&all, "seq"), expected);
}

#[tokio::test]
async fn a_long_log_is_whole() {
    let server = Server::start().await;
    server.account.deploy("greet", guests::greet(), json!({})).await;
    let run = server.account.run("greet", json!(9_000)).await;
    assert_eq!(text(&run, "outcome"), "succeeded");
    let path = format!("/v1/runs/{}/logs", text(&run, "id"));
    let all = super::all_items(&server.account, &path, 200).await;
    assert!(all.iter().enumerate().all(|(at, line)| line["seq"] == at), "a line is missing or out of order");
    assert_eq!(all.len(), 9_000);
    let events = Events::follow(&server.account, &format!("{path}?follow=true"), None).await.rest().await;
    assert_eq!(events.len(), 9_001);
}

#[tokio::test]
async fn a_log_is_followed_while_the_run_goes_on_and_ends_with_it() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("slow", guests::slow(), json!({})).await;
    let run = start(account, "slow", json!(20_000)).await;
    let path = format!("/v1/runs/{}", text(&run, "id"));
    let mut events = Events::follow(account, &format!("{path}/logs?follow=true"), None).await;
    let first = events.next().await.unwrap();
    assert_eq!((first.kind.as_str(), first.id.as_deref(), text(&first.data, "message")), ("log", Some("0"), "begun"));
    assert_eq!(text(&account.get(&path).await.expect(200), "status"), "running");

    account.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    let rest = events.rest().await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!((rest[0].kind.as_str(), &rest[0].data), ("end", &json!({"status": "finished", "outcome": "cancelled"})));
}

#[tokio::test]
async fn a_follower_resumes_after_the_last_line_that_it_saw() {
    let server = Server::start().await;
    let account = &server.account;
    account.deploy("slow", guests::slow(), json!({})).await;
    let run = start(account, "slow", json!(1)).await;
    finished(account, &run).await;
    let path = format!("/v1/runs/{}/logs?follow=true", text(&run, "id"));
    let kinds = |events: Vec<Event>| events.into_iter().map(|event| event.kind).collect::<Vec<_>>();
    assert_eq!(kinds(Events::follow(account, &path, None).await.rest().await), ["log", "log", "end"]);
    assert_eq!(kinds(Events::follow(account, &path, Some("0")).await.rest().await), ["log", "end"]);
    assert_eq!(kinds(Events::follow(account, &format!("{path}&after=1"), None).await.rest().await), ["end"]);
}

#[tokio::test]
async fn a_run_is_followed_from_another_host() {
    let server = Server::start().await;
    let Some(second) = server.second_host() else { return };
    server.account.deploy("slow", guests::slow(), json!({})).await;
    let run = start(&server.account, "slow", json!(20_000)).await;
    let path = format!("/v1/runs/{}", text(&run, "id"));
    let mut events = Events::follow(&second.account, &format!("{path}/logs?follow=true"), None).await;
    assert_eq!(text(&events.next().await.unwrap().data, "message"), "begun");
    let cancelled = second.account.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    assert_eq!(text(&cancelled, "outcome"), "cancelled");
    assert_eq!(events.rest().await.last().unwrap().kind, "end");
}

#[tokio::test]
async fn a_log_query_is_checked() {
    let server = Server::start().await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let run = server.account.run("echo", json!(1)).await;
    let path = format!("/v1/runs/{}/logs", text(&run, "id"));
    assert!(items(&server.account.get(&path).await.expect(200)).is_empty());
    for query in ["limit=0", "limit=201", "after=x", "follow=maybe", "tail=5"] {
        server.account.get(&format!("{path}?{query}")).await.problem(422);
    }
}
