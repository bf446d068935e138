//! A page's watch of a scope.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::app::WeakLive;
use super::cache::Shared;
use super::mailbox::{Mail, Mailbox};
use super::rows::Held;
use super::token::SessionId;
use crate::live::{Delivery, Published, Subscriber, Subscription, Topic};
use crate::sync::{Cursor, Entity, ReadError, Scope};

/// One scope that a session watches.
pub(crate) struct Watch {
    pub(crate) scope: Scope,
    /// The kind of its rows.
    pub(crate) entity: &'static str,
    pub(crate) subscription: Subscription,
    /// The regions that show it; none for anything.
    pub(crate) regions: Vec<Box<str>>,
    pub(crate) rows: Arc<dyn Refresh>,
}

impl Watch {
    pub(crate) fn topic(&self) -> &Topic {
        self.subscription.topic()
    }
}

/// Watched rows with their type forgotten.
pub(crate) trait Refresh: Send + Sync {
    /// Shows a version that is at least as new; whether it is another.
    fn refresh(&self, at_least: Option<Cursor>) -> BoxFuture<'_, Result<bool, ReadError>>;
}

/// The rows that a session shows, and where newer ones come from.
pub(crate) struct Watched<T> {
    pub(crate) shared: Arc<Shared<T>>,
    pub(crate) held: Arc<Held<T>>,
}

impl<T: Entity> Refresh for Watched<T> {
    fn refresh(&self, at_least: Option<Cursor>) -> BoxFuture<'_, Result<bool, ReadError>> {
        Box::pin(async move { Ok(self.held.replace(self.shared.fresh(at_least).await?)) })
    }
}

/// Puts pokes into the session's mailbox, the newest of each scope.
pub(crate) struct Poked<M> {
    pub(crate) mailbox: Arc<Mailbox<M>>,
    pub(crate) live: WeakLive,
    pub(crate) session: SessionId,
}

impl<M: Send + 'static> Subscriber for Poked<M> {
    fn deliver(&self, published: &Arc<Published>) {
        let overflow = self.mailbox.push(Mail::Poke(published.clone()));
        if let (Err(_), Some(live)) = (overflow, self.live.upgrade()) {
            live.park().overflowed(self.session);
        }
    }

    /// A poke may have been lost: one without a cursor says to look.
    fn missed(&self, topic: &Topic) {
        self.deliver(&Arc::new(Published::new(topic.clone(), Bytes::new(), Delivery::Latest)));
    }
}
