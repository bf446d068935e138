//! Making an engine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;
use tokio_util::task::TaskTracker;

use super::core::{Engine, Inner, Registered};
use super::retention::{Keeper, Retention};
use crate::edge::{Identity, Origins, Rate, TrustedProxies};
use crate::sync::access::{Access, Gate};
use crate::sync::entity::Entity;
use crate::sync::free;
use crate::sync::ids::{Scope, check_entity, check_mutation};
use crate::sync::mutator::{Mutator, Typed, arguments};
use crate::sync::notify::Notifier;
use crate::sync::store::Store;
use crate::sync::tx::TxLimits;
use crate::sync::work::Clock;

/// Every bound on what clients may use.
///
/// ```
/// let limits = mizu::sync::SyncLimits { mutations: 20, ..Default::default() };
/// assert_eq!(limits.changes, 1_000);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SyncLimits {
    /// How many mutations a push may hold.
    ///
    /// # Units
    ///
    /// Mutations; default 100.
    pub mutations: usize,
    /// How large the arguments of a mutation may be.
    ///
    /// # Units
    ///
    /// Bytes of JSON; default 64 KiB.
    pub args_bytes: usize,
    /// How large the body of a request may be.
    ///
    /// # Units
    ///
    /// Bytes; default 1 MiB.
    pub body_bytes: usize,
    /// How many changes a pull gives, and how many rows a page of a snapshot.
    ///
    /// # Units
    ///
    /// Changes; default 1,000. A single mutation that wrote more is given whole.
    pub changes: usize,
    /// How many bytes of rows a pull or a page gives.
    ///
    /// # Units
    ///
    /// Bytes of JSON; default 1 MiB. A single mutation or row that is larger is given whole.
    pub page_bytes: usize,
    /// How long a mutator may take in a store where it may await.
    ///
    /// # Units
    ///
    /// Time; default 5 seconds.
    pub mutator_time: Duration,
    /// What one mutation may write.
    pub tx: TxLimits,
    /// How often a signed-in user may ask.
    ///
    /// # Units
    ///
    /// Requests; default 50 a second, burst 200.
    pub requests_per_user: Rate,
    /// How often an address may ask; addresses count only behind trusted proxies, and for anybody who is not signed in.
    ///
    /// # Units
    ///
    /// Requests; default 100 a second, burst 400.
    pub requests_per_address: Rate,
}

impl Default for SyncLimits {
    fn default() -> Self {
        Self {
            mutations: 100,
            args_bytes: 64 * 1024,
            body_bytes: 1024 * 1024,
            changes: 1_000,
            page_bytes: 1024 * 1024,
            mutator_time: Duration::from_secs(5),
            tx: TxLimits::default(),
            requests_per_user: Rate::per_second(50).burst(200),
            requests_per_address: Rate::per_second(100).burst(400),
        }
    }
}

/// Makes an [`Engine`].
///
/// ```
/// use std::time::Duration;
/// use mizu::sync::{Engine, MemoryStore, Retention, Scope, Tx};
///
/// let engine = Engine::builder(MemoryStore::new())
///     .mutator("clear", async |tx: &mut Tx, _: ()| { tx.delete_row("thing", "t").await.map(drop) })
///     .public("things")
///     .retention(Retention { age: Some(Duration::from_secs(7 * 24 * 3600)), ..Retention::default() })
///     .notify(|scope: &Scope, _| println!("{scope} changed"))
///     .build();
/// # let _ = engine;
/// ```
pub struct EngineBuilder {
    store: Arc<dyn Store>,
    mutators: HashMap<String, Registered>,
    /// Mutators that [`entity`](Self::entity) gave, and that one of the same name may replace.
    free: Vec<String>,
    latest: Option<String>,
    gate: Gate,
    notifiers: Vec<Arc<dyn Notifier>>,
    limits: SyncLimits,
    retention: Retention,
    clock: Clock,
    origins: Origins,
    proxies: TrustedProxies,
}

impl EngineBuilder {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            mutators: HashMap::new(),
            free: Vec::new(),
            latest: None,
            gate: Gate::default(),
            notifiers: Vec::new(),
            limits: SyncLimits::default(),
            retention: Retention::default(),
            clock: Arc::new(SystemTime::now),
            origins: Origins::same_host(),
            proxies: TrustedProxies::none(),
        }
    }

    /// Registers what does the mutations of a name: an `async fn(&mut Tx, Args) -> sync::Result`, or an async closure.
    ///
    /// Arguments are read as their type; what is wrong is rejected as `invalid`, naming the field by its path.
    ///
    /// # Panics
    ///
    /// If the name is not of its shape, or is registered already.
    ///
    /// See [`Tx`](crate::sync::Tx) for an example.
    #[must_use]
    pub fn mutator<F, Args>(mut self, name: &str, mutator: F) -> Self
    where
        F: for<'a> Mutator<'a, Args> + 'static,
        Args: DeserializeOwned + Send + 'static,
    {
        if let Some(at) = self.free.iter().position(|free| free == name) {
            self.free.swap_remove(at);
            self.mutators.remove(name);
        }
        self.register(name, mutator);
        self.latest = Some(name.to_owned());
        self
    }

    /// Says which scopes besides its own the mutator just registered touches, by its arguments. Its transaction locks all of them, in order, and
    /// each gets the acknowledgement.
    ///
    /// # Panics
    ///
    /// If no mutator was registered before.
    ///
    /// See [`Tx::within`](crate::sync::Tx::within) for an example.
    #[must_use]
    #[allow(clippy::expect_used, reason = "documented: a mistake in the app's own set-up, at its start")]
    pub fn scopes<Args: DeserializeOwned + 'static>(
        mut self,
        scopes: impl Fn(&Args) -> Vec<Scope> + Send + Sync + 'static,
    ) -> Self {
        let latest = self.latest.as_ref().and_then(|name| self.mutators.get_mut(name));
        let registered = latest.expect("`scopes` follows the `mutator` that it is about");
        registered.scopes = Some(Box::new(move |args| Ok(scopes(&arguments(args)?))));
        self
    }

    /// Registers a kind of rows, with three mutators for free: `NAME.create` (the whole row; rejected as `exists` if it is there), `NAME.merge`
    /// (an `id` and the fields to replace; rejected as `not_found` if it is not there) and `NAME.delete` (an `id`). A mutator of the same name
    /// takes the place of a free one.
    ///
    /// # Panics
    ///
    /// If the entity's name is not of its shape, or is registered already.
    ///
    /// ```
    /// use mizu::sync::{Engine, Entity, MemoryStore, Mutation, Scope};
    /// use mizu::Who;
    /// use serde::{Deserialize, Serialize};
    /// use serde_json::json;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Todo { id: String, title: String, done: bool }
    ///
    /// impl Entity for Todo {
    ///     const NAME: &'static str = "todo";
    ///     fn id(&self) -> &str { &self.id }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let engine = Engine::builder(MemoryStore::new()).entity::<Todo>().build();
    /// let scope = Scope::new("todos")?;
    /// let todo = Todo { id: "t".into(), title: "Write".into(), done: false };
    /// engine.apply(Who::server(), Mutation::new(&scope, "todo.create", &todo)?).await?;
    /// engine.apply(Who::server(), Mutation::new(&scope, "todo.merge", &json!({ "id": "t", "done": true }))?).await?;
    /// assert!(engine.read(&scope).get::<Todo>("t").await?.unwrap().done);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    #[allow(clippy::panic, reason = "documented: a mistake in the app's own set-up, at its start")]
    pub fn entity<T: Entity>(mut self) -> Self {
        if let Err(error) = check_entity(T::NAME) {
            panic!("{error}");
        }
        for what in ["create", "merge", "delete"] {
            let name = format!("{}.{what}", T::NAME);
            if self.mutators.contains_key(&name) && !self.free.contains(&name) {
                continue;
            }
            match what {
                "create" => self.register(&name, free::create::<T>),
                "merge" => self.register(&name, free::merge::<T>),
                _ => self.register(&name, free::delete::<T>),
            }
            self.free.push(name);
        }
        self
    }

    #[allow(clippy::panic, reason = "documented: a mistake in the app's own set-up, at its start")]
    fn register<F, Args>(&mut self, name: &str, mutator: F)
    where
        F: for<'a> Mutator<'a, Args> + 'static,
        Args: DeserializeOwned + Send + 'static,
    {
        if let Err(error) = check_mutation(name) {
            panic!("{error}");
        }
        let registered = Registered { run: Arc::new(Typed::new(mutator)), scopes: None };
        if self.mutators.insert(name.to_owned(), registered).is_some() {
            panic!("the mutator {name:?} is registered twice");
        }
    }

    /// Opens a scope to everybody, signed in or not, to read and to write. A name that ends with `*` stands for all that begin so.
    ///
    /// ```
    /// # use mizu::sync::{Engine, MemoryStore};
    /// let engine = Engine::builder(MemoryStore::new()).public("notes").public("room:*").build();
    /// # let _ = engine;
    /// ```
    #[must_use]
    pub fn public(mut self, pattern: &str) -> Self {
        self.gate.open(pattern);
        self
    }

    /// Decides who may do what with a scope that is not public. Asked for every mutation, pull, snapshot and subscription; an identity of another type
    /// may nothing. Without it, users have their own scopes ([`Scope::of_user`]) and nobody has others.
    ///
    /// ```
    /// # use mizu::{Identity, sync::{Access, Engine, MemoryStore, Scope}};
    /// #[derive(Clone, PartialEq)]
    /// struct User { name: String, team: String }
    /// # impl Identity for User { fn key(&self) -> String { self.name.clone() } }
    ///
    /// let engine = Engine::builder(MemoryStore::new())
    ///     .authorize(|user: &User, scope: &Scope, access| match access {
    ///         Access::Read => true,
    ///         Access::Write => scope.as_str() == format!("team:{}", user.team),
    ///     })
    ///     .build();
    /// # let _ = engine;
    /// ```
    #[must_use]
    pub fn authorize<I: Identity>(
        mut self,
        decide: impl Fn(&I, &Scope, Access) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.gate.ask(decide);
        self
    }

    /// As [`authorize`](Self::authorize), for a decision that has to look something up.
    ///
    /// ```
    /// # use mizu::{Identity, sync::{Access, Engine, MemoryStore, Scope}};
    /// # #[derive(Clone, PartialEq)]
    /// # struct User(String);
    /// # impl Identity for User { fn key(&self) -> String { self.0.clone() } }
    /// async fn is_member(user: User, scope: Scope) -> bool { scope.as_str().ends_with(&user.0) }
    ///
    /// let engine = Engine::builder(MemoryStore::new())
    ///     .authorize_async(|user: User, scope: Scope, _access| is_member(user, scope))
    ///     .build();
    /// # let _ = engine;
    /// ```
    #[must_use]
    pub fn authorize_async<I, F>(mut self, decide: impl Fn(I, Scope, Access) -> F + Send + Sync + 'static) -> Self
    where
        I: Identity,
        F: Future<Output = bool> + Send + 'static,
    {
        self.gate.ask_later(decide);
        self
    }

    /// Adds somebody who is told after every commit.
    ///
    /// See [`Notifier`] for an example.
    #[must_use]
    pub fn notify(mut self, notifier: impl Notifier) -> Self {
        self.notifiers.push(Arc::new(notifier));
        self
    }

    /// Bounds what clients may use.
    ///
    /// ```
    /// # use mizu::sync::{Engine, MemoryStore, SyncLimits};
    /// let engine = Engine::builder(MemoryStore::new()).limits(SyncLimits { mutations: 10, ..Default::default() }).build();
    /// # let _ = engine;
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: SyncLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Says how long logs are kept.
    ///
    /// See [`Retention`] for an example.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Says which sites' pages may call [`Engine::routes`] from a browser; by default only this host's own.
    ///
    /// ```
    /// # use mizu::{live::Origins, sync::{Engine, MemoryStore}};
    /// let origins = Origins::same_host().allow("https://app.example.com");
    /// let engine = Engine::builder(MemoryStore::new()).origins(origins).build();
    /// # let _ = engine;
    /// ```
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Says whose `Forwarded` headers count, for the limit per address.
    ///
    /// ```
    /// # use mizu::sync::{Engine, MemoryStore};
    /// let engine = Engine::builder(MemoryStore::new()).trusted_proxies("10.0.0.0/8".parse().unwrap()).build();
    /// # let _ = engine;
    /// ```
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Takes the time from elsewhere than the system's clock: in tests.
    ///
    /// ```
    /// # use mizu::sync::{Engine, MemoryStore};
    /// let engine = Engine::builder(MemoryStore::new()).clock(|| std::time::SystemTime::UNIX_EPOCH).build();
    /// # let _ = engine;
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The engine.
    ///
    /// See [`Engine`] for an example.
    pub fn build(self) -> Engine {
        Engine {
            inner: Arc::new(Inner {
                store: self.store,
                mutators: self.mutators,
                gate: self.gate,
                notifiers: RwLock::new(self.notifiers),
                limits: self.limits,
                keeper: Keeper::default(),
                retention: self.retention,
                clock: self.clock,
                origins: self.origins,
                proxies: self.proxies,
                tasks: TaskTracker::new(),
                waiting: Mutex::new(HashMap::new()),
            }),
        }
    }
}
