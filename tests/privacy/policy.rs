//! The policy says what the settings do, changes when they do, and is announced when that matters.

use serde_json::{Value, json};

use crate::api::openapi::Description;
use crate::api::{items, text};
use crate::cli::shell::Shell;
use crate::support::{Client, Reply, Server, until};

const CONFIG: &str = "
    region = \"eu\"
    [operator]
    name = \"Ada & Sons <agents>\"
    contact = \"privacy@example.org\"
    recipients = [\"Example Hosting: the machines\"]
    [retention]
    log_days = 91
    content_days = 17
    request_days = 13
    audit_days = 201
    letter_days = 19
    ended_key_days = 23
    webhook_days = 29
    idempotency_hours = 31
    billing_days = 2600
    [accounts]
    closing_days = 11
    [plans.default]
    [plans.frugal]
    log_days = 5
";

async fn page(server: &Server, path: &str) -> Reply {
    let page = server.account.with_key(None).get(path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page
}

async fn version(account: &Client) -> String {
    text(&account.get("/v1/account").await.expect(200)["policy"], "version").to_owned()
}

fn set(server: &Server, config: &str) {
    std::fs::write(server.data().join("aaasp.toml"), config).unwrap();
}

async fn reload(server: &Server) {
    server.operator().post("/v1/admin/reload", json!({"reason": "a test"})).await.expect(200);
}

async fn explain(server: &Server, material: bool) -> Reply {
    let said = json!({"summary": "Logs are kept for less long.", "material": material, "reason": "a test"});
    server.operator().post("/v1/admin/policy", said).await
}

#[tokio::test]
async fn the_page_says_what_is_set() {
    let server = Server::with_config(CONFIG).await;
    let page = page(&server, "/privacy").await.text;
    let named =
        ["Ada &#38; Sons &#60;agents&#62;", "privacy@example.org", "Example Hosting", "eu", "frugal: logs 5 days"];
    let days = [91, 17, 13, 201, 19, 23, 29, 2600].map(|days| format!("{days} days"));
    for said in named.iter().map(ToString::to_string).chain(days).chain(["31 hours".into(), "for 11 days".into()]) {
        assert!(page.contains(&said), "{said} is not in {page}");
    }
}

#[tokio::test]
async fn its_pages_have_no_script_load_nothing_and_set_no_cookie() {
    let server = Server::with_config(CONFIG).await;
    let version = version(&server.account).await;
    for path in ["/privacy".to_owned(), "/privacy/versions".to_owned(), format!("/privacy/{version}")] {
        let page = page(&server, &path).await;
        assert!(page.headers.get("set-cookie").is_none());
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        let html = page.text.to_lowercase();
        for tag in
            ["<script", "<link", "<img", "<iframe", "<object", "<embed", "<svg", "@import", "url(", " src=", " on"]
        {
            let inside = html.split('<').any(|part| format!("<{}", part.split('>').next().unwrap()).contains(tag));
            assert!(!inside, "{tag} in {html}");
        }
        for link in html.split("href=\"").skip(1) {
            assert!(link.starts_with("/privacy") || link.starts_with("mailto:"), "{}", &link[..40]);
        }
    }
}

#[tokio::test]
async fn whatever_it_tells_people_to_do_is_there() {
    let server = Server::start().await;
    let page = page(&server, "/privacy").await.text;
    let routes = Description::of(&server).await.routes();
    let codes: Vec<_> = page.split("<code>").skip(1).map(|part| part.split("</code>").next().unwrap()).collect();
    let (mut requests, mut commands) = (0, 0);
    let shell = Shell::open();
    for code in codes {
        if let Some((method, path)) = code.split_once(' ').filter(|(_, path)| path.starts_with("/v1/")) {
            assert!(routes.contains(&(path.to_owned(), method.to_owned())), "{code}");
            requests += 1;
        } else if let Some(command) = code.strip_prefix("aaasp ") {
            shell.run(&command.split(' ').chain(["--help"]).collect::<Vec<_>>()).expect(0);
            commands += 1;
        }
    }
    assert!(requests >= 9 && commands >= 9, "{requests} {commands}");
}

#[tokio::test]
async fn it_changes_with_the_settings_and_every_version_stays_readable() {
    let server = Server::with_config(CONFIG).await;
    let first = version(&server.account).await;
    // What it does not speak of is no other version.
    set(&server, &format!("{CONFIG}\n[rates]\naddress_failures_per_minute = 1000\n"));
    reload(&server).await;
    assert_eq!(version(&server.account).await, first);

    set(&server, &CONFIG.replace("log_days = 91", "log_days = 37"));
    reload(&server).await;
    let second = version(&server.account).await;
    assert_ne!(second, first);
    until("the operator to be told", async || server.said().contains("aaasp admin policy explain").then_some(())).await;
    let now = page(&server, "/privacy").await.text;
    assert!(now.contains("37 days") && now.contains(&second) && !now.contains("earlier version"), "{now}");
    let before = page(&server, &format!("/privacy/{first}")).await.text;
    assert!(before.contains("91 days") && before.contains("This is an earlier version"), "{before}");
    let versions = page(&server, "/privacy/versions").await.text;
    assert!(versions.find(&second).unwrap() < versions.find(&first).unwrap(), "{versions}");
    server.account.with_key(None).get("/privacy/0123456789abcdef").await.problem(404);

    // One that comes back is in force anew.
    set(&server, CONFIG);
    reload(&server).await;
    assert_eq!(version(&server.account).await, first);
    let listed = server.operator().get("/v1/admin/policy").await.expect(200);
    assert_eq!(text(&items(&listed)[0], "version"), first);
    assert_eq!(items(&listed)[0]["summary"], Value::Null);
}

#[tokio::test]
async fn a_change_that_matters_is_written_to_each_account_once_even_after_a_crash() {
    let mut server = Server::with_config(CONFIG).await;
    explain(&server, true).await.problem(409);
    let many = 60;
    for number in 0..many {
        server.another_account(&format!("a{number}@example.org"), 0).await;
    }
    set(&server, &CONFIG.replace("log_days = 91", "log_days = 37"));
    reload(&server).await;
    let said = explain(&server, true).await.expect(200);
    assert_eq!((&said["material"], text(&said, "summary")), (&json!(true), "Logs are kept for less long."));
    explain(&server, false).await.problem(409);
    // Killed again and again, as it goes on.
    let told = "SELECT COUNT(*) FROM letters WHERE kind = 'policy_change'";
    for some in [1, 20] {
        until("some letters", async || (server.count(told).await >= some).then_some(())).await;
        server.kill();
        server.serve();
    }
    until("all letters", async || (server.count(told).await == many + 1).then_some(())).await;
    // What a host was handing over when it was killed is believed to be on its way for a while.
    let letters = until("most of them to be sent", async || {
        let letters: Vec<_> = server.letters().into_iter().filter(|l| l.subject == "The policy changes").collect();
        (letters.len() > 40).then_some(letters)
    })
    .await;
    let link = format!("/privacy/{}", text(&said, "version"));
    assert!(letters.iter().all(|letter| letter.text.contains(&link) && letter.text.contains("less long")));
    assert!(letters.iter().all(|letter| !letter.headers.contains("List-Unsubscribe")));
    // Who comes later is told nothing that they did not know.
    server.another_account("late@example.org", 0).await;
    server.stop();
    server.serve();
    let late = server.account.get("/v1/account").await.expect(200);
    assert_eq!(late["policy"]["version"], said["version"]);
    assert_eq!(server.count(told).await, many + 1);
    assert!(page(&server, "/privacy").await.text.contains("What changed, and matters:"));
}

#[tokio::test]
async fn operators_say_what_changed_by_one_command() {
    let server = Server::with_config(CONFIG).await;
    version(&server.account).await;
    set(&server, &CONFIG.replace("log_days = 91", "log_days = 37"));
    reload(&server).await;
    let key = std::fs::read_to_string(server.data().join("keys/operator.key")).unwrap();
    let shell = Shell::of(&server.account).with("AAASP_OPERATOR_KEY", key.trim());
    let list = shell.run(&["admin", "policy"]).expect(0).out;
    assert!(list.contains("not said yet") && list.contains("the first version"), "{list}");
    let explain = ["admin", "policy", "explain", "--summary", "Shorter logs.", "--reason", "a test"];
    assert!(shell.run(&explain).expect(0).out.contains("Said what changed"));
    assert!(shell.run(&["admin", "policy"]).expect(0).out.contains("Shorter logs."));
}
