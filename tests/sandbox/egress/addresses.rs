//! Addresses that a guest may not reach, in every spelling, and names that lead to them.

use serde_json::{Value, json};

use crate::support::https::{HttpsServer, answer};
use crate::support::probe::{Lab, Probed};

/// A request to this authority, whose host a rule allows: what stops it is the address.
async fn sent(lab: &Lab, host: &str, authority: &str, port: Option<u16>) -> Probed {
    let mut rule = json!({"host": host});
    if let Some(port) = port {
        rule["port"] = port.into();
    }
    let grants = json!({"egress": {"allow": [rule]}});
    lab.run(grants, json!({"steps": [{"authority": authority, "path": "/"}]})).await
}

async fn prohibited(host: &str, authorities: &[&str]) {
    let lab = Lab::new();
    for authority in authorities {
        let probed = sent(&lab, host, authority, None).await;
        assert!(probed.errors(0).contains("DestinationIpProhibited"), "{authority}: {}", probed.errors(0));
        let told = |line: &str| line.contains("allow_addresses") && line.contains("egress refused");
        assert!(probed.log.iter().any(|line| told(&line.message)), "{:?}", probed.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_in_version_4() {
    prohibited("127.0.0.2", &["127.0.0.2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_in_version_6() {
    prohibited("[::1]", &["[::1]", "[0:0:0:0:0:0:0:1]"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata() {
    prohibited("169.254.169.254", &["169.254.169.254"]).await;
    prohibited("[fd00:ec2::254]", &["[fd00:ec2::254]"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_networks() {
    for ip in ["10.0.0.1", "172.16.0.1", "172.31.255.1", "192.168.0.1", "100.64.0.1"] {
        prohibited(ip, &[ip]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unique_local_and_link_local() {
    for ip in ["[fc00::1]", "[fd12:3456::1]", "[fe80::1]"] {
        prohibited(ip, &[ip]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_carry_another() {
    for ip in ["[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]"] {
        prohibited(ip, &[ip]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unspecified_address() {
    prohibited("0.0.0.0", &["0.0.0.0", "0", "0x0"]).await;
    prohibited("[::]", &["[::]"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decimal_octal_and_hex() {
    prohibited(
        "127.0.0.2",
        &["2130706434", "0x7f000002", "0177.0.0.2", "0x7f.0.0.2", "127.2", "127.0.2", "127.0.0.2."],
    )
    .await;
    prohibited("169.254.169.254", &["2852039166", "0xa9fea9fe", "0251.0376.0251.0376"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_dot_names_the_same_host() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    let probed = sent(&lab, "api.test", &format!("api.test.:{port}"), Some(port)).await;
    assert_eq!(probed.seen(0)["status"], 200, "{}", probed.errors(0));
    assert_eq!(server.received()[0].values("host"), [format!("api.test:{port}")]);
    let denied = sent(&lab, "other.test", &format!("api.test.:{port}"), Some(port)).await;
    assert!(denied.errors(0).contains("HttpRequestDenied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_international_name_is_compared_in_its_ascii_form() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let probed = sent(&Lab::new(), "Bücher.test", &format!("XN--bcher-kva.test:{port}"), Some(port)).await;
    assert_eq!(probed.seen(0)["status"], 200, "{}", probed.errors(0));
    let lookalike = sent(&Lab::new(), "bücher.test", &format!("bucher.test:{port}"), Some(port)).await;
    assert!(lookalike.errors(0).contains("HttpRequestDenied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn user_information_names_no_host() {
    let lab = Lab::new();
    for authority in ["api.test@127.0.0.1", "api.test:443@127.0.0.1", "user:pass@api.test", "@api.test"] {
        let probed = sent(&lab, "api.test", authority, None).await;
        let errors = probed.errors(0);
        assert!(errors.contains("HttpRequestUriInvalid") || errors.contains("refuses the authority"), "{errors}");
    }
    assert!(lab.names.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_inside() {
    for ip in ["127.0.0.2", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
        let lab = Lab::new();
        lab.names.set("inside.test", &[&[ip]]);
        let probed = sent(&lab, "inside.test", "inside.test", None).await;
        assert!(probed.errors(0).contains("DestinationIpProhibited"), "{ip}: {}", probed.errors(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_one_of_whose_addresses_is_private() {
    let lab = Lab::new();
    lab.names.set("mixed.test", &[&["127.0.0.1", "10.0.0.1"]]);
    let probed = sent(&lab, "mixed.test", "mixed.test", None).await;
    assert!(probed.errors(0).contains("DestinationIpProhibited"), "{}", probed.errors(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_whose_second_answer_is_private() {
    let lab = Lab::new();
    // The first answer may be dialled, but nobody listens there, so the name is asked for again.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    lab.names.set("rebind.test", &[&["127.0.0.1"], &["127.0.0.2"]]);
    let grants = json!({"egress": {"allow": [{"host": "rebind.test", "port": closed}]}});
    let step: Value = json!({"authority": format!("rebind.test:{closed}"), "path": "/"});
    let probed = lab.run(grants, json!({"steps": [step, step]})).await;
    assert!(probed.errors(0).contains("ConnectionRefused"), "{}", probed.errors(0));
    assert!(probed.errors(1).contains("DestinationIpProhibited"), "{}", probed.errors(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_changes_between_check_and_use() {
    let server = HttpsServer::start(|_| answer("200 OK", "", b"ok")).await;
    let port = server.address.port();
    let lab = Lab::new();
    lab.names.set("api.test", &[&["127.0.0.1"], &["127.0.0.2"]]);
    let probed = sent(&lab, "api.test", &format!("api.test:{port}"), Some(port)).await;
    assert_eq!(probed.seen(0)["status"], 200, "{}", probed.errors(0));
    assert_eq!(lab.names.asked(), ["api.test"], "what is checked is what is dialled: it is resolved once");
}
