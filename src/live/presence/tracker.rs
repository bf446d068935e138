//! The members of topics, and what nodes tell each other of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::roster::{Answer, Heard, Roll, Roster};
use super::wire::{MemberId, NodeId, Say, Told, Version};
use crate::live::{PubSub, Published, Shutdown, SubscribeError, Subscriber, Subscription, Topic, TopicError};

/// After so long without a word, a node is taken for dead, and its members have left.
pub const SILENCE: Duration = Duration::from_secs(15);

/// How often a node with members says that it is alive.
const BEAT: Duration = Duration::from_secs(5);

/// What the app says of a member, in bytes, at most.
const META: usize = 4 * 1024;

/// What presence travels as, between nodes.
const PREFIX: &str = "presence:";

/// Why nobody can be tracked or watched there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PresenceError {
    /// The topic is too long, with what is put before it.
    #[error("presence can't have this topic: {0}")]
    Topic(#[from] TopicError),
    /// The adapter between the nodes can't be reached.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// What is said of a member is too long.
    #[error("what is said of a member has {bytes} bytes, not at most {META}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
}

/// Who is where, on this node and those that it shares an adapter with.
///
/// Clones are handles to the same. A node with members says every 5 seconds that it is alive; after [`SILENCE`] its members have left.
///
/// ```
/// use mizu::live::{Presence, PubSub, Shutdown, Topic};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let presence = Presence::new(PubSub::local(), Shutdown::new());
/// let room = Topic::new("room:7")?;
/// let watching = presence.watch(&room, || println!("somebody came or went")).await?;
/// let ann = presence.track(&room, "ann", "in a hurry".into()).await?;
/// assert_eq!(&*watching.roll()[0].key, "ann");
/// drop(ann);
/// assert!(watching.roll().is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Presence(Arc<Inner>);

struct Inner {
    node: NodeId,
    pubsub: PubSub,
    shutdown: Shutdown,
    next: AtomicU64,
    /// Guards the topics that somebody on this node is in or looks at, and whether the signs of life are sent; held to find, add or remove one.
    rooms: Mutex<Rooms>,
}

#[derive(Default)]
struct Rooms {
    by_topic: HashMap<Topic, Arc<Room>>,
    beating: bool,
}

/// One topic.
struct Room {
    topic: Topic,
    presence: Weak<Inner>,
    subscription: OnceCell<Subscription>,
    /// Guards what is known of the topic; held for one change, never while anybody is called.
    known: Mutex<Known>,
}

struct Known {
    roster: Roster,
    watchers: Vec<(u64, Arc<dyn Fn() + Send + Sync>)>,
    /// How many handles keep the topic.
    holds: usize,
    /// To be said before anything else: at most one of each.
    answers: Vec<Answer>,
    hello: bool,
    telling: bool,
}

impl Presence {
    /// A node's presence, over its topics; its tasks end with the server's.
    ///
    /// See [`Presence`] for an example.
    pub fn new(pubsub: PubSub, shutdown: Shutdown) -> Self {
        let (node, next) = (NodeId(rand::random()), AtomicU64::new(1));
        Self(Arc::new(Inner { node, pubsub, shutdown, next, rooms: Mutex::default() }))
    }

    /// Somebody is there, as long as the handle is kept.
    ///
    /// # Errors
    ///
    /// - The topic's name is too long, or `meta` is longer than 4 KiB.
    /// - The adapter between the nodes can't be reached.
    ///
    /// See [`Presence`] for an example.
    pub async fn track(&self, topic: &Topic, key: &str, meta: Bytes) -> Result<Tracked, PresenceError> {
        check(&meta)?;
        let held = self.enter(topic).await?;
        let (id, key) = (MemberId(self.0.next.fetch_add(1, Ordering::Relaxed)), Arc::<str>::from(key));
        held.0.change(|known| known.roster.join(id, key.clone(), meta));
        Ok(Tracked { id, key, held })
    }

    /// Hears that the members of a topic are others now, as long as the handle is kept. `changed` must not block.
    ///
    /// # Errors
    ///
    /// - The topic's name is too long.
    /// - The adapter between the nodes can't be reached.
    ///
    /// See [`Presence`] for an example.
    pub async fn watch(
        &self,
        topic: &Topic,
        changed: impl Fn() + Send + Sync + 'static,
    ) -> Result<Watching, PresenceError> {
        let held = self.enter(topic).await?;
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        held.0.known.lock().watchers.push((id, Arc::new(changed)));
        Ok(Watching { id, held })
    }

    /// Who is present, as far as this node knows: nobody in a topic that nobody on this node is in or watches.
    ///
    /// ```
    /// # use mizu::live::{Presence, PubSub, Shutdown, Topic};
    /// let presence = Presence::new(PubSub::local(), Shutdown::new());
    /// assert!(presence.roll(&Topic::new("room:7").unwrap()).is_empty());
    /// ```
    pub fn roll(&self, topic: &Topic) -> Roll {
        let room = inner(topic).ok().and_then(|topic| self.0.rooms.lock().by_topic.get(&topic).cloned());
        room.map(|room| room.known.lock().roster.roll()).unwrap_or_default()
    }

    /// The topic's room, subscribed.
    async fn enter(&self, topic: &Topic) -> Result<Held, PresenceError> {
        let held = self.hold(inner(topic)?);
        let room = &held.0;
        let subscribe = async || {
            let subscription = self.0.pubsub.subscribe(&room.topic, Arc::new(Ear(Arc::downgrade(room)))).await?;
            room.change(|known| known.hello = true);
            Ok::<_, SubscribeError>(subscription)
        };
        room.subscription.get_or_try_init(subscribe).await?;
        Ok(held)
    }

    fn hold(&self, topic: Topic) -> Held {
        let mut rooms = self.0.rooms.lock();
        if !rooms.beating && Handle::try_current().is_ok() {
            rooms.beating = true;
            drop(self.0.shutdown.spawn(beat(Arc::downgrade(&self.0), self.0.shutdown.clone())));
        }
        let room = rooms.by_topic.entry(topic.clone()).or_insert_with(|| {
            // Nobody takes this room for one that the topic had before.
            let roster = Roster::new(self.0.node, Version(rand::random()));
            let (watchers, answers) = (Vec::new(), Vec::new());
            let known = Known { roster, watchers, holds: 0, answers, hello: false, telling: false };
            let (presence, subscription) = (Arc::downgrade(&self.0), OnceCell::new());
            Arc::new(Room { topic, presence, subscription, known: Mutex::new(known) })
        });
        room.known.lock().holds += 1;
        Held(room.clone())
    }
}

impl std::fmt::Debug for Presence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presence").field("topics", &self.0.rooms.lock().by_topic.len()).finish_non_exhaustive()
    }
}

fn inner(topic: &Topic) -> Result<Topic, TopicError> {
    Topic::new(format!("{PREFIX}{}", topic.as_str()))
}

fn check(meta: &Bytes) -> Result<(), PresenceError> {
    let bytes = meta.len();
    if bytes > META { Err(PresenceError::TooLong { bytes }) } else { Ok(()) }
}

impl Room {
    /// Changes what this node knows, tells whoever watches, and the other nodes.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut Known)) {
        let watchers = {
            let mut known = self.known.lock();
            change(&mut known);
            if known.roster.is_untold() { known.watchers() } else { Vec::new() }
        };
        self.tell();
        watchers.iter().for_each(|changed| changed());
    }

    /// Tells the other nodes what they were not told yet.
    fn tell(self: &Arc<Self>) {
        let Some(presence) = self.presence.upgrade() else { return };
        {
            let mut known = self.known.lock();
            if known.telling || !(known.hello || !known.answers.is_empty() || known.roster.is_untold()) {
                return;
            }
            known.telling = Handle::try_current().is_ok();
            if !known.telling {
                return;
            }
        }
        let room = self.clone();
        drop(presence.shutdown.clone().spawn(async move {
            while let Some(says) = room.next() {
                for say in says {
                    publish(&presence, &room.topic, say).await;
                }
            }
        }));
    }

    /// What to say next; nothing ends the telling.
    fn next(&self) -> Option<Vec<Say>> {
        let mut known = self.known.lock();
        if std::mem::take(&mut known.hello) {
            return Some(vec![Say::Hello]);
        }
        let says = match known.answers.pop() {
            Some(Answer::Again(node)) => Some(vec![Say::Again(node)]),
            Some(Answer::State) => Some(known.roster.state()),
            None => known.roster.change().map(|change| vec![change]),
        };
        known.telling = says.is_some();
        says
    }

    fn heard(self: &Arc<Self>, hear: impl FnOnce(&mut Roster) -> Heard) {
        let watchers = {
            let mut known = self.known.lock();
            let Heard { changed, answer } = hear(&mut known.roster);
            if let Some(answer) = answer.filter(|answer| !known.answers.contains(answer)) {
                known.answers.push(answer);
            }
            if changed { known.watchers() } else { Vec::new() }
        };
        self.tell();
        watchers.iter().for_each(|changed| changed());
    }
}

impl Known {
    fn watchers(&self) -> Vec<Arc<dyn Fn() + Send + Sync>> {
        self.watchers.iter().map(|(_, changed)| changed.clone()).collect()
    }
}

async fn publish(presence: &Inner, topic: &Topic, say: Say) {
    let told = match Told(presence.node, say).encode() {
        Ok(told) => told,
        Err(error) => return tracing::error!(%error, %topic, "who is present could not be written"),
    };
    if let Err(error) = presence.pubsub.publish(topic, told).await {
        // The next sign of life tells the others that they missed something.
        tracing::warn!(%error, %topic, "who is present could not be told");
    }
}

/// Says now and then that this node is alive, and forgets those that don't.
async fn beat(presence: Weak<Inner>, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.draining() => return,
            () = tokio::time::sleep(BEAT) => {}
        }
        let Some(presence) = presence.upgrade() else { return };
        let rooms: Vec<_> = presence.rooms.lock().by_topic.values().cloned().collect();
        for room in rooms {
            room.heard(|roster| Heard { changed: roster.expire(Instant::now(), SILENCE), answer: None });
            let alive = room.known.lock().roster.alive();
            if let Some(alive) = alive {
                publish(&presence, &room.topic, alive).await;
            }
        }
    }
}

/// Hears what other nodes say of a topic.
struct Ear(Weak<Room>);

impl Subscriber for Ear {
    fn deliver(&self, published: &Arc<Published>) {
        let (Some(room), Some(Told(from, say))) = (self.0.upgrade(), Told::decode(published.body())) else { return };
        room.heard(|roster| roster.hear(from, say, Instant::now()));
    }

    /// Cut off, neither side knows what the other said.
    fn missed(&self, _: &Topic) {
        let Some(room) = self.0.upgrade() else { return };
        room.change(|known| {
            known.hello = true;
            if !known.answers.contains(&Answer::State) {
                known.answers.push(Answer::State);
            }
        });
    }
}

/// Keeps a topic's room.
struct Held(Arc<Room>);

impl Drop for Held {
    fn drop(&mut self) {
        let Some(presence) = self.0.presence.upgrade() else { return };
        let mut rooms = presence.rooms.lock();
        let left = {
            let mut known = self.0.known.lock();
            known.holds -= 1;
            known.holds
        };
        if left == 0 {
            // The subscription ends with the room, once it has told that its members left.
            let room = rooms.by_topic.remove(&self.0.topic);
            drop(rooms);
            drop(room);
        }
    }
}

/// A member that is there until this is dropped.
#[must_use = "a member leaves when this is dropped"]
pub struct Tracked {
    id: MemberId,
    key: Arc<str>,
    held: Held,
}

impl Tracked {
    /// Says something else of the member.
    ///
    /// # Errors
    ///
    /// - `meta` is longer than 4 KiB.
    ///
    /// ```
    /// # use mizu::live::{Presence, PubSub, Shutdown, Topic};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let presence = Presence::new(PubSub::local(), Shutdown::new());
    /// let room = Topic::new("room:7")?;
    /// let ann = presence.track(&room, "ann", "writing".into()).await?;
    /// ann.say("reading".into())?;
    /// assert_eq!(presence.roll(&room)[0].metas, ["reading"]);
    /// # Ok(()) }
    /// ```
    pub fn say(&self, meta: Bytes) -> Result<(), PresenceError> {
        check(&meta)?;
        self.held.0.change(|known| known.roster.join(self.id, self.key.clone(), meta));
        Ok(())
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.held.0.change(|known| known.roster.leave(self.id));
    }
}

impl std::fmt::Debug for Tracked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tracked").field(&self.key).finish()
    }
}

/// Somebody who hears who comes and goes, until this is dropped.
#[must_use = "nothing is heard once this is dropped"]
pub struct Watching {
    id: u64,
    held: Held,
}

impl Watching {
    /// Who is present.
    ///
    /// See [`Presence`] for an example.
    pub fn roll(&self) -> Roll {
        self.held.0.known.lock().roster.roll()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.held.0.known.lock().watchers.retain(|(id, _)| *id != self.id);
    }
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watching").field(&self.held.0.topic.as_str()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::live::{Adapter, AdapterError, Delivery, Incoming};

    /// Nodes in one process, and a wire between them that can be cut.
    #[derive(Clone, Default)]
    struct Wire(Arc<Mutex<(Vec<Incoming>, bool)>>);

    struct End(Wire);

    impl Adapter for End {
        fn start(&self, incoming: Incoming) {
            self.0.0.lock().0.push(incoming);
        }

        async fn subscribe(&self, _: &Topic) -> Result<(), AdapterError> {
            Ok(())
        }

        fn unsubscribe(&self, _: &Topic) {}

        async fn publish(&self, topic: &Topic, body: Bytes, delivery: Delivery) -> Result<(), AdapterError> {
            let (nodes, cut) = { self.0.0.lock().clone() };
            for node in nodes.iter().filter(|_| !cut) {
                node.deliver(topic, body.clone(), delivery);
            }
            Ok(())
        }
    }

    impl Wire {
        fn node(&self) -> Presence {
            Presence::new(PubSub::new(End(self.clone())), Shutdown::new())
        }

        fn cut(&self, cut: bool) {
            self.0.lock().1 = cut;
        }
    }

    fn room() -> Topic {
        Topic::new("room").unwrap()
    }

    fn keys(watching: &Watching) -> Vec<String> {
        watching.roll().iter().map(|present| present.key.to_string()).collect()
    }

    /// Lets everything that is ready run; time stands still.
    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nodes_see_each_others_members() {
        let wire = Wire::default();
        let (a, b) = (wire.node(), wire.node());
        let ann = a.track(&room(), "ann", "".into()).await.unwrap();
        settle().await;
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        let watching = b.watch(&room(), count).await.unwrap();
        settle().await;
        assert_eq!(keys(&watching), ["ann"], "whoever comes later asks who is there");
        let bob = b.track(&room(), "bob", "".into()).await.unwrap();
        settle().await;
        assert_eq!(a.roll(&room()).len(), 2);
        let before = calls.load(Ordering::Relaxed);
        drop(ann);
        settle().await;
        assert_eq!(keys(&watching), ["bob"]);
        assert_eq!(calls.load(Ordering::Relaxed), before + 1);
        drop((watching, bob));
        settle().await;
        assert!(a.0.rooms.lock().by_topic.is_empty() && b.0.rooms.lock().by_topic.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_falls_silent_has_left_and_comes_back_whole() {
        let wire = Wire::default();
        let (a, b) = (wire.node(), wire.node());
        let watching = a.watch(&room(), || {}).await.unwrap();
        let _bob = b.track(&room(), "bob", "".into()).await.unwrap();
        settle().await;
        assert_eq!(keys(&watching), ["bob"]);
        wire.cut(true);
        let _ben = b.track(&room(), "ben", "".into()).await.unwrap();
        tokio::time::sleep(SILENCE + BEAT * 2).await;
        assert!(keys(&watching).is_empty(), "nobody heard of it for too long");
        wire.cut(false);
        tokio::time::sleep(BEAT * 2).await;
        settle().await;
        assert_eq!(keys(&watching), ["ben", "bob"], "its sign of life is followed by all it has");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_gap_both_sides_ask() {
        let wire = Wire::default();
        let (a, b) = (wire.node(), wire.node());
        let watching = a.watch(&room(), || {}).await.unwrap();
        let bob = b.track(&room(), "bob", "".into()).await.unwrap();
        settle().await;
        wire.cut(true);
        drop(bob);
        let _bea = b.track(&room(), "bea", "".into()).await.unwrap();
        settle().await;
        wire.cut(false);
        let nodes = { wire.0.lock().0.clone() };
        nodes[0].missed();
        settle().await;
        assert_eq!(keys(&watching), ["bea"]);
    }

    #[tokio::test]
    async fn what_is_said_is_bounded() {
        let presence = Wire::default().node();
        let long = Bytes::from(vec![0; META + 1]);
        let refused = presence.track(&room(), "ann", long.clone()).await;
        assert!(matches!(refused, Err(PresenceError::TooLong { bytes }) if bytes == META + 1));
        let ann = presence.track(&room(), "ann", "".into()).await.unwrap();
        assert!(ann.say(long).is_err());
        let topic = Topic::new("x".repeat(255)).unwrap();
        assert!(matches!(presence.watch(&topic, || {}).await, Err(PresenceError::Topic(_))));
    }
}
