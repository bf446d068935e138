//! The engine itself, and what its parts share.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::builder::{EngineBuilder, SyncLimits};
use super::retention::{Keeper, Retention};
use crate::edge::{Origins, TrustedProxies, Who};
use crate::sync::access::{Access, Gate};
use crate::sync::cursor::{Cursor, Epoch};
use crate::sync::error::{Rejection, StoreError};
use crate::sync::ids::Scope;
use crate::sync::mutator::{Run, Scopes};
use crate::sync::notify::Notifier;
use crate::sync::store::Store;
use crate::sync::work::Clock;

/// The authority over durable data: applies mutations exactly once, and says what changed.
///
/// Clones are the same engine.
///
/// ```
/// use mizu::sync::{self, Engine, MemoryStore, Mutation, Scope, Tx};
/// use mizu::Who;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let engine = Engine::builder(MemoryStore::new())
///     .mutator("greet", async |tx: &mut Tx, name: String| tx.put_row("greeting", &name, &format!("Hello {name}")).await)
///     .build();
///
/// let scope = Scope::new("greetings")?;
/// engine.apply(Who::server(), Mutation::new(&scope, "greet", "Ada")?).await?;
/// assert_eq!(engine.read(&scope).get_row("greeting", "Ada").await?, Some("Hello Ada".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Engine {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) mutators: HashMap<String, Registered>,
    pub(super) gate: Gate,
    /// Guards who is told after commits; held to copy or extend the list.
    pub(super) notifiers: RwLock<Vec<Arc<dyn Notifier>>>,
    pub(super) limits: SyncLimits,
    pub(super) retention: Retention,
    pub(super) clock: Clock,
    pub(super) origins: Origins,
    pub(super) proxies: TrustedProxies,
    pub(super) keeper: Keeper,
    /// Writes and compaction, which go on when whoever asked is gone.
    pub(super) tasks: TaskTracker,
    /// Guards who waits for which scope to move; held for one lookup.
    pub(super) waiting: Mutex<HashMap<Scope, Weak<Notify>>>,
}

pub(super) struct Registered {
    pub(super) run: Arc<dyn Run>,
    pub(super) scopes: Option<Scopes>,
}

impl Engine {
    /// Starts to make an engine over a store.
    ///
    /// See [`Engine`] for an example.
    pub fn builder(store: impl Store) -> EngineBuilder {
        EngineBuilder::new(Arc::new(store))
    }

    /// Whether somebody may do this with a scope: what push, pull and snapshot ask.
    ///
    /// ```
    /// use mizu::sync::{Access, Engine, MemoryStore, Scope};
    /// use mizu::Who;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let engine = Engine::builder(MemoryStore::new()).public("notes").build();
    /// assert!(engine.allows(&Who::anybody(), &Scope::new("notes").unwrap(), Access::Write).await);
    /// assert!(!engine.allows(&Who::anybody(), &Scope::new("secrets").unwrap(), Access::Read).await);
    /// # });
    /// ```
    pub async fn allows(&self, who: &Who, scope: &Scope, access: Access) -> bool {
        self.inner.gate.allows(who, scope, access).await
    }

    /// Says that a scope moved, on another node for example: streams of [`changes`](Self::changes) look again.
    ///
    /// ```
    /// # use mizu::sync::{Engine, MemoryStore, Scope};
    /// # let engine = Engine::builder(MemoryStore::new()).build();
    /// engine.poke(&Scope::new("notes").unwrap());
    /// ```
    pub fn poke(&self, scope: &Scope) {
        let waiting = self.inner.waiting.lock().get(scope).and_then(Weak::upgrade);
        if let Some(waiting) = waiting {
            waiting.notify_waiters();
        }
    }

    /// Adds somebody who is told after every commit, as [`EngineBuilder::notify`] does, to an engine that is there already.
    ///
    /// ```
    /// # use mizu::sync::{Engine, MemoryStore, Scope};
    /// # let engine = Engine::builder(MemoryStore::new()).build();
    /// engine.notify(|scope: &Scope, _| println!("{scope} changed"));
    /// ```
    pub fn notify(&self, notifier: impl Notifier) {
        self.inner.notifiers.write().push(Arc::new(notifier));
    }

    /// Starts a new epoch: to be called once after a store was restored from a backup, before clients come back. Their cursors become
    /// invalid, they take snapshots, and what they had not heard of is offered to their users again.
    ///
    /// # Errors
    ///
    /// - The store fails.
    ///
    /// ```
    /// # use mizu::sync::{Engine, MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let engine = Engine::builder(MemoryStore::new()).build();
    /// assert_ne!(engine.bump_epoch().await.unwrap(), engine.bump_epoch().await.unwrap());
    /// # });
    /// ```
    pub async fn bump_epoch(&self) -> Result<Epoch, StoreError> {
        self.inner.store.bump_epoch().await
    }

    /// Waits until every write that was begun has ended.
    ///
    /// ```
    /// # use mizu::sync::{Engine, MemoryStore};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// Engine::builder(MemoryStore::new()).build().drain().await;
    /// # });
    /// ```
    pub async fn drain(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.tasks.reopen();
    }

    /// What clients may use.
    pub(in crate::sync) fn limits(&self) -> &SyncLimits {
        &self.inner.limits
    }

    /// Which sites and proxies are trusted.
    pub(in crate::sync) fn edge(&self) -> (&Origins, &TrustedProxies) {
        (&self.inner.origins, &self.inner.proxies)
    }

    /// After a commit, with no lock held.
    pub(super) fn announce(&self, moved: &[(Scope, Cursor)]) {
        let notifiers = self.inner.notifiers.read().clone();
        for (scope, cursor) in moved {
            for notifier in &notifiers {
                // What is committed is committed, whatever those do who are told of it.
                if catch_unwind(AssertUnwindSafe(|| notifier.notify(scope, *cursor))).is_err() {
                    tracing::error!(%scope, "a notifier panicked");
                }
            }
            self.poke(scope);
        }
        if !moved.is_empty() {
            self.maintain();
        }
    }
}

impl Inner {
    pub(super) fn millis(&self) -> i64 {
        (self.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as i64
    }

    /// The mutator of a name.
    pub(super) fn mutator(&self, name: &str) -> Result<&Registered, Rejection> {
        self.mutators
            .get(name)
            .ok_or_else(|| Rejection::new("unknown_mutator", format!("there is no mutator {name:?}")))
    }
}
