//! The server side of an app, as everything in this layer holds it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;

use super::builder::LiveBuilder;
use crate::edge::{Extract, Identity, Who};
use crate::live::{KeyedLimiter, Limits, Origins, Presence, PubSub, Shutdown, TrustedProxies};
use crate::page::cache::ReadCache;
use crate::page::error::Result;
use crate::page::form::FormLimits;
use crate::page::park::Park;
use crate::page::publish;
use crate::page::token::Signer;
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
pub struct Live(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) signer: Signer,
    pub(super) seed: u64,
    pub(super) park: Arc<Park>,
    pub(super) pubsub: PubSub,
    pub(super) shutdown: Shutdown,
    pub(super) origins: Origins,
    pub(super) proxies: TrustedProxies,
    pub(super) extract: Option<Extract>,
    pub(super) joins: KeyedLimiter<String>,
    pub(super) sync: Option<Engine>,
    pub(super) cache: ReadCache,
    pub(super) offline: Vec<String>,
    pub(super) presence: Presence,
    /// Each hibernating session holds it.
    pub(super) hibernating: Arc<()>,
}

/// What is the same for all sessions.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) form: FormLimits,
    /// What may wait for one session.
    pub(crate) mailbox: usize,
    /// How long a session may be quiet before it hibernates.
    pub(crate) hibernate_after: Duration,
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

    /// Sessions that have forgotten what their page looks like; see [`LiveBuilder::hibernate_after`].
    ///
    /// ```
    /// assert_eq!(mizu::Live::new().hibernating(), 0);
    /// ```
    pub fn hibernating(&self) -> usize {
        Arc::strong_count(&self.0.hibernating) - 1
    }

    /// What a hibernating session holds, to be counted.
    pub(crate) fn count_hibernating(&self) -> Arc<()> {
        self.0.hibernating.clone()
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
