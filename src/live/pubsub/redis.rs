//! Many nodes, over Redis.

use std::{fmt, future::Future, io, sync::Arc};

use bytes::Bytes;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind,
    RedisError, Value, aio::MultiplexedConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::live::{
    Adapter, AdapterError, AdapterOptions, ConnectError, Delivery, Incoming, Topic,
    pubsub::remote::{Carrier, HEARTBEAT, Node, Tasks, keep},
};

/// How many topics are subscribed to with one command.
const BATCH: usize = 256;

/// How many commands may wait to be written; who publishes more waits, up to the timeout.
const COMMANDS: usize = 256;

/// Connects nodes through a Redis or Valkey server. Clones are handles to the same connection, which ends with the last.
///
/// It uses one connection a node, on which it subscribes to the topics this node wants and no others, as channels
/// `PREFIX:TOPIC`. The server must speak RESP3, which Redis does since version 6. It keeps nothing: what is published
/// while a node is cut off is lost to that node, whose subscribers are told so ([`Subscriber::missed`]) when it is
/// back. [`publish`](crate::live::PubSub::publish) is ready when the server has the message; subscribers on this node
/// get it before, and even when the server can't be reached.
///
/// It needs the server for pub/sub only, so it shares one with other uses: the number of the database does not matter,
/// and an ACL user needs `+subscribe +unsubscribe +publish +ping` and `&PREFIX:*`.
///
/// [`Subscriber::missed`]: crate::live::Subscriber::missed
///
/// ```no_run
/// use mizu::live::{PubSub, RedisAdapter};
///
/// # async fn run() -> Result<(), mizu::live::ConnectError> {
/// let redis = RedisAdapter::connect("redis://:password@10.0.0.5/").await?;
/// let pubsub = PubSub::new(redis);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisAdapter {
    node: Arc<Node<MultiplexedConnection>>,
    tasks: Arc<Tasks>,
}

impl RedisAdapter {
    /// Connects with the default [`AdapterOptions`]. From then on it connects again by itself.
    ///
    /// # Shape
    ///
    /// `redis://[user][:password@]host[:port]` or `redis+unix:///path`. There is no TLS.
    ///
    /// # Errors
    ///
    /// * [`ConnectError::Unavailable`] when the address is none, or when nobody answers there as expected.
    ///
    /// See [`RedisAdapter`] for an example.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, AdapterOptions::new()).await
    }

    /// Connects with these options.
    ///
    /// # Errors
    ///
    /// * [`ConnectError::Prefix`] when the prefix can't be one.
    /// * [`ConnectError::Unavailable`] as with [`connect`](Self::connect).
    ///
    /// ```no_run
    /// use mizu::live::{AdapterOptions, RedisAdapter};
    ///
    /// # async fn run() -> Result<(), mizu::live::ConnectError> {
    /// let options = AdapterOptions::new().prefix("shop");
    /// let redis = RedisAdapter::connect_with("redis://localhost", options).await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect_with(url: &str, options: AdapterOptions) -> Result<Self, ConnectError> {
        let node = Arc::new(Node::new(options)?);
        let tasks = Arc::new(Tasks::of(&node));
        let info = url.into_connection_info().map_err(unavailable)?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let (node_, tracker) = (Arc::clone(&node), tasks.tracker.clone());
        keep(Redis { node: node_, tracker, info: info.set_redis_settings(settings) }, &tasks.tracker).await?;
        Ok(Self { node, tasks })
    }

    /// Ends the connection and waits until everything has ended. Publishing and subscribing fail from then on.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), mizu::live::ConnectError> {
    /// # use mizu::live::{PubSub, RedisAdapter};
    /// let redis = RedisAdapter::connect("redis://localhost").await?;
    /// let pubsub = PubSub::new(redis.clone());
    /// // Later, after the server was shut down:
    /// redis.close().await;
    /// # drop(pubsub);
    /// # Ok(()) }
    /// ```
    pub async fn close(&self) {
        self.tasks.close().await;
    }
}

impl Adapter for RedisAdapter {
    fn start(&self, incoming: Incoming) {
        self.node.start(incoming);
    }

    fn subscribe(&self, topic: &Topic) -> impl Future<Output = Result<(), AdapterError>> + Send {
        self.node.subscribe(topic)
    }

    fn unsubscribe(&self, topic: &Topic) {
        self.node.unsubscribe(topic);
    }

    async fn publish(&self, topic: &Topic, body: Bytes, delivery: Delivery) -> Result<(), AdapterError> {
        let (mut connection, message) = self.node.outgoing(topic, body, delivery, |_| usize::MAX)?;
        let mut command = redis::cmd("PUBLISH");
        command.arg(channel(self.node.prefix(), topic)).arg(&message[..]);
        Ok(command.exec_async(&mut connection).await.map_err(unavailable)?)
    }
}

impl fmt::Debug for RedisAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisAdapter").field("prefix", &self.node.prefix()).finish_non_exhaustive()
    }
}

/// A prefix has no colon, so no two prefixes share a channel.
fn channel(prefix: &str, topic: &Topic) -> String {
    format!("{prefix}:{topic}")
}

fn topic(prefix: &str, channel: &[u8]) -> Option<Topic> {
    let name = channel.strip_prefix(prefix.as_bytes())?.strip_prefix(b":")?;
    Topic::new(std::str::from_utf8(name).ok()?).ok()
}

fn unavailable(error: RedisError) -> io::Error {
    let kind = match error {
        _ if error.is_timeout() => io::ErrorKind::TimedOut,
        _ if error.is_connection_refusal() => io::ErrorKind::ConnectionRefused,
        _ if error.is_connection_dropped() => io::ErrorKind::ConnectionReset,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

/// How to reach the server.
struct Redis {
    node: Arc<Node<MultiplexedConnection>>,
    tracker: TaskTracker,
    info: ConnectionInfo,
}

/// One connection, and the task that reads and writes it.
struct Connection {
    commands: MultiplexedConnection,
    driver: AbortOnDropHandle<()>,
}

impl Redis {
    async fn open(&self) -> io::Result<Connection> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                self.handshake(stream).await
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => self.handshake(tokio::net::UnixStream::connect(path).await?).await,
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "only TCP and Unix sockets are supported, no TLS")),
        }
    }

    async fn handshake<S>(&self, stream: S) -> io::Result<Connection>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let node = Arc::clone(&self.node);
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(node.timeout()))
            .set_pipeline_buffer_size(COMMANDS)
            .set_push_sender(move |push: PushInfo| {
                arrived(&node, push);
                Ok::<_, std::convert::Infallible>(())
            });
        let connected = MultiplexedConnection::new_with_config(self.info.redis_settings(), stream, config);
        let (commands, driver) = connected.await.map_err(unavailable)?;
        let driver = AbortOnDropHandle::new(self.tracker.spawn(driver));
        Ok(Connection { commands, driver })
    }

    /// Tells the server what changed. What it refuses fails for who wants it, and while `recovering` for all, as
    /// nobody would ask again for what was wanted before.
    async fn settle(&self, connection: &mut MultiplexedConnection, recovering: bool) -> Result<(), RedisError> {
        let prefix = self.node.prefix();
        loop {
            let changes = self.node.interests.pick(BATCH);
            if changes.is_empty() {
                return Ok(());
            }
            if !changes.unsubscribe.is_empty() {
                let channels: Vec<_> = changes.unsubscribe.iter().map(|topic| channel(prefix, topic)).collect();
                connection.unsubscribe(channels).await?;
            }
            if !changes.subscribe.is_empty() {
                let channels: Vec<_> = changes.subscribe.iter().map(|(topic, _)| channel(prefix, topic)).collect();
                match connection.subscribe(channels).await {
                    Ok(()) => self.node.interests.confirm(&changes.subscribe),
                    Err(error) if recovering || error.is_io_error() => return Err(error),
                    Err(error) => {
                        tracing::warn!(prefix, %error, "the server refuses subscriptions");
                        self.node.interests.refuse(&changes.subscribe, || unavailable(error.clone()).into());
                    }
                }
            }
        }
    }
}

impl Carrier for Redis {
    type Link = MultiplexedConnection;
    type Connection = Connection;

    fn node(&self) -> &Arc<Node<MultiplexedConnection>> {
        &self.node
    }

    async fn connect(&self) -> io::Result<Connection> {
        timeout(self.node.timeout(), self.open()).await.unwrap_or_else(|_| Err(self.node.unanswered()))
    }

    async fn serve(&self, connection: Connection, again: bool) -> io::Error {
        let Connection { mut commands, mut driver } = connection;
        self.node.interests.reset();
        if let Err(error) = self.settle(&mut commands, true).await {
            return unavailable(error);
        }
        self.node.up(commands.clone(), again);
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                _ = &mut driver => return io::Error::new(io::ErrorKind::ConnectionReset, "the server closed the connection"),
                () = self.node.interests.changed() => self.settle(&mut commands, false).await,
                _ = heartbeat.tick() => redis::cmd("PING").exec_async(&mut commands).await,
            };
            if let Err(error) = done {
                return unavailable(error);
            }
        }
    }
}

/// Runs in the task that reads the connection.
fn arrived(node: &Node<MultiplexedConnection>, push: PushInfo) {
    if push.kind != PushKind::Message {
        return;
    }
    let Ok([Value::BulkString(channel), Value::BulkString(message)]) = <[Value; 2]>::try_from(push.data) else {
        return node.ignore("", "it is no message", 0);
    };
    match topic(node.prefix(), &channel) {
        Some(topic) => node.arrived(&topic, &message.into()),
        None => node.ignore(&String::from_utf8_lossy(&channel), "its channel is no topic", message.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_back_as_topics() {
        for name in ["", "a", ":", "a:b", " *>.\r\n\0", "é"] {
            let topic_ = Topic::new(name).unwrap();
            let channel = channel("app", &topic_);
            assert_eq!(topic("app", channel.as_bytes()), Some(topic_), "{channel}");
            assert_eq!(topic("ap", channel.as_bytes()), None);
        }
        let long = format!("app:{}", "x".repeat(256));
        for channel in [&b"app"[..], b"other:a", b"app:\xff", long.as_bytes()] {
            assert_eq!(topic("app", channel), None);
        }
    }
}
