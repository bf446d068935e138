//! What every adapter with a server must do, beyond the contract of all adapters.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mizu::live::{
    Adapter, AdapterError, Presence, PubSub, PublishError, Published, Shutdown, Subscriber, Subscription, Topic,
    Watching,
};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

pub(crate) fn topic(name: &str) -> Topic {
    Topic::new(name).unwrap()
}

/// What one subscriber hears.
pub(crate) struct Inbox {
    bodies: mpsc::UnboundedReceiver<String>,
    missed: mpsc::UnboundedReceiver<()>,
    _subscription: Subscription,
}

struct Ears {
    bodies: mpsc::UnboundedSender<String>,
    missed: mpsc::UnboundedSender<()>,
}

impl Subscriber for Ears {
    fn deliver(&self, published: &Arc<Published>) {
        let _ = self.bodies.send(String::from_utf8_lossy(published.body()).into_owned());
    }

    fn missed(&self, _: &Topic) {
        let _ = self.missed.send(());
    }
}

impl Inbox {
    pub(crate) async fn open(pubsub: &PubSub, name: &str) -> Self {
        let ((bodies, body_rx), (missed, missed_rx)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let subscription = pubsub.subscribe(&topic(name), Arc::new(Ears { bodies, missed })).await.unwrap();
        Self { bodies: body_rx, missed: missed_rx, _subscription: subscription }
    }

    pub(crate) async fn next(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(10), self.bodies.recv()).await.unwrap().unwrap()
    }

    /// Until the node was cut off and is back.
    pub(crate) async fn missed(&mut self) {
        tokio::time::timeout(Duration::from_secs(20), self.missed.recv()).await.unwrap().unwrap();
    }

    pub(crate) fn is_empty(&mut self) -> bool {
        self.bodies.try_recv().is_err()
    }
}

pub(crate) async fn publish(pubsub: &PubSub, name: &str, body: &str) {
    pubsub.publish(&topic(name), body.to_owned().into()).await.unwrap();
}

/// The longest message is carried, and one byte more is an error that says so; nobody hears it.
pub(crate) async fn refuses_long_messages(near: &PubSub, far: &PubSub, limit: usize) {
    let (mut here, mut there) = (Inbox::open(near, "long").await, Inbox::open(far, "long").await);
    let error = near.publish(&topic("long"), vec![b'x'; limit + 1].into()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "can't publish: a message of {} bytes is longer than the {limit} allowed: publish where its content is instead",
            limit + 1
        )
    );
    let PublishError::Adapter(AdapterError::TooLarge { bytes, limit: named }) = error else { panic!("{error:?}") };
    assert_eq!((bytes, named), (limit + 1, limit));
    publish(near, "long", &"y".repeat(limit)).await;
    for inbox in [&mut here, &mut there] {
        assert!(inbox.next().await.bytes().all(|byte| byte == b'y'), "what was refused was heard");
    }
}

/// Applications with different prefixes hear nothing of each other, even when one's prefix starts with the other's.
pub(crate) async fn keeps_prefixes_apart(nodes: [PubSub; 3]) {
    let mut inboxes = Vec::new();
    for node in &nodes {
        inboxes.push([Inbox::open(node, "a").await, Inbox::open(node, "t:a").await, Inbox::open(node, "").await]);
    }
    for (n, node) in nodes.iter().enumerate() {
        for name in ["a", "t:a", ""] {
            publish(node, name, &format!("{n}")).await;
        }
    }
    for (n, inboxes) in inboxes.iter_mut().enumerate() {
        for inbox in inboxes {
            assert_eq!(inbox.next().await, format!("{n}"));
            assert!(inbox.is_empty());
        }
    }
}

/// A server that no longer answers costs no more than the timeout, this node's own subscribers still hear, and all
/// is well when it answers again.
pub(crate) async fn survives_a_frozen_server(near: PubSub, far: PubSub, timeout: Duration, freeze: impl AsyncFn(bool)) {
    let (mut here, mut there) = (Inbox::open(&near, "frozen").await, Inbox::open(&far, "frozen").await);
    freeze(true).await;
    let started = Instant::now();
    let error = near.publish(&topic("frozen"), "own".into()).await.unwrap_err();
    assert!(started.elapsed() < timeout + Duration::from_secs(3), "it took {:?}", started.elapsed());
    let PublishError::Adapter(AdapterError::Unavailable(error)) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    assert_eq!(here.next().await, "own");
    // Sooner or later every node counts its connection as lost, and publishing fails without waiting.
    for node in [&near, &far] {
        super::broker::eventually(async || {
            let error = node.publish(&topic("frozen"), "own".into()).await.unwrap_err();
            let PublishError::Adapter(AdapterError::Unavailable(error)) = error else { panic!("{error:?}") };
            error.kind() == io::ErrorKind::NotConnected
        })
        .await;
    }
    freeze(false).await;
    here.missed().await;
    there.missed().await;
    publish(&far, "frozen", "thawed").await;
    for inbox in [&mut here, &mut there] {
        while inbox.next().await != "thawed" {}
    }
}

/// Subscribers come and go in a hurry, on several nodes, and each hears what is published once it is ready.
pub(crate) async fn survives_a_crowd(nodes: [PubSub; 3]) {
    let tasks: Vec<_> = (0..30)
        .map(|n: usize| {
            let nodes = nodes.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let (to, from) = (&nodes[n % 3], &nodes[(n + round) % 3]);
                    let (name, body) = (format!("crowd:{}", n % 7), format!("{n}:{round}"));
                    let mut inbox = Inbox::open(to, &name).await;
                    publish(from, &name, &body).await;
                    while inbox.next().await != body {}
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(nodes.iter().all(|node| node.topics() == 0));
}

/// A handle that was closed fails everything at once.
pub(crate) async fn fails_when_closed(pubsub: &PubSub) {
    let published = pubsub.publish(&topic("closed"), "x".into()).await;
    assert!(matches!(published, Err(PublishError::Adapter(AdapterError::Closed))), "{published:?}");
    let subscriber = Arc::new(|_: &Arc<Published>| {});
    assert!(pubsub.subscribe(&topic("closed"), subscriber).await.is_err());
}

/// Keeps what is logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// From now on, until the guard is dropped, on this thread.
    pub(crate) fn start(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        tracing::subscriber::set_default(tracing_subscriber::fmt().with_writer(move || log.clone()).finish())
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.0.lock()).contains(text)
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What no node writes.
pub(crate) fn garbage() -> Vec<Vec<u8>> {
    let mut all =
        vec![vec![], b"mz1".to_vec(), b"garbage".to_vec(), vec![0xff; 100_000], b"mz2\0\0\0\0\0\0\0\0\0x".to_vec()];
    all.push(b"mz1\x07\0\0\0\0\0\0\0\0x".to_vec());
    all
}

pub(crate) fn pubsub(adapter: impl Adapter) -> PubSub {
    PubSub::new(adapter)
}

/// Who is present is known on all nodes, also after the server between them was gone.
pub(crate) async fn people_are_seen_across_nodes<A: Adapter>(
    connect: impl AsyncFn() -> A,
    stop: impl AsyncFnOnce(),
    start: impl AsyncFnOnce(),
) {
    let node = async || Presence::new(pubsub(connect().await), Shutdown::new());
    let (near, far, room) = (node().await, node().await, topic("room"));
    let ann = near.track(&room, "ann", "tab 1".into()).await.unwrap();
    let changed = Arc::new(Notify::new());
    let hear = changed.clone();
    let watching = far.watch(&room, move || hear.notify_one()).await.unwrap();
    let becomes = async |expected: &[(&str, usize)]| {
        let seen = |watching: &Watching| -> Vec<(String, usize)> {
            watching.roll().iter().map(|present| (present.key.to_string(), present.metas.len())).collect()
        };
        let expected: Vec<_> = expected.iter().map(|(key, tabs)| ((*key).to_owned(), *tabs)).collect();
        let arrived = tokio::time::timeout(Duration::from_secs(20), async {
            while seen(&watching) != expected {
                changed.notified().await;
            }
        });
        assert!(arrived.await.is_ok(), "{:?} is there, not {expected:?}", seen(&watching));
    };
    becomes(&[("ann", 1)]).await;
    let again = far.track(&room, "ann", "tab 2".into()).await.unwrap();
    let _bob = near.track(&room, "bob", "".into()).await.unwrap();
    becomes(&[("ann", 2), ("bob", 1)]).await;
    drop(again);
    becomes(&[("ann", 1), ("bob", 1)]).await;
    stop().await;
    drop(ann);
    let _cid = near.track(&room, "cid", "".into()).await.unwrap();
    start().await;
    becomes(&[("bob", 1), ("cid", 1)]).await;
}
