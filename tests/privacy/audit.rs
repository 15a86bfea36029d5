//! What operators and owners do is in the audit, and whatever was done to the audit is found.

mod grants;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aaasp::audit::verify::{Fault, Report, verify};
use aaasp::audit::{Act, Actor, Anchors, End, Facts, Head, Link};
use aaasp::clock::{Clock, Micros};
use aaasp::config::{Config, Overrides};
use aaasp::db::audit as entries;
use aaasp::folder::Folder;
use aaasp::host::Store;
use aaasp::receipts::SigningKey;
use serde_json::{Value, json};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use crate::api::{all_items, fields, items, text};
use crate::cli::shell::Ended;
use crate::support::{Server, until};

/// The audit of a stopped server, and a way past all that the host would check.
struct Lab {
    store: Store,
    raw: AnyConnection,
    clock: Arc<AtomicI64>,
}

impl Lab {
    async fn open(server: &Server) -> Self {
        let overrides = Overrides { database: server.database().map(Into::into), ..Overrides::default() };
        let config = Config::load(&server.data(), &overrides).unwrap();
        let clock = Arc::new(AtomicI64::new(Clock::System.now().0));
        let folder = Folder::take(&server.data()).unwrap();
        let store = Store::open(folder, config, Clock::Fixed(Arc::clone(&clock))).await.unwrap();
        Self { store, raw: server.connect().await, clock }
    }

    async fn verify(&self) -> Report {
        self.verify_with(&[]).await
    }

    /// The same, with heads that were kept elsewhere.
    async fn verify_with(&self, kept: &[Head]) -> Report {
        verify(&self.store.db, &SigningKey::of(&self.store.keyring).public(), kept).await.unwrap()
    }

    /// What is wrong first, and where.
    async fn first(&self) -> Option<(i64, Fault, Option<i64>)> {
        self.verify().await.findings.first().map(|found| (found.position, found.fault, found.head))
    }

    /// Signs the end of the chain, an hour later.
    async fn sign(&self) {
        self.clock.fetch_add(3_600_000_000, Ordering::Relaxed);
        self.sign_now().await;
    }

    async fn sign_now(&self) {
        let store = &self.store;
        let key = Arc::new(SigningKey::of(&store.keyring));
        let anchors = Anchors::new(store.db.clone(), (store.config.clone(), store.clock.clone()), key);
        anchors.sign_when_due(store.host).await.unwrap();
    }

    async fn act(&self) {
        self.store.accounts.note_act(Actor::System, Act::Reload, &Facts::of("a test")).await.unwrap();
    }

    async fn execute(&mut self, statement: &str) {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut self.raw).await.unwrap();
    }

    async fn bytes(&mut self, from: &str, column: &str) -> Vec<u8> {
        let question = format!("SELECT {column} FROM {from}");
        sqlx::query(AssertSqlSafe(question)).fetch_one(&mut self.raw).await.unwrap().get(0)
    }

    async fn set_bytes(&mut self, table: &str, column: &str, condition: &str, bytes: &[u8]) {
        let statement = format!("UPDATE {table} SET {column} = $1 WHERE {condition}");
        sqlx::query(AssertSqlSafe(statement)).bind(bytes.to_vec()).execute(&mut self.raw).await.unwrap();
    }
}

/// A stopped server whose audit has six entries, the fourth and the last of which are signed.
async fn lab() -> (Server, Lab) {
    let mut server = Server::start().await;
    server.account.post("/v1/api-keys", json!({"name": "second"})).await.expect(201);
    server.account.patch("/v1/account", json!({"low_balance_microcredits": 7})).await.expect(200);
    server.stop();
    server.execute("DELETE FROM audit_heads").await;
    let lab = Lab::open(&server).await;
    lab.act().await;
    lab.sign().await;
    lab.act().await;
    lab.act().await;
    lab.sign().await;
    (server, lab)
}

#[tokio::test]
async fn what_owners_and_operators_do_is_written_down_with_whom_and_why() {
    let server = Server::start().await;
    let account = &server.account;
    let id = text(&account.get("/v1/account").await.expect(200), "id").to_owned();
    let mine = text(&items(&account.get("/v1/api-keys").await.expect(200))[0], "id").to_owned();
    let made = account.post("/v1/api-keys", json!({"name": "second"})).await.expect(201);
    account
        .patch("/v1/account", json!({"low_balance_microcredits": 7, "daily_spend_microcredits": 9}))
        .await
        .expect(200);
    account.patch("/v1/account", json!({"email": "other@example.org"})).await.expect(200);
    account.delete(&format!("/v1/api-keys/{}", text(&made, "id"))).await.expect(204);
    account.delete("/v1/account").await.expect(202);
    let change = json!({"status": "restricted", "reason": "as asked"});
    server.operator().patch(&format!("/v1/admin/accounts/{id}"), change).await.expect(200);

    let audit = all_items(&server.operator(), "/v1/admin/audit", 3).await;
    let done = [
        "status",
        "ask_deletion",
        "revoke_key",
        "ask_email",
        "daily_spend",
        "low_balance",
        "create_key",
        "create_operator_key",
    ];
    assert_eq!(fields(&audit, "act"), done);
    assert_eq!(
        audit.iter().map(|entry| entry["position"].as_i64().unwrap()).collect::<Vec<_>>(),
        [8, 7, 6, 5, 4, 3, 2, 1]
    );
    // The first one is that of `init`, and about no account.
    assert_eq!((text(&audit[7], "actor"), &audit[7]["account"]), ("system", &Value::Null));
    assert!(audit[..7].iter().all(|entry| text(entry, "account") == id));
    assert!(audit[1..7].iter().all(|entry| text(entry, "actor") == "owner" && text(entry, "api_key") == mine));
    assert!(text(&audit[0], "actor").starts_with("opk_"));
    assert_eq!((text(&audit[0], "reason"), text(&audit[0], "subject")), ("as asked", "restricted"));
    assert_eq!(text(&audit[2], "subject"), text(&made, "id"));
    assert_eq!(text(&audit[3], "subject"), "other@example.org");
    assert_eq!((&audit[4]["amount_microcredits"], &audit[5]["amount_microcredits"]), (&json!(9), &json!(7)));

    let filtered = server.operator().get(&format!("/v1/admin/audit?account={id}&act=create_key")).await.expect(200);
    assert_eq!(items(&filtered).len(), 1);
    let acts = server.operator().get("/v1/admin/acts").await.expect(200);
    assert_eq!(fields(items(&acts), "act"), ["status"]);
    // What names somebody is sealed.
    assert_eq!(server.count("SELECT COUNT(*) FROM audit_contents WHERE content IS NOT NULL").await, 1);
    server.operator().get("/v1/admin/audit?act=nonsense").await.problem(422);
}

#[tokio::test]
async fn a_changed_byte_of_any_column_is_found_with_its_position() {
    let (_server, mut lab) = lab().await;
    assert_eq!(lab.first().await, None);
    let report = lab.verify().await;
    assert_eq!((report.entries, report.contents, report.erased, report.heads), (6, 6, 0, 2));

    let (entries, contents) = ("audit_entries", "audit_contents");
    let third = "position = 3";
    let of_third = "id = (SELECT id FROM audit_entries WHERE position = 3)";
    for (table, column, condition, fault) in [
        (entries, "digest", third, Fault::Changed),
        (entries, "chain", third, Fault::Changed),
        (contents, "salt", of_third, Fault::Content),
        (contents, "sealed_content", of_third, Fault::Content),
    ] {
        let whole = lab.bytes(&format!("{table} WHERE {condition}"), column).await;
        for changed in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[changed] ^= 1;
            lab.set_bytes(table, column, condition, &bytes).await;
            let first = lab.first().await;
            assert_eq!(first.map(|found| (found.0, found.2)), Some((3, Some(4))), "{table}.{column}, byte {changed}");
        }
        assert_eq!(lab.first().await.unwrap().1, fault);
        lab.set_bytes(table, column, condition, &whole).await;
    }
    for (table, column, there, back) in [
        (entries, "at", "at + 1", "at - 1"),
        (entries, "actor", "actor || '.'", "'owner'"),
        (entries, "act", "act || '.'", "'low_balance'"),
        (entries, "id", "id || '.'", "SUBSTR(id, 1, 30)"),
        (entries, "position", "99", "3"),
        (contents, "account_id", "NULL", "(SELECT id FROM accounts)"),
        (contents, "content", "''", "NULL"),
    ] {
        let condition = match (table, column) {
            ("audit_contents", _) => of_third,
            // Where it is is what has changed.
            _ => "position IN (3, 99)",
        };
        lab.execute(&format!("UPDATE {table} SET {column} = {there} WHERE {condition}")).await;
        let report = lab.verify().await;
        let places: Vec<_> = report.findings.iter().map(|found| found.position).collect();
        assert!(places.contains(&3), "{table}.{column}: {report:?}");
        lab.execute(&format!("UPDATE {table} SET {column} = {back} WHERE {condition}")).await;
        assert_eq!(lab.first().await, None, "{table}.{column}");
    }
    for (column, condition) in [("chain", "position = 4"), ("signature", "position = 4")] {
        let whole = lab.bytes(&format!("audit_heads WHERE {condition}"), column).await;
        for changed in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[changed] ^= 1;
            lab.set_bytes("audit_heads", column, condition, &bytes).await;
            let first = lab.first().await.unwrap();
            assert_eq!((first.0, first.1), (4, Fault::Head), "audit_heads.{column}, byte {changed}");
        }
        lab.set_bytes("audit_heads", column, condition, &whole).await;
    }
    lab.execute("UPDATE audit_heads SET at = at + 1 WHERE position = 4").await;
    assert_eq!(lab.first().await, Some((4, Fault::Head, Some(6))));
    lab.execute("UPDATE audit_heads SET at = at - 1 WHERE position = 4").await;
    lab.execute("UPDATE audit_end SET position = position + 1").await;
    assert_eq!(lab.first().await.unwrap().0, 7);
    lab.execute("UPDATE audit_end SET position = position - 1").await;
    let chain = lab.bytes("audit_end", "chain").await;
    lab.set_bytes("audit_end", "chain", "one = 1", &[7; 32]).await;
    assert_eq!(lab.first().await.unwrap().0, 6);
    lab.set_bytes("audit_end", "chain", "one = 1", &chain).await;
    assert_eq!(lab.first().await, None);
}

#[tokio::test]
async fn a_removed_entry_is_found_in_the_middle_and_at_the_end() {
    let (server, mut lab) = lab().await;
    lab.execute("DELETE FROM audit_entries WHERE position = 2").await;
    assert_eq!(lab.first().await, Some((0, Fault::Content, Some(4))), "what it was about is left");
    lab.execute("DELETE FROM audit_contents WHERE id NOT IN (SELECT id FROM audit_entries)").await;
    assert_eq!(lab.first().await, Some((2, Fault::Missing, Some(4))));
    lab.store.db.close().await;
    drop(lab);
    let ended = Ended::of(server.command().args(["audit", "verify"]).output().unwrap()).expect(1);
    let said = "The audit is not whole, from position 2 on: entry 2 is missing, as what follows shows; the signed head \
                at 4 contradicts it.";
    assert!(ended.out.contains(said), "{}", ended.out);
    let told: Value = Ended::of(server.command().args(["audit", "verify", "--json"]).output().unwrap()).json(1);
    assert_eq!((&told["findings"][0]["fault"], &told["findings"][0]["position"]), (&json!("missing"), &json!(2)));
}

#[tokio::test]
async fn whoever_cuts_the_end_off_and_moves_it_is_contradicted_by_a_head() {
    let (_server, mut lab) = lab().await;
    let chain = lab.bytes("audit_entries WHERE position = 5", "chain").await;
    lab.execute("DELETE FROM audit_contents WHERE id IN (SELECT id FROM audit_entries WHERE position = 6)").await;
    lab.execute("DELETE FROM audit_entries WHERE position = 6").await;
    assert_eq!(lab.first().await, Some((6, Fault::Missing, Some(6))));
    lab.execute("UPDATE audit_end SET position = 5").await;
    lab.set_bytes("audit_end", "chain", "one = 1", &chain).await;
    let report = lab.verify().await;
    assert!(report.findings.iter().any(|found| found.position == 6 && found.fault == Fault::Missing), "{report:?}");

    // Without the head nothing here shows it; one that was kept elsewhere does.
    let kept = entries::heads(&lab.store.db, 0, 10).await.unwrap();
    lab.execute("DELETE FROM audit_heads WHERE position = 6").await;
    assert_eq!(lab.first().await, None);
    let report = lab.verify_with(&kept).await;
    let faults: Vec<_> = report.findings.iter().map(|found| (found.position, found.fault)).collect();
    assert!(faults.contains(&(6, Fault::Missing)) && faults.contains(&(6, Fault::Head)), "{report:?}");
    assert!(lab.verify_with(&kept[..1]).await.is_sound());
    let mut forged = kept[0].clone();
    forged.at = Micros(1);
    assert_eq!(lab.verify_with(&[forged]).await.findings[0].fault, Fault::Head);
}

#[tokio::test]
async fn an_inserted_entry_is_found_and_nothing_is_added_behind_it() {
    let (_server, mut lab) = lab().await;
    let copied = |position: i64| {
        format!(
            "INSERT INTO audit_entries (position, id, at, actor, act, digest, chain)
             SELECT {position}, id || '.', at, actor, act, digest, chain FROM audit_entries WHERE position = 6"
        )
    };
    for position in [-1, 7] {
        lab.execute(&copied(position)).await;
        let first = lab.verify().await.findings.into_iter().find(|found| found.position == position).unwrap();
        assert_eq!(first.fault, Fault::Inserted);
        lab.execute(&format!("DELETE FROM audit_entries WHERE position = {position}")).await;
    }
    assert_eq!(lab.first().await, None);
}

#[tokio::test]
async fn a_chain_that_was_made_anew_is_contradicted_by_the_first_head_after_the_change() {
    let (_server, mut lab) = lab().await;
    let mut end = End::default();
    for mut entry in entries::entries(&lab.store.db, 0).await.unwrap() {
        if entry.position == 2 {
            entry.at = Micros(1);
            lab.execute("UPDATE audit_entries SET at = 1 WHERE position = 2").await;
        }
        end = end.followed_by(&entry.link());
        lab.set_bytes("audit_entries", "chain", &format!("position = {}", entry.position), &end.chain).await;
    }
    lab.set_bytes("audit_end", "chain", "one = 1", &end.chain).await;
    assert_eq!(lab.first().await, Some((4, Fault::Remade, Some(4))));
    assert_ne!(end.followed_by(&Link { at: Micros(1), words: ["", "", ""], digest: &[] }), end);
}

#[tokio::test]
async fn the_end_is_signed_each_hour_in_which_something_was_done() {
    let (_server, lab) = lab().await;
    let heads = async || entries::heads(&lab.store.db, 0, 10).await.unwrap().len();
    assert_eq!(heads().await, 2);
    lab.sign().await;
    assert_eq!(heads().await, 2, "nothing was added");
    lab.act().await;
    lab.sign_now().await;
    assert_eq!(heads().await, 3);
    lab.act().await;
    lab.clock.fetch_add(3_599_000_000, Ordering::Relaxed);
    lab.sign_now().await;
    assert_eq!(heads().await, 3, "the hour is not over");
    lab.clock.fetch_add(1_000_000, Ordering::Relaxed);
    lab.sign_now().await;
    assert_eq!(heads().await, 4);
    assert_eq!(lab.first().await, None);
}

#[tokio::test]
async fn a_host_signs_by_itself_and_whoever_asks_sees_it() {
    let mut server = Server::start().await;
    // What is there first is that `init` made a key.
    let heads = until("a head", async || {
        let heads = server.operator().get("/v1/admin/audit/heads").await.expect(200);
        (!items(&heads).is_empty()).then(|| items(&heads).to_vec())
    })
    .await;
    let audit = server.operator().get("/v1/admin/audit").await.expect(200);
    assert_eq!((&heads[0]["position"], &heads[0]["chain"]), (&json!(1), &items(&audit)[0]["chain"]));
    assert_eq!(text(&heads[0], "signature").len(), 128);
    server.stop();
    let ended = Ended::of(server.command().args(["audit", "verify"]).output().unwrap()).expect(0);
    assert!(ended.out.starts_with("The audit is whole."), "{}", ended.out);
}

#[tokio::test]
async fn hosts_that_share_a_database_share_one_chain() {
    let mut server = Server::start().await;
    let Some(mut second) = server.second_host() else { return };
    let operator = server.operator();
    let other = second.account.with_key(Some(operator.key()));
    let because = || json!({"reason": "a test"});
    futures::future::join_all((0..20).map(|number| {
        let client = if number % 2 == 0 { &operator } else { &other };
        async move { client.post("/v1/admin/reload", because()).await.expect(200) }
    }))
    .await;
    second.stop();
    server.stop();
    let lab = Lab::open(&server).await;
    let report = lab.verify().await;
    assert_eq!((report.entries, report.findings), (21, Vec::new()));
}
