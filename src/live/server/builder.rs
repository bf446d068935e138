//! Putting a server together.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;

use crate::live::{
    CloseCause, Connection, Handler, Limits, Origins, PubSub, Server, Shutdown, TrustedProxies,
    connection::Common,
    server::{admission::Admission, serving::Core},
    stats::Counters,
};

/// Configures a [`Server`].
#[must_use = "it becomes a server with `build`"]
pub struct ServerBuilder<H> {
    handler: H,
    limits: Limits,
    pubsub: PubSub,
    shutdown: Shutdown,
    origins: Origins,
    proxies: TrustedProxies,
}

impl<H: Handler> ServerBuilder<H> {
    pub(super) fn new(handler: H) -> Self {
        Self {
            handler,
            limits: Limits::default(),
            pubsub: PubSub::local(),
            shutdown: Shutdown::new(),
            origins: Origins::same_host(),
            proxies: TrustedProxies::none(),
        }
    }

    /// Sets the bounds on clients.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what carries published messages.
    pub fn pubsub(mut self, pubsub: PubSub) -> Self {
        self.pubsub = pubsub;
        self
    }

    /// Sets what ends the server, for example together with other parts of the process.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Sets which sites may connect.
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Sets whose `Forwarded` headers count; only then are addresses limited.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// The server.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Message, PubSub, Server, Shutdown};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// let server = Server::builder(Quiet)
    ///     .pubsub(PubSub::local())
    ///     .shutdown(Shutdown::new())
    ///     .trusted_proxies("10.0.0.0/8".parse().unwrap())
    ///     .build();
    /// # let _ = server;
    /// ```
    pub fn build(self) -> Server<H> {
        let common = Arc::new(Common {
            limits: self.limits,
            counters: Counters::default(),
            shutdown: self.shutdown,
            pubsub: self.pubsub,
            open: Mutex::new(HashMap::new()),
        });
        let weak = Arc::downgrade(&common);
        common.shutdown.on_drain(move || {
            let Some(common) = weak.upgrade() else { return };
            let open: Vec<Connection> = common.open.lock().values().cloned().collect();
            for connection in open {
                connection.close_for(CloseCause::Shutdown);
            }
        });
        let admission = Admission::new(&common.limits);
        let (handler, origins, proxies) = (self.handler, self.origins, self.proxies);
        Server { core: Arc::new(Core { handler, common, origins, proxies, admission }) }
    }
}

impl<H> fmt::Debug for ServerBuilder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}
