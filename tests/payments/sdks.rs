//! The processor's official SDKs, and `standardwebhooks`, as judges of signatures and shapes: they sign what the real
//! server takes, they believe what it believes, they ask the mock what it asks, and they understand what it answers.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{asked, bought};
use crate::support::dodo::{Dodo, KEY, SECRET, Webhook, now};

/// Runs a script on a task; returns what it says.
async fn told(program: PathBuf, script: &str, task: Value) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("payments");
    let script = folder.join(script);
    // The mock answers on this runtime meanwhile.
    let output = tokio::task::spawn_blocking(move || {
        let mut process = Command::new(&program)
            .arg(script)
            .env("NO_PROXY", "127.0.0.1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask setup` installs it", program.display()));
        process.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
        process.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    assert!(output.status.success(), "the script failed; is `cargo xtask setup` up to date?");
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn converse(program: PathBuf, script: &str) {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let top_up = asked(&server.account, 1200).await;
    let payment = dodo.payment(&top_up, (1200, 200), "succeeded");
    let refund = dodo.refund(&payment, Some(120), "succeeded");
    let dispute = dodo.dispute(&payment, "opened");

    // Signed by the SDK, taken by the server: each event that moves or might move something.
    let mut send = Vec::new();
    for (event, about) in [
        ("payment.processing", &payment),
        ("payment.succeeded", &payment),
        ("payment.failed", &payment),
        ("payment.cancelled", &payment),
        ("refund.succeeded", &refund),
        ("refund.failed", &refund),
        ("dispute.opened", &dispute),
        ("dispute.challenged", &dispute),
        ("dispute.accepted", &dispute),
        ("dispute.cancelled", &dispute),
        ("dispute.expired", &dispute),
        ("dispute.won", &dispute),
        ("dispute.lost", &dispute),
    ] {
        let Webhook { id, timestamp, body, .. } = dodo.webhook(event, about, 0);
        send.push(json!({"id": id, "timestamp": timestamp, "body": body}));
    }
    send.push(send[1].clone());

    // Good and bad ones, on which the server and the judges have to agree.
    let good = dodo.webhook("payment.succeeded", &payment, 0);
    let other = "whsec_MDEyMzQ1Njc4OWFiY2RlZg==";
    let judged = [
        good.clone(),
        Webhook { signature: format!("v1,AAAA {}", good.signature), ..good.clone() },
        dodo.webhook("payment.succeeded", &payment, 290),
        Webhook { body: good.body.replace("1200", "9900"), ..good.clone() },
        Webhook { id: "msg_other".to_owned(), ..good.clone() },
        Webhook { timestamp: good.timestamp - 1, ..good.clone() },
        Webhook { signature: good.signature.replace("v1,", "v2,"), ..good.clone() },
        Webhook::signed("msg_theirs", now(), good.body.clone(), other),
        Webhook::signed("msg_old", now() - 310, good.body.clone(), SECRET),
        Webhook::signed("msg_early", now() + 330, good.body.clone(), SECRET),
    ];
    let webhooks = judged.iter().map(|webhook| {
        let Webhook { id, timestamp, body, signature } = webhook;
        json!({"id": id, "timestamp": timestamp, "body": body, "signature": signature})
    });

    let ours = dodo.requests();
    let checkout = &ours[0].1;
    let task = json!({
        "server": server.url(), "dodo": dodo.url, "key": KEY, "secret": SECRET, "send": send,
        "webhooks": webhooks.collect::<Vec<_>>(), "checkout": checkout, "payment": payment,
        "refund": {
            "payment_id": payment, "items": [{"item_id": "pdt_credits", "amount": 120, "tax_inclusive": true}],
        },
        "since": "2026-11-01T00:00:00.000000Z",
    });
    let told = told(program, script, task).await;

    assert_eq!(told["statuses"], json!(vec![204; 14]), "the server did not take what the SDK signed");
    assert_eq!(server.account.balance().await, (bought(1000) - bought(100), 0));
    let mut verdicts = Vec::new();
    for webhook in &judged {
        let believed = webhook.send(&server).await.status == 204;
        verdicts.push(json!([believed, believed]));
    }
    assert_eq!(verdicts[..3], vec![json!([true, true]); 3]);
    assert_eq!(verdicts[3..], vec![json!([false, false]); 7]);
    assert_eq!(told["verdicts"], Value::Array(verdicts));

    // It asks for what we ask for, in the same words, and understands the answers.
    assert!(told["url"].as_str().unwrap().starts_with("https://checkout.example.com/"));
    assert_eq!(told["paid"], json!([1200, 200, top_up]));
    assert_eq!(told["listed"], json!([1, 2, 1]));
    let theirs: Vec<_> = dodo.requests().split_off(ours.len());
    let reason = json!({"reason": "to compare"});
    server
        .operator()
        .post(
            &format!("/v1/admin/top-ups/{top_up}/refunds"),
            json!({
                "credits_microcredits": bought(100), "reason": "to compare",
            }),
        )
        .await
        .expect(201);
    server.operator().post("/v1/admin/reconcile", reason).await.expect(200);
    let ours: Vec<_> = ours.into_iter().chain(dodo.requests().split_off(theirs.len() + 1)).collect();
    let words = |requests: &[(String, Value)]| {
        let mut words: Vec<_> = requests.iter().map(|(request, body)| (request.clone(), body.clone())).collect();
        for (_, body) in &mut words {
            // When, is each one's own.
            if let Some(query) = body.as_object_mut()
                && query.contains_key("created_at_gte")
            {
                query.insert("created_at_gte".to_owned(), Value::Null);
            }
        }
        words.sort_by_key(|(request, body)| (request.clone(), body.to_string()));
        words
    };
    let asked_for_one = |request: &(String, Value)| !request.0.starts_with("GET /payments/");
    let theirs: Vec<_> = theirs.into_iter().filter(asked_for_one).collect();
    assert_eq!(words(&ours), words(&theirs));
    server.stop();
    server.verify_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_javascript_agrees() {
    converse("node".into(), "sdk.mjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_python_agrees() {
    converse(Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python"), "sdk.py").await;
}
