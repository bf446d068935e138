//! Who on this node wants what.

use std::{collections::HashMap, fmt, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::live::{
    Delivery, Topic,
    pubsub::{Published, adapter::DynAdapter},
};

/// Receives what is published.
pub trait Subscriber: Send + Sync + 'static {
    /// Takes one message. It must not block and should only queue it: one publisher calls it for every subscriber,
    /// one after the other, with no lock held.
    ///
    /// A message that is being delivered while a [`Subscription`] is dropped may still arrive.
    fn deliver(&self, published: &Arc<Published>);

    /// Messages of this topic may have been lost: the node was cut off from the others, and is back. What is
    /// published from now on arrives, so whoever can ask where things are asks now. It must not block, as
    /// [`deliver`](Self::deliver) must not.
    ///
    /// Nothing happens by default.
    fn missed(&self, topic: &Topic) {
        let _ = topic;
    }
}

impl<F: Fn(&Arc<Published>) + Send + Sync + 'static> Subscriber for F {
    fn deliver(&self, published: &Arc<Published>) {
        self(published);
    }
}

/// Ends its subscription when it is dropped.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    registry: Arc<Registry>,
    entry: Arc<Entry>,
    place: usize,
}

impl Subscription {
    /// The topic.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use mizu::live::{PubSub, Published, Topic};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let subscriber = Arc::new(|_: &Arc<Published>| {});
    /// let topic = Topic::new("room:7").unwrap();
    /// let subscription = PubSub::local().subscribe(&topic, subscriber).await.unwrap();
    /// assert_eq!(subscription.topic(), &topic);
    /// # }
    /// ```
    pub fn topic(&self) -> &Topic {
        &self.entry.topic
    }

    pub(super) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.registry.leave(&self.entry, self.place);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.topic().as_str()).finish()
    }
}

/// Where an [`Adapter`](crate::live::Adapter) hands over what arrives.
#[derive(Clone)]
pub struct Incoming(Arc<Topics>);

impl Incoming {
    pub(super) fn new(topics: Arc<Topics>) -> Self {
        Self(topics)
    }

    /// Delivers to everyone on this node who wants the topic, and gives their number. Never blocks.
    pub fn deliver(&self, topic: &Topic, body: Bytes, delivery: Delivery) -> usize {
        let Some(subscribers) = self.0.subscribers(topic) else {
            return 0;
        };
        let published = Arc::new(Published::new(topic.clone(), body, delivery));
        for subscriber in subscribers.iter() {
            subscriber.deliver(&published);
        }
        subscribers.len()
    }

    /// Tells everyone on this node that messages may have been lost. An adapter calls it once it is back and every
    /// topic is subscribed again. Never blocks.
    pub fn missed(&self) {
        for (topic, subscribers) in self.0.all() {
            for subscriber in subscribers.iter() {
                subscriber.missed(&topic);
            }
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

type Snapshot = Arc<[Arc<dyn Subscriber>]>;

/// The topics somebody wants. It does not know the adapter, which knows it.
#[derive(Default)]
pub(super) struct Topics {
    /// Guards which topics there are; held for a lookup, an insertion or a removal.
    by_name: Mutex<HashMap<Topic, Arc<Entry>>>,
}

impl Topics {
    fn subscribers(&self, topic: &Topic) -> Option<Snapshot> {
        let entry = self.by_name.lock().get(topic).cloned()?;
        Some(entry.members.lock().snapshot())
    }

    /// Every topic with its subscribers.
    fn all(&self) -> Vec<(Topic, Snapshot)> {
        let by_name = self.by_name.lock();
        by_name.iter().map(|(topic, entry)| (topic.clone(), entry.members.lock().snapshot())).collect()
    }
}

/// One topic.
pub(super) struct Entry {
    topic: Topic,
    /// Whether the adapter knows that we want the topic; whoever comes first tells it, the others wait.
    pub(super) interest: OnceCell<()>,
    /// Guards the list; held while one is added or removed, or while the list is copied. Never while delivering.
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    places: Vec<Option<Arc<dyn Subscriber>>>,
    free: Vec<usize>,
    /// The list as publishers see it, made by the first that needs it after a change.
    snapshot: Option<Snapshot>,
}

impl Members {
    fn add(&mut self, subscriber: Arc<dyn Subscriber>) -> usize {
        self.snapshot = None;
        match self.free.pop() {
            Some(place) => {
                self.places[place] = Some(subscriber);
                place
            }
            None => {
                self.places.push(Some(subscriber));
                self.places.len() - 1
            }
        }
    }

    /// Removes one, which the caller drops without the lock, and says whether nobody is left.
    fn remove(&mut self, place: usize) -> (Option<Arc<dyn Subscriber>>, bool) {
        self.snapshot = None;
        let removed = self.places[place].take();
        self.free.push(place);
        (removed, self.free.len() == self.places.len())
    }

    fn snapshot(&mut self) -> Snapshot {
        let places = &self.places;
        Arc::clone(self.snapshot.get_or_insert_with(|| places.iter().flatten().cloned().collect()))
    }
}

/// The topics together with the adapter that has to know of them.
pub(super) struct Registry {
    topics: Arc<Topics>,
    pub(super) adapter: Box<dyn DynAdapter>,
}

impl Registry {
    pub(super) fn new(topics: Arc<Topics>, adapter: Box<dyn DynAdapter>) -> Arc<Self> {
        Arc::new(Self { topics, adapter })
    }

    pub(super) fn join(self: &Arc<Self>, topic: &Topic, subscriber: Arc<dyn Subscriber>) -> Subscription {
        let mut by_name = self.topics.by_name.lock();
        let entry = by_name.entry(topic.clone()).or_insert_with(|| {
            let (interest, members) = (OnceCell::new(), Mutex::default());
            Arc::new(Entry { topic: topic.clone(), interest, members })
        });
        let entry = Arc::clone(entry);
        let place = entry.members.lock().add(subscriber);
        Subscription { registry: Arc::clone(self), entry, place }
    }

    fn leave(&self, entry: &Arc<Entry>, place: usize) {
        // Both locks are held together only here and in `join`, in this order, so that a topic that becomes empty
        // is gone before anyone can join it again.
        let mut by_name = self.topics.by_name.lock();
        let (removed, empty) = entry.members.lock().remove(place);
        if empty {
            by_name.remove(&entry.topic);
            self.adapter.unsubscribe(&entry.topic);
        }
        drop(by_name);
        // A subscriber's destructor may subscribe or unsubscribe, so it runs without locks.
        drop(removed);
    }

    pub(super) fn topics(&self) -> usize {
        self.topics.by_name.lock().len()
    }
}
