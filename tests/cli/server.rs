//! The commands that talk to a server.

use serde_json::{Value, json};

use super::shell::{Shell, url};
use crate::support::Server;

#[tokio::test]
async fn an_agent_goes_from_a_file_to_a_charged_run() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let guest = shell.guest("honest");
    let ended = shell.run(&["deploy", &guest, "--limit", "fuel=1_000_000", "--config", "a=b"]).expect(0);
    assert!(ended.out.contains("deployed  honest revision 1"), "{}", ended.out);
    assert!(ended.out.contains("hold "), "{}", ended.out);

    let (before, _) = server.account.balance().await;
    let ended = shell.run(&["start", "honest", "--input", "{}"]).expect(0);
    assert_eq!(ended.out, "null\n");
    assert!(ended.err.contains("total") && ended.err.contains("credits are left"), "{}", ended.err);
    let runs = shell.run(&["runs", "--json"]).json(0);
    let run = &runs.as_array().unwrap()[0];
    let (after, _) = server.account.balance().await;
    assert_eq!(before - after, run["charge_microcredits"].as_i64().unwrap());

    let id = run["id"].as_str().unwrap();
    assert_eq!(&shell.run(&["runs", "show", id, "--json"]).json(0), run);
    assert!(shell.run(&["runs", "show", id]).expect(0).out.contains("honest revision 1"));
    assert_eq!(shell.run(&["runs", "--outcome", "failed", "--json"]).json(0), json!([]));
    assert_eq!(shell.run(&["runs", "cancel", id, "--json"]).json(0)["outcome"], "succeeded");
    let history = shell.run(&["credits", "history", "--json"]).json(0);
    let reasons: Vec<_> = history.as_array().unwrap().iter().map(|moved| moved["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["settle", "release", "hold", "grant"]);
}

#[tokio::test]
async fn a_run_that_did_not_succeed_is_status_1() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let guest = shell.guest("deep-recursion");
    shell.run(&["deploy", &guest, "--agent", "deep"]).expect(0);
    let ended = shell.run(&["start", "deep", "--input", "{}"]).expect(1);
    assert!(ended.err.contains("trapped: ") && ended.err.contains("    in deeper"), "{}", ended.err);
    assert_eq!(shell.run(&["start", "deep", "--input", "{}", "--json"]).json(1)["outcome"], "trapped");
    let ended = shell.run(&["start", "deep", "--input", "{}", "--wait", "0"]).expect(0);
    assert!(ended.out.starts_with("run_"), "{}", ended.out);
}

#[tokio::test]
async fn a_deployment_keeps_what_a_later_deploy_does_not_name() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let guest = shell.guest("honest");
    shell.run(&["deploy", &guest, "--config", "a=1", "--limit", "fuel=1000", "--grant", "scratch"]).expect(0);
    let kept = shell.run(&["deploy", &guest, "--config", "b=2", "--json"]).json(0);
    assert_eq!(kept["config"], json!({"a": "1", "b": "2"}));
    assert_eq!(kept["limits"], json!({"fuel": 1000}));
    assert_eq!(kept["capabilities"], json!(["scratch"]));
    let reset = shell.run(&["deploy", &guest, "--reset", "--json"]).json(0);
    assert_eq!((&reset["config"], &reset["limits"]), (&json!({}), &json!({})));
}

#[tokio::test]
async fn several_configuration_values_fit_one_variable() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account).with("AAASP_AGENT_CONFIG", r#"{"a": "1,b=2", "c": "{}"}"#);
    let guest = shell.guest("honest");
    assert_eq!(shell.run(&["deploy", &guest, "--json"]).json(0)["config"], json!({"a": "1,b=2", "c": "{}"}));
}

#[tokio::test]
async fn a_limit_above_the_plan_s_is_said_to_have_no_effect() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let guest = shell.guest("honest");
    let ended = shell.run(&["deploy", &guest, "--limit", "fuel=2_000_000_000", "--limit", "log_lines=5"]).expect(0);
    let warning = "warning: the limit fuel of 2 000 000 000 is above the plan's; 1 000 000 000 holds";
    assert!(ended.err.contains(warning) && !ended.err.contains("log_lines"), "{}", ended.err);
    let shown = shell.run(&["deployments", "show", "honest"]).expect(0).out;
    let set_by = |limit: &str| {
        let line = shown.lines().find(|line| line.starts_with(limit)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!([set_by("fuel"), set_by("log_lines")], ["plan", "deployment"]);
}

#[tokio::test]
async fn what_is_deleted_or_revoked_is_said_to_programs_too() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let guest = shell.guest("honest");
    shell.run(&["deploy", &guest]).expect(0);
    let deleted = json!({"deleted": "honest"});
    assert_eq!(shell.run(&["deployments", "delete", "honest", "--json"]).json(0), deleted);
    assert_eq!(shell.run(&["agents", "delete", "honest", "--json"]).json(0), deleted);
    let key = shell.run(&["keys", "create", "laptop", "--json"]).json(0);
    let id = key["id"].as_str().unwrap();
    assert_eq!(shell.run(&["keys", "revoke", id, "--json"]).json(0), json!({"revoked": id}));
}

#[tokio::test]
async fn a_key_that_the_server_does_not_take_is_named() {
    let (server, other) = (Server::start().await, Server::start().await);
    let shell = Shell::of(&server.account).with("AAASP_API_KEY", other.account.key());
    let ended = shell.run(&["credits"]).expect(1);
    assert!(ended.err.contains("does not take the key in AAASP_API_KEY: "), "{}", ended.err);
    assert!(!ended.err.contains(other.account.key()));
}

#[test]
fn an_upload_whose_connection_breaks_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let shell = Shell::open().with("AAASP_URL", &address).with("AAASP_API_KEY", "aaasp_x");
    let file = shell.file("large.wasm", &vec![0; 8 << 20]);
    let ended = shell.run(&["deploy", &file]).expect(1);
    server.join().unwrap();
    assert!(ended.err.contains(&format!("lost the connection to {address}: ")), "{}", ended.err);
}

#[tokio::test]
async fn a_list_is_read_to_its_end_or_to_its_limit() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    for number in 0..3 {
        shell.run(&["keys", "create", &format!("key {number}"), "--json"]).json(0);
    }
    let names = |keys: Value| -> Vec<String> {
        keys.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(shell.run(&["keys", "--json"]).json(0)), ["key 2", "key 1", "key 0", "first"]);
    assert_eq!(names(shell.run(&["keys", "list", "--limit", "2", "--json"]).json(0)), ["key 2", "key 1"]);
    let ended = shell.run(&["keys", "--limit", "2"]).expect(0);
    assert_eq!(ended.out.lines().count(), 3);
    assert!(ended.err.contains("there are more"), "{}", ended.err);
}

#[tokio::test]
async fn a_problem_says_what_is_wrong_where_and_under_which_request() {
    let server = Server::start().await;
    let shell = Shell::of(&server.account);
    let ended = shell.run(&["runs", "show", "run_01h455vb4pex5vsknk084sn02q"]).expect(1);
    assert!(ended.err.starts_with("aaasp: Not found: there is no such run\n  (404, request req_"), "{}", ended.err);
    let guest = shell.guest("unknown-import");
    let ended = shell.run(&["deploy", &guest]).expect(1);
    assert!(ended.err.contains("which this host does not offer"), "{}", ended.err);
    let text = shell.file("text.wasm", b"hello");
    assert!(shell.run(&["agents", "upload", "text", &text]).expect(1).err.contains("no WebAssembly component"));
}

#[tokio::test]
async fn an_operator_makes_accounts_and_gives_credits() {
    let server = Server::start().await;
    let data = server.data();
    let data = data.to_str().unwrap();
    let shell = Shell::open().with("AAASP_URL", &url(&server.account)).with("AAASP_DATA", data);
    let make = ["admin", "accounts", "create", "--email", "ada@example.com", "--credits", "0.5", "--json"];
    assert!(shell.run(&make).expect(2).err.contains("--reason"));
    let shell = shell.with("AAASP_REASON", "a customer");
    let made = shell.run(&make).json(0);
    let id = made["account"].as_str().unwrap();
    shell.run(&["admin", "grant", id, "--credits", "2", "--reason", "for the beta"]).expect(0);
    let shown = shell.run(&["admin", "accounts", "show", id, "--json"]).json(0);
    assert_eq!(shown["available_microcredits"], 2_500_000);

    let ada = Shell::of(&server.account.with_key(made["api_key"].as_str()));
    assert!(ada.run(&["account"]).expect(0).out.contains("ada@example.com"));
    shell.run(&["admin", "accounts", "suspend", id, "--reason", "a stolen card"]).expect(0);
    assert!(ada.run(&["keys", "create", "more"]).expect(1).err.contains("suspended"));
    shell.run(&["admin", "accounts", "activate", id, "--reason", "it was not"]).expect(0);
    assert_eq!(ada.run(&["credits", "--json"]).json(0)["available_microcredits"], 2_500_000);
    assert_eq!(shell.run(&["admin", "accounts", "--json"]).json(0).as_array().unwrap().len(), 2);
    assert!(ada.run(&["admin", "accounts"]).expect(1).err.contains("operator's key"));
}

#[tokio::test]
async fn without_a_server_it_says_how_to_start_one() {
    let mut server = Server::start().await;
    let shell = Shell::of(&server.account);
    server.stop();
    let ended = shell.run(&["credits"]).expect(1);
    assert!(ended.err.contains("can't reach http://127.0.0.1:"), "{}", ended.err);
    assert!(ended.err.contains("`aaasp serve`"), "{}", ended.err);
}
