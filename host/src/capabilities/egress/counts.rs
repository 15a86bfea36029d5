//! Counts one run's requests and bytes against its limits.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::denied::Denied;
use crate::limits::RunLimits;

/// What a run has used of the network, and how much it may.
#[derive(Debug)]
pub(crate) struct Counts {
    requests: Counted,
    sent: AtomicU64,
    in_flight: Counted,
    request_bytes: Counted,
    response_bytes: Counted,
    refused: OnceLock<&'static str>,
    noted: AtomicBool,
    /// Fuel for what came in without a call of the guest.
    owed: AtomicU64,
}

#[derive(Debug)]
struct Counted {
    name: &'static str,
    limit: u64,
    used: AtomicU64,
}

/// One of the requests that a run may have in flight at a time; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct InFlight(std::sync::Arc<Counts>);

impl Counts {
    pub(crate) fn new(limits: &RunLimits) -> Self {
        let counted = |name, limit| Counted { name, limit, used: AtomicU64::new(0) };
        Self {
            requests: counted("http_requests", limits.http_requests),
            sent: AtomicU64::new(0),
            in_flight: counted("http_requests_in_flight", limits.http_requests_in_flight),
            request_bytes: counted("http_request_bytes", limits.http_request_bytes),
            response_bytes: counted("http_response_bytes", limits.http_response_bytes),
            refused: OnceLock::new(),
            noted: AtomicBool::new(false),
            owed: AtomicU64::new(0),
        }
    }

    /// Takes a request, refused ones included.
    pub(crate) fn request(&self) -> Result<(), Denied> {
        self.take(&self.requests, 1)
    }

    /// Takes a place among the requests in flight.
    pub(crate) fn in_flight(self: &std::sync::Arc<Self>) -> Result<InFlight, Denied> {
        self.take(&self.in_flight, 1)?;
        Ok(InFlight(std::sync::Arc::clone(self)))
    }

    pub(crate) fn request_bytes(&self, bytes: usize) -> Result<(), Denied> {
        self.take(&self.request_bytes, bytes as u64)
    }

    pub(crate) fn response_bytes(&self, bytes: usize) -> Result<(), Denied> {
        self.take(&self.response_bytes, bytes as u64)
    }

    /// Adds to what the guest owes in fuel.
    pub(crate) fn owe(&self, fuel: u64) {
        self.owed.fetch_add(fuel, Ordering::Relaxed);
    }

    /// What the guest owes in fuel since it was last asked.
    pub(crate) fn take_owed(&self) -> u64 {
        self.owed.swap(0, Ordering::Relaxed)
    }

    /// A request has left.
    pub(crate) fn left(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// The limit that was reached first, by its name.
    pub(crate) fn refused(&self) -> Option<&'static str> {
        self.refused.get().copied()
    }

    /// Whether a line of the log says already that a limit was reached; from now on one does.
    pub(crate) fn noted(&self) -> bool {
        self.noted.swap(true, Ordering::Relaxed)
    }

    /// Requests, requests that left, bytes sent and bytes received.
    pub(crate) fn totals(&self) -> [u64; 4] {
        [&self.requests.used, &self.sent, &self.request_bytes.used, &self.response_bytes.used]
            .map(|count| count.load(Ordering::Relaxed))
    }

    fn take(&self, counted: &Counted, amount: u64) -> Result<(), Denied> {
        let more = |used: u64| used.checked_add(amount).filter(|&sum| sum <= counted.limit);
        counted.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).map(drop).map_err(|_| {
            let _ = self.refused.set(counted.name);
            Denied::Limit(counted.name)
        })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.used.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn each_quantity_ends_at_its_limit() {
        let limits = RunLimits {
            http_requests: 2,
            http_requests_in_flight: 1,
            http_request_bytes: 10,
            http_response_bytes: 10,
            ..RunLimits::default()
        };
        let counts = Arc::new(Counts::new(&limits));
        assert!(counts.request().is_ok() && counts.request().is_ok() && counts.refused().is_none());
        assert!(counts.request().is_err());
        assert_eq!(counts.refused(), Some("http_requests"));
        let first = counts.in_flight().unwrap();
        assert!(counts.in_flight().is_err());
        drop(first);
        assert!(counts.in_flight().is_ok());
        assert!(counts.request_bytes(10).is_ok() && counts.request_bytes(1).is_err());
        assert!(counts.response_bytes(11).is_err() && counts.response_bytes(10).is_ok());
        assert_eq!(counts.totals(), [2, 0, 10, 10]);
    }
}
