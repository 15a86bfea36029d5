//! `aaasp:agent/credentials`: which credentials the deployment grants, and signatures with them. Nothing here reads one.

use crate::names::Name;
use crate::runtime::agent_credentials::{self as credentials, Error};
use crate::runtime::{State, Stop, fuel};
use crate::vault::custody::Withheld;

impl credentials::Host for State {
    fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        let names: Vec<String> = self.grants.credentials.keys().map(ToString::to_string).collect();
        self.owe_bytes(names.iter().map(String::len).sum());
        Ok(names)
    }

    fn exists(&mut self, name: String) -> wasmtime::Result<bool> {
        self.owe_bytes(name.len());
        Ok(granted(self, &name).is_some())
    }

    /// Signing waits for the gate like every outward call: its use is written down, and that is paid for.
    async fn hmac_sha256(&mut self, name: String, bytes: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        self.owe(fuel::SIGNATURE);
        self.owe_bytes(name.len() + bytes.len());
        let Some(name) = granted(self, &name) else { return Ok(Err(Error::NotGranted)) };
        if self.signatures >= self.limits.signatures {
            return Err(Stop::Limit("signatures").into());
        }
        self.signatures += 1;
        if !self.gate.passed().await {
            return Err(Stop::Host("the run is not paid for".to_owned()).into());
        }
        Ok(match self.custody.sign(&name, &bytes).await {
            Ok(signature) => Ok(signature.to_vec()),
            Err(withheld @ Withheld::Unavailable { .. }) => Err(Error::Unavailable(withheld.to_string())),
            Err(withheld) => Err(Error::Unfit(withheld.to_string())),
        })
    }
}

fn granted(state: &State, name: &str) -> Option<Name> {
    name.parse().ok().filter(|name| state.grants.credentials.contains_key(name))
}
