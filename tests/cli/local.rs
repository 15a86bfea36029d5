//! `aaasp run`: the host's sandbox, without a server.

use serde_json::{Value, json};

use super::shell::Shell;
use crate::support::{Server, components, guests};

#[test]
fn the_output_goes_to_standard_output_and_all_else_beside_it() {
    let shell = Shell::open();
    let guest = shell.guest("honest");
    let ended = shell.run(&["run", &guest, "--input", "{}"]).expect(0);
    assert_eq!(ended.out, "null\n");
    assert!(ended.err.contains("total") && ended.err.contains("succeeded in"), "{}", ended.err);
}

#[test]
fn a_program_gets_one_object_with_the_names_of_the_api() {
    let shell = Shell::open();
    let guest = shell.guest("honest");
    let run = shell.run(&["run", &guest, "--input", "{}", "--json"]).json(0);
    let mut names: Vec<_> = run.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected =
        ["charge_microcredits", "charges", "digest", "error", "fuel", "kind", "logs", "outcome", "output", "usage"];
    assert_eq!(names, expected);
    let lines: i64 = run["charges"].as_array().unwrap().iter().map(|line| amount(&line["amount_microcredits"])).sum();
    assert_eq!(amount(&run["charge_microcredits"]), lines);
}

#[test]
fn a_trap_is_status_1_and_shows_where_the_guest_was() {
    let shell = Shell::open();
    let guest = shell.guest("deep-recursion");
    let ended = shell.run(&["run", &guest, "--input", "{}"]).expect(1);
    assert_eq!(ended.out, "");
    assert!(ended.err.contains("trapped: "), "{}", ended.err);
    assert!(ended.err.contains("\n    in deeper\n"), "{}", ended.err);
}

#[test]
fn a_trap_shows_file_and_line_where_the_component_has_them() {
    let shell = Shell::open();
    let guest = shell.file("trap.wasm", &guests::trap_with_lines());
    let ended = shell.run(&["run", &guest, "--input", "1"]).expect(1);
    for (function, line) in [("inner", 2), ("outer", 4)] {
        let frame = ended.err.split("    in ").find(|frame| frame.starts_with(function));
        let frame = frame.unwrap_or_else(|| panic!("no frame of {function}: {}", ended.err));
        assert!(frame.lines().nth(1).is_some_and(|at| at.ends_with(&format!("trap.wat:{line}"))), "{}", ended.err);
    }
}

#[test]
fn a_trap_leaves_a_core_dump_where_one_is_asked_for() {
    let shell = Shell::open();
    let guest = shell.file("trap.wasm", &guests::trap_with_lines());
    let file = shell.path("trap.core").display().to_string();
    let ended = shell.run(&["run", &guest, "--input", "1", "--core-dump", &file]).expect(1);
    assert!(ended.err.contains("wrote a core dump of"), "{}", ended.err);
    let dump = std::fs::read(&file).unwrap();
    let sections = wasmparser::Parser::new(0).parse_all(&dump).map(Result::unwrap);
    let names: Vec<_> = sections.filter_map(|section| section.as_section().map(|(id, _)| id)).collect();
    assert!(names.len() > 3, "{names:?}");
    // One that succeeds leaves none.
    let (guest, other) = (shell.guest("honest"), shell.path("none.core").display().to_string());
    shell.run(&["run", &guest, "--input", "{}", "--core-dump", &other]).expect(0);
    assert!(!std::path::Path::new(&other).exists());
}

#[test]
fn a_limit_on_the_command_line_holds() {
    let shell = Shell::open();
    let guest = shell.guest("endless-loop");
    let run = shell.run(&["run", &guest, "--input", "{}", "--limit", "fuel=5_000", "--json"]).json(1);
    assert_eq!(run["outcome"], "out_of_fuel");
    assert_eq!(run["fuel"], 5_000);
    // Its twin in the environment says the same.
    let shell = shell.with("AAASP_LIMITS", "fuel=7000,log_lines=1");
    let run = shell.run(&["run", &guest, "--input", "{}", "--json"]).json(1);
    assert_eq!(run["fuel"], 7_000);
}

#[test]
fn a_limit_below_what_the_component_needs_ends_the_run_as_on_a_host() {
    let shell = Shell::open();
    let guest = shell.guest("honest");
    let run = shell.run(&["run", &guest, "--input", "{}", "--limit", "memory_bytes=1000", "--json"]).json(1);
    assert_eq!(run["outcome"], "out_of_memory");
}

#[test]
fn an_input_that_breaks_the_schema_is_refused_with_a_pointer() {
    let shell = Shell::open();
    let agent = shell.file("lock-audit.wasm", &components::built("lock-audit"));
    let ended = shell.run(&["run", &agent, "--input", "{\"lock\": 7}"]).expect(1);
    assert!(ended.err.contains("does not fit the agent's schema\n  /lock: "), "{}", ended.err);
}

#[test]
fn what_is_no_component_is_refused_with_its_reason() {
    let shell = Shell::open();
    let file = shell.file("text.wasm", b"hello");
    let ended = shell.run(&["run", &file, "--input", "{}"]).expect(1);
    assert!(ended.err.contains("text.wasm: the upload is no WebAssembly component"), "{}", ended.err);
    let ended = shell.run(&["run", "word-count", "--input", "{}"]).expect(1);
    assert!(ended.err.contains("`aaasp start word-count`"), "{}", ended.err);
}

#[test]
fn a_second_run_takes_the_compiled_component_from_the_cache() {
    let shell = Shell::open();
    let guest = shell.guest("honest");
    for _ in 0..2 {
        shell.run(&["run", &guest, "--input", "-"]).expect(1);
        shell.run_with_input(&["run", &guest, "--input", "-"], "{}").expect(0);
    }
    let key = shell.path(".cache/aaasp/artifact.key");
    assert_eq!(super::shell::mode(&key), 0o600);
}

#[tokio::test]
async fn a_local_run_burns_what_the_server_meters() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let agent = shell.file("lock-audit.wasm", &components::built("lock-audit"));
    // Sent with its spaces and line breaks: the guest meters what it reads.
    let input = shell.file("input.json", include_bytes!("../../plugins/lock-audit/sample.json"));
    shell.run(&["deploy", &agent]).expect(0);
    let there = shell.run(&["start", "lock-audit", "--input", &input, "--json"]).json(0);
    let here = shell.run(&["run", &agent, "--input", &input, "--json"]).json(0);
    assert_eq!(here["fuel"], there["fuel"]);
    assert_eq!(here["output"], there["output"]);
    let id = there["id"].as_str().unwrap();
    let again = shell.run(&["run", &agent, "--from", id, "--json"]).json(0);
    assert_eq!(again["fuel"], there["fuel"]);
}

#[test]
fn a_project_is_started_once() {
    let shell = Shell::open();
    let made = shell.run(&["new", "--lang", "js", "word-count", "--json"]).json(0);
    assert_eq!(made["name"], json!("word-count"));
    assert!(made["files"].as_array().unwrap().contains(&json!("agent.js")));
    let ended = shell.run(&["new", "--lang", "js", "word-count"]).expect(1);
    assert!(ended.err.contains("exists and is not empty"), "{}", ended.err);
    let ended = shell.run(&["new", "--lang", "js", "Word"]).expect(1);
    assert_eq!(ended.err.matches("a name has 1 to 63").count(), 1, "{}", ended.err);
}

fn amount(value: &Value) -> i64 {
    value.as_i64().unwrap()
}
