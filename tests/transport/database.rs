//! The way to a database on another machine: by TLS, and to no impostor.

use tempfile::TempDir;

use super::{Issued, authority};
use crate::support::cluster::Cluster;
use crate::support::server;

/// What `init` says on a database, and whether it was done.
fn init(url: &str) -> (bool, String) {
    let folder = TempDir::new().unwrap();
    let ended = server::command(folder.path(), Some(url)).args(["init", "--json"]).output().unwrap();
    (ended.status.success(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn a_way_on_which_others_read_along_is_refused() {
    for mode in ["disable", "allow", "prefer"] {
        let (done, said) = init(&format!("postgres://me:s3cret@192.0.2.1/a?sslmode={mode}"));
        assert!(!done && said.contains("lets others read") && said.contains("`verify-full`"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_database_on_another_machine_has_to_prove_itself() {
    if !server::on_postgres() {
        return;
    }
    let (mut cluster, folder) = (Cluster::start(), TempDir::new().unwrap());
    let url = cluster.url_from_elsewhere();
    let trusted = format!("{url}?sslrootcert={}", authority::file(folder.path()).display());
    let (done, said) = init(&trusted);
    assert!(!done && said.contains("TLS"), "it speaks none: {said}");

    cluster.speak_tls(&Issued::to(&["db.example"]));
    let (done, said) = init(&trusted);
    assert!(!done && said.contains("certificate"), "its certificate is another one's: {said}");

    cluster.speak_tls(&Issued::to(&["0.0.0.0"]));
    let (done, said) = init(&url);
    assert!(!done && said.contains("certificate"), "nobody vouches for it: {said}");
    let (done, said) = init(&trusted);
    assert!(done, "{said}");
}
