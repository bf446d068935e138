//! Publish and subscribe.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::live::{
    Adapter, AdapterError, Delivery, EncodeError, Incoming, Local, Subscriber, Subscription, Topic,
    pubsub::topics::{Registry, Topics},
};

/// Delivers what is published to a topic to everyone who subscribed to it. Clones are handles to the same one.
///
/// Publishing never waits for a subscriber and holds no lock while it delivers.
///
/// ```
/// use std::sync::Arc;
/// use mizu::live::{PubSub, Published, Topic};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pubsub = PubSub::local();
/// let room = Topic::new("room:7")?;
/// let (tx, rx) = std::sync::mpsc::channel();
/// let deliver = move |published: &Arc<Published>| tx.send(published.body().clone()).unwrap();
///
/// let subscription = pubsub.subscribe(&room, Arc::new(deliver)).await?;
/// pubsub.publish(&room, "hello".into()).await?;
/// assert_eq!(rx.recv()?, "hello");
///
/// drop(subscription);
/// pubsub.publish(&room, "nobody hears this".into()).await?;
/// assert!(rx.try_recv().is_err());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PubSub {
    registry: Arc<Registry>,
}

impl PubSub {
    /// For one node.
    ///
    /// ```
    /// # use mizu::live::PubSub;
    /// assert_eq!(PubSub::local().topics(), 0);
    /// ```
    pub fn local() -> Self {
        Self::new(Local::default())
    }

    /// For as many nodes as the adapter connects.
    ///
    /// ```
    /// # use mizu::live::{Local, PubSub};
    /// let pubsub = PubSub::new(Local::default());
    /// # let _ = pubsub;
    /// ```
    pub fn new(adapter: impl Adapter) -> Self {
        let topics = Arc::new(Topics::default());
        adapter.start(Incoming::new(Arc::clone(&topics)));
        Self { registry: Registry::new(topics, Box::new(adapter)) }
    }

    /// Subscribes until the [`Subscription`] is dropped. When the future is ready, everything published from then
    /// on arrives; something published earlier may.
    ///
    /// # Errors
    ///
    /// * [`SubscribeError::Adapter`] when the adapter can't subscribe now.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use mizu::live::{PubSub, Published, Topic};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let (pubsub, topic) = (PubSub::local(), Topic::new("a").unwrap());
    /// let subscriber = Arc::new(|published: &Arc<Published>| println!("{published:?}"));
    /// let subscription = pubsub.subscribe(&topic, subscriber).await.unwrap();
    /// assert_eq!(pubsub.topics(), 1);
    /// # drop(subscription);
    /// # }
    /// ```
    pub async fn subscribe(
        &self,
        topic: &Topic,
        subscriber: Arc<dyn Subscriber>,
    ) -> Result<Subscription, SubscribeError> {
        // The guard exists before the adapter is asked: giving up in between leaves nothing behind.
        let subscription = self.registry.join(topic, subscriber);
        let interest = &subscription.entry().interest;
        interest.get_or_try_init(|| self.registry.adapter.subscribe(topic)).await?;
        Ok(subscription)
    }

    /// Publishes to everyone who subscribed, on every node.
    ///
    /// # Errors
    ///
    /// * [`PublishError::Adapter`] when the adapter can't take the message.
    ///
    /// ```
    /// # use mizu::live::{PubSub, Topic};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let (pubsub, topic) = (PubSub::local(), Topic::new("a").unwrap());
    /// pubsub.publish(&topic, "body".into()).await.unwrap();
    /// # }
    /// ```
    pub async fn publish(&self, topic: &Topic, body: Bytes) -> Result<(), PublishError> {
        Ok(self.registry.adapter.publish(topic, body, Delivery::Every).await?)
    }

    /// Publishes something that replaces what was published to the same topic and still waits for a slow receiver.
    ///
    /// # Errors
    ///
    /// * [`PublishError::Adapter`] when the adapter can't take the message.
    ///
    /// ```
    /// # use mizu::live::{PubSub, Topic};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let (pubsub, topic) = (PubSub::local(), Topic::new("a").unwrap());
    /// pubsub.publish_latest(&topic, "progress: 41 %".into()).await.unwrap();
    /// # }
    /// ```
    pub async fn publish_latest(&self, topic: &Topic, body: Bytes) -> Result<(), PublishError> {
        Ok(self.registry.adapter.publish(topic, body, Delivery::Latest).await?)
    }

    /// How many topics anybody on this node wants.
    ///
    /// ```
    /// # use mizu::live::PubSub;
    /// assert_eq!(PubSub::local().topics(), 0);
    /// ```
    pub fn topics(&self) -> usize {
        self.registry.topics()
    }
}

impl Default for PubSub {
    fn default() -> Self {
        Self::local()
    }
}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub").field("topics", &self.topics()).finish_non_exhaustive()
    }
}

/// Why a subscription failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The adapter failed.
    #[error("can't subscribe: {0}")]
    Adapter(#[from] AdapterError),
    /// The connection that subscribes is closed.
    #[error("can't subscribe: the connection is closed")]
    Closed,
}

/// Why publishing failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The adapter failed.
    #[error("can't publish: {0}")]
    Adapter(#[from] AdapterError),
    /// The message could not be encoded.
    #[error("can't publish: {0}")]
    Encode(#[from] EncodeError),
}

#[cfg(test)]
mod tests {
    use std::{future::ready, io, sync::OnceLock};

    use futures::FutureExt;
    use parking_lot::Mutex;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::live::{Published, pubsub::contract};

    /// Connects nodes in one process, as a network would.
    #[derive(Clone, Default)]
    struct Bus(Arc<Mutex<Vec<Incoming>>>);

    impl Adapter for Bus {
        fn start(&self, incoming: Incoming) {
            self.0.lock().push(incoming);
        }

        fn subscribe(&self, _: &Topic) -> impl Future<Output = Result<(), AdapterError>> + Send {
            ready(Ok(()))
        }

        fn unsubscribe(&self, _: &Topic) {}

        async fn publish(&self, topic: &Topic, body: Bytes, delivery: Delivery) -> Result<(), AdapterError> {
            let nodes = self.0.lock().clone();
            for node in nodes {
                node.deliver(topic, body.clone(), delivery);
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn nodes_hear_each_other() {
        contract::verify(async || Bus::default()).await;
        let bus = Bus::default();
        contract::verify_nodes(async || bus.clone()).await;
    }

    #[tokio::test]
    async fn everyone_is_told_that_messages_were_missed() {
        struct Told(Topic, Mutex<Vec<Topic>>);

        impl Subscriber for Told {
            fn deliver(&self, _: &Arc<Published>) {}

            fn missed(&self, topic: &Topic) {
                self.1.lock().push(topic.clone());
            }
        }

        let bus = Bus::default();
        let pubsub = PubSub::new(bus.clone());
        let told = ["a", "b", "b"].map(|name| Arc::new(Told(Topic::new(name).unwrap(), Mutex::default())));
        let mut subscriptions = Vec::new();
        for told in &told {
            subscriptions.push(pubsub.subscribe(&told.0, Arc::clone(told) as Arc<dyn Subscriber>).await.unwrap());
        }
        subscriptions.push(pubsub.subscribe(&told[0].0, nobody()).await.unwrap());
        let node = bus.0.lock()[0].clone();
        node.missed();
        for told in &told {
            assert_eq!(*told.1.lock(), *std::slice::from_ref(&told.0), "each once, with its topic");
        }
        drop(subscriptions);
        node.missed();
        assert!(told.iter().all(|told| told.1.lock().len() == 1), "who left is not told");
    }

    /// A subscriber may end its subscription when it hears that it missed something.
    #[tokio::test]
    async fn who_is_told_may_leave() {
        struct Leaves(Mutex<Option<crate::live::Subscription>>);

        impl Subscriber for Leaves {
            fn deliver(&self, _: &Arc<Published>) {}

            fn missed(&self, _: &Topic) {
                drop(self.0.lock().take());
            }
        }

        let bus = Bus::default();
        let (pubsub, topic) = (PubSub::new(bus.clone()), Topic::new("a").unwrap());
        let leaves = Arc::new(Leaves(Mutex::default()));
        let subscription = pubsub.subscribe(&topic, Arc::clone(&leaves) as Arc<dyn Subscriber>).await.unwrap();
        *leaves.0.lock() = Some(subscription);
        let node = bus.0.lock()[0].clone();
        node.missed();
        assert_eq!(pubsub.topics(), 0);
    }

    /// Notes what it is asked, and takes its time for subscriptions.
    #[derive(Clone)]
    struct Slow {
        asked: Arc<Mutex<Vec<&'static str>>>,
        /// One permit for each subscription that may succeed; closed, all fail.
        permits: Arc<Semaphore>,
        incoming: Arc<OnceLock<Incoming>>,
    }

    impl Slow {
        fn new() -> Self {
            let (asked, incoming) = (Arc::default(), Arc::default());
            Self { asked, permits: Arc::new(Semaphore::new(0)), incoming }
        }

        fn asked(&self) -> Vec<&'static str> {
            std::mem::take(&mut self.asked.lock())
        }
    }

    impl Adapter for Slow {
        fn start(&self, incoming: Incoming) {
            self.incoming.set(incoming).unwrap();
        }

        async fn subscribe(&self, _: &Topic) -> Result<(), AdapterError> {
            self.asked.lock().push("subscribe");
            let permit = self.permits.acquire().await;
            permit.map_err(io::Error::other)?.forget();
            Ok(())
        }

        fn unsubscribe(&self, _: &Topic) {
            self.asked.lock().push("unsubscribe");
        }

        async fn publish(&self, _: &Topic, _: Bytes, _: Delivery) -> Result<(), AdapterError> {
            Ok(())
        }
    }

    fn nobody() -> Arc<dyn Subscriber> {
        Arc::new(|_: &Arc<Published>| {})
    }

    #[tokio::test]
    async fn the_adapter_is_asked_once_for_all() {
        let (slow, topic) = (Slow::new(), Topic::new("a").unwrap());
        let pubsub = PubSub::new(slow.clone());
        let together = async { tokio::join!(pubsub.subscribe(&topic, nobody()), pubsub.subscribe(&topic, nobody())) };
        let answer = async { slow.permits.add_permits(1) };
        let ((one, other), ()) = tokio::join!(together, answer);
        assert_eq!(slow.asked(), ["subscribe"]);
        drop(one.unwrap());
        assert!(slow.asked().is_empty());
        drop(other.unwrap());
        assert_eq!((slow.asked(), pubsub.topics()), (vec!["unsubscribe"], 0));
    }

    #[tokio::test]
    async fn whoever_waits_takes_over_from_one_who_gave_up() {
        let (slow, topic) = (Slow::new(), Topic::new("a").unwrap());
        let pubsub = PubSub::new(slow.clone());
        let mut first = Box::pin(pubsub.subscribe(&topic, nobody()));
        let mut second = Box::pin(pubsub.subscribe(&topic, nobody()));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        drop(first);
        slow.permits.add_permits(1);
        let subscription = second.await.unwrap();
        assert_eq!(slow.asked(), ["subscribe", "subscribe"]);
        drop(subscription);
        assert_eq!(slow.asked(), ["unsubscribe"]);
    }

    #[tokio::test]
    async fn a_failed_subscription_leaves_nothing() {
        let (slow, topic) = (Slow::new(), Topic::new("a").unwrap());
        let pubsub = PubSub::new(slow.clone());
        slow.permits.close();
        let failed = pubsub.subscribe(&topic, nobody()).await.unwrap_err();
        assert!(matches!(failed, SubscribeError::Adapter(AdapterError::Unavailable(_))));
        assert_eq!((slow.asked(), pubsub.topics()), (vec!["subscribe", "unsubscribe"], 0));
    }

    #[tokio::test]
    async fn a_subscriber_may_use_the_hub_while_it_is_served() {
        let (pubsub, topic) = (PubSub::local(), Topic::new("a").unwrap());
        let held = Arc::new(Mutex::new(None));
        let (taken, hub) = (Arc::clone(&held), pubsub.clone());
        let deliver = move |published: &Arc<Published>| {
            // Ends itself, and looks at the hub, from within a delivery.
            drop(taken.lock().take());
            assert_eq!(hub.topics(), usize::from(published.body() != "1"));
        };
        *held.lock() = Some(pubsub.subscribe(&topic, Arc::new(deliver)).await.unwrap());
        pubsub.publish(&topic, "1".into()).await.unwrap();
        assert_eq!(pubsub.topics(), 0);
    }
}
