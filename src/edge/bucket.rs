//! Rates, and what counts against them.

use std::time::{Duration, Instant};

/// How often something may happen: a steady rate, and how much may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// No bound at all.
    pub const UNLIMITED: Self = Self { per_second: u32::MAX, burst: u32::MAX };

    /// So many a second, with a burst of as many.
    ///
    /// # Units
    ///
    /// Events a second; 0 is taken as 1.
    ///
    /// ```
    /// # use mizu::live::Rate;
    /// assert_eq!(Rate::per_second(10), Rate::per_second(10).burst(10));
    /// ```
    pub const fn per_second(events: u32) -> Self {
        let events = if events == 0 { 1 } else { events };
        Self { per_second: events, burst: events }
    }

    /// So many at once.
    ///
    /// # Units
    ///
    /// Events; 0 is taken as 1.
    ///
    /// ```
    /// # use mizu::live::Rate;
    /// assert_ne!(Rate::per_second(10).burst(50), Rate::per_second(10));
    /// ```
    pub const fn burst(self, events: u32) -> Self {
        Self { burst: if events == 0 { 1 } else { events }, ..self }
    }

    /// The time between two events at the steady rate.
    fn interval(self) -> Duration {
        if self == Self::UNLIMITED {
            return Duration::ZERO;
        }
        Duration::from_secs(1) / self.per_second
    }
}

/// A bound was reached; it has room again after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many: try again in {} ms", .0.as_millis())]
pub struct RetryAfter(pub Duration);

/// Counts events against a [`Rate`]. It knows no clock: the caller says what time it is.
///
/// # Source
///
/// The generic cell rate algorithm (ITU-T I.371), which needs one time stamp and no refilling.
///
/// ```
/// use std::time::{Duration, Instant};
/// use mizu::live::{Rate, TokenBucket};
///
/// let mut bucket = TokenBucket::new(Rate::per_second(10).burst(2));
/// let now = Instant::now();
/// assert!(bucket.take(now).is_ok());
/// assert!(bucket.take(now).is_ok());
/// assert_eq!(bucket.take(now).unwrap_err().0, Duration::from_millis(100));
/// assert!(bucket.take(now + Duration::from_millis(100)).is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: Rate,
    /// When the bucket will be full again; `None` before the first event.
    full_at: Option<Instant>,
}

impl TokenBucket {
    /// A full bucket.
    ///
    /// ```
    /// # use mizu::live::{Rate, TokenBucket};
    /// let bucket = TokenBucket::new(Rate::UNLIMITED);
    /// # assert!(bucket.is_full(std::time::Instant::now()));
    /// ```
    pub const fn new(rate: Rate) -> Self {
        Self { rate, full_at: None }
    }

    /// Takes one token.
    ///
    /// # Errors
    ///
    /// * [`RetryAfter`] when there is none; nothing is taken then.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use mizu::live::{Rate, TokenBucket};
    /// let mut bucket = TokenBucket::new(Rate::per_second(1));
    /// # let now = Instant::now();
    /// assert!(bucket.take(now).is_ok());
    /// assert!(bucket.take(now).is_err());
    /// ```
    pub fn take(&mut self, now: Instant) -> Result<(), RetryAfter> {
        let interval = self.rate.interval();
        if interval.is_zero() {
            return Ok(());
        }
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now));
        let room = interval.saturating_mul(self.rate.burst - 1);
        if let Some(wait) = (full_at - now).checked_sub(room).filter(|wait| !wait.is_zero()) {
            return Err(RetryAfter(wait));
        }
        self.full_at = Some(full_at + interval);
        Ok(())
    }

    /// Whether nothing was taken lately, so that a fresh bucket would do as well.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use mizu::live::{Rate, TokenBucket};
    /// let mut bucket = TokenBucket::new(Rate::per_second(1));
    /// # let now = Instant::now();
    /// bucket.take(now).unwrap();
    /// assert!(!bucket.is_full(now));
    /// assert!(bucket.is_full(now + Duration::from_secs(1)));
    /// ```
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|full_at| full_at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at each of these milliseconds; gives the ones refused.
    fn refused(rate: Rate, millis: &[u64]) -> Vec<u64> {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(rate);
        let take = |at: &&u64| bucket.take(start + Duration::from_millis(**at)).is_err();
        millis.iter().filter(take).copied().collect()
    }

    #[test]
    fn bursts_pass_and_floods_do_not() {
        let rate = Rate::per_second(10).burst(3);
        assert_eq!(refused(rate, &[0, 0, 0]), [0; 0]);
        assert_eq!(refused(rate, &[0, 0, 0, 0, 99, 100, 101, 200, 1000, 1000, 1000]), [0, 99, 101]);
        assert_eq!(refused(Rate::UNLIMITED, &[0; 1000]), [0; 0]);
        // Threads read the clock before they take their turn, so times may come out of order.
        assert_eq!(refused(Rate::UNLIMITED, &[5, 0, 3]), [0; 0]);
        assert_eq!(refused(Rate::per_second(0), &[0, 500, 1000]), [500]);
    }
}
