//! P08: a session would be a cookie that scripts can't read; while there is no dashboard, nothing sets a cookie.

use reqwest::header::SET_COOKIE;

use crate::api::routes::{Door, selling, walk};

#[tokio::test]
async fn no_answer_sets_a_cookie() {
    let (dodo, server) = selling().await;
    let routes = walk(&dodo, &server).await;
    assert!(routes.len() > 60);
    for route in routes {
        let reply = match route.door {
            Door::Operator => route.send(&server.operator()).await,
            Door::Account => route.send(&server.account).await,
            Door::Nobody | Door::Signer => route.send(&server.account.with_key(None)).await,
        };
        assert!(!reply.headers.contains_key(SET_COOKIE), "{} {}", route.method, route.pattern);
    }
}
