//! What browsers tell each other in passing: who is typing, where a cursor is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::Value;

use super::Ctx;
use crate::live::{Published, Rate, Subscriber, Subscription, TokenBucket, Topic};
use crate::page::definition::Page;
use crate::page::error::{Error, Result};
use crate::page::heard::{Ephemeral, heard};
use crate::page::mailbox::{Mail, Mailbox};
use crate::page::publish;
use crate::page::token::SessionId;

/// What these travel as, between nodes.
const PREFIX: &str = "ephemeral:";

/// What one browser may send: more is passed over, as each makes the one before it old.
const RATE: u32 = 30;

/// A session's part in it.
pub(crate) struct Ephemerals {
    topics: Vec<Subscription>,
    /// Whether a browser is there to hear it.
    hearing: Arc<AtomicBool>,
    budget: TokenBucket,
}

impl Ephemerals {
    pub(crate) fn hear(&self, hearing: bool) {
        self.hearing.store(hearing, Ordering::Relaxed);
    }
}

impl<P: Page> Ctx<P> {
    /// The browsers of all sessions that call this with the same topic hear each other's ephemeral messages: what a script sends with `live.ephemeral(name, payload)` arrives at
    /// the others as the event `lv:ephemeral`, on every node. Nothing is stored or sent twice; of what waits, only the newest of each sender and name arrives;
    /// more than 30 a second of one browser are passed over, and so is what has more than 4 KiB.
    ///
    /// # Errors
    ///
    /// - The topic is empty or too long.
    /// - The pub/sub adapter can't be reached.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// async fn mount<P: Page>(cx: &mut Ctx<P>, room: u64) -> Result {
    ///     cx.share_ephemeral(format!("room:{room}")).await
    /// }
    /// ```
    pub async fn share_ephemeral(&mut self, topic: impl AsRef<str>) -> Result {
        let topic = ephemeral_topic(topic.as_ref())?;
        let hearing = match &self.ephemerals {
            Some(ephemerals) => ephemerals.hearing.clone(),
            None => Arc::new(AtomicBool::new(self.armed)),
        };
        let ear = Ear { mailbox: self.mailbox.clone(), session: self.session, hearing: hearing.clone() };
        let subscription = self.live.pubsub().subscribe(&topic, Arc::new(ear)).await?;
        let ephemerals = self.ephemerals.get_or_insert_with(|| {
            let budget = TokenBucket::new(Rate::per_second(RATE).burst(2 * RATE));
            Box::new(Ephemerals { topics: Vec::new(), hearing, budget })
        });
        ephemerals.topics.retain(|held| *held.topic() != topic);
        ephemerals.topics.push(subscription);
        Ok(())
    }

    /// Sends an ephemeral message from here, to the browsers of the other sessions that share the topic.
    ///
    /// # Errors
    ///
    /// - The topic is empty or too long, or the payload can't be encoded.
    /// - The pub/sub adapter can't be reached.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// async fn ring<P: Page>(cx: &Ctx<P>) -> Result {
    ///     cx.ephemeral("room:7", "ring", &"the door").await
    /// }
    /// ```
    pub fn ephemeral<A, T>(
        &self,
        topic: A,
        name: &str,
        payload: &T,
    ) -> impl Future<Output = Result> + Send + use<P, A, T>
    where
        A: AsRef<str>,
        T: Serialize + ?Sized,
    {
        let made = serde_json::to_value(payload).map_err(Error::from);
        let made = made.and_then(|payload| self.written(ephemeral_topic(topic.as_ref())?, name.to_owned(), payload));
        let live = self.live.clone();
        async move {
            let (topic, body) = made?;
            Ok(live.pubsub().publish(&topic, body.into()).await?)
        }
    }

    /// The browser sent one: it goes to those of the topics that the page shares.
    pub(crate) async fn pass_on(&mut self, name: String, payload: Value) {
        let Some(ephemerals) = &mut self.ephemerals else { return };
        if ephemerals.budget.take(tokio::time::Instant::now().into_std()).is_err() {
            return;
        }
        let topics: Vec<Topic> = ephemerals.topics.iter().map(|held| held.topic().clone()).collect();
        for topic in topics {
            let Ok((topic, body)) = self.written(topic, name.clone(), payload.clone()) else { continue };
            if let Err(error) = self.live.pubsub().publish(&topic, body.into()).await {
                tracing::debug!(%error, %topic, "an ephemeral message was lost");
            }
        }
    }

    fn written(&self, topic: Topic, name: String, payload: Value) -> Result<(Topic, Vec<u8>)> {
        let message = Ephemeral { from: self.alias(), name, payload };
        Ok((topic, publish::encode_from(&message, self.session)?))
    }
}

fn ephemeral_topic(name: &str) -> Result<Topic> {
    publish::topic(name)?;
    Ok(publish::topic(&format!("{PREFIX}{name}"))?)
}

/// Puts what the others send into the session's mailbox, while there is a browser to hear it.
struct Ear<M> {
    mailbox: Arc<Mailbox<M>>,
    session: SessionId,
    hearing: Arc<AtomicBool>,
}

impl<M: Send + 'static> Subscriber for Ear<M> {
    fn deliver(&self, published: &Arc<Published>) {
        if self.hearing.load(Ordering::Relaxed)
            && !publish::is_from(published, self.session)
            && heard(published).is_some()
        {
            self.mailbox.push_or_pass(Mail::Heard(published.clone()));
        }
    }
}
