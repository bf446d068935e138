//! Many nodes, over NATS.

use std::{
    collections::HashMap,
    fmt::{self, Write},
    future::{Future, ready},
    io,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, Message, ServerAddr, Subscriber};
use bytes::Bytes;
use futures::{
    FutureExt, Stream, StreamExt,
    stream::{AbortHandle, Abortable, SelectAll, abortable},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::live::{
    Adapter, AdapterError, AdapterOptions, ConnectError, Delivery, Incoming, Topic,
    pubsub::remote::{Ask, Carrier, HEARTBEAT, Node, Tasks, keep},
};

/// How many topics are taken from the table of wishes at a time.
const BATCH: usize = 256;

/// How many messages of a topic may wait to be delivered here. When it is full, newer ones are dropped, and
/// subscribers are told with the next heartbeat.
const MESSAGES: usize = 1024;

/// How many commands may wait to be written, and how many publishers for their receipts; who publishes more waits, up
/// to the timeout.
const COMMANDS: usize = 1024;

/// Connects nodes through NATS servers. Clones are handles to the same connection, which ends with the last.
///
/// It uses one connection a node, on which it subscribes to the topics this node wants and no others, as subjects
/// `PREFIX.t.TOPIC` with everything but letters, digits, `-`, `_` and `:` as `%XX`. It uses core NATS, which keeps
/// nothing: what is published while a node is cut off is lost to that node, whose subscribers are told so
/// ([`Subscriber::missed`]) when it is back. [`publish`](crate::live::PubSub::publish) is ready when the server this
/// node is connected to has the message; subscribers on this node get it before, and even when no server can be
/// reached. In a cluster, a subscription takes a moment longer to reach the other servers than it takes to be ready.
///
/// A user at the server needs to publish and subscribe to `PREFIX.>`. The servers' `max_payload` bounds messages, too.
///
/// [`Subscriber::missed`]: crate::live::Subscriber::missed
///
/// ```no_run
/// use mizu::live::{NatsAdapter, PubSub};
///
/// # async fn run() -> Result<(), mizu::live::ConnectError> {
/// let nats = NatsAdapter::connect("nats://10.0.0.5, nats://10.0.0.6").await?;
/// let pubsub = PubSub::new(nats);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct NatsAdapter {
    node: Arc<Node<Outlet>>,
    tasks: Arc<Tasks>,
}

impl NatsAdapter {
    /// Connects with the default [`AdapterOptions`]. From then on it connects again by itself.
    ///
    /// # Shape
    ///
    /// `nats://[user:password@ or token@]host[:port]`, or several with commas between, of which any is used. There is
    /// no TLS, unless the application installs a provider for it with the crate `rustls`.
    ///
    /// # Errors
    ///
    /// * [`ConnectError::Unavailable`] when the address is none, or when nobody answers there as expected.
    ///
    /// See [`NatsAdapter`] for an example.
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
    /// use mizu::live::{AdapterOptions, NatsAdapter};
    ///
    /// # async fn run() -> Result<(), mizu::live::ConnectError> {
    /// let options = AdapterOptions::new().prefix("shop");
    /// let nats = NatsAdapter::connect_with("nats://localhost", options).await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect_with(url: &str, options: AdapterOptions) -> Result<Self, ConnectError> {
        let node = Arc::new(Node::new(options)?);
        let tasks = Arc::new(Tasks::of(&node));
        let nats = Nats { node: Arc::clone(&node), servers: servers(url)? };
        keep(nats, &tasks.tracker).await?;
        Ok(Self { node, tasks })
    }

    /// Ends the connection and waits until everything has ended. Publishing and subscribing fail from then on.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), mizu::live::ConnectError> {
    /// # use mizu::live::{NatsAdapter, PubSub};
    /// let nats = NatsAdapter::connect("nats://localhost").await?;
    /// let pubsub = PubSub::new(nats.clone());
    /// // Later, after the server was shut down:
    /// nats.close().await;
    /// # drop(pubsub);
    /// # Ok(()) }
    /// ```
    pub async fn close(&self) {
        self.tasks.close().await;
    }
}

impl Adapter for NatsAdapter {
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
        let (outlet, message) = self.node.outgoing(topic, body, delivery, |outlet| outlet.client.max_payload())?;
        let publishing = outlet.publish(subject(self.node.prefix(), topic), message);
        let published = timeout(self.node.timeout(), publishing).await;
        Ok(published.unwrap_or_else(|_| Err(self.node.unanswered()))?)
    }
}

impl fmt::Debug for NatsAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsAdapter").field("prefix", &self.node.prefix()).finish_non_exhaustive()
    }
}

/// No two prefixes share a subject, as those that differ in dots differ in the number of words.
fn subject(prefix: &str, topic: &Topic) -> String {
    let mut subject = format!("{prefix}.t.");
    for byte in topic.as_str().bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b':' => subject.push(char::from(byte)),
            byte => {
                let _ = write!(subject, "%{byte:02X}");
            }
        }
    }
    if topic.as_str().is_empty() {
        // A word can't be empty, and no other topic is this.
        subject.push('%');
    }
    subject
}

/// The opposite, for what URLs contain.
fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn servers(urls: &str) -> io::Result<Vec<ServerAddr>> {
    let servers = urls.split(',').map(|url| {
        let server: ServerAddr = url.trim().parse()?;
        if server.is_websocket() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "WebSockets are not supported: use nats://"));
        }
        if server.host().is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a NATS server's address has no host"));
        }
        Ok(server)
    });
    servers.collect()
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}

/// The way to the server.
#[derive(Clone)]
struct Outlet {
    client: Client,
    /// Up to [`COMMANDS`] that were sent before the serving task asks the server whether it has them.
    receipts: mpsc::Sender<oneshot::Sender<()>>,
}

impl Outlet {
    /// Sends a message, and waits until the server has it.
    async fn publish(&self, subject: String, message: Bytes) -> io::Result<()> {
        self.client.publish(subject, message).await.map_err(broken)?;
        let (tx, receipt) = oneshot::channel();
        self.receipts.send(tx).await.map_err(|_| broken("the connection was lost"))?;
        receipt.await.map_err(|_| broken("the connection was lost"))
    }
}

/// How to reach the servers.
struct Nats {
    node: Arc<Node<Outlet>>,
    servers: Vec<ServerAddr>,
}

/// One connection.
struct Connection {
    outlet: Outlet,
    receipts: mpsc::Receiver<oneshot::Sender<()>>,
    signs: Arc<Signs>,
}

/// What the client tells of its connection.
#[derive(Default)]
struct Signs {
    lost: CancellationToken,
    /// Messages were dropped because some queue was full.
    dropped: AtomicBool,
}

impl Signs {
    fn note(&self, event: &Event) {
        match event {
            Event::Disconnected | Event::Closed => self.lost.cancel(),
            Event::SlowConsumer(_) => self.dropped.store(true, Ordering::Relaxed),
            Event::ServerError(error) => tracing::warn!(%error, "the NATS server reports an error"),
            _ => {}
        }
    }
}

impl Carrier for Nats {
    type Link = Outlet;
    type Connection = Connection;

    fn node(&self) -> &Arc<Node<Outlet>> {
        &self.node
    }

    async fn connect(&self) -> io::Result<Connection> {
        let signs = Arc::<Signs>::default();
        let noting = Arc::clone(&signs);
        let mut options = ConnectOptions::new()
            .name(self.node.prefix())
            .connection_timeout(self.node.timeout())
            .subscription_capacity(MESSAGES)
            .client_capacity(COMMANDS)
            // Whatever ends a connection ends its client: the next one is made here, where what is wanted is known.
            // The client's own attempts can't be forbidden, only bounded to one for each server.
            .max_reconnects(self.servers.len())
            .reconnect_delay_callback(|_| Duration::ZERO)
            .event_callback(move |event| {
                noting.note(&event);
                ready(())
            });
        if let Some(server) = self.servers.iter().find(|server| server.has_user_pass()) {
            let part = |part: Option<&str>| part.map(|part| unescape(part).unwrap_or_else(|| part.to_owned()));
            options = match (part(server.username()), part(server.password())) {
                (Some(user), Some(password)) => options.user_and_password(user, password),
                (Some(token), None) => options.token(token),
                (None, _) => options,
            };
        }
        // The client panics when a server asks for TLS and the application has installed no provider for it.
        let connecting = AssertUnwindSafe(options.connect(self.servers.clone())).catch_unwind();
        let connected = connecting.await.map_err(|_| {
            io::Error::new(
                io::ErrorKind::Unsupported,
                "the server asks for TLS: install a provider of the crate rustls",
            )
        })?;
        let client = connected.map_err(|error| {
            let kind = match error.kind() {
                ConnectErrorKind::TimedOut => io::ErrorKind::TimedOut,
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    io::ErrorKind::PermissionDenied
                }
                _ => io::ErrorKind::ConnectionRefused,
            };
            io::Error::new(kind, error)
        })?;
        let (tx, receipts) = mpsc::channel(COMMANDS);
        Ok(Connection { outlet: Outlet { client, receipts: tx }, receipts, signs })
    }

    async fn serve(&self, connection: Connection, again: bool) -> io::Error {
        let Connection { outlet, mut receipts, signs } = connection;
        self.node.interests.reset();
        let mut served = match Served::new(&self.node, outlet).await {
            Ok(served) => served,
            Err(error) => return error,
        };
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = served.asked.as_ref().map(|question| question.until);
            let done = tokio::select! {
                () = signs.lost.cancelled() => Err(broken("the server closed the connection")),
                Some((topic, message)) = served.inboxes.next() => {
                    served.arrived(topic, message, again);
                    served.ask().await
                }
                Some(receipt) = receipts.recv(), if served.next.receipts.len() < COMMANDS => {
                    served.next.receipts.push(receipt);
                    served.ask().await
                }
                () = self.node.interests.changed() => served.settle().await,
                () = sleep_until(asked.unwrap_or_else(Instant::now)), if asked.is_some() => Err(self.node.unanswered()),
                _ = heartbeat.tick() => {
                    if signs.dropped.swap(false, Ordering::Relaxed) {
                        tracing::warn!(prefix = self.node.prefix(), "messages came faster than they were delivered");
                        self.node.missed();
                    }
                    served.next.alive = true;
                    served.ask().await
                }
            };
            if let Err(error) = done {
                return error;
            }
        }
    }
}

/// One connection while it is served.
///
/// The server answers no request, but it handles those of a connection in order. So when a message to ourselves comes
/// back, it has everything that was sent before. One such question is on its way at a time, and what is sent meanwhile
/// waits for the next one.
struct Served<'a> {
    node: &'a Node<Outlet>,
    outlet: Outlet,
    inboxes: SelectAll<Abortable<Inbox>>,
    subscribed: HashMap<Topic, AbortHandle>,
    /// Where questions come back.
    own: String,
    asked: Option<Question>,
    next: Waiting,
    count: u64,
}

/// What waits for an answer.
#[derive(Default)]
struct Waiting {
    topics: Vec<(Topic, Ask)>,
    receipts: Vec<oneshot::Sender<()>>,
    /// Only a sign of life.
    alive: bool,
}

struct Question {
    number: u64,
    until: Instant,
    waiting: Waiting,
}

impl<'a> Served<'a> {
    /// Subscribes to all that is wanted, and asks whether the server has it.
    async fn new(node: &'a Node<Outlet>, outlet: Outlet) -> io::Result<Self> {
        let own = format!("{}.n.{}", node.prefix(), node.name());
        let (inboxes, subscribed, next) =
            (SelectAll::new(), HashMap::new(), Waiting { alive: true, ..Waiting::default() });
        let mut served = Self { node, outlet, inboxes, subscribed, own, asked: None, next, count: 0 };
        served.subscribe(None, served.own.clone()).await?;
        served.settle().await?;
        Ok(served)
    }

    /// Hands something to the client, which takes it at once unless its connection hangs.
    async fn hand<T, E>(&self, handing: impl Future<Output = Result<T, E>>) -> io::Result<T>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let handed = timeout(self.node.timeout(), handing).await.map_err(|_| self.node.unanswered())?;
        handed.map_err(broken)
    }

    async fn subscribe(&mut self, topic: Option<Topic>, subject: String) -> io::Result<()> {
        let subscriber = self.hand(self.outlet.client.subscribe(subject)).await?;
        let (inbox, handle) = abortable(Inbox { topic: topic.clone(), subscriber });
        self.inboxes.push(inbox);
        if let Some(topic) = topic {
            self.subscribed.insert(topic, handle);
        }
        Ok(())
    }

    /// Tells the server what changed.
    async fn settle(&mut self) -> io::Result<()> {
        loop {
            let changes = self.node.interests.pick(BATCH);
            if changes.is_empty() {
                return self.ask().await;
            }
            for topic in changes.unsubscribe {
                if let Some(handle) = self.subscribed.remove(&topic) {
                    handle.abort();
                }
            }
            for (topic, ask) in changes.subscribe {
                let subject = subject(self.node.prefix(), &topic);
                self.subscribe(Some(topic.clone()), subject).await?;
                self.next.topics.push((topic, ask));
            }
        }
    }

    /// Asks for what waits, unless a question is on its way.
    async fn ask(&mut self) -> io::Result<()> {
        let Waiting { topics, receipts, alive } = &self.next;
        if self.asked.is_some() || (topics.is_empty() && receipts.is_empty() && !alive) {
            return Ok(());
        }
        self.count += 1;
        let (number, until) = (self.count, Instant::now() + self.node.timeout());
        self.asked = Some(Question { number, until, waiting: std::mem::take(&mut self.next) });
        let message = Bytes::copy_from_slice(&number.to_be_bytes());
        self.hand(self.outlet.client.publish(self.own.clone(), message)).await
    }

    fn arrived(&mut self, topic: Option<Topic>, message: Message, again: bool) {
        if let Some(topic) = topic {
            // The payload is a part of the connection's buffer, which whoever keeps the message would keep with it.
            return self.node.arrived(&topic, &Bytes::copy_from_slice(&message.payload));
        }
        let answers = |question: &mut Question| message.payload == question.number.to_be_bytes()[..];
        let Some(Question { number, waiting, .. }) = self.asked.take_if(answers) else {
            return self.node.ignore(&self.own, "nothing was asked", message.payload.len());
        };
        self.node.interests.confirm(&waiting.topics);
        for receipt in waiting.receipts {
            // Whoever gave up does not wait for it.
            let _ = receipt.send(());
        }
        if number == 1 {
            // The first question came after all that was wanted.
            self.node.up(self.outlet.clone(), again);
        }
    }
}

/// The messages of one topic; none for answers to questions.
struct Inbox {
    topic: Option<Topic>,
    subscriber: Subscriber,
}

impl Stream for Inbox {
    type Item = (Option<Topic>, Message);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = self.subscriber.poll_next_unpin(cx);
        message.map(|message| message.map(|message| (self.topic.clone(), message)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn subjects_are_one_word_for_each_topic() {
        let names = ["", "a", "A", ":", ".", "..", "*", ">", " ", "%", "%25", "\r\n", "\0", "é", "a.b", "a%2Eb"];
        let subjects: HashSet<_> = names.map(|name| subject("app", &Topic::new(name).unwrap())).into();
        assert_eq!(subjects.len(), names.len(), "{subjects:?}");
        for subject in &subjects {
            let word = subject.strip_prefix("app.t.").unwrap();
            assert!(!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && !b".*>".contains(&byte)));
        }
        assert_eq!(subject("app", &Topic::new("room:7 é").unwrap()), "app.t.room:7%20%C3%A9");
    }

    #[test]
    fn credentials_may_contain_anything() {
        for (text, plain) in
            [("a", Some("a")), ("p%40ss%C3%A9", Some("p@ssé")), ("%4", None), ("%zz", None), ("%ff", None)]
        {
            assert_eq!(unescape(text).as_deref(), plain, "{text}");
        }
    }

    #[test]
    fn addresses_are_checked() {
        for (urls, count) in
            [("nats://a", Some(1)), ("a:1, nats://u:p@b", Some(2)), ("ws://a", None), ("", None), ("http://a", None)]
        {
            assert_eq!(servers(urls).ok().map(|servers| servers.len()), count, "{urls}");
        }
    }

    /// The client would end the task with a panic.
    #[tokio::test]
    async fn a_server_that_asks_for_tls_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let info = b"INFO {\"server_id\":\"x\",\"max_payload\":1048576,\"tls_required\":true}\r\n";
            stream.write_all(info).await.unwrap();
            let _ = stream.read(&mut [0; 64]).await;
        };
        let (connected, ()) = tokio::join!(NatsAdapter::connect(&url), server);
        let error = connected.unwrap_err().to_string();
        assert!(error.contains("TLS"), "{error}");
    }
}
