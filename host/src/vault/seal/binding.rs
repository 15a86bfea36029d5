//! A sealed value opens where it was sealed, and nowhere else.

use proptest::prelude::*;

use super::*;

const TABLES: [&str; 3] = ["runs", "accounts", "credential_versions"];

fn data_key(versions: u32) -> DataKey {
    let version = |number: u32| {
        let key = key_of(|key| {
            key.fill(u8::try_from(number).unwrap());
            Some(())
        });
        KeyVersion::new(number, key.unwrap())
    };
    DataKey::of((1..=versions).map(version).collect()).unwrap()
}

proptest! {
    #[test]
    fn a_value_moved_to_any_other_place_does_not_open(
        value in any::<Vec<u8>>(),
        (row, other_row) in ("[a-z0-9_/]{0,12}", "[a-z0-9_/]{0,12}"),
        (column, other_column) in ("[a-z0-9 ]{0,9}", "[a-z0-9 ]{0,9}"),
        (table, other_table) in (prop::sample::select(&TABLES[..]), prop::sample::select(&TABLES[..])),
        same_account in any::<bool>(),
    ) {
        let account = AccountId::generate();
        let other = if same_account { account } else { AccountId::generate() };
        let sealed = data_key(1).row(Place { account, table, row: &row }).unwrap().seal(&column, &value).unwrap();
        let there = data_key(1).row(Place { account: other, table: other_table, row: &other_row }).unwrap();
        let same = same_account && table == other_table && row == other_row && column == other_column;
        let expected = if same { Ok(value) } else { Err(SealError::Open) };
        prop_assert_eq!(there.open(&other_column, &sealed), expected);
    }

    #[test]
    fn a_value_relabelled_with_another_format_or_key_version_does_not_open(
        value in any::<Vec<u8>>(), format in any::<u8>(), version in 0..6_u32, label in 0..6_u32,
    ) {
        let place = Place { account: AccountId::generate(), table: "runs", row: "run_1" };
        let row = data_key(5).row(place).unwrap();
        let mut sealed = data_key(version.max(1)).row(place).unwrap().seal("input", &value).unwrap();
        prop_assert_eq!(row.open("input", &sealed), Ok(value));
        sealed[1..5].copy_from_slice(&label.to_be_bytes());
        prop_assert_eq!(row.open("input", &sealed).is_ok(), label == version.max(1));
        sealed[0] = format;
        prop_assert_eq!(row.open("input", &sealed).is_ok(), format == FORMAT && label == version.max(1));
    }

    #[test]
    fn a_value_with_a_flipped_bit_does_not_open(
        value in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        let place = Place { account: AccountId::generate(), table: "runs", row: "run_1" };
        let row = data_key(1).row(place).unwrap();
        let mut sealed = row.seal("input", &value).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= 1_u8 << bit;
        prop_assert!(row.open("input", &sealed).is_err());
    }
}

#[test]
fn an_older_value_opens_by_the_version_that_it_names_and_a_fresh_one_names_the_newest() {
    let place = Place { account: AccountId::generate(), table: "runs", row: "run_1" };
    let before = data_key(1).row(place).unwrap().seal("input", b"old").unwrap();
    let rotated = data_key(3).row(place).unwrap();
    assert_eq!(rotated.open("input", &before).unwrap(), b"old");
    let after = rotated.seal("input", b"fresh").unwrap();
    assert_eq!(key_version(&after), Ok(3));
    assert_eq!(data_key(2).row(place).unwrap().open("input", &after), Err(SealError::KeyVersion(3)));
}
