//! What adapters with a server have in common.
//!
//! An adapter keeps one [`Node`]: which topics are wanted ([`Interests`]), how messages look on the wire
//! ([`Envelope`]), what may be configured ([`AdapterOptions`]), and the way to the server while there is one. A
//! [`Carrier`] connects and serves one connection; [`keep`] does so again and again.
//!
//! # Invariants
//!
//! 1. A node's own subscribers get its messages from it, at once, whatever the server does; what comes back from the
//!    server is dropped.
//! 2. The way to the server is open only after everything wanted was subscribed and confirmed. After a loss, every
//!    subscriber is told then, so whatever it compares is newer than what it missed.
//! 3. Nothing waits longer than the timeout for the server, and nothing that waits for it is unbounded.

mod envelope;
mod interests;
mod keep;
mod node;
mod options;

#[cfg(feature = "nats")]
pub(super) use self::interests::Ask;
pub use self::options::{AdapterOptions, ConnectError};
pub(super) use self::{
    interests::Interests,
    keep::{Carrier, HEARTBEAT, Tasks, keep},
    node::Node,
};
