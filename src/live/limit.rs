//! Every bound in one place.

use std::time::Duration;

use crate::live::Rate;

/// Every bound on what clients may use. Each has a default that suits a public server.
///
/// ```
/// use mizu::live::{Limits, Rate};
///
/// let limits = Limits { messages: Rate::per_second(20).burst(40), ..Limits::default() };
/// assert_eq!(limits.message_bytes, 64 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// The longest message a client may send, its envelope included; a longer one closes with
    /// [`CloseCode::MESSAGE_TOO_BIG`](crate::live::CloseCode::MESSAGE_TOO_BIG).
    ///
    /// # Units
    ///
    /// Bytes; default 64 KiB.
    pub message_bytes: usize,
    /// How often a connection may send a message of any kind; one above it is answered with the error `rate_limited`.
    ///
    /// # Units
    ///
    /// Messages; default 100 a second, burst 200.
    pub messages: Rate,
    /// How often a connection may send a JOIN; one above it is answered with the error `rate_limited`.
    ///
    /// # Units
    ///
    /// Messages; default 5 a second, burst 20.
    pub joins: Rate,
    /// How often `rate_limited` is answered before the connection is closed with
    /// [`CloseCode::RATE_LIMITED`](crate::live::CloseCode::RATE_LIMITED).
    ///
    /// # Units
    ///
    /// Answers; default 5 a second, burst 100.
    pub refusals: Rate,
    /// How often one identity may join. This layer knows no identities: it keeps the number for those who do,
    /// together with [`KeyedLimiter`](crate::live::KeyedLimiter).
    ///
    /// # Units
    ///
    /// Joins; default 10 a second, burst 50.
    pub joins_per_identity: Rate,
    /// How many handshakes the server accepts; others get 503 with `Retry-After`.
    ///
    /// # Units
    ///
    /// Upgrades of all clients; default 2,000 a second, burst 10,000.
    pub upgrades: Rate,
    /// How many handshakes one address may make; others get 429 with `Retry-After`. Counts only for addresses
    /// that came through [`TrustedProxies`](crate::live::TrustedProxies).
    ///
    /// # Units
    ///
    /// Upgrades; default 20 a second, burst 200.
    pub upgrades_per_address: Rate,
    /// How many connections may be open at once; others get 503 with `Retry-After`.
    ///
    /// # Units
    ///
    /// Connections; default 100,000.
    pub connections: usize,
    /// How many messages may wait for a client; one more closes with
    /// [`CloseCode::SLOW_CONSUMER`](crate::live::CloseCode::SLOW_CONSUMER).
    ///
    /// # Units
    ///
    /// Messages; default 128.
    pub queue_messages: usize,
    /// How much may wait for a client. A single message larger than this can't be sent at all.
    ///
    /// # Units
    ///
    /// Bytes of encoded messages; default 16 MiB.
    pub queue_bytes: usize,
    /// After how much silence a client is pinged; after twice that it is dropped with
    /// [`CloseCode::HEARTBEAT_TIMEOUT`](crate::live::CloseCode::HEARTBEAT_TIMEOUT).
    ///
    /// # Units
    ///
    /// Time; default 25 seconds.
    pub heartbeat: Duration,
    /// How long a client may take to accept 8 KiB before it is dropped with
    /// [`CloseCode::WRITE_TIMEOUT`](crate::live::CloseCode::WRITE_TIMEOUT).
    ///
    /// # Units
    ///
    /// Time; default 15 seconds.
    pub write_timeout: Duration,
    /// How much a connection reads at once, which it also keeps as a buffer while idle.
    ///
    /// # Units
    ///
    /// Bytes; default 2 KiB.
    pub read_buffer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 * 1024,
            messages: Rate::per_second(100).burst(200),
            joins: Rate::per_second(5).burst(20),
            refusals: Rate::per_second(5).burst(100),
            joins_per_identity: Rate::per_second(10).burst(50),
            upgrades: Rate::per_second(2_000).burst(10_000),
            upgrades_per_address: Rate::per_second(20).burst(200),
            connections: 100_000,
            queue_messages: 128,
            queue_bytes: 16 * 1024 * 1024,
            heartbeat: Duration::from_secs(25),
            write_timeout: Duration::from_secs(15),
            read_buffer_bytes: 2 * 1024,
        }
    }
}
