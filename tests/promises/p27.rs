//! P27: no cookie but a session's, and no page that loads anything of others.

use crate::support::Server;

#[tokio::test]
async fn pages_have_no_script_no_cookie_and_nothing_of_others() {
    let server = Server::start().await;
    let stranger = server.account.with_key(None);
    for path in ["/confirm/nothing", "/downloads/nothing"] {
        let page = stranger.get(path).await;
        assert!(!page.headers.contains_key("set-cookie"));
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        for foreign in ["<script", "<img", "<iframe", "<link", "src=", "@import", "url("] {
            assert!(!page.text.contains(foreign), "{path}: {foreign}");
        }
    }
}
