//! From the engine's commits to the sessions that watch: pokes.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::live::{PubSub, Published, Topic};
use crate::sync::{Cursor, Notifier, Scope};

/// Where the pokes of a server with pages go.
pub(crate) const POKES: &str = "sync:";

/// Publishes where a scope's log is after every commit: the bridge from a sync engine to sockets, on this node and others, with or without pages.
///
/// A poke is a scope's name, as the topic behind a prefix, and a cursor; never data. Those that wait are coalesced, the newest of a scope counts. One that can't be
/// published is lost, which costs time and not truth.
///
/// [`LiveBuilder::sync`](crate::LiveBuilder::sync) makes one for a server with pages.
///
/// ```
/// use mizu::SyncNotifier;
/// use mizu::live::PubSub;
/// use mizu::sync::{Engine, MemoryStore};
///
/// let pubsub = PubSub::local();
/// let engine = Engine::builder(MemoryStore::new()).notify(SyncNotifier::new(pubsub, "sync:")).build();
/// # let _ = engine;
/// ```
#[derive(Clone)]
pub struct SyncNotifier(Arc<Inner>);

struct Inner {
    pubsub: PubSub,
    prefix: String,
    /// Guards what waits to be published, and whether somebody publishes; held for one change.
    waiting: Mutex<Waiting>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Waiting {
    /// The newest cursor of each scope: as many entries as scopes that moved since the last round.
    pokes: HashMap<Scope, Cursor>,
    publishing: bool,
}

impl SyncNotifier {
    /// Pokes go to the topics `PREFIX` + scope.
    ///
    /// See [`SyncNotifier`] for an example.
    pub fn new(pubsub: PubSub, prefix: impl Into<String>) -> Self {
        let (prefix, waiting, tasks) = (prefix.into(), Mutex::default(), TaskTracker::new());
        Self(Arc::new(Inner { pubsub, prefix, waiting, tasks }))
    }
}

impl Notifier for SyncNotifier {
    fn notify(&self, scope: &Scope, cursor: Cursor) {
        let first = {
            let mut waiting = self.0.waiting.lock();
            waiting.pokes.insert(scope.clone(), cursor);
            !std::mem::replace(&mut waiting.publishing, true)
        };
        if !first {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) => drop(self.0.tasks.spawn_on(publish(self.0.clone()), &runtime)),
            Err(_) => self.0.waiting.lock().publishing = false,
        }
    }
}

async fn publish(inner: Arc<Inner>) {
    loop {
        let pokes = {
            let mut waiting = inner.waiting.lock();
            if waiting.pokes.is_empty() {
                waiting.publishing = false;
                return;
            }
            std::mem::take(&mut waiting.pokes)
        };
        for (scope, cursor) in pokes {
            let Some(topic) = topic(&inner.prefix, &scope) else { continue };
            if let Err(error) = inner.pubsub.publish_latest(&topic, cursor.to_string().into()).await {
                tracing::warn!(%error, %scope, "a poke could not be published");
            }
        }
    }
}

/// The topic of a scope's pokes; none for a name that is too long for one.
pub(crate) fn topic(prefix: &str, scope: &Scope) -> Option<Topic> {
    Topic::new(format!("{prefix}{scope}")).ok()
}

/// The cursor in a poke; none in what is no poke.
pub(crate) fn cursor(published: &Published) -> Option<Cursor> {
    std::str::from_utf8(published.body()).ok()?.parse().ok()
}
