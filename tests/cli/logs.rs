//! `aaasp logs`: a page at a time, or followed through broken connections.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::shell::Shell;
use crate::support::Server;

#[tokio::test]
async fn a_followed_log_is_the_log() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let guest = shell.guest("log-flood");
    shell.run(&["deploy", &guest, "--limit", "log_lines=450"]).expect(0);
    let run = shell.run(&["start", "log-flood", "--input", "{}", "--json"]).json(1);
    assert_eq!(run["outcome"], "limit_exceeded");
    let id = run["id"].as_str().unwrap();
    let pages = shell.run(&["logs", id, "--json"]).expect(0);
    let followed = shell.run(&["logs", "-f", id, "--json"]).expect(0);
    assert_eq!(pages.out, followed.out);
    assert!(pages.out.lines().count() >= 450, "{}", pages.out.lines().count());
    assert!(followed.err.contains("limit exceeded"), "{}", followed.err);
    assert!(!shell.run(&["logs", id]).expect(0).out.contains('\u{1b}'), "colours, but no terminal");
}

#[test]
fn a_connection_that_breaks_is_resumed_after_the_last_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let first = answer(&listener, &[event(0), event(1)]);
        let end = "event: end\ndata: {\"status\":\"finished\",\"outcome\":\"succeeded\"}\n\n".to_owned();
        (first, answer(&listener, &[event(2), end]))
    });
    let shell = Shell::open().with("AAASP_URL", &address).with("AAASP_API_KEY", "aaasp_x");
    let ended = shell.run(&["logs", "-f", "run_x", "--json"]).expect(0);
    let (first, second) = server.join().unwrap();
    assert!(!first.to_lowercase().contains("last-event-id"), "{first}");
    assert!(second.to_lowercase().contains("last-event-id: 1\r\n"), "{second}");
    let numbers: Vec<_> = ended.out.lines().map(|line| line.split([':', ',']).nth(1).unwrap()).collect();
    assert_eq!(numbers, ["0", "1", "2"]);
    assert!(ended.err.contains("resuming") && ended.err.contains("run_x succeeded"), "{}", ended.err);
}

fn event(seq: u32) -> String {
    let data = format!(
        r#"{{"seq":{seq},"at":"2026-01-01T00:00:00.000000Z","level":"info","source":"stdout","message":"line"}}"#
    );
    format!("event: log\nid: {seq}\ndata: {data}\n\n")
}

/// Answers one request with these events and breaks off; returns the request.
fn answer(listener: &TcpListener, events: &[String]) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let request = head(&mut stream);
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100000\r\n\r\n").unwrap();
    for event in events {
        stream.write_all(event.as_bytes()).unwrap();
    }
    request
}

fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}
