//! The server of an app with pages: how it is configured, put around a router, and run.

use std::sync::{Arc, Weak};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;

use super::cache::ReadCache;
use super::error::Result;
use super::form::FormLimits;
use super::notifier::{POKES, SyncNotifier};
use super::park::{Park, ParkLimits};
use super::publish;
use super::token::Signer;
use crate::edge::{Extract, Identity, Who, extractor};
use crate::live::{Adapter, KeyedLimiter, Limits, Origins, Presence, PubSub, Shutdown, TrustedProxies};
use crate::sync::Engine;

/// The server side of an app: its sessions, its topics, its secret. Cheap to clone; clones are the same server.
///
/// # Example
///
/// ```no_run
/// use mizu::prelude::*;
///
/// #[tokio::main]
/// async fn main() -> Result {
///     let app = Router::new().route("/", axum::routing::get(async || "hello"));
///     Live::new().serve(app).await
/// }
/// ```
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    settings: Settings,
    signer: Signer,
    seed: u64,
    park: Arc<Park>,
    pubsub: PubSub,
    shutdown: Shutdown,
    origins: Origins,
    proxies: TrustedProxies,
    extract: Option<Extract>,
    joins: KeyedLimiter<String>,
    sync: Option<Engine>,
    cache: ReadCache,
    offline: Vec<String>,
    presence: Presence,
}

/// What is the same for all sessions.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) form: FormLimits,
    /// What may wait for one session.
    pub(crate) mailbox: usize,
    pub(crate) dev: bool,
}

impl Settings {
    pub(crate) fn heartbeat_millis(&self) -> u32 {
        u32::try_from(self.limits.heartbeat.as_millis()).unwrap_or(u32::MAX)
    }
}

/// A [`Live`] that does not keep the server alive.
#[derive(Clone)]
pub(crate) struct WeakLive(Weak<Inner>);

impl WeakLive {
    pub(crate) fn upgrade(&self) -> Option<Live> {
        self.0.upgrade().map(Live)
    }
}

/// Identities whose joins are counted at a time.
const COUNTED_IDENTITIES: usize = 100_000;

impl Live {
    /// A server with the defaults, and what the environment says: `MIZU_SECRET`, `DEV`.
    ///
    /// ```
    /// let live = mizu::Live::new();
    /// assert_eq!(live.parked(), 0);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A server to be configured.
    pub fn builder() -> LiveBuilder {
        LiveBuilder::default()
    }

    /// Publishes a message to every session, on every node, that subscribed to the topic.
    ///
    /// # Errors
    ///
    /// When the topic is empty or too long, the message can't be encoded, or the pub/sub adapter can't be reached.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let live = mizu::Live::new();
    /// live.publish("news", "It rains.").await.unwrap();
    /// assert!(live.publish("", "nowhere").await.is_err());
    /// # });
    /// ```
    pub async fn publish<T: Serialize + ?Sized>(&self, topic: impl AsRef<str>, message: &T) -> Result {
        let (topic, body) = (publish::topic(topic.as_ref())?, publish::encode(message)?);
        Ok(self.0.pubsub.publish(&topic, body.into()).await?)
    }

    /// Like [`publish`](Self::publish), but a session that has not yet taken the previous message of the topic gets only this one.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// mizu::Live::new().publish_latest("temperature", &21.5).await.unwrap();
    /// # });
    /// ```
    pub async fn publish_latest<T: Serialize + ?Sized>(&self, topic: impl AsRef<str>, message: &T) -> Result {
        let (topic, body) = (publish::topic(topic.as_ref())?, publish::encode(message)?);
        Ok(self.0.pubsub.publish_latest(&topic, body.into()).await?)
    }

    /// Ends every session of this person on this node and closes their sockets: they are signed out, or may do less now.
    /// Their browsers come back through the front door. Returns how many sessions there were.
    ///
    /// ```
    /// # use mizu::{Identity, Live};
    /// # #[derive(Clone, PartialEq)] struct User(u64);
    /// # impl Identity for User { fn key(&self) -> String { self.0.to_string() } }
    /// assert_eq!(Live::new().disconnect(&User(7)), 0);
    /// ```
    pub fn disconnect<I: Identity>(&self, identity: &I) -> usize {
        self.0.park.disconnect(&identity.key())
    }

    /// Sessions that wait for their browser.
    ///
    /// ```
    /// assert_eq!(mizu::Live::new().parked(), 0);
    /// ```
    pub fn parked(&self) -> usize {
        self.0.park.counts().parked
    }

    /// Sessions that a socket or a request holds.
    ///
    /// ```
    /// assert_eq!(mizu::Live::new().joined(), 0);
    /// ```
    pub fn joined(&self) -> usize {
        self.0.park.counts().held
    }

    /// The topics of this server, as raw bytes.
    ///
    /// ```
    /// let topics = mizu::Live::new().pubsub().clone();
    /// # let _ = topics;
    /// ```
    pub fn pubsub(&self) -> &PubSub {
        &self.0.pubsub
    }

    /// The tasks of this server, and how it ends.
    ///
    /// ```
    /// assert_eq!(mizu::Live::new().shutdown().tasks(), 0);
    /// ```
    pub fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    /// The engine of this server's durable data, if it has one.
    ///
    /// ```
    /// assert!(mizu::Live::new().sync().is_none());
    /// ```
    pub fn sync(&self) -> Option<&Engine> {
        self.0.sync.as_ref()
    }

    /// Who is present in which topic, for what is no page: [`Ctx::track`](crate::Ctx::track) is a page's way in.
    ///
    /// ```
    /// # use mizu::{Live, live::Topic};
    /// assert!(Live::new().presence().roll(&Topic::new("room:7").unwrap()).is_empty());
    /// ```
    pub fn presence(&self) -> &Presence {
        &self.0.presence
    }

    pub(crate) fn cache(&self) -> &ReadCache {
        &self.0.cache
    }

    /// The pages that open without a network, if the one at this address is among them.
    pub(crate) fn offline(&self, url: &str) -> Option<&[String]> {
        let path = url.split('?').next().unwrap_or(url);
        let named = self.0.sync.is_some() && self.0.offline.iter().any(|named| named == path);
        named.then_some(&*self.0.offline)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn is_dev(&self) -> bool {
        self.0.settings.dev
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.0.signer
    }

    /// What the hashes in tokens are keyed with.
    pub(crate) fn seed(&self) -> u64 {
        self.0.seed
    }

    pub(crate) fn park(&self) -> &Arc<Park> {
        &self.0.park
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.0.origins
    }

    pub(crate) fn proxies(&self) -> &TrustedProxies {
        &self.0.proxies
    }

    pub(crate) fn downgrade(&self) -> WeakLive {
        WeakLive(Arc::downgrade(&self.0))
    }

    /// Whom a request comes from.
    pub(crate) async fn identify(&self, parts: &mut Parts) -> Result<Who, Response> {
        match &self.0.extract {
            Some(extract) => extract(parts).await,
            None => Ok(Who::anybody()),
        }
    }

    /// Whether whoever asks may join once more now. Where nobody is known, connections are counted instead.
    pub(crate) fn admit_join(&self, who: &Who) -> bool {
        who.is_anybody() || self.0.joins.take(who.key(), tokio::time::Instant::now().into_std()).is_ok()
    }

    /// The task that ends what has been parked too long.
    pub(crate) fn start_sweeper(&self) {
        let (park, draining) = (self.0.park.clone(), self.0.shutdown.clone());
        self.0.shutdown.spawn(async move {
            loop {
                tokio::select! {
                    () = draining.draining() => return,
                    () = tokio::time::sleep(park.sweep_every()) => park.sweep(),
                }
            }
        });
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("parked", &self.parked()).field("joined", &self.joined()).finish_non_exhaustive()
    }
}

/// Configures a [`Live`].
///
/// # Example
///
/// ```
/// use mizu::Live;
///
/// let live = Live::builder().secret("at least thirty-two random bytes, please").dev(true).build();
/// # let _ = live;
/// ```
#[must_use = "nothing happens before build()"]
#[derive(Default)]
pub struct LiveBuilder {
    secret: Option<Vec<u8>>,
    dev: Option<bool>,
    limits: Limits,
    form: FormLimits,
    park: ParkLimits,
    mailbox: Option<usize>,
    pubsub: Option<PubSub>,
    shutdown: Shutdown,
    origins: Origins,
    proxies: TrustedProxies,
    extract: Option<Extract>,
    sync: Option<Engine>,
    offline: Vec<String>,
}

impl LiveBuilder {
    /// The secret that pages' tokens are signed with: the same on every node and after a restart. Without it, the environment's
    /// `MIZU_SECRET`; without that, a random one, so that a restart or another node mounts pages anew.
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.secret = Some(secret.as_ref().to_owned());
        self
    }

    /// Development: forgotten marks and ids that stand twice are named in the log and in the browser's console, at the price of a second
    /// rendering. Without a word here, whether the environment has `DEV=true`.
    pub fn dev(mut self, dev: bool) -> Self {
        self.dev = Some(dev);
        self
    }

    /// Bounds of connections and their messages.
    ///
    /// ```
    /// use mizu::{Live, live::Limits};
    ///
    /// let live = Live::builder().limits(Limits { connections: 100, ..Limits::default() }).build();
    /// # let _ = live;
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Bounds of forms and events.
    ///
    /// ```
    /// let mut limits = mizu::FormLimits::default();
    /// limits.fields = 50;
    /// let live = mizu::Live::builder().form_limits(limits).build();
    /// # let _ = live;
    /// ```
    pub fn form_limits(mut self, limits: FormLimits) -> Self {
        self.form = limits;
        self
    }

    /// Bounds of the sessions that wait for their browser.
    ///
    /// ```
    /// let mut limits = mizu::ParkLimits::default();
    /// limits.sessions = 100;
    /// let live = mizu::Live::builder().park_limits(limits).build();
    /// # let _ = live;
    /// ```
    pub fn park_limits(mut self, limits: ParkLimits) -> Self {
        self.park = limits;
        self
    }

    /// How many events and messages may wait for one session before it is ended; 256 by default.
    ///
    /// ```
    /// let live = mizu::Live::builder().mailbox(1_000).build();
    /// # let _ = live;
    /// ```
    pub fn mailbox(mut self, messages: usize) -> Self {
        self.mailbox = Some(messages.max(1));
        self
    }

    /// Carries topics between nodes. By default they stay in this process.
    ///
    /// ```
    /// use mizu::{Live, live::Local};
    ///
    /// let live = Live::builder().pubsub(Local::default()).build();
    /// # let _ = live;
    /// ```
    pub fn pubsub(mut self, adapter: impl Adapter) -> Self {
        self.pubsub = Some(PubSub::new(adapter));
        self
    }

    /// How long the end may take, and when browsers come back.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mizu::{Live, live::Shutdown};
    ///
    /// let live = Live::builder().shutdown(Shutdown::new().deadline(Duration::from_secs(30))).build();
    /// # let _ = live;
    /// ```
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Other origins whose pages may connect and post here.
    ///
    /// ```
    /// use mizu::{Live, live::Origins};
    ///
    /// let live = Live::builder().origins(Origins::same_host().allow("https://app.example.com")).build();
    /// # let _ = live;
    /// ```
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// The proxies whose word on the client's address counts; then addresses are limited as well.
    ///
    /// ```
    /// let live = mizu::Live::builder().trusted_proxies("10.0.0.0/8".parse().unwrap()).build();
    /// # let _ = live;
    /// ```
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Who is asking: one extractor for GET, POST, join and resume.
    pub fn identity<I: Identity + FromRequestParts<()>>(self) -> Self {
        self.identity_with::<I, ()>(())
    }

    /// Who is asking, by an extractor that needs a state.
    ///
    /// ```
    /// # use axum::{extract::{FromRef, FromRequestParts, State}, http::request::Parts};
    /// # use mizu::{Identity, Live};
    /// # #[derive(Clone, PartialEq)] struct User(String);
    /// # impl Identity for User { fn key(&self) -> String { self.0.clone() } }
    /// # #[derive(Clone)] struct Accounts;
    /// impl FromRequestParts<Accounts> for User {
    ///     type Rejection = std::convert::Infallible;
    ///     async fn from_request_parts(_: &mut Parts, _accounts: &Accounts) -> Result<Self, Self::Rejection> {
    ///         Ok(User("ann".into()))
    ///     }
    /// }
    ///
    /// let live = Live::builder().identity_with::<User, Accounts>(Accounts).build();
    /// # let _ = live;
    /// ```
    pub fn identity_with<I: Identity + FromRequestParts<S>, S: Send + Sync + 'static>(mut self, state: S) -> Self {
        self.extract = Some(extractor::<I, S>(state));
        self
    }

    /// Gives pages durable data: [`Ctx::watch`](crate::Ctx::watch), [`Ctx::mutate`](crate::Ctx::mutate). After each of the engine's commits, the sessions that watch its scopes are poked, on
    /// every node that shares this server's pub/sub adapter.
    ///
    /// See [`Ctx::watch`](crate::Ctx::watch) for an example.
    pub fn sync(mut self, engine: Engine) -> Self {
        self.sync = Some(engine);
        self
    }

    /// Pages that open and work without a network: their paths, without queries. On these, elements with `data-lv-mutate` change the browser's own store, at once and durably, and what it
    /// holds goes to the engine as soon as the server is reached; a service worker keeps the page itself. It needs [`sync`](Self::sync), and the app's router needs
    /// [`Engine::routes`]. What the browser keeps is this user's; `signOut` of the browser's `MizuSync` forgets it.
    ///
    /// ```
    /// use mizu::Live;
    /// use mizu::sync::{Engine, MemoryStore};
    ///
    /// let engine = Engine::builder(MemoryStore::new()).public("todos").build();
    /// let live = Live::builder().sync(engine).offline(["/todos"]).build();
    /// # let _ = live;
    /// ```
    pub fn offline<T: Into<String>>(mut self, paths: impl IntoIterator<Item = T>) -> Self {
        self.offline.extend(paths.into_iter().map(Into::into));
        self
    }

    /// The server.
    #[must_use]
    pub fn build(self) -> Live {
        let secret = self.secret.or_else(|| std::env::var_os("MIZU_SECRET").map(|secret| secret.into_encoded_bytes()));
        let secret = secret.filter(|secret| !secret.is_empty()).unwrap_or_else(|| {
            tracing::warn!(
                "no secret: a random one is used, so pages are mounted anew after a restart; set MIZU_SECRET"
            );
            rand::random::<[u8; 32]>().to_vec()
        });
        let dev =
            self.dev.unwrap_or_else(|| std::env::var("DEV").is_ok_and(|dev| matches!(dev.as_str(), "true" | "1")));
        let joins = KeyedLimiter::new(self.limits.joins_per_identity, COUNTED_IDENTITIES);
        let settings = Settings { limits: self.limits, form: self.form, mailbox: self.mailbox.unwrap_or(256), dev };
        let park = Arc::new(Park::new(self.park));
        let closing = park.clone();
        self.shutdown.on_drain(move || closing.close());
        let pubsub = self.pubsub.unwrap_or_else(PubSub::local);
        if let Some(engine) = &self.sync {
            engine.notify(SyncNotifier::new(pubsub.clone(), POKES));
        }
        Live(Arc::new(Inner {
            seed: xxhash_rust::xxh3::xxh3_64(&secret),
            signer: Signer::new(&secret),
            park,
            presence: Presence::new(pubsub.clone(), self.shutdown.clone()),
            pubsub,
            sync: self.sync,
            cache: ReadCache::default(),
            offline: self.offline,
            shutdown: self.shutdown,
            origins: self.origins,
            proxies: self.proxies,
            extract: self.extract,
            joins,
            settings,
        }))
    }
}
