//! Sockets that want to hear which scopes move: SUBSCRIBE in, POKE out. No page is needed for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::app::Live;
use super::notifier::{self, POKES};
use crate::edge::Who;
use crate::live::{Connection, Delivery, Kind, Message, Published, Ref, SendError, Subscriber, Subscription, Topic};
use crate::sync::{Access, Scope};

/// How many scopes a connection may subscribe to.
const SCOPES: usize = 100;

/// The scopes that a connection subscribed to.
#[derive(Default)]
pub(crate) struct Pokes {
    /// Guards the subscriptions; held to change one.
    subscriptions: Mutex<BTreeMap<Scope, Subscription>>,
}

impl Pokes {
    /// Subscribes to each scope that may be read. Which were, and which were not.
    pub(crate) async fn subscribe(
        &self,
        live: &Live,
        connection: &Connection,
        who: &Who,
        scopes: Vec<String>,
    ) -> (Vec<String>, Vec<String>) {
        let (mut subscribed, mut refused) = (Vec::new(), Vec::new());
        for (count, name) in scopes.into_iter().enumerate() {
            match count < SCOPES && self.one(live, connection, who, &name).await {
                true => subscribed.push(name),
                false => refused.push(name),
            }
        }
        (subscribed, refused)
    }

    async fn one(&self, live: &Live, connection: &Connection, who: &Who, name: &str) -> bool {
        let (Some(engine), Ok(scope)) = (live.sync(), name.parse::<Scope>()) else { return false };
        let room = {
            let subscriptions = self.subscriptions.lock();
            subscriptions.len() < SCOPES || subscriptions.contains_key(&scope)
        };
        if !room || !engine.allows(who, &scope, Access::Read).await {
            return false;
        }
        let Some(topic) = notifier::topic(POKES, &scope) else { return false };
        let subscriber = Arc::new(Poke { scope: scope.clone(), connection: connection.clone() });
        match live.pubsub().subscribe(&topic, subscriber).await {
            Ok(subscription) => {
                self.subscriptions.lock().insert(scope, subscription);
                // Whoever closed the connection meanwhile did not see this one.
                if connection.is_closed() {
                    self.clear();
                }
                true
            }
            Err(error) => {
                tracing::warn!(%error, %scope, "a scope can't be subscribed to");
                false
            }
        }
    }

    pub(crate) fn unsubscribe(&self, scopes: &[String]) {
        let mut subscriptions = self.subscriptions.lock();
        for scope in scopes.iter().filter_map(|scope| scope.parse().ok()) {
            let gone: Option<Subscription> = subscriptions.remove::<Scope>(&scope);
            drop(gone);
        }
    }

    /// Ends all, so that they don't keep the connection's handle.
    pub(crate) fn clear(&self) {
        let subscriptions = std::mem::take(&mut *self.subscriptions.lock());
        drop(subscriptions);
    }
}

/// Tells one socket of one scope.
struct Poke {
    scope: Scope,
    connection: Connection,
}

impl Subscriber for Poke {
    fn deliver(&self, published: &Arc<Published>) {
        tell(&self.connection, &self.scope, published.body());
    }

    /// A poke may have been lost: one without a cursor says to look.
    fn missed(&self, topic: &Topic) {
        self.deliver(&Arc::new(Published::new(topic.clone(), Bytes::new(), Delivery::Latest)));
    }
}

/// Tells a browser that a scope has moved; the newest counts. With an empty cursor, to look whether it has.
pub(crate) fn tell(connection: &Connection, scope: &Scope, cursor: impl AsRef<[u8]>) {
    let Ok(cursor) = std::str::from_utf8(cursor.as_ref()) else { return };
    let Ok(body) = connection.format().to_bytes(&(scope, cursor)) else { return };
    let message = Message::new(Kind::POKE, Topic::connection(), Ref::PUSH, body);
    match connection.send_latest(scope.as_str(), message) {
        Ok(()) | Err(SendError::Closed | SendError::Full) => {}
        Err(error) => tracing::debug!(%error, %scope, "a poke could not be sent"),
    }
}
