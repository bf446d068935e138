//! What carries messages between nodes.

use std::{future::Future, io, pin::Pin};

use bytes::Bytes;

use crate::live::{Topic, pubsub::Incoming};

/// Whether each message matters, or only the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Every message is delivered.
    Every,
    /// A message may be replaced by a newer one of its topic while it waits for a slow receiver.
    Latest,
}

/// Carries published messages between the nodes of an application.
///
/// [`PubSub`](crate::live::PubSub) tells the adapter which topics anybody on this node wants, and the adapter hands
/// every message of such a topic to [`Incoming`], those published by this node included. It may hand over more
/// than asked for; the rest is dropped.
///
/// An adapter that loses its connection gets it back by itself: it subscribes again to everything that is wanted, and
/// calls [`Incoming::missed`] after that.
///
/// An adapter passes when the suite in `mizu::live::pubsub::contract` (feature `testing`) does.
///
/// ```
/// use bytes::Bytes;
/// use mizu::live::{Adapter, AdapterError, Delivery, Incoming, PubSub, Topic};
/// use std::sync::OnceLock;
///
/// /// Delivers on this node only, as the built-in adapter does.
/// #[derive(Default)]
/// struct Loopback(OnceLock<Incoming>);
///
/// impl Adapter for Loopback {
///     fn start(&self, incoming: Incoming) {
///         let _ = self.0.set(incoming);
///     }
///     async fn subscribe(&self, _: &Topic) -> Result<(), AdapterError> {
///         Ok(())
///     }
///     fn unsubscribe(&self, _: &Topic) {}
///     async fn publish(&self, topic: &Topic, body: Bytes, delivery: Delivery) -> Result<(), AdapterError> {
///         let incoming = self.0.get().ok_or(AdapterError::Closed)?;
///         incoming.deliver(topic, body, delivery);
///         Ok(())
///     }
/// }
///
/// let pubsub = PubSub::new(Loopback::default());
/// # let _ = pubsub;
/// ```
pub trait Adapter: Send + Sync + 'static {
    /// Called once, before anything else: where messages go that arrive.
    fn start(&self, incoming: Incoming);

    /// Somebody on this node wants this topic. When the future is ready, every message published from now on, by
    /// any node, arrives.
    ///
    /// It may be dropped before it is ready; [`unsubscribe`](Self::unsubscribe) follows then.
    ///
    /// # Errors
    ///
    /// * An [`AdapterError`] when that can't be had now; [`unsubscribe`](Self::unsubscribe) follows.
    fn subscribe(&self, topic: &Topic) -> impl Future<Output = Result<(), AdapterError>> + Send;

    /// Nobody on this node wants this topic any more.
    ///
    /// It is called from destructors, so it must not block: an adapter with a network queues it for its own task.
    /// Calls for one topic come in order: a later [`subscribe`](Self::subscribe) starts after this returned.
    fn unsubscribe(&self, topic: &Topic);

    /// Publishes to every node that wants the topic, this one included. Messages of one caller stay in order. It
    /// never waits without a bound.
    ///
    /// # Errors
    ///
    /// * An [`AdapterError`] when the message could not be handed over. This node, and with
    ///   [`AdapterError::Unavailable`] others as well, may have heard it.
    fn publish(
        &self,
        topic: &Topic,
        body: Bytes,
        delivery: Delivery,
    ) -> impl Future<Output = Result<(), AdapterError>> + Send;
}

/// Why an adapter could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// What carries the messages can't be reached.
    #[error("the message carrier can't be reached: {0}")]
    Unavailable(#[from] io::Error),
    /// The adapter was not started, or has ended.
    #[error("the adapter is not running")]
    Closed,
    /// The message is longer than the adapter carries; nobody heard it.
    #[error("a message of {bytes} bytes is longer than the {limit} allowed: publish where its content is instead")]
    TooLarge {
        /// The length of the body in bytes.
        bytes: usize,
        /// The longest body in bytes.
        limit: usize,
    },
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<(), AdapterError>> + Send + 'a>>;

/// [`Adapter`] behind a pointer.
pub(super) trait DynAdapter: Send + Sync {
    fn subscribe<'a>(&'a self, topic: &'a Topic) -> Boxed<'a>;
    fn unsubscribe(&self, topic: &Topic);
    fn publish<'a>(&'a self, topic: &'a Topic, body: Bytes, delivery: Delivery) -> Boxed<'a>;
}

impl<A: Adapter> DynAdapter for A {
    fn subscribe<'a>(&'a self, topic: &'a Topic) -> Boxed<'a> {
        Box::pin(Adapter::subscribe(self, topic))
    }

    fn unsubscribe(&self, topic: &Topic) {
        Adapter::unsubscribe(self, topic);
    }

    fn publish<'a>(&'a self, topic: &'a Topic, body: Bytes, delivery: Delivery) -> Boxed<'a> {
        Box::pin(Adapter::publish(self, topic, body, delivery))
    }
}
