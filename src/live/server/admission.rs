//! Who may come in, and how fast.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::live::{ClientAddress, KeyedLimiter, Limits, RefusedUpgrade, TokenBucket};

/// How many addresses are told apart.
const ADDRESSES: usize = 16 * 1024;

pub(super) struct Admission {
    /// Guards the rate of all upgrades; held for one look at the clock's number.
    upgrades: Mutex<TokenBucket>,
    addresses: KeyedLimiter<IpAddr>,
    seats: Arc<AtomicUsize>,
    connections: usize,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            upgrades: Mutex::new(TokenBucket::new(limits.upgrades)),
            addresses: KeyedLimiter::new(limits.upgrades_per_address, ADDRESSES),
            seats: Arc::new(AtomicUsize::new(0)),
            connections: limits.connections,
        }
    }

    /// Lets one client in, for as long as its seat lives.
    pub(super) fn admit(&self, client: Option<ClientAddress>, now: Instant) -> Result<Seat, RefusedUpgrade> {
        if let Some(client) = client.filter(ClientAddress::is_forwarded) {
            let taken = self.addresses.take(client.ip(), now);
            taken.map_err(|wait| RefusedUpgrade::Address { retry_after: wait.0 })?;
        }
        let overloaded = |retry_after| RefusedUpgrade::Overloaded { retry_after };
        // The seat gives itself back on every way out.
        let seat = Seat(Arc::clone(&self.seats));
        if self.seats.fetch_add(1, Ordering::Relaxed) >= self.connections {
            return Err(overloaded(Duration::from_secs(5)));
        }
        self.upgrades.lock().take(now).map_err(|wait| overloaded(wait.0))?;
        Ok(seat)
    }
}

/// One of the connections that may be open at once.
pub(super) struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{Rate, TrustedProxies};
    use axum::http::HeaderMap;

    #[test]
    fn seats_are_given_back() {
        let admission = Admission::new(&Limits { connections: 2, ..Limits::default() });
        let now = Instant::now();
        let first = admission.admit(None, now).ok().unwrap();
        let _second = admission.admit(None, now).ok().unwrap();
        for _ in 0..10 {
            assert!(matches!(admission.admit(None, now), Err(RefusedUpgrade::Overloaded { .. })));
        }
        drop(first);
        assert!(admission.admit(None, now).is_ok());
        assert_eq!(admission.seats.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_rate_of_all_is_bounded_and_that_of_addresses_only_behind_proxies() {
        let limits = Limits {
            upgrades: Rate::per_second(1).burst(10),
            upgrades_per_address: Rate::per_second(1).burst(2),
            ..Limits::default()
        };
        let admission = Admission::new(&limits);
        let now = Instant::now();
        let proxies: TrustedProxies = "10.0.0.1".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
        let behind = Some(proxies.client([10, 0, 0, 1].into(), &headers));
        let plain = Some(TrustedProxies::none().client([10, 0, 0, 1].into(), &headers));
        let admit = |client| admission.admit(client, now).map(drop);
        assert_eq!((admit(behind), admit(behind)), (Ok(()), Ok(())));
        assert!(matches!(admit(behind), Err(RefusedUpgrade::Address { .. })));
        assert!((0..8).all(|_| admit(plain).is_ok()));
        assert!(matches!(admit(plain), Err(RefusedUpgrade::Overloaded { .. })));
    }
}
