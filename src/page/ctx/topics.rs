//! What sessions tell each other: topics.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Ctx;
use crate::page::definition::Page;
use crate::page::error::{Error, Result};
use crate::page::mailbox::Receive;
use crate::page::publish;
use crate::page::subscribed::Subscribed;

impl<P: Page> Ctx<P> {
    /// Receives what is published to a topic, as a message of this page. Acts at once: what is read afterwards misses nothing.
    ///
    /// What is published is decoded once and cloned for each session; with an `Arc<T>` the sessions share it.
    /// Something of another type than `T` under the same topic is logged and passed over.
    ///
    /// # Errors
    ///
    /// When the topic is empty or too long, or the pub/sub adapter cannot be reached.
    pub async fn subscribe<T, F>(&mut self, topic: impl AsRef<str>, into: F) -> Result
    where
        T: DeserializeOwned + Clone + Send + Sync + 'static,
        F: Fn(T) -> P::Message + Send + Sync + 'static,
    {
        let topic = publish::topic(topic.as_ref())?;
        let receive: Arc<Receive<P::Message>> = Arc::new(move |published| publish::decode::<T>(published).map(&into));
        let inbox = Arc::new(Subscribed {
            mailbox: self.mailbox.clone(),
            receive,
            live: self.live.downgrade(),
            session: self.session,
        });
        let subscription = self.live.pubsub().subscribe(&topic, inbox).await?;
        self.subscriptions.retain(|held| held.topic() != &topic);
        self.subscriptions.push(subscription);
        Ok(())
    }

    /// Ends a subscription: nothing of it arrives any more. Nothing happens where there is none.
    pub fn unsubscribe(&mut self, topic: impl AsRef<str>) {
        self.subscriptions.retain(|held| held.topic().as_str() != topic.as_ref());
        self.mailbox.forget(topic.as_ref());
    }

    /// Publishes to every session, on every node, that subscribed to the topic, this one included.
    ///
    /// # Errors
    ///
    /// As [`Live::publish`](crate::Live::publish).
    pub fn publish<A, T>(&self, topic: A, message: &T) -> impl Future<Output = Result> + Send + use<P, A, T>
    where
        A: AsRef<str>,
        T: Serialize + ?Sized,
    {
        let made = publish::topic(topic.as_ref()).map_err(Error::from);
        let made = made.and_then(|topic| Ok((topic, publish::encode(message)?)));
        let live = self.live.clone();
        async move {
            let (topic, body) = made?;
            Ok(live.pubsub().publish(&topic, body.into()).await?)
        }
    }

    /// Publishes to every other session, on every node, that subscribed to the topic: not to this one. For what needs no history: who is typing, where a cursor is.
    ///
    /// # Errors
    ///
    /// As [`Live::publish`](crate::Live::publish).
    ///
    /// ```
    /// use mizu::prelude::*;
    /// # struct Room;
    /// # impl Page for Room {
    /// #     type State = String;
    /// #     type Message = String;
    /// async fn mount(&self, cx: &mut Ctx<Self>) -> Result<String> {
    ///     cx.subscribe("typing", |who: String| who).await?;
    ///     Ok(String::new())
    /// }
    /// async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<String>, _: Event) -> Result {
    ///     session.keep();
    ///     cx.broadcast("typing", "Ann").await
    /// }
    /// async fn info(&self, _: &mut Ctx<Self>, session: &mut Session<String>, who: String) -> Result {
    ///     session.state = who;
    ///     Ok(())
    /// }
    /// #     fn render(&self, view: &View<String>) -> Markup { html! { button id="type" data-lv-click="type" {} p { (view.as_str()) } } }
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let app = mizu::testing::TestApp::new(Router::new().route("/", mizu::page(Room)));
    /// # let (mut ann, mut bob) = (app.connect("/").await, app.connect("/").await);
    /// # ann.click("#type").await;
    /// # bob.until(|page| page.text("p") == "Ann").await;
    /// # ann.click("#type").await;
    /// # assert_eq!(ann.text("p"), "");
    /// # });
    /// ```
    pub fn broadcast<A, T>(&self, topic: A, message: &T) -> impl Future<Output = Result> + Send + use<P, A, T>
    where
        A: AsRef<str>,
        T: Serialize + ?Sized,
    {
        let made = publish::topic(topic.as_ref()).map_err(Error::from);
        let made = made.and_then(|topic| Ok((topic, publish::encode_from(message, self.session)?)));
        let live = self.live.clone();
        async move {
            let (topic, body) = made?;
            Ok(live.pubsub().publish(&topic, body.into()).await?)
        }
    }
}
