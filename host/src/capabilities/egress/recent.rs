//! What an account's runs prepared lately, so that the next one need not prepare it again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// An account has a few deployments that run often; what is used least lately goes first.
const KEPT: usize = 16;

/// Values by what they were made of.
pub(crate) struct Recent<K, V>(Mutex<VecDeque<(K, Arc<V>)>>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, V> Recent<K, V> {
    /// The value that was made of the same, or a new one.
    pub(crate) fn find_or_make(&self, same: impl Fn(&K) -> bool, make: impl FnOnce() -> (K, V)) -> Arc<V> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|(key, _)| same(key)).and_then(|at| kept.remove(at));
        let (key, value) = found.unwrap_or_else(|| {
            let (key, value) = make();
            (key, Arc::new(value))
        });
        kept.push_front((key, Arc::clone(&value)));
        kept.truncate(KEPT);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let recent = Recent::default();
        let make = |key: usize| recent.find_or_make(|kept| *kept == key, || (key, std::time::Instant::now()));
        let first = make(0);
        for key in 1..KEPT {
            make(key);
        }
        assert_eq!(make(0), first);
        make(KEPT);
        assert_eq!(make(0), first);
        let again = make(1);
        assert_ne!(again, first);
        assert_eq!(recent.0.lock().unwrap().len(), KEPT);
    }
}
