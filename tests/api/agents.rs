//! `/v1/agents`.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::{all_items, begun, fields, items, start, text};
use crate::support::{Client, Reply, Server, guests, hostile};

#[tokio::test]
async fn an_upload_is_a_version_and_the_same_bytes_are_the_same_version() {
    let server = Server::start().await;
    let first = server.account.upload("echo", guests::echo()).await.expect(201);
    assert_eq!((text(&first, "name"), &first["version"]), ("echo", &json!(1)));
    assert_eq!(text(&first, "kind"), "aaasp:agent");
    assert_eq!(text(&first["manifest"], "name"), "hostile");
    assert_eq!(first["bytes"], guests::echo().len());
    assert_eq!(text(&first, "digest").len(), "sha256:".len() + 64);

    let again = server.account.upload("echo", guests::echo()).await.expect(200);
    assert_eq!(again, first);
    let second = server.account.upload("echo", guests::greet()).await.expect(201);
    assert_eq!(second["version"], 2);
    let back = server.account.upload("echo", guests::echo()).await.expect(200);
    assert_eq!(back["version"], 1);

    let shown = server.account.get("/v1/agents/echo").await.expect(200);
    assert_eq!(shown["latest"], second);
    assert_eq!(fields(shown["versions"].as_array().unwrap(), "version"), ["2", "1"]);
}

#[tokio::test]
async fn a_manifest_is_shown_as_the_agent_gave_it() {
    let server = Server::start().await;
    let schema = json!({"type": "object", "required": ["count"]});
    let version = server.account.upload("strict", guests::strict(&schema.to_string())).await.expect(201);
    let manifest = &version["manifest"];
    assert_eq!((text(manifest, "name"), &manifest["input_schema"]), ("strict", &schema));
    assert_eq!(manifest["capabilities"], json!(["scratch"]));
}

#[tokio::test]
async fn an_upload_that_can_not_run_is_refused_with_the_reason() {
    let server = Server::start().await;
    let whole = guests::echo();
    let no_manifest = hostile::agent(
        r#"(func (export "aaasp:agent/handler@0.1.0#describe") (result i32) (unreachable))
           (func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32) (global.get $null))"#,
    );
    let cases: [(&str, Vec<u8>, &str); 11] = [
        ("nothing", Vec::new(), "no WebAssembly component"),
        ("text", b"(component)".to_vec(), "no WebAssembly component"),
        ("module", b"\0asm\x01\0\0\0".to_vec(), "core WebAssembly module"),
        ("truncated", whole[..whole.len() / 2].to_vec(), "can't be compiled"),
        ("noise", [&whole[..8], &[0xa5; 400]].concat(), "can't be compiled"),
        ("import", hostile::component("unknown-import").into(), "evil:backdoor/shell@1.0.0"),
        ("world", hostile::component("unknown-world").into(), "it exports: run"),
        ("bomb", hostile::component("describe-bomb").into(), "`describe` did not return"),
        ("no-manifest", no_manifest.into(), "`describe` did not return"),
        ("no-json", guests::strict("{"), "`input-schema` is not JSON"),
        ("no-schema", guests::strict(r#"{"type": "number or so"}"#), "`input-schema` is no JSON Schema"),
    ];
    for (name, component, reason) in cases {
        let problem = server.account.upload(name, component).await.problem(422);
        assert_eq!(text(&problem, "type"), "urn:aaasp:problem:component-rejected", "{name}");
        assert!(text(&problem, "detail").contains(reason), "{name}: {problem}");
    }
    assert!(items(&server.account.get("/v1/agents").await.expect(200)).is_empty(), "nothing was made");
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused_by_a_host_that_goes_on() {
    let server = Server::with_config("[limits.account]\ncomponent_bytes = 100_000\n").await;
    for bytes in [100_001, 10_000_000] {
        let problem = server.account.upload("large", vec![0; bytes]).await.problem(413);
        assert!(text(&problem, "detail").contains("`component_bytes` of 100000"), "{problem}");
    }
    server.account.upload("small", guests::echo()).await.expect(201);
}

#[tokio::test]
async fn an_upload_says_what_it_is() {
    let server = Server::start().await;
    for content_type in [None, Some("application/json"), Some("application/octet-stream")] {
        let request = server.account.request(Method::PUT, "/v1/agents/echo").body(guests::echo());
        let request = match content_type {
            Some(content_type) => request.header(CONTENT_TYPE, content_type),
            None => request,
        };
        let problem = Client::send(request).await.problem(415);
        assert!(text(&problem, "detail").contains("application/wasm"), "{problem}");
    }
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    let server = Server::start().await;
    for name in ["UPPER", "-a", "a-", "a_b", "%C3%BC", "a.b", &"x".repeat(64)] {
        let problem = server.account.upload(name, guests::echo()).await.problem(422);
        assert!(text(&problem, "detail").contains("a name has 1 to 63"), "{problem}");
        server.account.get(&format!("/v1/agents/{name}")).await.problem(404);
    }
    server.account.upload(&"x".repeat(63), guests::echo()).await.expect(201);
}

#[tokio::test]
async fn agents_are_listed_by_name_page_by_page() {
    let server = Server::start().await;
    for name in ["b", "a-c", "ab", "a"] {
        server.account.upload(name, guests::echo()).await.expect(201);
    }
    let all = all_items(&server.account, "/v1/agents", 2).await;
    assert_eq!(fields(&all, "name"), ["a", "a-c", "ab", "b"]);
}

#[tokio::test]
async fn an_agent_in_use_stays_and_what_uses_it_is_named() {
    let server = Server::start().await;
    let account = &server.account;
    account.upload("echo", guests::echo()).await.expect(201);
    for name in ["second", "first"] {
        account.put(&format!("/v1/deployments/{name}"), json!({"agent": "echo"})).await.expect(201);
    }
    let problem = account.delete("/v1/agents/echo").await.problem(409);
    assert!(text(&problem, "detail").contains("deployment `first`, deployment `second`"), "{problem}");
    account.run("first", json!(1)).await;

    for name in ["first", "second"] {
        assert_eq!(account.delete(&format!("/v1/deployments/{name}")).await.status, 204);
    }
    assert_eq!(account.delete("/v1/agents/echo").await.status, 204);
    account.get("/v1/agents/echo").await.problem(404);
    account.delete("/v1/agents/echo").await.problem(404);
    let anew = account.upload("echo", guests::echo()).await.expect(201);
    assert_eq!(anew["version"], 1);
}

#[tokio::test]
async fn an_agent_that_a_queued_run_needs_stays_though_its_deployment_went_on_to_another() {
    let config = "[plans.default.limits.account]\nconcurrent_runs = 1\n";
    let server = Server::with_config(config).await;
    let account = &server.account;
    account.deploy("slow", guests::slow(), json!({})).await;
    account.upload("echo", guests::echo()).await.expect(201);
    account.put("/v1/deployments/work", json!({"agent": "echo"})).await.expect(201);
    let blocker = start(account, "slow", json!(20_000)).await;
    begun(account, &blocker).await;
    let queued = start(account, "work", json!("kept")).await;
    assert_eq!(text(&queued, "status"), "queued");

    account.put("/v1/deployments/work", json!({"agent": "slow"})).await.expect(200);
    let problem = account.delete("/v1/agents/echo").await.problem(409);
    assert!(text(&problem, "detail").contains(text(&queued, "id")), "{problem}");

    account.post(&format!("/v1/runs/{}/cancel", text(&blocker, "id")), json!({})).await.expect(200);
    let run = super::finished(account, &queued).await;
    assert_eq!((text(&run, "outcome"), text(&run, "agent"), &run["output"]), ("succeeded", "echo", &json!("kept")));
    assert_eq!(account.delete("/v1/agents/echo").await.status, 204);
}

#[tokio::test]
async fn uploads_of_the_same_bytes_at_the_same_time_are_one_version() {
    let server = Server::start().await;
    let uploads: Vec<_> = (0..8)
        .map(|_| {
            let account = server.account.clone();
            tokio::spawn(async move { account.upload("echo", guests::echo()).await })
        })
        .collect();
    let mut statuses = Vec::new();
    for upload in uploads {
        let reply: Reply = upload.await.unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&reply.text).unwrap()["version"], 1, "{reply:?}");
        statuses.push(reply.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_component_is_whole_whatever_was_deleted_meanwhile() {
    const UPLOADS: u8 = 16;
    let mut server = Server::start().await;
    // A custom section of several chunks makes each upload several commits.
    let large = |number: u8| {
        let section = vec![number; 3 << 20];
        let mut component = guests::echo();
        component.push(0);
        wasm_number(section.len() as u32 + 2, &mut component);
        component.extend([1, b'x']);
        component.extend(section);
        component
    };
    let account = server.account.clone();
    let deleting = tokio::spawn(async move {
        loop {
            account.upload("other", guests::greet()).await;
            account.delete("/v1/agents/other").await;
        }
    });
    for number in 0..UPLOADS {
        let name = format!("large-{number}");
        let twice = [server.account.upload(&name, large(number)), server.account.upload(&name, large(number))];
        for uploaded in futures::future::join_all(twice).await {
            assert!(uploaded.status == 200 || uploaded.status == 201, "{uploaded:?}");
        }
        server.account.put(&format!("/v1/deployments/{name}"), json!({"agent": name})).await.expect(201);
    }
    deleting.abort();
    // What is compiled is forgotten, so that each component is read back from the database.
    server.stop();
    std::fs::remove_dir_all(server.data().join("artifacts")).unwrap();
    server.serve();
    for number in 0..UPLOADS {
        let run = server.account.run(&format!("large-{number}"), json!(number)).await;
        assert_eq!((text(&run, "outcome"), &run["output"]), ("succeeded", &json!(number)));
    }
}

#[tokio::test]
async fn of_a_large_input_one_error_is_named_in_few_words() {
    let server = Server::start().await;
    let schema = json!({"items": {"type": "object", "required": ["name", "version"]}});
    server.account.deploy("strict", guests::strict(&schema.to_string()), json!({})).await;
    for (items, named) in [(3, 6), (100_000, 1)] {
        let refused =
            server.account.post("/v1/deployments/strict/runs", json!({"input": vec![json!({}); items]})).await;
        assert_eq!(refused.problem(422)["errors"].as_array().unwrap().len(), named);
        let refused = server.account.post("/v1/deployments/strict/runs", json!({"input": ["x".repeat(500_000)]})).await;
        refused.problem(422);
        assert!(refused.text.len() < 2_000, "{}", refused.text.len());
    }
}

/// A number as WebAssembly writes it (LEB128).
fn wasm_number(mut number: u32, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[tokio::test]
async fn a_schema_that_refers_to_itself_without_end_brings_nobody_down() {
    let server = Server::start().await;
    for (name, schema) in [
        ("itself", json!({"$ref": "#"})),
        ("all-of-itself", json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]})),
        (
            "each-other",
            json!({"$ref": "#/$defs/a", "$defs": {
            "a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
        ),
    ] {
        let uploaded = server.account.upload(name, guests::strict(&schema.to_string())).await;
        if uploaded.status == 201 {
            server.account.put(&format!("/v1/deployments/{name}"), json!({"agent": name})).await.expect(201);
            server.account.post(&format!("/v1/deployments/{name}/runs?wait=60"), json!({"input": 1})).await;
        }
        server.account.get("/v1/account").await.expect(200);
    }
}
