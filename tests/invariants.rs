//! Reads the tree and fails when an invariant of ARCHITECTURE.md is broken.
//!
//! A check that finds nothing to look at fails too: a moved folder must not turn it off.

mod source;
pub mod tree;

use std::collections::{BTreeMap, BTreeSet};

use source::SourceFile;

const LONGEST_FILE: usize = 400;

/// Words that say nothing about what a thing is.
const BANNED_WORDS: [&str; 7] = ["utils", "common", "helper", "helpers", "manager", "misc", "v2"];

/// An agent's name that was asked for as it is.
const NAMES_ASKED_FOR: [&str; 2] = ["issue-helper", "issue_helper"];

#[test]
fn only_the_runtime_and_the_capabilities_name_wasmtime() {
    let crates = ["wasmtime", "wasmtime_wasi", "wasmtime_wasi_http"];
    let allowed = |path: &str| within(path, "host/src/runtime") || within(path, "host/src/capabilities");
    assert_names_stay(&crates, allowed);
}

#[test]
fn only_the_database_folder_names_sqlx() {
    assert_names_stay(&["sqlx"], |path| within(path, "host/src/db"));
}

#[test]
fn nothing_below_http_names_a_status_code() {
    // The command line speaks HTTP to a server: it is a client, and not below `http`.
    assert_names_stay(&["StatusCode"], |path| within(path, "host/src/http") || within(path, "host/src/cli"));
}

#[test]
fn only_the_ledger_moves_credits() {
    let mut movers = BTreeSet::new();
    for file in tree::rust("host/src") {
        let statements = source::one_space(&file.text).to_lowercase();
        let moves = ["insert into ", "update ", "delete from "]
            .iter()
            .any(|verb| ["balances", "transfers"].iter().any(|table| statements.contains(&format!("{verb}{table} "))));
        if moves {
            movers.insert(file.path);
        }
    }
    assert!(!movers.is_empty(), "nothing moves credits; the check looks for the wrong words");
    let others: Vec<_> =
        movers.iter().filter(|path| !within(path, "host/src/ledger") && !within(path, "host/src/db/ledger")).collect();
    assert!(others.is_empty(), "credits move only in the ledger, but also in {others:#?}");
}

#[test]
fn every_row_of_an_account_names_the_account() {
    // Why each of these has no account: the host's own, shared by all, or the ledger's opaque numbers, which
    // `tenants` alone connects with accounts.
    let without = [
        "accounts",
        "audit_end",
        "audit_entries",
        "audit_heads",
        "balances",
        "breaches",
        "chain_heads",
        "forgotten_payments",
        "hosts",
        "mailings",
        "master_keys",
        "operator_keys",
        "policies",
        "settings",
        "statement_numbers",
        "statements",
        "statistics",
        "terms",
        "transfers",
    ];
    for (engine, tables) in tables() {
        for (table, columns) in &tables {
            let names_account = columns.contains("account_id");
            let excused = without.contains(&table.as_str());
            assert!(names_account != excused, "{engine}: table {table} has columns {columns:?}");
        }
    }
}

#[test]
fn both_engines_have_the_same_migrations_tables_and_columns() {
    let names = |engine: &str| -> Vec<String> {
        tree::files(&format!("migrations/{engine}"), &["sql"])
            .iter()
            .filter_map(|file| file.path.rsplit('/').next().map(str::to_owned))
            .collect()
    };
    let sqlite = names("sqlite");
    assert_eq!(sqlite, names("postgres"));
    for (position, name) in sqlite.iter().enumerate() {
        let number = format!("{:04}_", position + 1);
        assert!(name.starts_with(&number), "{name} breaks the sequence: it should start with {number}");
    }
    let tables = tables();
    assert_eq!(tables["sqlite"], tables["postgres"]);
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    let silent: Vec<_> = tree::all_rust().into_iter().filter(|file| !file.text.starts_with("//! ")).collect();
    assert!(silent.is_empty(), "these files do not open with a `//!` line: {:#?}", paths(&silent));
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let files = ["host/src", "plugins/sdk", "xtask/src"].iter().flat_map(|folder| tree::rust(folder));
    let long: Vec<_> =
        files.map(|file| (file.path, file.text.lines().count())).filter(|(_, lines)| *lines > LONGEST_FILE).collect();
    assert!(long.is_empty(), "these files ask to be two: {long:#?}");
}

#[test]
fn nothing_is_named_with_a_word_that_says_nothing() {
    let mut bad = Vec::new();
    for path in tree::paths() {
        let banned = |part: &str| part.split(['-', '_', '.']).any(|word| BANNED_WORDS.contains(&word));
        if path.split('/').any(|part| banned(part) && !NAMES_ASKED_FOR.contains(&part)) {
            bad.push(path);
        }
    }
    for file in tree::all_rust() {
        for name in source::declared_names(&source::code(&file.text)) {
            if is_banned(&name) && !NAMES_ASKED_FOR.contains(&name.as_str()) {
                bad.push(format!("{}: {name}", file.path));
            }
        }
    }
    for (engine, tables) in tables() {
        for (table, columns) in tables {
            let names = columns.into_iter().chain([table]).filter(|name| is_banned(name));
            bad.extend(names.map(|name| format!("migrations/{engine}: {name}")));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn every_crate_comes_from_the_registry_and_the_engine_comes_once() {
    let lock = tree::read("Cargo.lock");
    let sources: BTreeSet<_> = lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("\"registry+")), "{sources:?}");
    for engine in ["wasmtime", "wasmtime-wasi", "wasmtime-wasi-http"] {
        let versions = lock.lines().filter(|line| *line == format!("name = \"{engine}\"")).count();
        assert_eq!(versions, 1, "Cargo.lock has {versions} versions of {engine}");
    }
}

#[test]
fn xtask_compiles_in_seconds() {
    let manifest = tree::read("xtask/Cargo.toml");
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
    let names: BTreeSet<_> =
        dependencies.lines().filter_map(|line| line.split_once('.')).map(|(name, _)| name).collect();
    assert_eq!(names, BTreeSet::from(["anyhow", "pico-args", "serde_json", "signal-hook"]));
}

/// Fails when a file outside of the allowed places names one of the identifiers, or when no file inside does.
fn assert_names_stay(identifiers: &[&str], allowed: impl Fn(&str) -> bool) {
    let (inside, outside): (Vec<_>, Vec<_>) = tree::rust("host/src")
        .into_iter()
        .filter(|file| source::identifiers(&source::code(&file.text)).any(|name| identifiers.contains(&name)))
        .partition(|file| allowed(&file.path));
    assert!(outside.is_empty(), "{identifiers:?} may not be named in {:#?}", paths(&outside));
    assert!(!inside.is_empty(), "nothing names {identifiers:?}; the check looks in the wrong place");
}

/// Whether `path` is `module.rs` or lies in `module/`.
fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn is_banned(name: &str) -> bool {
    // `new` alone is Rust's own name for a constructor; `new_handler` is one that will be old.
    name.starts_with("new_") || source::words(name).iter().any(|word| BANNED_WORDS.contains(&word.as_str()))
}

/// Columns by table by engine, as the migrations create them.
fn tables() -> BTreeMap<&'static str, BTreeMap<String, BTreeSet<String>>> {
    ["sqlite", "postgres"]
        .into_iter()
        .map(|engine| {
            let files = tree::files(&format!("migrations/{engine}"), &["sql"]);
            let tables: BTreeMap<_, _> = files.iter().flat_map(|file| source::tables(&file.text)).collect();
            assert!(!tables.is_empty(), "no table in migrations/{engine}");
            (engine, tables)
        })
        .collect()
}

fn paths(files: &[SourceFile]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}
