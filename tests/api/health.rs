//! `/healthz` and `/readyz`.

use crate::support::Server;

#[tokio::test]
async fn a_host_says_to_anybody_that_it_lives_and_is_ready() {
    let server = Server::start().await;
    let anybody = server.account.with_key(None);
    for path in ["/healthz", "/readyz"] {
        let reply = anybody.get(path).await;
        assert_eq!((reply.status, reply.text.as_str()), (204, ""), "{path}");
        assert!(reply.headers["x-request-id"].to_str().unwrap().starts_with("req_"), "{path}");
    }
}
