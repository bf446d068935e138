//! The handle to one client.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{sync::Notify, task::JoinHandle};

use crate::live::{
    CloseCause, CloseCode, Codec, EncodeError, Format, Frame, Limits, Message, Meta, PubSub, SendError, Shutdown,
    Subscription,
    connection::outbound::{Key, Outbound, Pushed},
    short::ShortStr,
    stats::Counters,
};

/// A handle to one client's connection. Clones are handles to the same one; holding one doesn't keep it open.
///
/// Nothing here waits for the client: messages go to a bounded queue, which one loop writes to the socket.
///
/// ```
/// use mizu::live::{Connection, Handler, Kind, Message, Server};
///
/// struct Echo;
///
/// impl Handler for Echo {
///     async fn on_message(&self, connection: &Connection, message: Message) {
///         // The only errors are a closed connection, and a client that reads too slowly and is closed for that.
///         let _ = connection.send(message);
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let server = Server::new(Echo);
/// let (request, _) = axum::http::Request::new(()).into_parts();
/// let mut client = server.connect_in_memory(request).await.unwrap();
/// let hello = Message::new(Kind::application(1), Default::default(), Default::default(), "hello");
/// client.send(hello.clone()).await.unwrap();
/// assert_eq!(client.receive().await, Some(hello));
/// # }
/// ```
#[derive(Clone)]
pub struct Connection(pub(super) Arc<Inner>);

/// Names a connection within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// The number: each connection of a process has another.
    ///
    /// ```
    /// # use mizu::live::{Connection, ConnectionId};
    /// fn label(connection: &Connection) -> String {
    ///     format!("#{}", connection.id().get())
    /// }
    /// # let _ = label;
    /// ```
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What all connections of a server share.
pub(crate) struct Common {
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    pub(crate) shutdown: Shutdown,
    pub(crate) pubsub: PubSub,
    /// Guards which connections are open; held for one insertion or removal, or to copy the list at shutdown.
    pub(crate) open: Mutex<HashMap<ConnectionId, Connection>>,
}

pub(super) struct Inner {
    id: ConnectionId,
    pub(super) format: Format,
    meta: Meta,
    pub(super) common: Arc<Common>,
    /// Guards the queue; held for one push or take, never while writing or waiting.
    outbound: Mutex<Outbound>,
    /// Wakes the loop: something waits, or it is to close.
    wake: Notify,
    /// Wakes whoever waits for `drained` or `closed`.
    changed: Notify,
    /// Guards the raw subscriptions; held for one insertion or removal.
    pub(super) subscriptions: Mutex<Vec<Subscription>>,
}

impl Connection {
    pub(crate) fn new(format: Format, meta: Meta, common: Arc<Common>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(Arc::new(Inner {
            id: ConnectionId(NEXT.fetch_add(1, Ordering::Relaxed)),
            format,
            meta,
            common,
            outbound: Mutex::default(),
            wake: Notify::new(),
            changed: Notify::new(),
            subscriptions: Mutex::default(),
        }))
    }

    /// The name of this connection.
    ///
    /// ```
    /// # fn f(one: &mizu::live::Connection, other: &mizu::live::Connection) {
    /// let same = one.id() == other.id();
    /// # }
    /// ```
    pub fn id(&self) -> ConnectionId {
        self.0.id
    }

    /// What `on_auth` attached.
    ///
    /// ```
    /// # use mizu::live::{Connection, Verdict};
    /// fn is_browser(connection: &Connection) -> bool {
    ///     connection.meta().get::<Verdict>() != Some(&Verdict::Unknown)
    /// }
    /// # let _ = is_browser;
    /// ```
    pub fn meta(&self) -> &Meta {
        &self.0.meta
    }

    /// How to encode bodies for this client.
    ///
    /// ```
    /// # use mizu::live::{Connection, EncodeError};
    /// fn body(connection: &Connection) -> Result<bytes::Bytes, EncodeError> {
    ///     connection.format().to_bytes(&("any", "value"))
    /// }
    /// # let _ = body;
    /// ```
    pub fn format(&self) -> Format {
        self.0.format
    }

    /// Queues a message. Never waits.
    ///
    /// # Errors
    ///
    /// * [`SendError::Closed`] when the connection is closed or about to be;
    /// * [`SendError::Full`] when too much waits already: the client reads too slowly, and the connection closes with
    ///   [`CloseCode::SLOW_CONSUMER`];
    /// * [`SendError::TooBig`] when the message could never be queued; the connection stays open;
    /// * [`SendError::Encode`] when the message has no frame.
    ///
    /// ```
    /// # use mizu::live::{Connection, Kind, Message, Ref, SendError, Topic};
    /// fn push(connection: &Connection) -> Result<(), SendError> {
    ///     connection.send(Message::new(Kind::application(1), Topic::connection(), Ref::PUSH, "hi"))
    /// }
    /// # let _ = push;
    /// ```
    pub fn send(&self, message: Message) -> Result<(), SendError> {
        self.push(self.encode(&message)?, None)
    }

    /// Queues a message that replaces the one with the same key that still waits, in whose place it goes; a client that
    /// reads slowly skips what is outdated. If an equal message with any key waits already, nothing is added.
    ///
    /// # Errors
    ///
    /// * Those of [`send`](Self::send).
    ///
    /// ```
    /// # use mizu::live::{Connection, Kind, Message, Ref, SendError, Topic};
    /// fn progress(connection: &Connection, percent: u8) -> Result<(), SendError> {
    ///     let message = Message::new(Kind::application(2), Topic::connection(), Ref::PUSH, vec![percent]);
    ///     connection.send_latest("progress", message)
    /// }
    /// # let _ = progress;
    /// ```
    pub fn send_latest(&self, key: &str, message: Message) -> Result<(), SendError> {
        self.push(self.encode(&message)?, Some(Key::Sent(ShortStr::new(key))))
    }

    /// Queues a frame encoded before, so that one encoding serves many connections.
    ///
    /// # Errors
    ///
    /// * [`SendError::WrongFormat`] when it is no frame of this connection's [`format`](Self::format);
    /// * those of [`send`](Self::send).
    ///
    /// ```
    /// # use mizu::live::{Codec, Connection, EncodeError, Format, Message};
    /// fn to_all(connections: &[Connection], message: &Message) -> Result<(), EncodeError> {
    ///     let frame = Format::MessagePack.encode(message)?;
    ///     for connection in connections {
    ///         let _ = connection.send_frame(frame.clone());
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = to_all;
    /// ```
    pub fn send_frame(&self, frame: Frame) -> Result<(), SendError> {
        match (&frame, self.0.format) {
            (Frame::Binary(_), Format::MessagePack) | (Frame::Text(_), Format::Json) => {
                self.push(frame.into_bytes(), None)
            }
            _ => Err(SendError::WrongFormat { expected: self.0.format }),
        }
    }

    /// Closes the connection: what waits is written first, then the client is told code and reason.
    ///
    /// The first call counts; the reason is cut after 123 bytes.
    ///
    /// ```
    /// # use mizu::live::{CloseCode, Connection};
    /// fn kick(connection: &Connection) {
    ///     connection.close(CloseCode::DISCONNECTED_BY_SERVER, "you were signed out");
    /// }
    /// # let _ = kick;
    /// ```
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.close_for(CloseCause::Local { code, reason: reason.to_owned() });
    }

    /// Whether the connection is closed or about to be.
    ///
    /// ```
    /// # fn f(connection: &mizu::live::Connection) {
    /// if connection.is_closed() { /* nothing sent from now on arrives */ }
    /// # }
    /// ```
    pub fn is_closed(&self) -> bool {
        self.0.outbound.lock().is_closed()
    }

    /// Waits until the connection is closed or about to be.
    ///
    /// ```
    /// # async fn f(connection: mizu::live::Connection) {
    /// tokio::select! {
    ///     () = connection.closed() => {}
    ///     () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
    /// }
    /// # }
    /// ```
    pub async fn closed(&self) {
        self.until(Outbound::is_closed).await;
    }

    /// Whether everything queued was written to the socket and flushed, or the connection is closed.
    ///
    /// ```
    /// # fn f(connection: &mizu::live::Connection) {
    /// if connection.is_drained() { /* a good time to send something large */ }
    /// # }
    /// ```
    pub fn is_drained(&self) -> bool {
        self.0.outbound.lock().is_drained()
    }

    /// Waits until everything queued was written to the socket and flushed, or the connection is closed.
    ///
    /// ```
    /// # use mizu::live::{Connection, Message};
    /// async fn one_at_a_time(connection: &Connection, messages: Vec<Message>) {
    ///     for message in messages {
    ///         let _ = connection.send(message);
    ///         connection.drained().await;
    ///     }
    /// }
    /// # let _ = one_at_a_time;
    /// ```
    pub async fn drained(&self) {
        self.until(Outbound::is_drained).await;
    }

    async fn until(&self, condition: fn(&Outbound) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            // Registered before looking, so that a change in between is not missed.
            changed.as_mut().enable();
            if condition(&self.0.outbound.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// Spawns a task that shutting down waits for, and cancels after its deadline. It does not end with the connection.
    ///
    /// ```
    /// # use mizu::live::Connection;
    /// fn later(connection: &Connection) {
    ///     let handle = connection.clone();
    ///     connection.spawn(async move {
    ///         handle.closed().await;
    ///     });
    /// }
    /// # let _ = later;
    /// ```
    pub fn spawn<F>(&self, task: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.common.shutdown.spawn(task)
    }

    pub(crate) fn close_for(&self, cause: CloseCause) {
        if self.0.outbound.lock().close(cause) {
            self.0.wake.notify_one();
            self.0.changed.notify_waiters();
        }
    }

    pub(crate) fn common(&self) -> &Common {
        &self.0.common
    }

    /// Resolves when something waits or the connection is to close; one call of the loop at a time.
    pub(crate) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    pub(crate) fn closing(&self) -> Option<CloseCause> {
        self.0.outbound.lock().closing().cloned()
    }

    pub(crate) fn take(&self) -> Option<Bytes> {
        self.0.outbound.lock().take()
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.0.outbound.lock().is_empty()
    }

    pub(crate) fn flushed(&self) {
        if self.0.outbound.lock().flushed() {
            self.0.changed.notify_waiters();
        }
    }

    pub(crate) fn end(&self) {
        self.0.outbound.lock().end();
        self.0.changed.notify_waiters();
        self.leave_topics();
    }

    fn encode(&self, message: &Message) -> Result<Bytes, EncodeError> {
        Ok(self.0.format.encode(message)?.into_bytes())
    }

    fn push(&self, frame: Bytes, key: Option<Key>) -> Result<(), SendError> {
        self.0.push(frame, key)
    }
}

impl Inner {
    pub(super) fn push(&self, frame: Bytes, key: Option<Key>) -> Result<(), SendError> {
        let pushed = self.outbound.lock().push(frame, key, &self.common.limits);
        match pushed {
            Ok(Pushed::First) => self.wake.notify_one(),
            Ok(Pushed::Behind) => {}
            Ok(Pushed::Coalesced) => self.common.counters.coalesced.increment(),
            Err(SendError::Full) => {
                self.wake.notify_one();
                self.changed.notify_waiters();
                return Err(SendError::Full);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.0.id.0).field("format", &self.0.format).finish_non_exhaustive()
    }
}
