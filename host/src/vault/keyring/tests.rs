//! The keyring's file, and what binds a wrapped data key to its row.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

fn file(path: &Path) -> Box<dyn KeySource> {
    Box::new(KeyFile::at(path.to_owned()))
}

/// A keyring with master keys 1 to 3, of which the given one wraps.
fn keyring(path: &Path, current: u32) -> Keyring {
    let keyring = Keyring::create(file(path)).unwrap();
    keyring.add(2).unwrap();
    keyring.add(3).unwrap();
    keyring.wrap_with(current);
    keyring
}

/// The same keyring each time, which is written once: writing syncs the disk.
fn read_keyring(current: u32) -> Keyring {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        keyring(&folder.path().join("keyring.toml"), 1);
        folder
    });
    let read = Keyring::open(file(&FOLDER.path().join("keyring.toml"))).unwrap();
    read.wrap_with(current);
    read
}

#[test]
fn a_keyring_survives_its_file_and_refuses_one_that_others_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    let made = keyring(&path, 2);
    assert!(matches!(Keyring::create(file(&path)), Err(KeyringError::File { .. })), "create must not overwrite");
    let read = Keyring::open(file(&path)).unwrap();
    assert_eq!((read.fingerprint(), read.versions()), (made.fingerprint(), made.versions()));

    let account = AccountId::generate();
    let (_, wrapped) = made.fresh_data_key(account, 1).unwrap();
    assert_eq!(wrapped.master_version, 2);
    assert!(read.unwrap_data_key(account, 1, &wrapped.bytes).is_ok());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o660, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(Keyring::open(file(&path)), Err(KeyringError::Open(_))), "{mode:o}");
    }
}

#[test]
fn a_damaged_keyring_is_named_and_its_content_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    let (deadbeef, good) = ("deadbeef", "ab".repeat(32));
    for (damage, reason) in [
        (format!("lookup = \"{deadbeef}\"\nmaster = 5\n"), "not the TOML"),
        (format!("lookup = \"{deadbeef}\"\nmaster = []\n"), "lookup key"),
        (format!("lookup = \"{good}\"\nmaster = []\n"), "no master key"),
        (format!("lookup = \"{good}\"\n[[master]]\nversion = 4\nkey = \"{deadbeef}\"\n"), "master key 4"),
        (format!("lookup = \"{good}\"\nlowest = 2\n[[master]]\nversion = 1\nkey = \"{good}\"\n"), "below the lowest"),
        (format!("lookup = \"{good}\"\n{0}{0}", format!("[[master]]\nversion = 1\nkey = \"{good}\"\n")), "twice"),
        (String::new(), "not the TOML"),
    ] {
        fs::write(&path, damage).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let message = Keyring::open(file(&path)).unwrap_err().to_string();
        assert!(message.contains("keyring.toml") && message.contains(reason), "{message}");
        assert!(!message.contains(deadbeef) && !message.contains(&good), "{message}");
    }
}

#[test]
fn a_write_that_was_interrupted_leaves_the_old_keyring_and_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    let made = keyring(&path, 1);
    fs::write(folder.path().join(".keyring-partXYZ"), "lookup = \"1234").unwrap();
    assert_eq!(Keyring::open(file(&path)).unwrap().versions(), made.versions());
    KeyFile::at(path).sweep().unwrap();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["keyring.toml"]);
}

#[test]
fn a_retired_master_key_is_gone_from_the_folder_and_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    let keyring = keyring(&path, 1);
    let account = AccountId::generate();
    let (_, old) = keyring.fresh_data_key(account, 1).unwrap();
    keyring.wrap_with(3);
    let rewrapped = keyring.rewrap(account, 1, &old.bytes).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let keys: Vec<_> = before.lines().filter_map(|line| line.strip_prefix("key = ")).collect();
    keyring.retire_below(3).unwrap();

    for opened in [&keyring, &Keyring::open(file(&path)).unwrap()] {
        assert_eq!(opened.lowest(), 3);
        assert_eq!(opened.unwrap_data_key(account, 1, &old.bytes).err(), Some(SealError::KeyVersion(1)));
        assert!(opened.unwrap_data_key(account, 1, &rewrapped.bytes).is_ok());
    }
    let after = fs::read_to_string(&path).unwrap();
    assert_eq!(keys.iter().map(|key| after.contains(key)).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left in the folder");
}

#[test]
fn a_changed_file_is_taken_up_and_a_wrong_one_leaves_the_keys_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("keyring.toml"), folder.path().join("copy.toml"));
    let first = Keyring::create(file(&path)).unwrap();
    fs::copy(&path, &copy).unwrap();
    let second = Keyring::open(file(&copy)).unwrap();
    assert!(!second.refresh().unwrap());
    first.add(2).unwrap();
    fs::copy(&path, &copy).unwrap();
    assert!(second.refresh().unwrap());
    assert_eq!(second.versions(), first.versions());

    let account = AccountId::generate();
    let (_, wrapped) = first.fresh_data_key(account, 1).unwrap();
    let other = folder.path().join("other.toml");
    Keyring::create(file(&other)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let changed = text.replace(text.lines().last().unwrap(), &format!("key = \"{}\"", "cd".repeat(32)));
    for wrong in [fs::read_to_string(&other).unwrap(), changed, "not a keyring".to_owned(), String::new()] {
        fs::write(&copy, wrong).unwrap();
        assert!(second.refresh().is_err());
        assert!(second.unwrap_data_key(account, 1, &wrapped.bytes).is_ok());
    }
    assert_eq!(second.versions(), first.versions());
}

#[test]
fn a_keyring_shows_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keyring.toml");
    let keyring = keyring(&path, 1);
    let shown = format!("{keyring:?} {} {:?}", keyring.place(), keyring.versions());
    for line in fs::read_to_string(&path).unwrap().lines().filter(|line| line.contains('"')) {
        assert!(!shown.contains(line.split('"').nth(1).unwrap()));
    }
}

proptest! {
    #[test]
    fn a_wrapped_key_opens_in_its_row_and_nowhere_else(
        same_account in any::<bool>(), (version, other_version) in (1..4_u32, 1..4_u32),
        (master, label) in (1..4_u32, 0..5_u32), format in 0..4_u8,
    ) {
        let keyring = read_keyring(master);
        let account = AccountId::generate();
        let other = if same_account { account } else { AccountId::generate() };
        let (_, wrapped) = keyring.fresh_data_key(account, version).unwrap();
        let mut bytes = wrapped.bytes;
        bytes[0] = format;
        bytes[1..5].copy_from_slice(&label.to_be_bytes());
        let unmoved = same_account && version == other_version && master == label && format == 1;
        prop_assert_eq!(keyring.unwrap_data_key(other, other_version, &bytes).is_ok(), unmoved);
    }

    #[test]
    fn a_wrapped_key_and_a_sealed_value_are_never_taken_for_each_other(
        table in prop::sample::select(&["data_keys", "runs"][..]), column in prop::sample::select(&["wrapped", "input"][..]),
    ) {
        let keyring = read_keyring(1);
        let account = AccountId::generate();
        let (data_key, wrapped) = keyring.fresh_data_key(account, 1).unwrap();
        let row = data_key.row(Place { account, table, row: "1" }).unwrap();
        prop_assert_eq!(row.open(column, &wrapped.bytes), Err(SealError::Open));
        let sealed = row.seal(column, &[7; 32]).unwrap();
        prop_assert_eq!(keyring.unwrap_data_key(account, 1, &sealed).err(), Some(SealError::Open));
    }
}
