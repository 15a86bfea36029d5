//! Nothing is kept that the data map does not name.

use std::collections::{BTreeMap, BTreeSet};

use aaasp::privacy::map::{About, Erasure, tables};
use sqlx::Row as _;

use crate::cli::shell::Shell;
use crate::support::Server;

/// Every column of the database, by its table.
async fn columns(server: &Server) -> BTreeMap<String, BTreeSet<String>> {
    let question = if server.database_url().starts_with("sqlite") {
        "SELECT m.name, p.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
    } else {
        "SELECT table_name::text, column_name::text FROM information_schema.columns
         WHERE table_schema = current_schema()"
    };
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in sqlx::query(question).fetch_all(&mut server.connect().await).await.unwrap() {
        found.entry(row.get(0)).or_default().insert(row.get(1));
    }
    // What of the schema is there already, which the library that brings it up to date keeps.
    found.remove("_sqlx_migrations").expect("the schema's own table");
    found
}

#[tokio::test]
async fn every_column_of_the_database_is_in_the_data_map_and_no_other() {
    let server = Server::start().await;
    let there = columns(&server).await;
    let mapped: BTreeMap<String, BTreeSet<String>> = tables()
        .map(|table| {
            let names: BTreeSet<_> = table.columns.iter().map(|column| column.name.to_owned()).collect();
            assert_eq!(names.len(), table.columns.len(), "{}: a column is there twice", table.name);
            (table.name.to_owned(), names)
        })
        .collect();
    for (table, columns) in &there {
        let known = mapped.get(table).unwrap_or_else(|| panic!("the data map (privacy/map/) lacks the table {table}"));
        let lacks: Vec<_> = columns.difference(known).collect();
        assert!(lacks.is_empty(), "the data map (privacy/map/) lacks {lacks:?} of {table}");
    }
    assert_eq!(there, mapped, "the data map names what is not there");
}

#[test]
fn a_table_says_whom_its_rows_are_about() {
    for table in tables() {
        let expected = match table.about {
            About::Account => Some("account_id"),
            About::Itself => Some("id"),
            About::Tenant => Some("tenant"),
            About::Nobody => None,
        };
        let has = |name: &str| table.column(name).is_some();
        assert!(expected.is_none_or(has), "{}", table.name);
        assert_eq!(has("account_id"), table.about == About::Account, "{}", table.name);
        assert!(table.key.iter().all(|key| has(key)), "{}", table.name);
        assert_eq!(table.is_personal(), table.about != About::Nobody, "{}", table.name);
        let touched = matches!(table.about, About::Account | About::Itself);
        assert_eq!(table.erasure == Erasure::Untouched, !touched, "{}", table.name);
    }
}

#[tokio::test]
async fn rows_refer_to_tables_that_are_erased_after_their_own() {
    let server = Server::start().await;
    let question = if server.database_url().starts_with("sqlite") {
        "SELECT m.name, f.\"table\" FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
         WHERE m.type = 'table'"
    } else {
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
    };
    let names: Vec<_> = tables().map(|table| table.name).collect();
    let place = |name: &str| names.iter().position(|known| *known == name).unwrap();
    let rows = sqlx::query(question).fetch_all(&mut server.connect().await).await.unwrap();
    assert!(rows.len() > 20);
    for row in rows {
        let (from, to): (String, String) = (row.get(0), row.get(1));
        assert!(place(&from) < place(&to) || from == to || to == "master_keys", "{from} refers to {to}");
    }
}

#[test]
fn the_map_and_the_record_are_printed_for_people_and_for_programs() {
    let shell = Shell::open();
    let map = shell.run(&["privacy", "map"]).expect(0).out;
    for said in ["## `runs`", "sealed (AES-256-GCM)", "90 days", "Art. 6(1)(b)", "kept under a pseudonym"] {
        assert!(map.contains(said), "{said}: {map}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&shell.run(&["privacy", "map", "--json"]).expect(0).out).unwrap();
    assert_eq!(json.as_array().unwrap().len(), tables().count());
    let record = shell.run(&["privacy", "record"]).expect(0).out;
    assert!(record.contains("Article 30") && record.contains("operator.name"), "{record}");
}
