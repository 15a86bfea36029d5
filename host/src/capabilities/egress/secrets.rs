//! The secrets that one run's requests may carry: lent anew for each request, known until the run ends.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretSlice};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::broker::Pool;
use super::denied::Denied;
use super::destination::Destination;
use super::inject::{composed, refuse_unfit};
use super::needles::{Needles, Sought};
use super::policy::{Bound, Policy};
use crate::grants::Place;
use crate::names::Name;
use crate::vault::custody::{Custody, Lent};

/// A credential that goes along with one request.
pub(crate) struct Carried {
    pub(crate) name: Name,
    pub(crate) version: u32,
    pub(crate) place: Place,
    pub(crate) secret: SecretSlice<u8>,
}

/// What a run knows of its credentials.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    known: Mutex<Known>,
    /// Every message of the run is searched for it, also those that were on their way when a value was lent.
    sought: Arc<Sought>,
}

#[derive(Default)]
struct Known {
    asked: bool,
    /// Each value that was lent, rotated ones included: an answer may bring the older one back.
    values: Vec<Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Known({} values)", self.values.len())
    }
}

impl Secrets {
    /// Lends what goes along with a request, and says what to look for in it and in its answer: that, and every
    /// other secret of the run; nothing where it has none. One that can't be lent now only matters to the request that it goes along with.
    pub(crate) async fn for_request(
        &self,
        custody: &dyn Custody,
        policy: &Policy,
        pool: &Pool,
        to: &Destination,
    ) -> Result<(Vec<Carried>, Option<Arc<Sought>>), Denied> {
        if policy.bindings().is_empty() {
            return Ok((Vec::new(), None));
        }
        let mut carried = Vec::new();
        self.learn_all(custody, policy, pool, |bound| bound.goes_to(to), &mut carried).await?;
        Ok((carried, Some(Arc::clone(&self.sought))))
    }

    /// What to look for in what is said of a request.
    pub(crate) async fn needles(&self, custody: &dyn Custody, policy: &Policy, pool: &Pool) -> Arc<Needles> {
        // Nothing goes along, so nothing can fail.
        let _ = self.learn_all(custody, policy, pool, |_| false, &mut Vec::new()).await;
        self.sought.now()
    }

    /// Lends what goes along, and the first time everything else too.
    async fn learn_all(
        &self,
        custody: &dyn Custody,
        policy: &Policy,
        pool: &Pool,
        goes: impl Fn(&Bound) -> bool,
        carried: &mut Vec<Carried>,
    ) -> Result<(), Denied> {
        let mut known = self.known.lock().await;
        let mut learned = false;
        let mut failed = None;
        for bound in policy.bindings() {
            let goes = goes(bound);
            if known.asked && !goes {
                continue;
            }
            match custody.lend(&bound.name).await.map_err(Denied::from).and_then(|lent| carry(bound, lent)) {
                Ok(item) => {
                    learned |= known.learn(&item);
                    carried.extend(goes.then_some(item));
                }
                // What was learned before it is looked for all the same.
                Err(denied) if goes => failed = failed.or(Some(denied)),
                Err(_) => {}
            }
        }
        known.asked = true;
        if learned {
            let make = || (known.values.clone(), Needles::new(known.values.iter().map(|value| value.as_slice())));
            self.sought.replace(pool.needles.find_or_make(|values| *values == known.values, make));
        }
        failed.map_or(Ok(()), Err)
    }
}

impl Known {
    fn learn(&mut self, item: &Carried) -> bool {
        let secret = item.secret.expose_secret();
        let whole = composed(&item.place, secret);
        let mut learned = false;
        for value in [Some(Zeroizing::new(secret.to_vec())), whole].into_iter().flatten() {
            if !self.values.contains(&value) {
                self.values.push(value);
                learned = true;
            }
        }
        learned
    }
}

fn carry(bound: &Bound, lent: Lent) -> Result<Carried, Denied> {
    let place = bound.place.clone().or(lent.place).ok_or_else(|| Denied::Unfit {
        name: bound.name.clone(),
        reason: "is a key that signs, which goes along with no request",
    })?;
    refuse_unfit(&bound.name, lent.secret.expose_secret())?;
    Ok(Carried { name: bound.name.clone(), version: lent.version, place, secret: lent.secret })
}
