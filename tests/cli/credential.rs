//! `aaasp credential`, `aaasp audit`, and the consent of `aaasp deploy`.

use serde_json::{Value, json};

use super::shell::{Ended, Shell};
use super::terminal::Terminal;
use crate::support::{Server, guests};

const SECRET: &str = "s3cret-of-the-cli-tests";

/// Runs `aaasp` at a terminal, and types an answer to each question.
fn at_a_terminal(shell: &Shell, arguments: &[&str], answers: &[(&str, &str)]) -> Ended {
    let mut terminal = Terminal::open(shell, arguments, 200);
    for (question, answer) in answers {
        terminal.wait_for(question);
        if question.starts_with("Secret") {
            terminal.wait_until_hidden();
        }
        terminal.type_in(&format!("{answer}\n"));
    }
    let (status, out) = terminal.end();
    Ended { status: status.unwrap(), out, err: String::new() }
}

#[tokio::test]
async fn a_secret_is_typed_piped_or_read_and_never_shown() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let set = ["credential", "set", "typed", "--kind", "bearer"];
    let typed = at_a_terminal(&shell, &set, &[("Secret of typed: ", SECRET)]).expect(0);
    assert!(typed.out.contains("kept      typed version 1, a bearer token"), "{}", typed.out);
    assert!(!typed.out.contains(SECRET), "the terminal shows the secret: {}", typed.out);

    let header = ["credential", "set", "piped", "--kind", "header", "--header", "X-Key", "--prefix", "token "];
    shell.run_with_input(&header, &format!("{SECRET}\n")).expect(0);
    let file = shell.file("secret.txt", SECRET.as_bytes());
    let basic = ["credential", "set", "read", "--kind", "basic", "--username", "ada", "--file", &file];
    shell.run(&basic).expect(0);
    let ended = shell.run(&basic).expect(0);
    assert!(ended.err.contains("`aaasp credential retire read 1`"), "{}", ended.err);
    let oauth = ["credential", "set", "oauth", "--kind", "oauth-refresh", "--token-url", "https://id.example/token"];
    let oauth = [&oauth[..], &["--client-id", "me", "--scope", "a", "--scope", "b", "--file", "-", "--json"]].concat();
    let kept = shell.run_with_input(&oauth, &format!("{SECRET}\nthe client's own\n")).json(0);
    let client = json!({"token_url": "https://id.example/token", "client_id": "me", "scopes": ["a", "b"]});
    assert_eq!(kept["kind"], json!({"oauth_refresh_token": client}));

    let listed = shell.run(&["credential", "--json"]).json(0);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["oauth", "piped", "read", "typed"]);
    let shown = shell.run(&["credential", "show", "read"]).expect(0);
    assert!(shown.out.contains("in use") && !shown.out.contains(SECRET), "{}", shown.out);
    shell.run(&["credential", "retire", "read", "1"]).expect(0);
    assert!(shell.run(&["credential", "retire", "read", "2"]).expect(1).err.contains("only version"));
    shell.run(&["credential", "delete", "read"]).expect(0);
    assert!(shell.run(&["credential", "show", "read"]).expect(1).err.contains("no such credential"));
    assert!(shell.run(&["audit"]).expect(0).err.contains("no credential was used"));
}

#[tokio::test]
async fn a_secret_can_not_be_an_argument_and_flags_belong_to_their_kind() {
    let shell = Shell::open();
    shell.run(&["credential", "set", "a", "--kind", "bearer", SECRET]).expect(2);
    shell.run(&["credential", "set", "a", "--kind", "bearer", "--secret", SECRET]).expect(2);
    shell.run(&["credential", "set", "a", "--kind", "header"]).expect(2);
    shell.run(&["credential", "set", "a", "--kind", "oauth-client", "--client-id", "me"]).expect(2);
    shell.run(&["credential", "set", "A", "--kind", "bearer"]).expect(2);
    let shell = shell.with("AAASP_API_KEY", &format!("aaasp_{}", "0".repeat(49)));
    let ended = shell.run(&["credential", "set", "a", "--kind", "bearer", "--param", "p"]).expect(1);
    assert!(ended.err.contains("--param is not for"), "{}", ended.err);
}

fn asking(shell: &Shell) -> String {
    shell.file("asking.wasm", &guests::asking(&["api.github.com"], &["github"], &["scratch"]))
}

fn granted(deployment: &Value) -> [&Value; 3] {
    ["capabilities", "egress", "credentials"].map(|field| &deployment[field])
}

#[tokio::test]
async fn consent_is_given_item_by_item() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let agent = asking(&shell);
    let answers = [
        ("the agent asks for the capability `scratch`", "n"),
        ("the agent asks to reach `api.github.com`", "y"),
        ("the agent asks for the credential `github`, which would be sent to https://api.github.com", "y"),
    ];
    let ended = at_a_terminal(&shell, &["deploy", &agent], &answers).expect(0);
    assert!(ended.out.contains("granted   credential github to https://api.github.com"), "{}", ended.out);
    assert!(ended.out.contains("to grant it: aaasp deploy … --grant scratch"), "{}", ended.out);
    let deployment = server.account.get("/v1/deployments/asking").await.expect(200);
    let to = json!([{"scheme": "https", "host": "api.github.com"}]);
    assert_eq!(granted(&deployment), [&json!([]), &json!({"allow": to}), &json!({"github": {"to": to}})]);
    // What was agreed to once is not asked for again.
    at_a_terminal(&shell, &["deploy", &agent], &[("`scratch`", "y")]).expect(0);
    let deployment = server.account.get("/v1/deployments/asking").await.expect(200);
    assert_eq!(deployment["capabilities"], json!(["scratch"]));
}

#[tokio::test]
async fn where_nobody_can_be_asked_nothing_is_granted_but_by_name_or_with_yes() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let agent = asking(&shell);
    let ended = shell.run(&["deploy", &agent]).expect(0);
    assert!(ended.err.contains("--allow 'https://api.github.com'"), "{}", ended.err);
    assert!(ended.err.contains("--credential 'github=https://api.github.com'"), "{}", ended.err);
    let deployment = server.account.get("/v1/deployments/asking").await.expect(200);
    assert_eq!(granted(&deployment), [&json!([]), &json!({"allow": []}), &json!({})]);

    let by_name = shell.run(&["deploy", &agent, "--credential", "github=api.github.com/repos", "--json"]).json(0);
    let to = json!([{"scheme": "https", "host": "api.github.com", "path": "/repos"}]);
    assert_eq!(granted(&by_name), [&json!([]), &json!({"allow": to}), &json!({"github": {"to": to}})]);
    let all = shell.run(&["deploy", &agent, "--reset", "--yes", "--json"]).json(0);
    let to = json!([{"scheme": "https", "host": "api.github.com"}]);
    assert_eq!(granted(&all), [&json!(["scratch"]), &json!({"allow": to}), &json!({"github": {"to": to}})]);

    let file = json!({
        "egress": {"allow": [{"host": "*.example.org", "methods": ["GET"]}]},
        "credentials": {"github": {"to": [], "place": {"header": {"name": "x-key"}}}},
        "config": {"a": "1"},
        "limits": {"fuel": 1000},
    });
    let file = shell.file("deployment.json", file.to_string().as_bytes());
    let of_file = shell.run(&["deploy", &agent, "--reset", "--file", &file, "--json"]).json(0);
    assert_eq!(of_file["egress"]["allow"][0]["host"], "*.example.org");
    assert_eq!(of_file["credentials"]["github"]["place"], json!({"header": {"name": "x-key"}}));
    assert_eq!((&of_file["config"], &of_file["limits"]), (&json!({"a": "1"}), &json!({"fuel": 1000})));
}

#[tokio::test]
async fn of_several_hosts_a_person_picks_where_a_credential_goes() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let agent = shell.file("asking.wasm", &guests::asking(&["a.example", "b.example"], &["key"], &[]));
    let ended = shell.run(&["deploy", &agent, "--yes"]).expect(0);
    assert!(ended.err.contains("--credential 'key=https://a.example' --credential"), "{}", ended.err);
    let deployment = server.account.get("/v1/deployments/asking").await.expect(200);
    assert_eq!(deployment["credentials"], json!({}));
    let answers = [("sent to https://a.example", "n"), ("sent to https://b.example", "y")];
    // --yes has granted the hosts already.
    at_a_terminal(&shell, &["deploy", &agent], &answers).expect(0);
    let deployment = server.account.get("/v1/deployments/asking").await.expect(200);
    assert_eq!(deployment["credentials"], json!({"key": {"to": [{"scheme": "https", "host": "b.example"}]}}));
}

#[test]
fn a_rule_that_means_nothing_is_wrong_usage() {
    let shell = Shell::open();
    for wrong in [
        ["--allow", "ftp://a.example"],
        ["--allow", "user@a.example"],
        ["--credential", "a.example"],
        ["--credential", "key=*.example.org"],
        ["--credential", "Key=a.example"],
    ] {
        shell.run(&["deploy", wrong[0], wrong[1]]).expect(2);
        shell.run(&["run", "a.wasm", "--input", "1", wrong[0], wrong[1]]).expect(2);
    }
}

#[test]
fn a_local_run_takes_a_credential_from_the_environment_and_never_from_an_argument() {
    let shell = Shell::open();
    let agent = shell.guest("honest");
    let run = ["run", &agent, "--input", "{}", "--credential", "my-key=a.example"];
    assert!(shell.run(&run).expect(1).err.contains("set AAASP_CREDENTIAL_MY_KEY"));
    let shell = shell.with("AAASP_CREDENTIAL_MY_KEY", SECRET);
    let ended = shell.run(&run).expect(0);
    assert!(!ended.err.contains(SECRET) && !ended.out.contains(SECRET), "{}", ended.err);
    let shell = Shell::open();
    shell.guest("honest");
    let typed = at_a_terminal(&shell, &run, &[("Secret of my-key: ", SECRET)]).expect(0);
    assert!(!typed.out.contains(SECRET), "{}", typed.out);
}
