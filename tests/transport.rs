//! What is between a host and everybody else: TLS (P14), and the region that data stays in (P17).

mod acme;
mod certificates;
mod clear_text;
mod database;
mod many_requests;
mod region;
mod strength;

use std::net::SocketAddr;

use tempfile::TempDir;

use crate::support::authority::{self, Issued};
use crate::support::{Server, until};

/// A server with a certificate in files, and their folder.
async fn secure(more: &str) -> (Server, TempDir) {
    let folder = TempDir::new().unwrap();
    Issued::to(&["127.0.0.1"]).put(folder.path());
    let server = Server::with_config(&format!("{}{more}", authority::settings(folder.path()))).await;
    (server, folder)
}

fn address(server: &Server) -> SocketAddr {
    let url = server.url().unwrap();
    url.split_once("://").unwrap().1.parse().unwrap()
}

/// A port that nothing listens on right now.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
