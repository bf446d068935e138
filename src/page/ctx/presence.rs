//! Who else is there.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Ctx;
use crate::live::{Delivery, Difference, Present as Member, Published, Roll, Topic, Tracked, Watching};
use crate::page::definition::Page;
use crate::page::error::Result;
use crate::page::mailbox::{Mail, Receive};
use crate::page::publish;

/// Somebody who is there: a person, with what is said of each of their sessions.
///
/// See [`Ctx::track`](crate::Ctx::track) for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present<T> {
    /// Who: what [`Identity::key`](crate::Identity::key) says, or a session's own id where the app knows no identities.
    pub key: String,
    /// What was said when each session was tracked, in no particular order: one for each tab.
    pub metas: Vec<T>,
}

/// Who came and went since the last message.
///
/// See [`Ctx::track`](crate::Ctx::track) for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceDiff<T> {
    /// They were not there before.
    pub joined: Vec<Present<T>>,
    /// They are there no longer; as they were.
    pub left: Vec<Present<T>>,
    /// They are there with other sessions, or something else is said of them.
    pub changed: Vec<Present<T>>,
}

/// What a session has to do with presence.
#[derive(Default)]
pub(crate) struct People {
    tracks: Vec<Track>,
    watches: Vec<(Topic, Watching)>,
}

/// Where the session is present, or will be once a browser holds it.
struct Track {
    topic: Topic,
    meta: Bytes,
    tracked: Option<Tracked>,
}

impl<P: Page> Ctx<P> {
    /// This session's person is present in a topic, on every node, for as long as a browser holds the session. Tracked again, something else is said of them.
    ///
    /// Somebody with two tabs is there once, with two metas, and has left when both are closed. When a node dies, its people have left 15
    /// seconds later.
    ///
    /// # Errors
    ///
    /// - The topic is empty or too long, or what is said has more than 4 KiB.
    /// - The pub/sub adapter can't be reached.
    ///
    /// ```
    /// use mizu::prelude::*;
    /// use mizu::{Present, PresenceDiff};
    ///
    /// struct Room;
    ///
    /// enum Msg { People(PresenceDiff<String>) }
    ///
    /// impl Page for Room {
    ///     type State = Vec<String>;
    ///     type Message = Msg;
    ///
    ///     async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Vec<String>> {
    ///         cx.track("room", "in a hurry").await?;
    ///         let there = cx.watch_presence("room", Msg::People).await?;
    ///         Ok(there.into_iter().map(|present: Present<String>| present.key).collect())
    ///     }
    ///
    ///     fn render(&self, view: &View<Vec<String>>) -> Markup {
    ///         html! { (view.region("people", || html! { (view.len()) " here" })) }
    ///     }
    ///
    ///     async fn info(&self, _: &mut Ctx<Self>, session: &mut Session<Vec<String>>, message: Msg) -> Result {
    ///         let Msg::People(PresenceDiff { joined, left, .. }) = message;
    ///         session.state.retain(|key| left.iter().all(|gone| gone.key != *key));
    ///         session.state.extend(joined.into_iter().map(|present| present.key));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let app = mizu::testing::TestApp::new(Router::new().route("/", mizu::page(Room)));
    /// let mut ann = app.connect("/").await;
    /// ann.until(|page| page.text("#people") == "1 here").await;
    /// let bob = app.connect("/").await;
    /// ann.until(|page| page.text("#people") == "2 here").await;
    /// drop(bob);
    /// ann.until(|page| page.text("#people") == "1 here").await;
    /// # });
    /// ```
    pub async fn track<T: Serialize + ?Sized>(&mut self, topic: impl AsRef<str>, meta: &T) -> Result {
        let (topic, meta) = (publish::topic(topic.as_ref())?, Bytes::from(publish::encode(meta)?));
        let key = self.key();
        let tracks = &mut self.people.get_or_insert_default().tracks;
        let at = tracks.iter().position(|track| track.topic == topic).unwrap_or_else(|| {
            tracks.push(Track { topic: topic.clone(), meta: Bytes::new(), tracked: None });
            tracks.len() - 1
        });
        let track = &mut tracks[at];
        track.meta = meta.clone();
        match &track.tracked {
            Some(tracked) => tracked.say(meta)?,
            None if self.armed => track.tracked = Some(self.live.presence().track(&topic, &key, meta).await?),
            None => {}
        }
        Ok(())
    }

    /// This session is present there no longer; nothing happens where it was not.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// fn leave<P: Page>(cx: &mut Ctx<P>) {
    ///     cx.untrack("room");
    /// }
    /// ```
    pub fn untrack(&mut self, topic: impl AsRef<str>) {
        if let Some(people) = &mut self.people {
            people.tracks.retain(|track| track.topic.as_str() != topic.as_ref());
        }
    }

    /// Who is present in a topic now, ordered by key, and from now on a message whenever somebody comes or goes. What happens while the session is busy arrives as one.
    ///
    /// What is said of people in another shape than `T` is logged and left out.
    ///
    /// # Errors
    ///
    /// - The topic is empty or too long.
    /// - The pub/sub adapter can't be reached.
    ///
    /// See [`track`](Self::track) for an example.
    pub async fn watch_presence<T, F>(&mut self, topic: impl AsRef<str>, into: F) -> Result<Vec<Present<T>>>
    where
        T: DeserializeOwned,
        F: Fn(PresenceDiff<T>) -> P::Message + Send + Sync + 'static,
    {
        let topic = publish::topic(topic.as_ref())?;
        let (weak, seen) = (self.live.downgrade(), Arc::new(Mutex::new(Roll::default())));
        let receive: Arc<Receive<P::Message>> = {
            let (weak, seen, topic) = (weak.clone(), seen.clone(), topic.clone());
            Arc::new(move |_| {
                let now = weak.upgrade()?.presence().roll(&topic);
                // Guards what this session was told last; held to look what is new.
                let mut seen = seen.lock();
                let difference = seen.difference(&now);
                *seen = now;
                drop(seen);
                (!difference.is_empty()).then(|| into(difference.into()))
            })
        };
        let (mailbox, session, name) = (self.mailbox.clone(), self.session, Topic::new(waits_as(topic.as_str()))?);
        let changed = move || {
            // The newest of these in the mailbox stands for all: what is new is found when it is taken out.
            let word = Arc::new(Published::new(name.clone(), Bytes::new(), Delivery::Latest));
            let overflow = mailbox.push(Mail::Published(word, receive.clone()));
            if let (Err(_), Some(live)) = (overflow, weak.upgrade()) {
                live.park().overflowed(session);
            }
        };
        let watching = self.live.presence().watch(&topic, changed).await?;
        let roll = watching.roll();
        *seen.lock() = roll.clone();
        self.unwatch_presence(topic.as_str());
        self.people.get_or_insert_default().watches.push((topic, watching));
        Ok(roll.iter().map(Present::from).collect())
    }

    /// Hears no longer who comes and goes.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// fn leave<P: Page>(cx: &mut Ctx<P>) {
    ///     cx.unwatch_presence("room");
    /// }
    /// ```
    pub fn unwatch_presence(&mut self, topic: impl AsRef<str>) {
        if let Some(people) = &mut self.people {
            people.watches.retain(|(watched, _)| watched.as_str() != topic.as_ref());
        }
        self.mailbox.forget(&waits_as(topic.as_ref()));
    }

    /// Who is present in a topic that this session is in or watches.
    ///
    /// ```
    /// # use mizu::prelude::*;
    /// fn names<P: Page>(cx: &Ctx<P>) -> Vec<String> {
    ///     cx.who("room").into_iter().map(|present: mizu::Present<String>| present.metas[0].clone()).collect()
    /// }
    /// ```
    pub fn who<T: DeserializeOwned>(&self, topic: impl AsRef<str>) -> Vec<Present<T>> {
        let roll = publish::topic(topic.as_ref()).map(|topic| self.live.presence().roll(&topic)).unwrap_or_default();
        roll.iter().map(Present::from).collect()
    }

    /// A browser holds the session.
    pub(super) async fn appear(&mut self) {
        let key = self.key();
        let Some(people) = &mut self.people else { return };
        for track in people.tracks.iter_mut().filter(|track| track.tracked.is_none()) {
            match self.live.presence().track(&track.topic, &key, track.meta.clone()).await {
                Ok(tracked) => track.tracked = Some(tracked),
                Err(error) => tracing::warn!(%error, topic = %track.topic, "a session could not be made present"),
            }
        }
    }

    pub(super) fn disappear(&mut self) {
        if let Some(people) = &mut self.people {
            people.tracks.iter_mut().for_each(|track| track.tracked = None);
        }
    }

    fn key(&self) -> String {
        if self.who.is_anybody() { self.alias() } else { self.who.key() }
    }

    /// What others may call this session: it can't be traced back to its id.
    pub(super) fn alias(&self) -> String {
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64_with_seed(&self.session.to_bytes(), self.live.seed()))
    }
}

/// What waits in the mailbox under: no topic of the app's own.
fn waits_as(topic: &str) -> String {
    format!("presence:{topic}")
}

impl<T: DeserializeOwned> From<&Member> for Present<T> {
    fn from(present: &Member) -> Self {
        let read = |meta: &Bytes| {
            let read = rmp_serde::from_slice(meta);
            read.inspect_err(
                |error| tracing::warn!(%error, wanted = std::any::type_name::<T>(), "a meta of another type"),
            )
        };
        Self { key: present.key.to_string(), metas: present.metas.iter().filter_map(|meta| read(meta).ok()).collect() }
    }
}

impl<T: DeserializeOwned> From<Difference> for PresenceDiff<T> {
    fn from(difference: Difference) -> Self {
        let typed = |presents: &[Member]| presents.iter().map(Present::from).collect();
        Self { joined: typed(&difference.joined), left: typed(&difference.left), changed: typed(&difference.changed) }
    }
}
