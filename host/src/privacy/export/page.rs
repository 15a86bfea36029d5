//! The page of an export that a person reads first, and what it and the manifest tell.

use askama::Template;
use serde::Serialize;

use crate::archive::Listed;
use crate::clock::Micros;
use crate::ids::AccountId;
use crate::privacy::map::{Category, Record, Table};

/// What an export tells of itself.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub account: AccountId,
    pub email: String,
    pub made_at: Micros,
    pub controller: String,
    pub contact: String,
    pub region: Option<String>,
    pub recipients: Vec<String>,
    pub tables: Vec<ToldTable>,
}

/// What an export tells of a table.
#[derive(Debug, Serialize)]
pub(super) struct ToldTable {
    pub name: &'static str,
    pub holds: &'static str,
    pub purpose: &'static str,
    pub legal_basis: &'static str,
    pub kept: String,
    pub source: &'static str,
}

impl ToldTable {
    pub(super) fn new(table: &'static Table, kept: String) -> Self {
        let sources: Vec<_> = table.columns.iter().filter_map(|column| column.category).map(Category::source).collect();
        let source = match (sources.contains(&"provided"), sources.contains(&"observed")) {
            (true, true) => "provided and observed",
            (true, false) => "provided",
            _ => "observed",
        };
        let (purpose, legal_basis) = (table.purpose.words(), table.purpose.basis());
        Self { name: table.name, holds: table.holds, purpose, legal_basis, kept, source }
    }
}

impl Told {
    pub(super) fn new(account: AccountId, email: String, made_at: Micros, record: Record) -> Self {
        let Record { controller, contact, region, recipients, .. } = record;
        Self { account, email, made_at, controller, contact, region, recipients, tables: Vec::new() }
    }
}

#[derive(Template)]
#[template(path = "pages/export.html")]
struct Page<'p> {
    told: &'p Told,
    tables: Vec<(&'p ToldTable, u64)>,
    files: Vec<&'p Listed>,
    style: &'static str,
}

/// The page.
pub(super) fn html(told: &Told, listed: &[Listed]) -> String {
    let rows = |name: &str| {
        let path = format!("tables/{name}.jsonl");
        listed.iter().find(|file| file.path == path).and_then(|file| file.rows).unwrap_or_default()
    };
    let tables = told.tables.iter().map(|table| (table, rows(table.name))).collect();
    let files = listed.iter().filter(|file| !file.path.starts_with("tables/")).collect();
    let page = Page { told, tables, files, style: include_str!("../../../templates/pages/export.css") };
    // A template in memory that can't be written does not exist.
    page.render().unwrap_or_default()
}
