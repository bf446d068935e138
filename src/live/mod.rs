//! Moves messages between browsers and servers: low latency, best effort, never authoritative.
//!
//! A [`Server`] is an axum handler. It turns WebSocket handshakes into [`Connection`]s, hands every [`Message`] to a
//! [`Handler`], and writes what is sent. [`PubSub`] delivers one message to many. Everything a client may use up is
//! bounded by [`Limits`], and everything ends in a [`CloseCause`] with a name.
//!
//! ```
//! use axum::Router;
//! use mizu::live::{Connection, Handler, Kind, Message, Server};
//!
//! /// Every player sees every move.
//! struct Game;
//!
//! const MOVE: Kind = Kind::application(1);
//!
//! impl Handler for Game {
//!     async fn on_message(&self, connection: &Connection, message: Message) {
//!         if message.kind == MOVE {
//!             let _ = connection.send(message);
//!         }
//!     }
//! }
//!
//! let app: Router = Router::new().route("/_live", Server::new(Game).route());
//! # let _ = app;
//! ```
//!
//! # What this layer does not know
//!
//! Neither `sync` nor `page`. It never reads a payload: a body is opaque bytes, and the only bodies it writes itself
//! are those of `ERROR` and `CLOSE`. It knows no identities, no sessions and no HTML.
//!
//! # Invariants
//!
//! 1. A poke carries scope and cursor, never data. The latest wins; losing one costs time, not truth.
//! 2. Rows, change log, acknowledgement and client counter commit in one transaction; the notifier runs after it, no
//!    lock held. So a message here may announce only what is already durable.
//! 3. A session is one sequential loop: never two handlers at once, never a lock around page state. A connection is one
//!    task that owns its socket; its callbacks never overlap.
//! 4. A session subscribes before `mount` reads, so nothing falls between: when [`PubSub::subscribe`] is ready,
//!    everything published from then on arrives.
//! 5. Nobody ever blocks on a slow client. Sending and publishing queue and return, with no lock held that a subscriber
//!    may take. A page session renders only after its previous patch was written ([`Connection::drained`]); a raw
//!    connection whose queue is full closes with a reconnectable code.
//! 6. What the client shows = the last rendering the server knows it has. When in doubt the client asks for the region
//!    anew. So messages of one connection arrive in order and whole, or the connection ends.
//!
//! # The way of a message
//!
//! In: socket -> [`Codec`] -> limits -> [`Handler::on_message`]. Out: [`Connection::send`] or [`PubSub::publish`] ->
//! bounded queue of encoded frames -> socket; frames that wait together are flushed once.

mod close;
mod codec;
mod connection;
mod limit;
mod listen;
mod message;
mod presence;
pub mod pubsub;
mod server;
mod short;
mod shutdown;
mod socket;
mod stats;
mod topic;

pub use crate::edge::{
    ClientAddress, KeyedLimiter, Origins, ParseProxiesError, Rate, RetryAfter, TokenBucket, TrustedProxies, Verdict,
};

pub use self::{
    close::{CloseCause, CloseCode},
    codec::{Codec, DecodeError, EncodeError, Format, Frame, Json, MessagePack},
    connection::{Connection, ConnectionId, Meta, SendError},
    limit::Limits,
    listen::{Listen, serve},
    message::{Kind, Message, Ref},
    presence::{Difference, Presence, PresenceError, Present, Roll, SILENCE, Tracked, Watching},
    pubsub::{
        Adapter, AdapterError, Delivery, Incoming, Local, PubSub, PublishError, Published, SubscribeError, Subscriber,
        Subscription,
    },
    server::{Handler, RefusedUpgrade, Server, ServerBuilder, ViaUpgrade},
    shutdown::Shutdown,
    socket::{Disconnected, MemoryClient},
    stats::Stats,
    topic::{Topic, TopicError},
};

#[cfg(feature = "nats")]
pub use self::pubsub::NatsAdapter;
#[cfg(feature = "redis")]
pub use self::pubsub::RedisAdapter;
#[cfg(any(feature = "nats", feature = "redis"))]
pub use self::pubsub::{AdapterOptions, ConnectError};
