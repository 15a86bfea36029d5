//! `wasi:config/store`: the deployment's configuration, by key.

use crate::runtime::{State, wasi_config};

impl wasi_config::Host for State {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, wasi_config::Error>> {
        let value = self.config.get(&key).cloned();
        self.owe_bytes(key.len() + value.as_ref().map_or(0, String::len));
        Ok(Ok(value))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, wasi_config::Error>> {
        let all: Vec<_> = self.config.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        self.owe_bytes(all.iter().map(|(key, value)| key.len() + value.len()).sum());
        Ok(Ok(all))
    }
}
