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

/// What becomes of a row.
pub(super) enum Judged {
    /// It gets in, as it is or under a pseudonym.
    Kept(Vec<Cell>),
    /// It does not.
    LeftOut,
    /// It is an account that was erased; instead of it there is this one, which nobody has.
    Account(AccountId),
}

pub(super) struct LeftOut<'l> {
    keyring: &'l Keyring,
    now: Micros,
    /// Pseudonyms, by what an account is known by.
    erased: BTreeMap<&'l str, AccountId>,
    /// Pseudonyms, by the accounts that the backup has.
    found: BTreeMap<String, AccountId>,
    /// Accounts that nobody has which the backup has already: an erasure had come as far.
    there: BTreeSet<AccountId>,
    /// What accounts are known by whose erasure the backup knows as done.
    known: BTreeSet<String>,
}

impl<'l> LeftOut<'l> {
    pub(super) fn new(keyring: &'l Keyring, list: &'l [Erased], now: Micros) -> Self {
        let erased = list.iter().map(|one| (one.account.as_str(), one.pseudonym)).collect();
        Self { keyring, now, erased, found: BTreeMap::new(), there: BTreeSet::new(), known: BTreeSet::new() }
    }

    /// How many accounts are left out.
    pub(super) fn accounts(&self) -> u64 {
        self.found.len() as u64
    }

    /// Whether the backup has an account that nobody has.
    pub(super) fn has(&self, pseudonym: AccountId) -> bool {
        self.there.contains(&pseudonym)
    }

    /// Whether the backup knows that an erasure is done.
    pub(super) fn knows(&self, erased: &Erased) -> bool {
        self.known.contains(&erased.account)
    }

    /// Judges a row. Accounts come before what is theirs.
    pub(super) fn judge(&mut self, table: &str, columns: &[String], mut row: Vec<Cell>) -> Judged {
        let place = |name: &str| columns.iter().position(|column| column == name);
        let text = |row: &[Cell], name: &str| match place(name).and_then(|place| row.get(place)) {
            Some(Cell::Text(text)) => Some(text.clone()),
            _ => None,
        };
        if table == "accounts" {
            let id = text(&row, "id").unwrap_or_default();
            let account = id.parse::<AccountId>().ok();
            self.there.extend(account.filter(|account| self.erased.values().any(|pseudonym| pseudonym == account)));
            let known_by = account.map(|account| hex::encode(erased::digest(self.keyring, account)));
            return match known_by.and_then(|known_by| self.erased.get(known_by.as_str())) {
                Some(pseudonym) => {
                    self.found.insert(id, *pseudonym);
                    Judged::Account(*pseudonym)
                }
                None => Judged::Kept(row),
            };
        }
        if table == "hosts" {
            // Those hosts have another database, or none: what they had begun is lost, and is seen to be at once.
            if let Some(cell) = place("lease_until").and_then(|place| row.get_mut(place)) {
                *cell = Cell::Number(0);
            }
            return Judged::Kept(row);
        }
        if table == "erasures" {
            let known_by = place("account_digest").and_then(|place| row.get(place));
            let is_listed =
                matches!(known_by, Some(Cell::Bytes(digest)) if self.erased.contains_key(hex::encode(digest).as_str()));
            if text(&row, "state").as_deref() == Some("erased") {
                self.known.extend(known_by.and_then(|known_by| match known_by {
                    Cell::Bytes(digest) => Some(hex::encode(digest)),
                    _ => None,
                }));
            } else if is_listed {
                return Judged::LeftOut;
            }
            return Judged::Kept(row);
        }
        let pseudonym = text(&row, "account_id").and_then(|account| self.found.get(&account));
        let (Some(pseudonym), Some(account)) = (pseudonym, place("account_id")) else { return Judged::Kept(row) };
        match tables().find(|known| known.name == table).map(|known| known.erasure) {
            Some(map::Erasure::Pseudonymised) => {
                row[account] = Cell::Text(pseudonym.to_string());
                Judged::Kept(row)
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
                Judged::Kept(row)
            }
            Some(map::Erasure::Deleted | map::Erasure::Untouched) | None => Judged::LeftOut,
        }
    }
}

/// The account that nobody has.
pub(super) fn pseudonym(keyring: &Keyring, id: AccountId) -> (Vec<String>, Vec<Cell>) {
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
pub(super) fn erasure(erased: &Erased) -> Result<(Vec<String>, Vec<Cell>), DbError> {
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

fn named<const N: usize>(values: [(&str, Cell); N]) -> (Vec<String>, Vec<Cell>) {
    values.into_iter().map(|(name, cell)| (name.to_owned(), cell)).unzip()
}
