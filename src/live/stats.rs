//! What happened so far.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counters of a server since it started; each only grows.
        ///
        /// ```
        /// use mizu::live::{Handler, Server};
        /// # struct Echo;
        /// # impl Handler for Echo {
        /// #     async fn on_message(&self, _: &mizu::live::Connection, _: mizu::live::Message) {}
        /// # }
        /// assert_eq!(Server::new(Echo).stats().opened, 0);
        /// ```
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        /// The counters themselves. Nothing is decided by them, so no ordering is needed.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)+
        }

        impl Counters {
            pub(crate) fn read(&self) -> Stats {
                Stats { $($name: self.$name.0.load(Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Connections opened.
    opened,
    /// Connections ended, for whatever cause.
    closed,
    /// Upgrades refused with 403 because they came from another site.
    refused_cross_site,
    /// Upgrades refused with 400 because they ask for no subprotocol known here, or are no WebSocket handshake.
    refused_handshake,
    /// Upgrades refused with 503: too many at once, too many connections, or shutting down.
    refused_overload,
    /// Upgrades refused with 429 because of their address.
    refused_address,
    /// Upgrades refused by the handler's `on_auth`.
    refused_auth,
    /// Messages received, heartbeats included.
    received,
    /// Messages written.
    sent,
    /// Messages of a kind that means nothing here.
    ignored,
    /// Messages refused because of a rate.
    rate_limited,
    /// Messages that a newer or equal one replaced while they waited.
    coalesced,
    /// Published bodies that were no message, or could not be sent as JSON.
    unpublishable,
    /// Connections closed by their peer.
    closed_by_peer,
    /// Connections closed by the application.
    closed_locally,
    /// Connections whose socket ended without a close.
    lost,
    /// Connections closed for malformed messages.
    protocol_errors,
    /// Connections closed for too long a message.
    too_big,
    /// Connections closed because their queue was full.
    slow_consumers,
    /// Connections closed because a write took too long.
    write_timeouts,
    /// Connections closed because nothing was heard.
    heartbeat_timeouts,
    /// Connections closed because of a flood.
    floods,
    /// Connections closed because the handler panicked.
    panics,
    /// Connections closed by a shutdown.
    shutdowns,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub(crate) fn increment(&self) {
        self.add(1);
    }
}
