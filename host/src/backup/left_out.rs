//! Whose rows do not get in: accounts that were erased after the backup was made. What the law asks to keep gets in
//! under the pseudonym that it has had since.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Micros;
use crate::db::DbError;
use crate::db::told::Cell;
use crate::ids::AccountId;
use crate::privacy::erased::{self, Erased};
use crate::privacy::map::{self, tables};
use crate::vault::Keyring;

/// A row, with the names of its columns.
pub(super) type Named = (Vec<String>, Vec<Cell>);

pub(super) struct LeftOut<'l> {
    keyring: &'l Keyring,
    now: Micros,
    /// Pseudonyms, by what an account is known by.
    erased: BTreeMap<&'l str, AccountId>,
    /// Pseudonyms, by the accounts that the backup has.
    found: BTreeMap<String, AccountId>,
    /// Pseudonyms that the backup does not have; it has one when an erasure had come as far.
    missing: BTreeSet<String>,
    /// What accounts are known by whose erasure the backup knows as done.
    known: BTreeSet<String>,
}

impl<'l> LeftOut<'l> {
    pub(super) fn new(keyring: &'l Keyring, list: &'l [Erased], now: Micros) -> Self {
        let erased = list.iter().map(|one| (one.account.as_str(), one.pseudonym)).collect();
        let missing = list.iter().map(|one| one.pseudonym.to_string()).collect();
        Self { keyring, now, erased, found: BTreeMap::new(), missing, known: BTreeSet::new() }
    }

    /// How many accounts are left out.
    pub(super) fn accounts(&self) -> u64 {
        self.found.len() as u64
    }

    /// The accounts that nobody has which take the place of those that are left out, once all accounts were judged.
    pub(super) fn nobodies(&self) -> Vec<Named> {
        let missing = self.found.values().filter(|id| self.missing.contains(&id.to_string()));
        missing.map(|id| pseudonym(self.keyring, *id)).collect()
    }

    /// Whether the backup knows that an erasure is done.
    pub(super) fn knows(&self, erased: &Erased) -> bool {
        self.known.contains(&erased.account)
    }

    /// What gets in of a row, as it is or under a pseudonym; none when it does not. Accounts come before what is theirs.
    pub(super) fn judge(&mut self, table: &str, columns: &[String], mut row: Vec<Cell>) -> Option<Vec<Cell>> {
        let place = |name: &str| columns.iter().position(|column| column == name);
        let text = |row: &[Cell], name: &str| match place(name).and_then(|place| row.get(place)) {
            Some(Cell::Text(text)) => Some(text.clone()),
            _ => None,
        };
        if table == "accounts" {
            let id = text(&row, "id").unwrap_or_default();
            self.missing.remove(&id);
            let known_by = id.parse().ok().map(|account| hex::encode(erased::digest(self.keyring, account)));
            let Some(pseudonym) = known_by.and_then(|known_by| self.erased.get(known_by.as_str())) else {
                return Some(row);
            };
            self.found.insert(id, *pseudonym);
            return None;
        }
        if table == "hosts" {
            // Those hosts have another database, or none: what they had begun is lost, and is seen to be at once.
            if let Some(cell) = place("lease_until").and_then(|place| row.get_mut(place)) {
                *cell = Cell::Number(0);
            }
            return Some(row);
        }
        if table == "erasures" {
            let known_by = match place("account_digest").and_then(|place| row.get(place)) {
                Some(Cell::Bytes(digest)) => hex::encode(digest),
                _ => String::new(),
            };
            if text(&row, "state").as_deref() == Some("erased") {
                self.known.insert(known_by);
            } else if self.erased.contains_key(known_by.as_str()) {
                return None;
            }
            return Some(row);
        }
        let pseudonym = text(&row, "account_id").and_then(|account| self.found.get(&account));
        let (Some(pseudonym), Some(account)) = (pseudonym, place("account_id")) else { return Some(row) };
        match tables().find(|known| known.name == table).map(|known| known.erasure) {
            Some(map::Erasure::Pseudonymised) => {
                row[account] = Cell::Text(pseudonym.to_string());
                Some(row)
            }
            // That there was a request about rights stays, and not whose.
            Some(map::Erasure::Itself) => {
                row[account] = Cell::Null;
                let (state, ended) = (place("state"), place("ended_at"));
                if let (Some(state), Some(ended)) = (state, ended)
                    && row[state] == Cell::Text("open".to_owned())
                {
                    row[state] = Cell::Text("done".to_owned());
                    row[ended] = Cell::Number(self.now.0);
                }
                Some(row)
            }
            Some(map::Erasure::Deleted | map::Erasure::Untouched) | None => None,
        }
    }
}

/// The account that nobody has.
fn pseudonym(keyring: &Keyring, id: AccountId) -> Named {
    named([
        ("id", Cell::Text(id.to_string())),
        ("sealed_email", Cell::Bytes(Vec::new())),
        ("email_lookup", Cell::Bytes(erased::digest(keyring, id).to_vec())),
        ("plan", Cell::Text(String::new())),
        ("status", Cell::Text("closed".to_owned())),
        ("created_at", Cell::Number(0)),
    ])
}

/// An erasure that the backup does not know.
pub(super) fn erasure(erased: &Erased) -> Result<Named, DbError> {
    let certificate = erased.certificate.as_ref().map(serde_json::to_string).transpose().map_err(DbError::corrupt)?;
    Ok(named([
        ("id", Cell::Text(erased.erasure.to_string())),
        ("pseudonym", Cell::Text(erased.pseudonym.to_string())),
        ("account_digest", Cell::Bytes(hex::decode(&erased.account).map_err(DbError::corrupt)?)),
        ("state", Cell::Text("erased".to_owned())),
        ("status_before", Cell::Text(erased.status_before.clone())),
        ("asked_at", Cell::Number(erased.asked_at.0)),
        ("state_at", Cell::Number(erased.erased_at.0)),
        ("due_at", Cell::Number(erased.due_at.0)),
        ("erased_at", Cell::Number(erased.erased_at.0)),
        ("certificate", certificate.map_or(Cell::Null, Cell::Text)),
    ]))
}

fn named<const N: usize>(values: [(&str, Cell); N]) -> Named {
    values.into_iter().map(|(name, cell)| (name.to_owned(), cell)).unzip()
}
