//! Rates: how many requests an address, an account and a key may make (GCRA), and the headers that tell it
//! (draft-ietf-httpapi-ratelimit-headers). Each host counts by itself.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use moka::sync::Cache;

use super::Problem;
use crate::accounts::Caller;
use crate::config::Config;
use crate::ids::{AccountId, ApiKeyId};

const MINUTE: u32 = 60;
const HOUR: u32 = 3_600;

/// Addresses over their failures that are known at a time.
const MOST_OVER: u64 = 100_000;

/// How the account and the key of a caller stand.
pub(super) type Standings = [Option<Standing>; 2];

/// How somebody stands under a rate, after a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// The rate's name in the headers.
    name: &'static str,
    /// Requests in a window.
    quota: u32,
    /// The window, in seconds.
    window: u32,
    /// Requests that would be taken at once.
    remaining: u32,
}

/// One rate, counted for each key of its kind.
struct Rate<K: Hash + Eq + Clone> {
    name: &'static str,
    /// What the operator's file calls it.
    limit: &'static str,
    quota: u32,
    window: u32,
    counts: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    fn new(name: &'static str, limit: &'static str, quota: Option<u32>, window: u32) -> Option<Self> {
        let quota = NonZeroU32::new(quota?)?;
        let allowed = if window == HOUR { Quota::per_hour(quota) } else { Quota::per_minute(quota) };
        let counts = RateLimiter::keyed(allowed).with_middleware::<StateInformationMiddleware>();
        Some(Self { name, limit, quota: quota.get(), window, counts })
    }

    /// Counts one request.
    fn count(&self, key: &K) -> Result<Standing, Problem> {
        match self.counts.check_key(key) {
            Ok(state) => Ok(Standing {
                name: self.name,
                quota: self.quota,
                window: self.window,
                remaining: state.remaining_burst_capacity(),
            }),
            Err(not_until) => Err(self.refused(not_until.wait_time_from(DefaultClock::default().now()))),
        }
    }

    /// What somebody is told who has to wait.
    fn refused(&self, wait: Duration) -> Problem {
        let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(self.window).max(1);
        let standing = Standing { name: self.name, quota: self.quota, window: self.window, remaining: 0 };
        let (quota, window, limit) = (self.quota, self.window, self.limit);
        let detail =
            format!("{quota} requests in {window} seconds are taken, as `{limit}` says; ask again in {seconds} s");
        Problem::too_many(detail, seconds).about_limit(limit, u64::from(quota)).standing(standing)
    }

    /// When somebody who has used the whole quota up may make one more.
    fn next_after(&self, now: Instant) -> Instant {
        now + Duration::from_secs(u64::from(self.window)) / self.quota
    }

    fn forget_the_idle(&self) {
        self.counts.retain_recent();
        self.counts.shrink_to_fit();
    }
}

struct PlanRates {
    account: Option<Rate<AccountId>>,
    key: Option<Rate<ApiKeyId>>,
}

/// All rates of a configuration.
struct Counted {
    of: Config,
    address: Option<Rate<IpAddr>>,
    failures: Option<Rate<IpAddr>>,
    /// Addresses that have failed as often as they may, and when each may once more.
    over: Cache<IpAddr, Instant>,
    sign_ups: Option<Rate<IpAddr>>,
    plans: HashMap<String, PlanRates>,
}

impl Counted {
    fn new(config: &Config) -> Self {
        let rates = &config.values.rates;
        let plans = config.values.plans.iter().map(|(name, plan)| {
            let (account, key) = (plan.rates.account_requests_per_minute, plan.rates.key_requests_per_minute);
            let rates = PlanRates {
                account: Rate::new("account", "account_requests_per_minute", account, MINUTE),
                key: Rate::new("key", "key_requests_per_minute", key, MINUTE),
            };
            (name.clone(), rates)
        });
        let (address, failures) = (rates.address_requests_per_minute, Some(rates.address_failures_per_minute));
        let sign_ups = Some(rates.address_sign_ups_per_hour);
        Self {
            address: Rate::new("address", "address_requests_per_minute", address, MINUTE),
            over: Cache::builder().max_capacity(MOST_OVER).time_to_live(Duration::from_secs(u64::from(MINUTE))).build(),
            failures: Rate::new("failures", "address_failures_per_minute", failures, MINUTE),
            sign_ups: Rate::new("sign-ups", "address_sign_ups_per_hour", sign_ups, HOUR),
            plans: plans.collect(),
            of: config.clone(),
        }
    }
}

/// The rates of a host.
pub struct Rates(ArcSwap<Counted>);

impl Rates {
    /// Those of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self(ArcSwap::from_pointee(Counted::new(config)))
    }

    /// Takes the rates of another configuration. Where they differ, everybody begins anew.
    pub fn take(&self, config: &Config) {
        let (before, after) = (&self.0.load().of.values, &config.values);
        if before.rates != after.rates || before.plans != after.plans {
            self.0.store(Counted::new(config).into());
        }
    }

    /// Counts a request from an address.
    pub(super) fn count_address(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        count(self.0.load().address.as_ref(), address)
    }

    /// Counts a request from an address that came without a valid key.
    pub(super) fn count_failure(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        let counted = self.0.load();
        let (Some(failures), Some(address)) = (counted.failures.as_ref(), address) else { return Ok(()) };
        let address = counted_as(address);
        let standing = failures.count(&address);
        if standing.as_ref().map_or(true, |standing| standing.remaining == 0) {
            counted.over.insert(address, failures.next_after(Instant::now()));
        }
        standing.map(drop)
    }

    /// Refuses an address that may fail no more, before anything is looked up for it.
    pub(super) fn may_fail(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        let counted = self.0.load();
        let (Some(failures), Some(address)) = (counted.failures.as_ref(), address) else { return Ok(()) };
        match counted.over.get(&counted_as(address)) {
            Some(until) if until > Instant::now() => Err(failures.refused(until - Instant::now())),
            _ => Ok(()),
        }
    }

    /// Counts a request from an address that sends mail to somebody whom nobody knows yet.
    pub(super) fn count_sign_up(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        count(self.0.load().sign_ups.as_ref(), address)
    }

    /// Counts a request of a caller, and says how account and key stand then.
    pub(super) fn count_caller(&self, caller: &Caller) -> Result<Standings, Problem> {
        let counted = self.0.load();
        let plans = &counted.plans;
        let plan = plans.get(&caller.account.plan).or_else(|| plans.get(crate::config::DEFAULT_PLAN));
        let Some(plan) = plan else { return Ok(Standings::default()) };
        let key = plan.key.as_ref().map(|rate| rate.count(&caller.key.id)).transpose()?;
        let account = plan.account.as_ref().map(|rate| rate.count(&caller.account.id)).transpose()?;
        Ok([account, key])
    }

    /// Forgets who has not asked for anything in a while.
    pub fn forget_the_idle(&self) {
        let counted = self.0.load();
        for rate in [&counted.address, &counted.failures, &counted.sign_ups].into_iter().flatten() {
            rate.forget_the_idle();
        }
        for plan in counted.plans.values() {
            plan.account.iter().for_each(Rate::forget_the_idle);
            plan.key.iter().for_each(Rate::forget_the_idle);
        }
    }
}

fn count(rate: Option<&Rate<IpAddr>>, address: Option<IpAddr>) -> Result<(), Problem> {
    let (Some(rate), Some(address)) = (rate, address) else { return Ok(()) };
    rate.count(&counted_as(address)).map(drop)
}

/// Whoever has one IPv6 address has the 2⁶⁴ of its network.
fn counted_as(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// The headers that tell how a caller stands.
pub(super) fn tell<'a>(headers: &mut HeaderMap, standings: impl IntoIterator<Item = &'a Standing>) {
    let (mut policy, mut left) = (String::new(), String::new());
    for Standing { name, quota, window, remaining } in standings {
        let used = u64::from(quota - remaining.min(quota));
        let until_full = (used * u64::from(*window)).div_ceil(u64::from(*quota));
        let separator = if policy.is_empty() { "" } else { ", " };
        // Writing to a text can't fail.
        let _ = write!(policy, "{separator}\"{name}\";q={quota};w={window}");
        let _ = write!(left, "{separator}\"{name}\";r={remaining};t={until_full}");
    }
    for (name, text) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if !text.is_empty() {
            headers.extend(HeaderValue::try_from(text).ok().map(|value| (HeaderName::from_static(name), value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let counted = |text: &str| counted_as(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8::1"), counted("2001:db8::ffff:1"));
        assert_ne!(counted("2001:db8::1"), counted("2001:db8:0:1::1"));
        assert_eq!(counted("192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn a_rate_is_told_as_the_draft_writes_it() {
        let rate = Rate::new("burst", "x", Some(100), MINUTE).unwrap();
        let mut headers = HeaderMap::new();
        let standings: Vec<_> = (0..50).map(|_| rate.count(&1_u8).unwrap()).collect();
        tell(&mut headers, &standings[49..]);
        assert_eq!(headers["ratelimit-policy"], "\"burst\";q=100;w=60");
        assert_eq!(headers["ratelimit"], "\"burst\";r=50;t=30");
    }
}
