//! How a server is configured.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;

use super::live::{Inner, Live, Settings};
use crate::edge::{Extract, Identity, extractor};
use crate::live::{Adapter, KeyedLimiter, Limits, Origins, Presence, PubSub, Shutdown, TrustedProxies};
use crate::page::cache::ReadCache;
use crate::page::form::FormLimits;
use crate::page::notifier::{POKES, SyncNotifier};
use crate::page::park::{Park, ParkLimits};
use crate::page::token::Signer;
use crate::sync::Engine;

/// Identities whose joins are counted at a time.
const COUNTED_IDENTITIES: usize = 100_000;

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
    hibernate_after: Option<Duration>,
    pubsub: Option<PubSub>,
    shutdown: Shutdown,
    origins: Origins,
    proxies: TrustedProxies,
    extract: Option<Extract>,
    sync: Option<Engine>,
    offline: Vec<String>,
}

/// Sessions that are quiet for so long hibernate.
const HIBERNATE_AFTER: Duration = Duration::from_secs(5 * 60);

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

    /// After how long without an event or message a session forgets what its page looks like; 5 minutes by default. Its state stays.
    ///
    /// Whatever happens next renders the page anew and sends the regions that changed whole: more bytes once, for memory meanwhile. What other
    /// sessions show as well costs nothing extra, and small pages are not forgotten.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let live = mizu::Live::builder().hibernate_after(Duration::from_secs(60)).build();
    /// assert_eq!(live.hibernating(), 0);
    /// ```
    pub fn hibernate_after(mut self, quiet: Duration) -> Self {
        self.hibernate_after = Some(quiet);
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
        let settings = Settings {
            limits: self.limits,
            form: self.form,
            mailbox: self.mailbox.unwrap_or(256),
            hibernate_after: self.hibernate_after.unwrap_or(HIBERNATE_AFTER),
            dev,
        };
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
            hibernating: Arc::default(),
            shutdown: self.shutdown,
            origins: self.origins,
            proxies: self.proxies,
            extract: self.extract,
            joins,
            settings,
        }))
    }
}
