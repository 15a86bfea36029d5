//! `aaasp admin erasures`: accounts that were deleted by their owners, and what is left of them.

use serde::Deserialize;

use super::super::client::{Client, ListArgs, Rows};
use super::super::readable;
use crate::clock::Micros;
use crate::db::erasures::Certificate;

#[derive(Deserialize)]
struct Erasure {
    id: String,
    state: String,
    asked_at: Micros,
    due_at: Micros,
    erased_at: Option<Micros>,
    certificate: Option<Certificate>,
    held: bool,
}

pub(super) async fn run(client: &Client, list: ListArgs) -> anyhow::Result<()> {
    let rows = Rows {
        header: &["id", "state", "asked", "due", "erased", "rows erased", "rows kept"],
        right: &[5, 6],
        row: |row: Erasure| {
            let count = |of: fn(&Certificate) -> u64| {
                row.certificate.as_ref().map_or_else(|| "-".to_owned(), |certificate| readable::number(of(certificate)))
            };
            vec![
                row.id.clone(),
                if row.held { "held".to_owned() } else { row.state.clone() },
                readable::time(row.asked_at),
                readable::time(row.due_at),
                row.erased_at.map_or_else(|| "-".to_owned(), readable::time),
                count(|certificate| certificate.erased.values().sum()),
                count(|certificate| certificate.kept.values().sum()),
            ]
        },
        nothing: "no account was deleted by its owner",
    };
    client.list(&["admin", "erasures"], &[], list, &rows).await
}
