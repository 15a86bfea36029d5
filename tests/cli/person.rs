//! What a person at a terminal sees and types: a key that is not shown, progress, Ctrl-C.

use std::path::Path;

use serde_json::json;

use super::shell::{Shell, url};
use super::terminal::{CTRL_C, Terminal};
use crate::support::{Server, components, guests, until};

#[tokio::test]
async fn a_key_is_typed_unseen() {
    let server = Server::start().await;
    let shell = Shell::open();
    let mut terminal = Terminal::open(&shell, &["login", "--url", &url(&server.account)], 80);
    let (status, shown) = terminal
        .wait_for("API key for ")
        .wait_for(": ")
        .wait_until_hidden()
        .type_in(&format!("{}\n", server.account.key()))
        .end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains(server.account.key()), "{shown}");
    shell.run(&["credits"]).expect(0);
}

#[test]
fn ctrl_c_at_the_question_for_a_key_ends_it() {
    let shell = Shell::open();
    let (status, _) = Terminal::open(&shell, &["login"], 80).wait_for("API key for ").type_in(CTRL_C).end();
    assert_ne!(status, Some(0));
    assert!(!shell.path(".config").exists());
}

#[test]
fn ctrl_c_cancels_a_run_and_shows_what_it_burned() {
    let shell = Shell::open();
    let guest = shell.file("slow.wasm", &guests::slow());
    let arguments = ["run", &guest, "--input", "600000", "--limit", "wall_clock_ms=600000"];
    let (status, shown) = Terminal::open(&shell, &arguments, 80).wait_for("begun").type_in(CTRL_C).end();
    assert_eq!(status, Some(1), "{shown}");
    assert!(shown.contains("cancelled: the run was cancelled") && shown.contains("total"), "{shown}");
    assert!(!shown.contains("ended"), "{shown}");
}

#[tokio::test]
async fn a_run_on_the_server_goes_on_after_ctrl_c_and_the_person_is_told_so() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    server.account.deploy("slow", guests::slow(), json!({})).await;
    let start = ["start", "slow", "--input", "20000", "--follow"];
    let (status, shown) = Terminal::open(&shell, &start, 80).wait_for("begun").type_in(CTRL_C).end();
    assert_eq!(status, Some(1), "{shown}");
    let runs = shell.run(&["runs", "--json"]).json(0);
    assert_eq!(runs[0]["status"], "running");
    let id = runs[0]["id"].as_str().unwrap();
    assert!(shown.contains(&format!("{id} goes on")), "{shown}");

    let (status, shown) = Terminal::open(&shell, &["logs", "-f", id], 80).wait_for("begun").type_in(CTRL_C).end();
    assert_ne!(status, Some(0), "{shown}");
    assert_eq!(shell.run(&["runs", "show", id, "--json"]).json(0)["status"], "running");

    shell.run(&["runs", "cancel", id]).expect(0);
    until("the run is cancelled", || async {
        let run = shell.run(&["runs", "show", id, "--json"]).json(0);
        (run["outcome"] == "cancelled").then_some(())
    })
    .await;
}

#[test]
fn ctrl_c_stops_a_host_gracefully() {
    let shell = Shell::open();
    let (status, shown) = Terminal::open(&shell, &["serve", "--listen", "127.0.0.1:0"], 80)
        .wait_for("API key")
        .wait_for("listening on http://127.0.0.1:")
        .wait_for("ready")
        .type_in(CTRL_C)
        .end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains("stopping"), "{shown}");
    shell.run(&["ledger", "verify"]).expect(0);
}

#[tokio::test]
async fn an_upload_shows_how_far_it_is_in_the_width_of_the_terminal() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let agent = shell.file("lock-audit.wasm", &components::built("lock-audit"));
    let (status, shown) = Terminal::open(&shell, &["agents", "upload", "lock-audit", &agent], 50).end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains("uploading ") && shown.contains(" MiB"), "{shown}");
    assert!(shown.contains("the server compiles and inspects"), "{shown}");
    let progress = shown.split_once("lock-audit version 1").unwrap().0;
    let lines = progress.split(['\r', '\n']).map(|line| line.trim_start_matches("\u{1b}[2K"));
    for line in lines {
        assert!(line.chars().count() <= 50, "{line:?}");
    }
}

#[test]
fn help_fits_the_terminal() {
    let shell = Shell::open();
    for columns in [60, 80] {
        let (status, shown) = Terminal::open(&shell, &["build", "--help"], columns).end();
        assert_eq!(status, Some(0));
        for line in shown.lines().filter(|line| !line.contains('\u{1b}')) {
            assert!(line.chars().count() <= usize::from(columns), "{line:?}");
        }
    }
}

#[test]
fn a_project_is_built_and_run_again_at_each_change() {
    let shell = Shell::open();
    shell.run(&["new", "--lang", "js", "word-count"]).expect(0);
    std::os::unix::fs::symlink(javascript_tools(), shell.path("node_modules")).unwrap();
    let mut terminal = Terminal::open(&shell, &["dev", "word-count", "--input", "{\"text\": \"one two\"}"], 80);
    terminal.wait_for("\"words\"").wait_for("2").wait_for("succeeded in").wait_for("waiting for a change");

    let agent = shell.path("word-count/agent.js");
    let text = std::fs::read_to_string(&agent).unwrap();
    std::fs::write(&agent, format!("{text}\nthis is no JavaScript\n")).unwrap();
    terminal.wait_for("componentize-qjs failed").wait_for("waiting for a change");

    std::fs::write(&agent, format!("{text}\nconsole.log('mended');\n")).unwrap();
    // What a module logs when it is evaluated, at the build, is said in the run.
    terminal.wait_for("console: mended").wait_for("succeeded in").wait_for("waiting for a change").type_in(CTRL_C);
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(0), "{shown}");
}

#[test]
fn ctrl_c_during_a_run_of_dev_ends_dev() {
    let shell = Shell::open();
    shell.run(&["new", "--lang", "js", "endless"]).expect(0);
    std::os::unix::fs::symlink(javascript_tools(), shell.path("node_modules")).unwrap();
    let agent = "export const manifest = {};\nexport function run() { console.log('begun'); for (;;); }\n";
    std::fs::write(shell.path("endless/agent.js"), agent).unwrap();
    let dev = ["dev", "endless", "--limit", "fuel=1000000000000", "--limit", "wall_clock_ms=600000"];
    let (status, shown) = Terminal::open(&shell, &dev, 80).wait_for("begun").type_in(CTRL_C).end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains("cancelled") && !shown.contains("waiting"), "{shown}");
}

/// What `cargo xtask setup` installs for the JavaScript agent of this repository.
fn javascript_tools() -> std::path::PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/webhook-triage/node_modules");
    assert!(tools.is_dir(), "{} is missing: `cargo xtask setup` makes it", tools.display());
    tools
}
