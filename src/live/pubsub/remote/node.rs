//! What an adapter's handle and its tasks share.

use std::{
    io,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::live::{
    AdapterError, AdapterOptions, ConnectError, Delivery, Incoming, Topic,
    pubsub::remote::{
        Interests,
        envelope::{Envelope, NodeId, OVERHEAD},
    },
};

/// One node's side of an adapter with a server. `L` is the way to the server.
pub(in crate::live::pubsub) struct Node<L> {
    options: AdapterOptions,
    id: NodeId,
    pub(in crate::live::pubsub) interests: Interests,
    incoming: OnceLock<Incoming>,
    /// There while everything wanted is subscribed.
    link: watch::Sender<Option<L>>,
    /// How many arrived that no node wrote.
    ignored: AtomicU64,
    pub(super) stop: CancellationToken,
}

impl<L: Clone> Node<L> {
    pub(in crate::live::pubsub) fn new(options: AdapterOptions) -> Result<Self, ConnectError> {
        options.check()?;
        Ok(Self {
            options,
            id: NodeId::random(),
            interests: Interests::default(),
            incoming: OnceLock::new(),
            link: watch::Sender::new(None),
            ignored: AtomicU64::new(0),
            stop: CancellationToken::new(),
        })
    }

    pub(in crate::live::pubsub) fn prefix(&self) -> &str {
        &self.options.prefix
    }

    pub(in crate::live::pubsub) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// A name no other node has.
    #[cfg(feature = "nats")]
    pub(in crate::live::pubsub) fn name(&self) -> String {
        self.id.to_string()
    }

    pub(in crate::live::pubsub) fn start(&self, incoming: Incoming) {
        // A second start would come from a second `PubSub` of a clone: the first keeps what arrives.
        let _ = self.incoming.set(incoming);
    }

    /// Until the server delivers this topic.
    pub(in crate::live::pubsub) async fn subscribe(&self, topic: &Topic) -> Result<(), AdapterError> {
        if self.stop.is_cancelled() {
            return Err(AdapterError::Closed);
        }
        let Some(answer) = self.interests.want(topic) else { return Ok(()) };
        match tokio::time::timeout(self.timeout(), answer).await {
            Ok(answer) => answer.unwrap_or(Err(AdapterError::Closed)),
            Err(_) if self.link.borrow().is_none() => Err(not_connected()),
            Err(_) => Err(self.unanswered().into()),
        }
    }

    pub(in crate::live::pubsub) fn unsubscribe(&self, topic: &Topic) {
        self.interests.unwant(topic);
    }

    /// Delivers on this node, and gives the way to the server with what to publish there. `limit` is how many bytes
    /// the server takes.
    pub(in crate::live::pubsub) fn outgoing(
        &self,
        topic: &Topic,
        body: Bytes,
        delivery: Delivery,
        limit: impl FnOnce(&L) -> usize,
    ) -> Result<(L, Bytes), AdapterError> {
        if self.stop.is_cancelled() {
            return Err(AdapterError::Closed);
        }
        let link = self.link.borrow().clone();
        let server = link.as_ref().map_or(usize::MAX, limit).saturating_sub(OVERHEAD);
        let (bytes, limit) = (body.len(), server.min(self.options.max_message));
        if bytes > limit {
            return Err(AdapterError::TooLarge { bytes, limit });
        }
        let incoming = self.incoming.get().ok_or(AdapterError::Closed)?;
        incoming.deliver(topic, body.clone(), delivery);
        let link = link.ok_or_else(not_connected)?;
        Ok((link, Envelope { delivery, from: self.id, body }.encode()))
    }

    /// Something arrived from the server for this topic.
    pub(in crate::live::pubsub) fn arrived(&self, topic: &Topic, bytes: &Bytes) {
        match Envelope::decode(bytes) {
            Some(envelope) if envelope.from == self.id => {}
            Some(envelope) if envelope.body.len() > self.options.max_message => {
                self.ignore(topic.as_str(), "it is longer than the limit of this node", bytes.len());
            }
            Some(envelope) => {
                if let Some(incoming) = self.incoming.get() {
                    incoming.deliver(topic, envelope.body, envelope.delivery);
                }
            }
            None => self.ignore(topic.as_str(), "no node wrote it", bytes.len()),
        }
    }

    /// Logs that something was ignored: the first, and then ever fewer, as whoever sends it may send much.
    pub(in crate::live::pubsub) fn ignore(&self, topic: &str, why: &'static str, bytes: usize) {
        let count = self.ignored.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::warn!(topic, bytes, ignored = count, "ignored a message: {why}");
        }
    }

    /// Everything wanted is subscribed on this connection. `again` when there was another before it.
    pub(in crate::live::pubsub) fn up(&self, link: L, again: bool) {
        self.link.send_replace(Some(link));
        if again {
            tracing::info!(prefix = self.prefix(), "pubsub is connected again");
            self.missed();
        }
    }

    /// Messages may have been lost.
    pub(in crate::live::pubsub) fn missed(&self) {
        if let Some(incoming) = self.incoming.get() {
            incoming.missed();
        }
    }

    /// There is no way to the server. Whether there was.
    pub(super) fn down(&self) -> bool {
        self.link.send_replace(None).is_some()
    }

    /// Until there is a way to the server.
    pub(super) async fn ready(&self) -> io::Result<()> {
        let mut link = self.link.subscribe();
        let ready = link.wait_for(Option::is_some);
        let result = tokio::time::timeout(self.timeout(), ready).await;
        result.map(|_| ()).map_err(|_| self.unanswered())
    }

    pub(in crate::live::pubsub) fn unanswered(&self) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, format!("the server did not answer within {:?}", self.timeout()))
    }
}

fn not_connected() -> AdapterError {
    io::Error::new(io::ErrorKind::NotConnected, "not connected to the server, trying again").into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::live::{
        Local, Published,
        pubsub::topics::{Registry, Topics},
    };

    /// A node, where its messages go, and what a subscriber to the topic `a` heard.
    struct Heard {
        node: Node<usize>,
        topic: Topic,
        bodies: Arc<Mutex<Vec<Bytes>>>,
        _subscription: crate::live::Subscription,
    }

    fn heard(options: AdapterOptions) -> Heard {
        let (node, topics) = (Node::new(options).unwrap(), Arc::new(Topics::default()));
        node.start(Incoming::new(Arc::clone(&topics)));
        let (topic, bodies) = (Topic::new("a").unwrap(), Arc::<Mutex<Vec<_>>>::default());
        let sink = Arc::clone(&bodies);
        let deliver = move |published: &Arc<Published>| sink.lock().push(published.body().clone());
        let registry = Registry::new(topics, Box::new(Local::default()));
        let subscription = registry.join(&topic, Arc::new(deliver));
        Heard { node, topic, bodies, _subscription: subscription }
    }

    #[test]
    fn sizes_are_checked_before_anybody_hears() {
        let Heard { node, topic, bodies, _subscription } = heard(AdapterOptions::new().max_message(10));
        let publish = |bytes: usize| node.outgoing(&topic, vec![0; bytes].into(), Delivery::Every, |server| *server);
        assert!(matches!(publish(11), Err(AdapterError::TooLarge { bytes: 11, limit: 10 })));
        node.up(OVERHEAD + 4, false);
        assert!(matches!(publish(5), Err(AdapterError::TooLarge { bytes: 5, limit: 4 })));
        assert!(bodies.lock().is_empty());
        node.up(1_000, false);
        assert_eq!(publish(10).unwrap().1.len(), 10 + OVERHEAD);
        assert_eq!(bodies.lock().len(), 1);
    }

    #[test]
    fn own_subscribers_hear_without_a_server() {
        let Heard { node, topic, bodies, _subscription } = heard(AdapterOptions::new());
        let publish = || node.outgoing(&topic, "own".into(), Delivery::Every, |server| *server);
        assert!(matches!(publish(), Err(AdapterError::Unavailable(_))));
        assert_eq!(*bodies.lock(), ["own"]);
        node.stop.cancel();
        assert!(matches!(publish(), Err(AdapterError::Closed)));
        assert_eq!(bodies.lock().len(), 1, "a closed adapter does nothing");
    }

    #[test]
    fn only_other_nodes_messages_are_taken_from_the_server() {
        let Heard { node, topic, bodies, _subscription } = heard(AdapterOptions::new().max_message(4));
        let envelope = |from, body| Envelope { delivery: Delivery::Every, from, body }.encode();
        node.arrived(&topic, &envelope(node.id, "own".into()));
        node.arrived(&topic, &envelope(NodeId::random(), "far".into()));
        node.arrived(&topic, &envelope(NodeId::random(), "too long".into()));
        node.arrived(&topic, &Bytes::from_static(b"garbage"));
        assert_eq!(*bodies.lock(), ["far"]);
        assert_eq!(node.ignored.load(Ordering::Relaxed), 2);
    }
}
