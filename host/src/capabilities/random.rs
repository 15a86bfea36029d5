//! `wasi:random`: the system's randomness, whichever of the interfaces asks.

use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};

use crate::runtime::{State, Stop, fuel};

/// The most bytes of one call.
const MAX_BYTES: u64 = 256 << 10;

impl random::Host for State {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        if len > MAX_BYTES {
            wasmtime::bail!("{len} random bytes in one call are more than {MAX_BYTES}");
        }
        self.owe(len.saturating_mul(fuel::RANDOM_BYTE));
        let mut bytes = vec![0; usize::try_from(len)?];
        fill(&mut bytes)?;
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.owe(8 * fuel::RANDOM_BYTE);
        let mut bytes = [0; 8];
        fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

impl insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        random::Host::get_random_bytes(self, len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        random::Host::get_random_u64(self)
    }
}

impl insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((random::Host::get_random_u64(self)?, random::Host::get_random_u64(self)?))
    }
}

fn fill(bytes: &mut [u8]) -> wasmtime::Result<()> {
    getrandom::fill(bytes).map_err(|error| Stop::Host(format!("no randomness: {error}")).into())
}
