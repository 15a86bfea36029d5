//! The vault of a run on this machine: values that its author types, or sets in the environment.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use anyhow::bail;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use super::credential;
use crate::grants::{Grants, Place};
use crate::names::Name;
use crate::vault::credentials::{LEAST_BYTES, Secret};
use crate::vault::custody::{Custody, Lent, Purpose, Use, UseId, Withheld};

/// The credentials that the grants name, and their uses so far.
pub(super) struct LocalCustody {
    secrets: BTreeMap<Name, Secret>,
    uses: Mutex<Vec<(Use, Option<u16>)>>,
}

impl std::fmt::Debug for LocalCustody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.secrets.keys()).finish()
    }
}

impl LocalCustody {
    /// Takes the value of each credential from `AAASP_CREDENTIAL_<NAME>`, or asks for it.
    pub(super) fn open(grants: &Grants) -> anyhow::Result<Self> {
        let mut secrets = BTreeMap::new();
        for name in grants.credentials.keys() {
            let variable = variable(name);
            let value = match std::env::var(&variable) {
                Ok(value) => SecretString::from(value),
                Err(_) if std::io::stdin().is_terminal() => credential::asked_for(&format!("Secret of {name}: "))?,
                Err(_) => bail!("the credential `{name}` has no value; set {variable}"),
            };
            if value.expose_secret().len() < LEAST_BYTES {
                bail!("the value of the credential `{name}` has less than {LEAST_BYTES} bytes");
            }
            secrets.insert(name.clone(), Secret::of(value));
        }
        Ok(Self { secrets, uses: Mutex::default() })
    }

    /// The uses so far, one a line.
    pub(super) fn lines(&self) -> Vec<String> {
        let uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(used, status): &(Use, Option<u16>)| match &used.purpose {
            Purpose::Request { method, host, path } => {
                let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
                format!("credential {}: {method} {host}{path}: {status}", used.credential)
            }
            Purpose::Signature => format!("credential {}: signature", used.credential),
        };
        uses.iter().map(line).collect()
    }

    fn secret(&self, name: &Name) -> Result<&Secret, Withheld> {
        self.secrets.get(name).ok_or_else(|| Withheld::Unknown(name.clone()))
    }
}

/// `AAASP_CREDENTIAL_MY_KEY` for `my-key`.
fn variable(name: &Name) -> String {
    format!("AAASP_CREDENTIAL_{}", name.as_str().replace('-', "_").to_uppercase())
}

impl Custody for LocalCustody {
    fn lend<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<Lent, Withheld>> {
        Box::pin(async move {
            let secret = SecretSlice::from(self.secret(name)?.value.expose_secret().as_bytes().to_vec());
            // A bearer token, unless the grants name another place.
            Ok(Lent { version: 1, place: Some(Place::Bearer), secret })
        })
    }

    fn sign<'a>(&'a self, name: &'a Name, bytes: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], Withheld>> {
        Box::pin(async move {
            let signature = self.secret(name)?.hmac_sha256(bytes);
            let used = self.used(Use { credential: name.clone(), version: 1, purpose: Purpose::Signature });
            self.ended(used, None);
            Ok(signature)
        })
    }

    fn used(&self, used: Use) -> UseId {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.push((used, None));
        UseId(uses.len() as u64 - 1)
    }

    fn ended(&self, used: UseId, status: Option<u16>) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = usize::try_from(used.0).ok().and_then(|position| uses.get_mut(position)) {
            used.1 = status;
        }
    }
}
