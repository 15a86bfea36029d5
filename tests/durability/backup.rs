//! A backup is everything at one moment, in two files that are of no use apart; a server made of it is the one that it
//! was, without those who were erased since.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use zip::ZipArchive;

use super::{MUCH_FUEL, deploy_guests};
use crate::api::{items, text};
use crate::cli::shell::Ended;
use crate::privacy::erasure::{
    self, AGENT, AT_ONCE, CONFIG, CREDENTIAL, EMAIL, INPUT, KEY, SECRET, assert_nowhere, delete, zora,
};
use crate::support::database::Database;
use crate::support::server::{command, on_postgres};
use crate::support::{Server, guests, until};

/// Two files, where a backup was made.
struct Backup {
    folder: TempDir,
}

impl Backup {
    /// Of a server that goes on meanwhile.
    fn of(server: &Server) -> Self {
        Self::made(server, &[])
    }

    fn made(server: &Server, more: &[&str]) -> Self {
        let backup = Self { folder: TempDir::new().unwrap() };
        let mut command = server.command();
        command.arg("backup").arg(backup.data()).arg("--keys").arg(backup.keys()).arg("--json").args(more);
        let made = Ended::of(command.output().unwrap()).json(0);
        assert!(made["rows"].as_u64().unwrap() > 10, "{made}");
        backup
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data.age")
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("keys.zip")
    }

    fn restore(&self, into: &Path, database: Option<&Database>, more: &[&str]) -> Ended {
        let mut command = command(into, database.map(Database::url).as_deref());
        command.arg("restore").arg(self.data()).arg("--keys").arg(self.keys()).args(more);
        Ended::of(command.output().unwrap())
    }

    /// All that is in the keys, unpacked.
    fn unpacked_keys(&self) -> Vec<u8> {
        let mut archive = ZipArchive::new(File::open(self.keys()).unwrap()).unwrap();
        let mut bytes = Vec::new();
        for at in 0..archive.len() {
            archive.by_index(at).unwrap().read_to_end(&mut bytes).unwrap();
        }
        bytes
    }
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Writes the operator's file into a new folder, as an operator does before restoring.
fn folder_with(config: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("aaasp.toml"), config).unwrap();
    folder
}

#[tokio::test]
async fn a_restored_server_is_what_it_was_at_the_moment_of_the_backup() {
    let server = Server::with_config(MUCH_FUEL).await;
    server.account.deploy("echo", guests::echo(), json!({})).await;
    let path = format!("/v1/runs/{}", text(&server.account.run("echo", json!("hello")).await, "id"));
    let run = server.account.get(&path).await.expect(200);
    deploy_guests(&server.account, 60_000).await;
    let begun = server.account.post("/v1/deployments/burner/runs", json!({"input": null})).await.expect(202);
    let backup = Backup::of(&server);
    // What comes after the backup is not in it.
    server.account.deploy("later", guests::echo(), json!({})).await;

    let (folder, database) = (folder_with(MUCH_FUEL), Database::fresh().await);
    let said = backup.restore(folder.path(), database.as_ref(), &["--nothing-erased", "--json"]).json(0);
    assert_eq!(said["erased_since"], 0, "{said}");
    let mut restored = Server::on_folder(folder, database, &server.account);
    assert_eq!(restored.account.get(&path).await.expect(200), run);
    restored.account.get("/v1/deployments/later").await.problem(404);
    // Its host is not here any more.
    let begun = format!("/v1/runs/{}", text(&begun, "id"));
    let lost = until("the run that had begun to be lost", async || {
        let run = restored.account.get(&begun).await.expect(200);
        (run["status"] == "finished").then_some(run)
    });
    assert_eq!(lost.await["outcome"], "lost");
    let again = restored.account.run("prompt", json!("again")).await;
    assert_eq!(again["outcome"], "succeeded", "{again}");
    restored.operator().get("/v1/admin/accounts").await.expect(200);
    restored.stop();
    restored.verify_ledger();
    let audit = Ended::of(restored.command().args(["audit", "verify", "--json"]).output().unwrap());
    assert_eq!(audit.status, 0, "{audit:?}");
    let restores = restored.count("SELECT COUNT(*) FROM audit_entries WHERE act = 'restore'").await;
    assert_eq!(restores, 1);
}

#[tokio::test]
async fn what_is_personal_opens_with_both_files_alone() {
    let server = Server::start().await;
    zora(&server).await;
    let backup = Backup::of(&server);
    let (data, keys) = (fs::read(backup.data()).unwrap(), backup.unpacked_keys());
    for needle in [EMAIL, AGENT, KEY, CREDENTIAL, SECRET, INPUT, CONFIG] {
        assert!(!holds(&data, needle) && !holds(&keys, needle), "{needle}");
    }
    assert!(data.starts_with(b"age-encryption.org/v1"));
    for file in [backup.data(), backup.keys()] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{}", file.display());
    }
    let keyring = fs::read_to_string(server.data().join("keys/keyring.toml")).unwrap();
    let master = keyring.lines().find_map(|line| line.strip_prefix("key = ")).unwrap().trim_matches('"');
    assert!(holds(&keys, master) && holds(&keys, "AGE-SECRET-KEY-1"));
    // Nobody who has the data alone makes others that are taken for them.
    let other = Backup::of(&server);
    fs::copy(other.data(), backup.data()).unwrap();
    let refused = backup.restore(folder_with("").path(), Database::fresh().await.as_ref(), &["--nothing-erased"]);
    assert_eq!(refused.status, 1, "{refused:?}");
}

#[tokio::test]
async fn who_was_erased_since_does_not_come_back() {
    let mut server = Server::with_config(AT_ONCE).await;
    let zora = zora(&server).await;
    let id = text(&zora.get("/v1/account").await.expect(200), "id").to_owned();
    let backup = Backup::of(&server);
    delete(&server, &zora).await;
    let erased = erasure::erased(&server).await;
    let transfers = server.count("SELECT COUNT(*) FROM transfers").await;
    let list = server.data().join("erasures.jsonl");
    let listed = fs::read_to_string(&list).unwrap();
    assert!(!listed.contains(&id) && listed.contains(text(&erased, "id")), "{listed}");
    server.stop();

    let refused = backup.restore(folder_with("").path(), Database::fresh().await.as_ref(), &[]);
    assert!(refused.status == 1 && refused.err.contains("--erased FILE"), "{refused:?}");
    let folder = folder_with("");
    for (line, why) in [("{}\n", "line 1"), (&*listed.replacen("\"keyring\":\"", "\"keyring\":\"0", 1), "keyring")] {
        fs::write(folder.path().join("erasures.jsonl"), line).unwrap();
        let refused = backup.restore(folder.path(), Database::fresh().await.as_ref(), &[]);
        assert!(refused.status == 1 && refused.err.contains(why), "{refused:?}");
    }
    let (folder, database) = (folder_with(AT_ONCE), Database::fresh().await);
    let said = backup.restore(folder.path(), database.as_ref(), &["--erased", list.to_str().unwrap(), "--json"]);
    assert_eq!(said.json(0)["erased_since"], 1);

    let mut restored = Server::on_folder(folder, database, &server.account);
    restored.account.with_key(Some(zora.key())).get("/v1/account").await.problem(401);
    let known = erasure::erased(&restored).await;
    for field in ["id", "erased_at", "certificate"] {
        assert_eq!(known[field], erased[field]);
    }
    assert_eq!(items(&restored.operator().get("/v1/admin/accounts").await.expect(200)).len(), 1);
    let url = restored.url().unwrap();
    let list = Ended::of(restored.command().args(["admin", "erasures", "--url", &url]).output().unwrap());
    assert!(list.status == 0 && list.out.contains(text(&erased, "id")) && list.out.contains("erased"), "{list:?}");
    // The next restore knows of it, too.
    let again = fs::read_to_string(restored.data().join("erasures.jsonl")).unwrap();
    assert_eq!(again.lines().last(), listed.lines().last());
    assert!(restored.count("SELECT COUNT(*) FROM transfers").await >= transfers);
    restored.stop();
    restored.verify_ledger();
    assert_nowhere(&restored, &[EMAIL, &id, "agent-of-zora", "key-of-zora", SECRET, INPUT, zora.key()]).await;
    restored.serve();
    restored.another_account(EMAIL, 0).await;
}

#[tokio::test]
async fn a_server_moves_from_one_engine_to_the_other() {
    if !on_postgres() {
        return;
    }
    let server = Server::start().await;
    let zora = zora(&server).await;
    let credits = zora.get("/v1/credits").await.expect(200);
    let mut servers = vec![server];
    for database in [None, Database::fresh().await] {
        let backup = Backup::of(servers.last().unwrap());
        let folder = folder_with("");
        backup.restore(folder.path(), database.as_ref(), &["--nothing-erased", "--json"]).json(0);
        let mut moved = Server::on_folder(folder, database, &zora);
        assert_eq!(moved.account.get("/v1/credits").await.expect(200), credits);
        moved.stop();
        moved.verify_ledger();
        moved.serve();
        servers.push(moved);
    }
}

#[tokio::test]
async fn a_backup_for_a_recipient_opens_with_its_identity_alone() {
    let server = Server::start().await;
    let identity = age::x25519::Identity::generate();
    let backup = Backup::made(&server, &["--recipient", &identity.to_public().to_string()]);
    let (folder, database) = (folder_with(""), Database::fresh().await);
    let into =
        |more: &[&str]| backup.restore(folder.path(), database.as_ref(), &[&["--nothing-erased"], more].concat());
    let refused = into(&[]);
    assert!(refused.status == 1 && refused.err.contains("--identity"), "{refused:?}");
    let file = |identity: &age::x25519::Identity| {
        let path = backup.folder.path().join("identity");
        fs::write(&path, secrecy::ExposeSecret::expose_secret(&identity.to_string())).unwrap();
        path
    };
    let other = file(&age::x25519::Identity::generate());
    let refused = into(&["--identity", other.to_str().unwrap()]);
    assert_eq!(refused.status, 1, "{refused:?}");
    let right = file(&identity);
    assert_eq!(into(&["--identity", right.to_str().unwrap()]).status, 0);
    Server::on_folder(folder, database, &server.account).account.get("/v1/account").await.expect(200);
}

#[tokio::test]
async fn what_can_not_be_restored_is_refused_and_leaves_nothing() {
    let server = Server::start().await;
    let (backup, other) = (Backup::of(&server), Backup::of(&server));
    let (folder, database) = (folder_with(""), Database::fresh().await);
    let restored = |backup: &Backup| backup.restore(folder.path(), database.as_ref(), &["--nothing-erased"]);
    let refused = |backup: &Backup, why: &str| {
        let ended = restored(backup);
        assert!(ended.status == 1 && ended.err.contains(why), "{why}: {ended:?}");
        assert!(!folder.path().join("host").exists());
    };

    // Keys of another backup; the two in each other's place; no backup at all.
    let own = fs::read(backup.keys()).unwrap();
    fs::copy(other.keys(), backup.keys()).unwrap();
    refused(&backup, "is not the data of a backup");
    fs::copy(backup.data(), backup.keys()).unwrap();
    refused(&backup, "is not the keys of a backup");
    fs::write(backup.keys(), b"nothing").unwrap();
    refused(&backup, "is not the keys of a backup");
    fs::write(backup.keys(), &own).unwrap();

    // A byte that is not what it was, at many places: it is refused, or was one of the format's that says nothing.
    let data = fs::read(backup.data()).unwrap();
    let mut refusals = 0;
    for at in (0..data.len()).step_by(data.len() / 24) {
        let (mut changed, folder) = (data.clone(), folder_with(""));
        changed[at] ^= 1;
        fs::write(backup.data(), changed).unwrap();
        let ended = backup.restore(folder.path(), None, &["--nothing-erased"]);
        assert!(ended.status == 0 || ended.status == 1 && !folder.path().join("host").exists(), "{at}: {ended:?}");
        refusals += ended.status;
    }
    assert!(refusals > 12, "{refusals}");
    fs::write(backup.data(), &data).unwrap();

    // What a restore that was killed has left is in nobody's way.
    if database.is_none() {
        fs::write(folder.path().join("restoring.db"), b"half of one").unwrap();
    }
    assert_eq!(restored(&backup).status, 0);
    let again = restored(&backup);
    assert!(again.status == 1 && again.err.contains("restore into a new folder"), "{again:?}");

    let twice = server.command().arg("backup").arg(backup.data()).arg("--keys").arg(backup.keys()).output().unwrap();
    let twice = Ended::of(twice);
    assert!(twice.status == 1 && twice.err.contains("choose another name"), "{twice:?}");
    assert_eq!(fs::read(backup.data()).unwrap(), data);
}

#[tokio::test]
async fn a_restore_into_a_database_that_is_in_use_is_refused() {
    let server = Server::start().await;
    let Some(database) = server.database() else { return };
    let backup = Backup::of(&server);
    let folder = folder_with("");
    let mut command = command(folder.path(), Some(&database));
    command.arg("restore").arg(backup.data()).arg("--keys").arg(backup.keys()).arg("--nothing-erased");
    let refused = Ended::of(command.output().unwrap());
    assert!(refused.status == 1 && refused.err.contains("the database is not empty"), "{refused:?}");
    server.account.get("/v1/account").await.expect(200);
}
