//! A rate for each of many.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{Rate, RetryAfter, TokenBucket};

/// A [`TokenBucket`] for each key, in bounded memory: identities, addresses.
///
/// Full buckets are forgotten when room is needed. When every key is in use, new keys share one bucket, so that
/// a flood of keys can't get around the limit, nor grow the map, nor push others out.
///
/// ```
/// use std::time::Instant;
/// use mizu::live::{KeyedLimiter, Rate};
///
/// let limiter = KeyedLimiter::new(Rate::per_second(1), 1_000);
/// let now = Instant::now();
/// assert!(limiter.take("alice", now).is_ok());
/// assert!(limiter.take("alice", now).is_err());
/// assert!(limiter.take("bob", now).is_ok());
/// ```
#[derive(Debug)]
pub struct KeyedLimiter<K> {
    rate: Rate,
    capacity: usize,
    /// Guards the buckets; held for one lookup, or for one sweep over at most `capacity` keys.
    buckets: Mutex<Buckets<K>>,
}

#[derive(Debug)]
struct Buckets<K> {
    own: HashMap<K, TokenBucket>,
    shared: TokenBucket,
    /// No sweep is worth it before.
    sweep_at: Option<Instant>,
}

impl<K: Hash + Eq> KeyedLimiter<K> {
    /// A limiter of this rate for each key, remembering at most `capacity` keys.
    ///
    /// ```
    /// # use mizu::live::{KeyedLimiter, Rate};
    /// let limiter = KeyedLimiter::<u64>::new(Rate::per_second(10), 10_000);
    /// # assert!(limiter.is_empty());
    /// ```
    pub fn new(rate: Rate, capacity: usize) -> Self {
        let shared = TokenBucket::new(rate);
        let buckets = Mutex::new(Buckets { own: HashMap::new(), shared, sweep_at: None });
        Self { rate, capacity, buckets }
    }

    /// Takes one token of this key.
    ///
    /// # Errors
    ///
    /// * [`RetryAfter`] when the key has none left.
    ///
    /// ```
    /// # use mizu::live::{KeyedLimiter, Rate};
    /// let limiter = KeyedLimiter::new(Rate::per_second(1), 10);
    /// assert!(limiter.take(7, std::time::Instant::now()).is_ok());
    /// ```
    pub fn take(&self, key: K, now: Instant) -> Result<(), RetryAfter> {
        let mut buckets = self.buckets.lock();
        let Buckets { own, shared, sweep_at } = &mut *buckets;
        if own.len() >= self.capacity && !own.contains_key(&key) && sweep_at.is_none_or(|sweep_at| sweep_at <= now) {
            own.retain(|_, bucket| !bucket.is_full(now));
            *sweep_at = Some(now + Duration::from_secs(1));
        }
        if own.len() >= self.capacity && !own.contains_key(&key) {
            return shared.take(now);
        }
        own.entry(key).or_insert_with(|| TokenBucket::new(self.rate)).take(now)
    }

    /// How many keys are remembered.
    ///
    /// ```
    /// # use mizu::live::{KeyedLimiter, Rate};
    /// assert_eq!(KeyedLimiter::<u8>::new(Rate::UNLIMITED, 10).len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.buckets.lock().own.len()
    }

    /// Whether no key is remembered.
    ///
    /// ```
    /// # use mizu::live::{KeyedLimiter, Rate};
    /// assert!(KeyedLimiter::<u8>::new(Rate::UNLIMITED, 10).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_keys_shares_one_bucket() {
        let limiter = KeyedLimiter::new(Rate::per_second(1).burst(2), 3);
        let now = Instant::now();
        for key in 0..3 {
            assert!(limiter.take(key, now).is_ok());
        }
        let admitted = (3..1000).filter(|key| limiter.take(*key, now).is_ok()).count();
        assert_eq!((admitted, limiter.len()), (2, 3));
        assert!(limiter.take(0, now).is_ok(), "a known key keeps its own bucket");
        let later = now + Duration::from_secs(5);
        assert!(limiter.take(1000, later).is_ok());
        assert_eq!(limiter.len(), 1, "full buckets were forgotten");
    }
}
