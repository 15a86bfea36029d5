//! P05: of a request its time, its route and its status are kept, and not who sent it but by the key.

use std::collections::BTreeSet;

use crate::api::items;
use crate::support::{Server, until};

#[tokio::test]
async fn a_request_leaves_time_route_and_status() {
    let server = Server::start().await;
    server.account.get("/v1/agents/not-there").await.problem(404);
    let request = until("the request to be kept", async || {
        let of_route = "/v1/requests?route=%2Fv1%2Fagents%2F%7Bname%7D";
        items(&server.account.get(of_route).await.expect(200)).first().cloned()
    })
    .await;
    assert_eq!(request["status"], 404);
    let known: BTreeSet<_> = request.as_object().unwrap().keys().map(String::as_str).collect();
    let kept: BTreeSet<_> = ["id", "at", "method", "route", "status", "duration_us", "api_key"].into();
    assert_eq!(known, kept);
}
