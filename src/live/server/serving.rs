//! The server of connections.

use std::{fmt, sync::Arc};

use axum::{http::request::Parts, response::Response, routing::MethodRouter};

use crate::live::{
    Codec, Format, Handler, Limits, MemoryClient, Message, Origins, PubSub, PublishError, ServerBuilder, Shutdown,
    Stats, Topic, TrustedProxies,
    connection::Common,
    server::{admission::Admission, upgrade},
};

/// How many frames a client in memory holds before the server has to wait for it.
const MEMORY_CAPACITY: usize = 1024;

/// Accepts connections and runs them: an axum handler. Clones are handles to the same server.
///
/// ```
/// use axum::{Router, routing::get};
/// use mizu::live::{Connection, Handler, Message, Server};
///
/// struct Echo;
///
/// impl Handler for Echo {
///     async fn on_message(&self, connection: &Connection, message: Message) {
///         let _ = connection.send(message);
///     }
/// }
///
/// let server = Server::new(Echo);
/// let app: Router = Router::new().route("/_live", get(server.clone()));
/// assert_eq!(server.connections(), 0);
/// # let _ = app;
/// ```
pub struct Server<H> {
    pub(super) core: Arc<Core<H>>,
}

/// Shared by the handles and the connections' loops.
pub(super) struct Core<H> {
    pub(super) handler: H,
    pub(super) common: Arc<Common>,
    pub(super) origins: Origins,
    pub(super) proxies: TrustedProxies,
    pub(super) admission: Admission,
}

impl<H: Handler> Server<H> {
    /// A server with everything at its default.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Message, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// let server = Server::new(Quiet);
    /// # let _ = server;
    /// ```
    pub fn new(handler: H) -> Self {
        Self::builder(handler).build()
    }

    /// A server to be configured.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Limits, Message, Origins, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// let server = Server::builder(Quiet)
    ///     .limits(Limits { queue_messages: 16, ..Limits::default() })
    ///     .origins(Origins::same_host().allow("https://app.example.com"))
    ///     .build();
    /// # let _ = server;
    /// ```
    pub fn builder(handler: H) -> ServerBuilder<H> {
        ServerBuilder::new(handler)
    }

    /// This server as a route of its own.
    ///
    /// ```
    /// # use axum::Router;
    /// # use mizu::live::{Connection, Handler, Message, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// let app: Router = Router::new().route("/_live", Server::new(Quiet).route());
    /// # let _ = app;
    /// ```
    pub fn route<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        axum::routing::get(self.clone())
    }

    /// Connects a client in this process, through the same handshake, limits, codec and loop as one that comes over
    /// the network. The request's headers count, `Sec-WebSocket-Protocol` included.
    ///
    /// # Errors
    ///
    /// * The response that refused the handshake.
    ///
    /// ```
    /// # use axum::http::{Request, request::Parts};
    /// # use mizu::live::{Connection, Format, Handler, Message, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let request = Request::get("/_live").header("sec-websocket-protocol", "mizu.v1.json");
    /// let (parts, _) = request.body(()).unwrap().into_parts();
    /// let client = Server::new(Quiet).connect_in_memory(parts).await.unwrap();
    /// assert_eq!(client.format(), Format::Json);
    /// # }
    /// ```
    pub async fn connect_in_memory(&self, request: Parts) -> Result<MemoryClient, Response> {
        self.connect_in_memory_with(request, MEMORY_CAPACITY).await
    }

    /// As [`connect_in_memory`](Self::connect_in_memory), with a pipe that holds only so many frames, so that a client
    /// that reads nothing is soon a slow one.
    ///
    /// # Units
    ///
    /// `capacity` is in messages, at least 1.
    ///
    /// # Errors
    ///
    /// * The response that refused the handshake.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Message, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let (request, _) = axum::http::Request::new(()).into_parts();
    /// let slow = Server::new(Quiet).connect_in_memory_with(request, 1).await.unwrap();
    /// # let _ = slow;
    /// # }
    /// ```
    pub async fn connect_in_memory_with(&self, request: Parts, capacity: usize) -> Result<MemoryClient, Response> {
        upgrade::connect(Arc::clone(&self.core), request, capacity).await
    }

    /// The application.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Message, Server};
    /// # #[derive(PartialEq, Debug)] struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// assert_eq!(Server::new(Quiet).handler(), &Quiet);
    /// ```
    pub fn handler(&self) -> &H {
        &self.core.handler
    }

    /// What happened so far.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Message, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// assert_eq!(Server::new(Quiet).stats().slow_consumers, 0);
    /// ```
    pub fn stats(&self) -> Stats {
        self.core.common.counters.read()
    }

    /// How many connections are open.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Message, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// assert_eq!(Server::new(Quiet).connections(), 0);
    /// ```
    pub fn connections(&self) -> usize {
        self.core.common.open.lock().len()
    }

    /// The bounds on clients.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Limits, Message, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// assert_eq!(Server::new(Quiet).limits(), &Limits::default());
    /// ```
    pub fn limits(&self) -> &Limits {
        &self.core.common.limits
    }

    /// Which sites may connect.
    ///
    /// ```
    /// # use axum::http::HeaderMap;
    /// # use mizu::live::{Connection, Handler, Message, Server, Verdict};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// assert_eq!(Server::new(Quiet).origins().check(&HeaderMap::new()), Verdict::Unknown);
    /// ```
    pub fn origins(&self) -> &Origins {
        &self.core.origins
    }

    /// Whose `Forwarded` headers count.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Message, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// assert!(Server::new(Quiet).trusted_proxies().is_empty());
    /// ```
    pub fn trusted_proxies(&self) -> &TrustedProxies {
        &self.core.proxies
    }

    /// Publish and subscribe.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Message, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// assert_eq!(Server::new(Quiet).pubsub().topics(), 0);
    /// ```
    pub fn pubsub(&self) -> &PubSub {
        &self.core.common.pubsub
    }

    /// What ends this server: `server.shutdown().drain().await`.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Message, Server};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let tasks_left = Server::new(Quiet).shutdown().drain().await;
    /// assert_eq!(tasks_left, 0);
    /// # }
    /// ```
    pub fn shutdown(&self) -> &Shutdown {
        &self.core.common.shutdown
    }

    /// Publishes a message to every connection that [subscribed](crate::live::Connection::subscribe) to a topic, on every node. It
    /// is encoded once.
    ///
    /// # Errors
    ///
    /// * [`PublishError::Encode`] when the message has no frame;
    /// * [`PublishError::Adapter`] when the adapter can't take it.
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Kind, Message, Ref, Server, Topic};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let server = Server::new(Quiet);
    /// let lobby = Topic::new("lobby").unwrap();
    /// let message = Message::new(Kind::application(1), lobby.clone(), Ref::PUSH, "hello");
    /// server.publish(&lobby, &message).await.unwrap();
    /// # }
    /// ```
    pub async fn publish(&self, topic: &Topic, message: &Message) -> Result<(), PublishError> {
        let frame = Format::MessagePack.encode(message)?.into_bytes();
        self.pubsub().publish(topic, frame).await
    }

    /// As [`publish`](Self::publish), but a client that reads slowly gets only the newest of those that wait for it.
    ///
    /// # Errors
    ///
    /// * Those of [`publish`](Self::publish).
    ///
    /// ```
    /// # use mizu::live::{Connection, Handler, Kind, Message, Ref, Server, Topic};
    /// # struct Quiet;
    /// # impl Handler for Quiet { async fn on_message(&self, _: &Connection, _: Message) {} }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let server = Server::new(Quiet);
    /// let clock = Topic::new("clock").unwrap();
    /// let message = Message::new(Kind::application(2), clock.clone(), Ref::PUSH, "12:00");
    /// server.publish_latest(&clock, &message).await.unwrap();
    /// # }
    /// ```
    pub async fn publish_latest(&self, topic: &Topic, message: &Message) -> Result<(), PublishError> {
        let frame = Format::MessagePack.encode(message)?.into_bytes();
        self.pubsub().publish_latest(topic, frame).await
    }
}

impl<H> Clone for Server<H> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core) }
    }
}

impl<H> fmt::Debug for Server<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("connections", &self.core.common.open.lock().len()).finish_non_exhaustive()
    }
}
