//! Bounds what an instance allocates by the sum over all of its memories and tables.

use wasmtime::ResourceLimiter;

/// Counts memory bytes and table elements of one run against its limits.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: Quantity,
    tables: Quantity,
    core_instances: usize,
}

/// A sum that grows up to a limit.
#[derive(Debug)]
struct Quantity {
    limit: u64,
    used: u64,
    last_granted: u64,
    refused: bool,
}

impl Limiter {
    pub(crate) fn new(memory_bytes: u64, table_elements: u64, core_instances: u64) -> Self {
        Self {
            memory: Quantity::new(memory_bytes),
            tables: Quantity::new(table_elements),
            core_instances: usize::try_from(core_instances).unwrap_or(usize::MAX),
        }
    }

    /// Bytes over all memories; memories never shrink, so this is the peak.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory.used
    }

    /// Whether a memory was refused some growth.
    pub(crate) fn memory_refused(&self) -> bool {
        self.memory.refused
    }

    /// Whether a table was refused some growth.
    pub(crate) fn tables_refused(&self) -> bool {
        self.tables.refused
    }
}

impl Quantity {
    fn new(limit: u64) -> Self {
        Self { limit, used: 0, last_granted: 0, refused: false }
    }

    /// A growth past the type's own maximum is refused here, before it is counted: wasmtime would
    /// refuse it later, and its report of that can't be told from that of a growth never asked for.
    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        let delta = desired.saturating_sub(current) as u64;
        let fits = self.used.checked_add(delta).is_some_and(|sum| sum <= self.limit);
        if maximum.is_some_and(|maximum| desired > maximum) {
            return false;
        }
        if fits {
            self.used += delta;
            self.last_granted = delta;
        } else {
            self.refused = true;
        }
        fits
    }

    fn roll_back(&mut self) {
        self.used -= std::mem::take(&mut self.last_granted);
        self.refused = true;
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.memory.grow(current, desired, maximum))
    }

    /// Only what the system refused was counted before. (A growth beyond what a memory's type can
    /// hold is reported here too, without having been asked for; taking the last granted one back
    /// for that would let a guest count down at will.)
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        if error.is::<std::io::Error>() || error.is::<rustix::io::Errno>() {
            self.memory.roll_back();
        } else {
            self.memory.refused = true;
        }
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.tables.grow(current, desired, maximum))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.tables.refused = true;
        Ok(())
    }

    fn instances(&self) -> usize {
        self.core_instances
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_over_memories_is_limited() {
        let mut limiter = Limiter::new(100, 0, 1);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_refused());
        assert_eq!(limiter.memory_bytes(), 60);
    }

    #[test]
    fn a_growth_that_was_never_asked_for_takes_nothing_back() {
        let mut limiter = Limiter::new(100, 0, 1);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        limiter.memory_grow_failed(wasmtime::format_err!("beyond the type")).unwrap();
        assert_eq!(limiter.memory_bytes(), 60);
    }

    #[test]
    fn what_the_system_refuses_is_taken_back_once() {
        let mut limiter = Limiter::new(100, 0, 1);
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(limiter.memory_growing(40, 60, None).unwrap());
        for _ in 0..2 {
            limiter.memory_grow_failed(std::io::Error::from(std::io::ErrorKind::OutOfMemory).into()).unwrap();
        }
        assert_eq!(limiter.memory_bytes(), 40);
    }
}
