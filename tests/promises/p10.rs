//! P10: data runs the service, and is used for nothing else.

use std::collections::BTreeSet;

use aaasp::privacy::map::{Purpose, tables};

use crate::cli::shell::Shell;

#[test]
fn every_table_about_people_has_a_purpose_of_the_service() {
    let known = [
        Purpose::Service,
        Purpose::Authentication,
        Purpose::Billing,
        Purpose::Letters,
        Purpose::Security,
        Purpose::Rights,
    ];
    for table in tables().filter(|table| table.is_personal()) {
        assert!(known.contains(&table.purpose), "{}", table.name);
    }
    assert_eq!(known.len() + 1, Purpose::ALL.len(), "a purpose was added: is it one of the policy's?");
    let record = Shell::open().run(&["privacy", "record", "--json"]).expect(0).out;
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let told: BTreeSet<_> =
        record["activities"].as_array().unwrap().iter().map(|one| one["purpose"].as_str()).collect();
    assert_eq!(told.len(), known.len());
    assert!(record["recipients"].as_array().unwrap().is_empty(), "nobody else sees any of it");
}
