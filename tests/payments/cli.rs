//! The commands that buy, give back and correct.

use serde_json::json;

use super::bought;
use crate::cli::shell::{Shell, url};
use crate::support::dodo::Dodo;

#[tokio::test(flavor = "multi_thread")]
async fn credits_are_bought_from_the_command_line() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let shell = Shell::of(&server.account);
    let ended = shell.run(&["credits", "buy", "--amount", "12.00", "--currency", "eur"]).expect(0);
    assert!(ended.err.contains("Pay 12.00 EUR") && ended.out.starts_with("https://checkout.example.com/"), "{ended:?}");
    let listed = shell.run(&["credits", "top-ups", "--json"]).json(0);
    let top_up = listed[0]["id"].as_str().unwrap();

    let payment = dodo.payment(top_up, (1200, 0), "succeeded");
    dodo.tell(&server, "payment.succeeded", &payment).await;
    let ended = shell.run(&["credits", "top-ups"]).expect(0);
    assert!(ended.out.contains("paid") && ended.out.contains("12.000000"), "{}", ended.out);
    let ended = shell.run(&["credits"]).expect(0);
    assert!(ended.out.contains("12.000000") && !ended.out.contains("owed"), "{}", ended.out);

    for (amount, currency, said) in
        [("12.001", "EUR", "no amount of EUR"), ("1", "euro", "no currency"), ("0.50", "EUR", "between 1.00 EUR and")]
    {
        let ended = shell.run(&["credits", "buy", "--amount", amount, "--currency", currency]).expect(1);
        assert!(ended.err.contains(said), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_when_it_is_paid() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let shell = Shell::of(&server.account);
    let mut command = shell.command(&["credits", "buy", "--amount", "5", "--currency", "EUR", "--wait", "--json"]);
    let waiting = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let made = || async {
        let list = server.account.get("/v1/credits/top-ups").await.expect(200);
        list["items"][0]["id"].as_str().map(str::to_owned)
    };
    let top_up = crate::support::until("the top-up", made).await;
    let payment = dodo.payment(&top_up, (500, 0), "succeeded");
    dodo.tell(&server, "payment.succeeded", &payment).await;
    let output = tokio::task::spawn_blocking(move || waiting.wait_with_output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["state"], &shown["credited_microcredits"]), (&json!("paid"), &json!(bought(500))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_corrects_gives_back_and_reconciles_with_a_reason() {
    let dodo = Dodo::start().await;
    let server = dodo.server(0).await;
    let data = server.data();
    let operator = Shell::open().with("AAASP_URL", &url(&server.account)).with("AAASP_DATA", data.to_str().unwrap());
    let id = server.account.get("/v1/account").await.expect(200)["id"].as_str().unwrap().to_owned();
    let (top_up, _) = super::paid(&dodo, &server, &server.account, 500).await;

    operator.run(&["admin", "adjust", &id, "--credits", "-1.5"]).expect(2);
    operator.run(&["admin", "adjust", &id, "--credits", "-1.5", "--reason", "given twice"]).expect(0);
    assert_eq!(server.account.balance().await, (bought(350), 0));
    let ended = operator.run(&["admin", "adjust", &id, "--credits", "-4", "--reason", "too much"]).expect(1);
    assert!(ended.err.contains("only 3.500000 credits are there"), "{}", ended.err);

    let ended = operator.run(&["admin", "refund", &top_up, "--credits", "1", "--reason", "asked for it"]).expect(0);
    assert!(ended.out.contains("will give back 1.000000 credits"), "{}", ended.out);
    let found = operator.run(&["admin", "reconcile", "--reason", "to see", "--json"]).json(0);
    assert_eq!(found["payments"], 1);
    let ended = operator.run(&["admin", "reconcile", "--days", "30", "--reason", "to see"]).expect(0);
    assert!(ended.out.contains("refunds and disputes"), "{}", ended.out);
    let ended = operator.run(&["admin", "acts"]).expect(0);
    for said in ["reconcile", "refund", "adjust", "given twice", "asked for it", "-1.500000"] {
        assert!(ended.out.contains(said), "{said}: {}", ended.out);
    }
    let acts = operator.run(&["admin", "acts", "--account", &id, "--json"]).json(0);
    assert_eq!(acts.as_array().unwrap().len(), 2);
}
