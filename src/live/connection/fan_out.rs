//! A connection as a subscriber: what is published goes straight to its queue.

use std::sync::Arc;

use bytes::Bytes;

use crate::live::{
    Codec, Connection, Format, Frame, MessagePack, PubSub, Published, SubscribeError, Subscriber, Subscription, Topic,
    connection::{handle::Inner, outbound::Key},
};

impl Connection {
    /// Sends everything published to a topic to this client, until [`unsubscribe`](Self::unsubscribe) or the end of
    /// the connection. What is published must be an encoded `mizu.v1` frame, as
    /// [`Server::publish`](crate::live::Server::publish) does: it goes out as it is, and is translated once for all
    /// clients that speak `mizu.v1.json`. A second subscription to the same topic changes nothing.
    ///
    /// # Errors
    ///
    /// * [`SubscribeError::Adapter`] when the adapter can't subscribe;
    /// * [`SubscribeError::Closed`] when the connection is closed.
    ///
    /// ```
    /// # use mizu::live::{Connection, PubSub, SubscribeError, Topic};
    /// async fn enter(connection: &Connection, pubsub: &PubSub) -> Result<(), SubscribeError> {
    ///     connection.subscribe(pubsub, &Topic::new("lobby").unwrap()).await
    /// }
    /// # let _ = enter;
    /// ```
    pub async fn subscribe(&self, pubsub: &PubSub, topic: &Topic) -> Result<(), SubscribeError> {
        let known = |list: &[Subscription]| list.iter().any(|known| known.topic() == topic);
        if known(&self.0.subscriptions.lock()) {
            return Ok(());
        }
        let subscriber = Arc::clone(&self.0) as Arc<dyn Subscriber>;
        let subscription = pubsub.subscribe(topic, subscriber).await?;
        let mut subscriptions = self.0.subscriptions.lock();
        if self.is_closed() {
            return Err(SubscribeError::Closed);
        }
        if !known(&subscriptions) {
            subscriptions.push(subscription);
        }
        Ok(())
    }

    /// Ends a subscription, and says whether there was one.
    ///
    /// ```
    /// # use mizu::live::{Connection, Topic};
    /// fn leave(connection: &Connection) -> bool {
    ///     connection.unsubscribe(&Topic::new("lobby").unwrap())
    /// }
    /// # let _ = leave;
    /// ```
    pub fn unsubscribe(&self, topic: &Topic) -> bool {
        let mut subscriptions = self.0.subscriptions.lock();
        let position = subscriptions.iter().position(|known| known.topic() == topic);
        let removed = position.map(|position| subscriptions.swap_remove(position));
        drop(subscriptions);
        removed.is_some()
    }

    /// Nothing more is received from anyone.
    pub(crate) fn leave_topics(&self) {
        let subscriptions = std::mem::take(&mut *self.0.subscriptions.lock());
        drop(subscriptions);
    }
}

/// A `mizu.v1` frame as `mizu.v1.json`; `None` when it is no such frame.
struct AsJson(Option<Bytes>);

impl Subscriber for Inner {
    fn deliver(&self, published: &Arc<Published>) {
        let frame = match self.format {
            Format::MessagePack => Some(published.body().clone()),
            Format::Json => published.memo(|| AsJson(translate(published.body()))).0.clone(),
        };
        let Some(frame) = frame else {
            self.common.counters.unpublishable.increment();
            return;
        };
        let latest = published.is_latest();
        let key = latest.then(|| Key::Published(published.topic().short().clone()));
        // A closed connection is about to unsubscribe, and a full one is closing.
        let _ = self.push(frame, key);
    }
}

fn translate(body: &Bytes) -> Option<Bytes> {
    let message = MessagePack.decode(Frame::Binary(body.clone())).ok()?;
    Some(Format::Json.encode(&message).ok()?.into_bytes())
}
