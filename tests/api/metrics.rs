//! What Prometheus scrapes, on a listener of its own.

use std::net::TcpListener;

use reqwest::Method;

use crate::support::{Client, Server};

#[tokio::test]
async fn a_method_that_somebody_made_up_is_no_metric_of_its_own() {
    let mut server = Server::start().await;
    server.stop();
    // Whoever listens on port 0 says nowhere where that is.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    server.set("AAASP_METRICS_LISTEN", &address.to_string());
    server.serve();
    let anybody = server.account.with_key(None);
    for method in ["GET", "BREW", "STIR"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Client::send(anybody.request(method, "/healthz")).await;
    }
    let metrics = Client::new(&format!("http://{address}"), None).get("/metrics").await.text;
    let counted: Vec<_> = metrics.lines().filter(|line| line.starts_with("aaasp_http_requests_total{")).collect();
    let of = |method: &str| counted.iter().filter(|line| line.contains(&format!("method=\"{method}\""))).count();
    assert_eq!((of("GET"), of("BREW"), of("STIR"), of("OTHER")), (1, 0, 0, 1), "{counted:?}");
}
