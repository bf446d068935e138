//! One page session whole: the page, its state, what it showed. No socket and no HTTP; whoever holds the seat drives it.
//!
//! Callbacks run through here and nowhere else: each is guarded against panics, says what became dirty, and may leave a redirect.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tracing::Instrument;

use super::app::Live;
use super::asked::Asked;
use super::ctx::Ctx;
use super::definition::Page;
use super::error::{Error, Result};
use super::event::Event;
use super::flash::Flash;
use super::history::History;
use super::mailbox::Mail;
use super::park::{Claim, Parked};
use super::patch::{self, Regions};
use super::record::Plan;
use super::rendered::{FLASH, Fingerprint, Node, ROOT};
use super::session::{Dirty, Session};
use super::stream::{around, filled, inside, merged};
use super::token::{Generation, SessionId, Token};
use super::view::View;
use super::watch::Watch;
use super::wire::{Command, Patch, Seq};
use crate::live::{Published, Ref};
use crate::sync::Cursor;

/// A page session, wherever it is: parked, held by a request, or run by a socket's loop.
pub(crate) struct Seat<P: Page> {
    pub(crate) page: Arc<P>,
    pub(crate) cx: Ctx<P>,
    pub(crate) session: Session<P::State>,
    pub(crate) claim: Claim,
    pub(crate) generation: Generation,
    pub(crate) answered: Answered,
    pub(crate) shown: Arc<Node>,
    title: Box<str>,
    /// The patch that last changed the title.
    title_version: Seq,
    pub(crate) seq: Seq,
    dirty: Dirty,
    history: History,
    /// What is known of what the browser shows while the renderings are not kept.
    asleep: Option<Asleep>,
}

/// A session that hibernates.
struct Asleep {
    shown: Fingerprint,
    _counted: Arc<()>,
}

/// A callback panicked. The state may be half changed, so the session must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the page panicked")]
pub(crate) struct Panicked;

/// The code and public message of a callback's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Box<str>,
    pub(crate) message: Box<str>,
}

/// What a person is told of an error: its public message, and in development what is behind it.
pub(crate) fn told(error: &Error, dev: bool) -> String {
    match error.source().filter(|_| dev && error.status().is_server_error()) {
        Some(source) => format!("{} (only in development: {source})", error.public_message()),
        None => error.public_message().to_owned(),
    }
}

impl Refusal {
    /// In development the real error is told.
    pub(crate) fn of(error: &Error, dev: bool) -> Self {
        Self { code: error.code().into(), message: told(error, dev).into() }
    }
}

/// The events that were handled, so that one sent twice is answered from memory.
#[derive(Default)]
pub(crate) struct Answered {
    last: u32,
    /// Answers that were not plain successes, newest last; at most [`Answered::KEPT`].
    refused: VecDeque<(u32, Refusal)>,
}

impl Answered {
    const KEPT: usize = 32;

    /// The answer to an event that was handled before.
    pub(crate) fn find(&self, reference: Ref) -> Option<Option<&Refusal>> {
        let number = reference.get();
        (number != 0 && number <= self.last)
            .then(|| self.refused.iter().find(|(kept, _)| *kept == number).map(|(_, refusal)| refusal))
    }

    pub(crate) fn keep(&mut self, reference: Ref, outcome: &Result<(), Refusal>) {
        self.last = self.last.max(reference.get());
        if let Err(refusal) = outcome {
            if self.refused.len() == Self::KEPT {
                self.refused.pop_front();
            }
            self.refused.push_back((reference.get(), refusal.clone()));
        }
    }
}

/// A page that takes less memory than this, in bytes, never hibernates.
const AWAKE: usize = 4 * 1024;

impl<P: Page> Seat<P> {
    /// Mounts the page and renders it for the first time.
    pub(crate) async fn mount(live: &Live, page: Arc<P>, claim: Claim, asked: Asked) -> Result<Result<Self>, Panicked> {
        let id = SessionId::random();
        let mut cx = Ctx::new(live.clone(), id, claim.who.clone(), asked);
        let span = tracing::info_span!("mount", page = std::any::type_name::<P>(), session = %id);
        let state = match AssertUnwindSafe(page.mount(&mut cx).instrument(span)).catch_unwind().await {
            Ok(Ok(state)) => state,
            Ok(Err(error)) => return Ok(Err(error)),
            Err(_) => return Err(Panicked),
        };
        cx.ask(None);
        let session = Session::new(id, claim.who.clone(), state);
        let mut seat = Self {
            page,
            cx,
            session,
            claim,
            generation: Generation::default(),
            answered: Answered::default(),
            shown: Node::empty(),
            title: Box::default(),
            title_version: Seq::default(),
            seq: Seq::default(),
            dirty: Dirty::Nothing,
            history: History::default(),
            asleep: None,
        };
        seat.render_whole()?;
        Ok(Ok(seat))
    }

    pub(crate) fn id(&self) -> SessionId {
        self.session.id()
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// The page as it is shown now, with the items of its streams as long as these are held.
    pub(crate) fn whole(&self) -> Arc<Node> {
        filled(&self.shown, &|id| self.cx.streams.held(id))
    }

    /// What a joining browser shows that came with this token.
    pub(crate) fn base(&self, shown: Fingerprint) -> Base {
        if self.cx.streams.began_with(&shown) { Base::Seen(Seq::default()) } else { Base::Token(shown) }
    }

    /// Whether a browser that shows this can be brought up to date: what was streamed is held, or known.
    pub(crate) fn can_join(&self, base: &Base) -> bool {
        match base {
            Base::Seen(seen) if *seen <= self.seq => self.cx.streams.know_since(*seen),
            _ => self.cx.streams.are_complete(),
        }
    }

    /// The token for a page as it is shown now.
    pub(crate) fn page_token(&self, shown: &Node) -> String {
        let shown = shown.fingerprint(self.cx.live().seed());
        self.cx.live().signer().sign(&Token { session: self.id(), generation: self.generation, shown })
    }

    /// The token for a browser that holds the session.
    pub(crate) fn resume_token(&self) -> String {
        let shown = Fingerprint::default();
        self.cx.live().signer().sign(&Token { session: self.id(), generation: self.generation, shown })
    }

    /// Runs a callback and keeps what it says; the shared part of every callback.
    async fn call<T>(
        &mut self,
        kind: &'static str,
        callback: impl AsyncFnOnce(&P, &mut Ctx<P>, &mut Session<P::State>) -> T,
    ) -> Result<T, Panicked> {
        let flash = self.session.flash.clone();
        let span = tracing::info_span!("page", kind, page = std::any::type_name::<P>(), session = %self.id());
        let called = callback(&self.page, &mut self.cx, &mut self.session).instrument(span.clone());
        let output = AssertUnwindSafe(called).catch_unwind().await.map_err(|_| {
            span.in_scope(|| tracing::error!("the page panicked; this session ends"));
            Panicked
        })?;
        self.dirty.add(self.session.take_dirty());
        if self.session.flash != flash {
            self.dirty.add(Dirty::Some(vec![FLASH.into()]));
        }
        Ok(output)
    }

    /// Handles an event; the messages of the one before are over.
    pub(crate) async fn handle(&mut self, event: Box<Event>) -> Result<Result<(), Error>, Panicked> {
        if !self.session.flash.is_empty() {
            self.session.flash = Flash::default();
            self.dirty.add(Dirty::Some(vec![FLASH.into()]));
        }
        let name = event.name().to_owned();
        let outcome =
            self.call("handle", async move |page, cx, session| page.handle(cx, session, *event).await).await?;
        self.show_written().await?;
        if let Err(error) = &outcome {
            self.failed(error, &name);
        }
        Ok(outcome)
    }

    /// An error is told to the log and to the person.
    fn failed(&mut self, error: &Error, what: &str) {
        if let Some(to) = error.location() {
            self.cx.redirect(to);
            return;
        }
        let (session, page) = (self.id(), std::any::type_name::<P>());
        if error.status().is_server_error() {
            tracing::error!(?error, %session, page, what, "a page's callback failed");
        } else {
            tracing::info!(%error, %session, page, what, "a page refused");
        }
        self.session.flash.error(told(error, self.cx.live().is_dev()));
        self.dirty.add(Dirty::All);
    }

    pub(crate) async fn info(&mut self, message: P::Message) -> Result<(), Panicked> {
        let outcome = self.call("info", async move |page, cx, session| page.info(cx, session, message).await).await?;
        self.show_written().await?;
        if let Err(error) = &outcome {
            self.failed(error, "info");
        }
        Ok(())
    }

    /// A scope that this session watches has moved: newer rows take the place of those it shows.
    pub(crate) async fn poked(&mut self, poke: &Published) -> Result<(), Panicked> {
        let cursor = super::notifier::cursor(poke);
        if self.refresh_rows(|watch| watch.topic() == poke.topic(), cursor).await {
            self.refreshed().await?;
        }
        Ok(())
    }

    /// Shows what the callback that just ended has written, so that it is in this session's own answer.
    async fn show_written(&mut self) -> Result<(), Panicked> {
        let mut changed = false;
        for (scope, cursor) in self.cx.take_written() {
            changed |= self.refresh_rows(|watch| watch.scope == scope, Some(cursor)).await;
        }
        if changed {
            self.refreshed().await?;
        }
        Ok(())
    }

    /// Watched rows are others now: what the page makes of them.
    async fn refreshed(&mut self) -> Result<(), Panicked> {
        let outcome = self.call("refresh", async |page, cx, session| page.refresh(cx, session).await).await?;
        if let Err(error) = &outcome {
            self.failed(error, "refresh");
        }
        Ok(())
    }

    /// Shows newer rows where there are any, and marks the regions that show them. Whether any changed.
    async fn refresh_rows(&mut self, which: impl Fn(&Watch) -> bool, at_least: Option<Cursor>) -> bool {
        let mut changed = false;
        for watch in self.cx.watches().iter().filter(|watch| which(watch)) {
            match watch.rows.refresh(at_least).await {
                Ok(true) => {
                    changed = true;
                    self.dirty.add(match watch.regions.is_empty() {
                        true => Dirty::All,
                        false => Dirty::Some(watch.regions.clone()),
                    });
                }
                Ok(false) => {}
                // The next poke, or the next reading, finds what this one did not.
                Err(error) => {
                    tracing::error!(%error, scope = %watch.scope, session = %self.session.id(), "watched rows can't be read");
                }
            }
        }
        changed
    }

    /// The page is shown under another query.
    pub(crate) async fn params(&mut self, asked: Asked) -> Result<Result<(), Error>, Panicked> {
        self.cx.ask(Some(Box::new(asked)));
        let outcome = self.call("params", async |page, cx, session| page.params(cx, session).await).await;
        self.cx.ask(None);
        let outcome = outcome?;
        self.show_written().await?;
        if let Err(error) = &outcome {
            self.failed(error, "params");
        }
        Ok(outcome)
    }

    /// Takes in everything that waits in the mailbox of a parked session.
    pub(crate) async fn catch_up(&mut self) -> Result<(), Panicked> {
        while let Some(mail) = self.cx.mailbox().pop() {
            match mail {
                Mail::Message(message) => self.info(message).await?,
                Mail::Published(published, receive) => {
                    if let Some(message) = receive(&published) {
                        self.info(message).await?;
                    }
                }
                Mail::Poke(poke) => self.poked(&poke).await?,
                // Sent over a socket that has dropped since; the browser sends it again.
                Mail::Event(..) | Mail::Params(..) | Mail::Resync(_) | Mail::Confirmed(_) | Mail::Leave => {}
                // Nobody was there to hear it.
                Mail::Heard(_) | Mail::PassOn(..) => {}
            }
        }
        Ok(())
    }

    /// Renders what is dirty. What changed is the next patch; nothing where nothing did.
    pub(crate) fn refresh(&mut self) -> Result<Option<Patch>, Panicked> {
        let dirty = std::mem::replace(&mut self.dirty, Dirty::Nothing);
        let mut regions = Vec::new();
        let mut title = None;
        if dirty != Dirty::Nothing {
            let (new, new_title) = self.render(&dirty)?;
            regions = match self.asleep.take() {
                Some(Asleep { shown, .. }) => {
                    let seed = self.cx.live().seed();
                    shown.changed(&new, seed).iter().map(patch::whole).collect()
                }
                None => patch::between(&self.shown, &new),
            };
            if self.cx.live().is_dev() {
                self.check(&dirty, &new)?;
            }
            self.show(new);
            if self.title != new_title {
                self.title = new_title;
                title = Some(self.title.to_string());
            }
        }
        if self.cx.live().is_dev() {
            self.cx.streams.check_places();
            self.tell_stream_mistakes();
        }
        let streams = self.cx.streams.take(self.seq.next());
        Ok(self.number(regions, streams, title))
    }

    /// The page looks like this now.
    fn show(&mut self, page: Arc<Node>) {
        self.shown = page;
        self.cx.streams.placed(&self.shown);
    }

    fn number(&mut self, mut regions: Regions, streams: Regions, title: Option<String>) -> Option<Patch> {
        let commands = std::mem::take(&mut self.cx.commands);
        if regions.is_empty() && streams.is_empty() && title.is_none() && commands.is_empty() {
            return None;
        }
        self.seq = self.seq.next();
        if title.is_some() {
            self.title_version = self.seq;
        }
        self.history.record(&regions, self.seq);
        regions.extend(streams);
        Some(Patch { seq: self.seq, regions, title, commands })
    }

    /// Renders what is dirty.
    fn render(&self, dirty: &Dirty) -> Result<(Arc<Node>, Box<str>), Panicked> {
        let plan = match dirty {
            Dirty::Some(marks) if self.asleep.is_none() => Plan::marked(&self.shown, marks),
            _ => Plan::All(Some(&self.shown)),
        };
        let render = || {
            let view = View::new(&self.session.state, &self.session.flash, self.session.who(), &plan);
            let node = view.record(|view| self.page.render(view));
            (node, self.page.title(&view).into())
        };
        std::panic::catch_unwind(AssertUnwindSafe(render)).map_err(|_| {
            tracing::error!(page = std::any::type_name::<P>(), session = %self.id(), "render panicked; this session ends");
            Panicked
        })
    }

    /// Renders all of it as a new page: nothing is assumed of what a browser shows.
    pub(crate) fn render_whole(&mut self) -> Result<(), Panicked> {
        let page;
        (page, self.title) = self.render(&Dirty::All)?;
        self.show(page);
        self.asleep = None;
        self.dirty = Dirty::Nothing;
        self.cx.commands.clear();
        if self.cx.live().is_dev() {
            self.mistakes(&self.shown.clone());
            // There is no console yet to tell.
            self.cx.commands.clear();
            self.cx.streams.check_places();
        }
        self.cx.streams.settle();
        Ok(())
    }

    /// In development: what changed though it was not marked is named in log and console.
    fn check(&mut self, dirty: &Dirty, new: &Arc<Node>) -> Result<(), Panicked> {
        let page = std::any::type_name::<P>();
        if let Dirty::Some(marks) = dirty {
            let shown = std::mem::replace(&mut self.shown, new.clone());
            let full = self.render(&Dirty::All);
            self.shown = shown;
            for forgotten in patch::between(new, &full?.0) {
                let id = &forgotten.id;
                tracing::warn!(%id, page, ?marks, "a region changed that was not marked");
                let note = format!("{page}: the region {id:?} changed, but only {marks:?} was marked");
                self.cx.commands.push(Command::Debug(note));
            }
        }
        self.mistakes(new);
        Ok(())
    }

    /// In development: ids that patches could not go by.
    fn mistakes(&mut self, page: &Arc<Node>) {
        let twice = page.duplicate_ids().into_iter().map(|id| format!("two regions have the id {id:?}"));
        let rows = page.rows_without_id().into_iter();
        let rows = rows.map(|id| format!("the row {id:?} must be one element with that id, as its key says"));
        let unfit = page.unfit_ids().into_iter();
        let unfit = unfit.map(|id| {
            format!("{id:?} can't be the id of a region: it is empty, has a space, or is the framework's own")
        });
        for mistake in twice.chain(rows).chain(unfit) {
            let page = std::any::type_name::<P>();
            tracing::error!(page, mistake, "patches can't go by these ids");
            self.cx.commands.push(Command::Debug(format!("{page}: {mistake}")));
        }
    }

    /// In development: what was streamed and could not be shown.
    fn tell_stream_mistakes(&mut self) {
        for mistake in self.cx.streams.take_mistakes() {
            let page = std::any::type_name::<P>();
            tracing::error!(page, mistake, "what was streamed can't be shown");
            self.cx.commands.push(Command::Debug(format!("{page}: {mistake}")));
        }
    }

    /// What a browser that showed `base` needs to show this page as it is now.
    pub(crate) fn join(&mut self, base: &Base) -> Result<Option<Patch>, Panicked> {
        let seed = self.cx.live().seed();
        let before = matches!(base, Base::Token(_)).then(|| match &self.asleep {
            Some(asleep) => asleep.shown.clone(),
            None => self.whole().fingerprint(seed),
        });
        if self.asleep.is_some() {
            self.dirty = Dirty::All;
        }
        // It showed exactly what was rendered last: what has changed since is the patch.
        let same = before.filter(|before| matches!(base, Base::Token(shown) if shown == before));
        let seen = if let Base::Seen(seen) = base { Some(*seen).filter(|seen| *seen <= self.seq) } else { None };
        if same.is_none() && seen.is_none() {
            self.cx.streams.settle();
        }
        let mut streams = seen.map(|seen| self.cx.streams.since(seen)).unwrap_or_default();
        let fresh = self.refresh()?;
        if same.is_some() {
            self.cx.streams.join(self.seq, same);
            return Ok(fresh);
        }
        let (regions, title) = match (base, seen) {
            (_, Some(seen)) => {
                streams = merged(streams.iter().chain(fresh.iter().flat_map(|patch| &patch.regions)));
                streams.retain(|stream| self.cx.streams.places().contains(&stream.id));
                let title = self.title_version > seen;
                (self.history.since(seen, &self.shown), title.then(|| self.title.to_string()))
            }
            (Base::Token(shown), _) => {
                let whole = self.whole();
                let changed: Vec<_> = shown.changed(&whole, seed).iter().map(|part| part.id).collect();
                let title = (!changed.is_empty()).then(|| self.title.to_string());
                let regions = self.anew(changed, &mut streams);
                (regions, title)
            }
            _ => {
                let regions = self.anew(vec![ROOT], &mut streams);
                (regions, Some(self.title.to_string()))
            }
        };
        self.cx.commands = fresh.map(|patch| patch.commands).unwrap_or_default();
        let patch = self.number(regions, streams, title);
        self.cx.streams.join(self.seq, None);
        Ok(patch)
    }

    /// These regions whole. A browser keeps the items of streams in what comes anew, so each of those follows by itself.
    fn anew(&self, ids: Vec<&str>, streams: &mut Regions) -> Regions {
        let places = self.cx.streams.places();
        let parts = ids.into_iter().filter_map(|id| self.shown.find(id));
        let mut regions = Vec::new();
        for part in parts {
            streams.extend(self.cx.streams.whole(&inside(&part, places)));
            if !places.iter().any(|place| **place == *part.id) {
                regions.push(patch::whole(&part));
            }
        }
        regions
    }

    /// Regions whole, as a patch of their own. Where the page is in doubt as a whole, it is rendered as a whole.
    pub(crate) fn resync(&mut self, ids: &[String]) -> Result<Option<Patch>, Panicked> {
        let ids = match self.asleep.take() {
            Some(_) => vec![ROOT.to_owned()],
            None => around(ids, &self.shown, self.cx.streams.places()),
        };
        if ids.iter().any(|id| id == ROOT) {
            let page;
            (page, self.title) = self.render(&Dirty::All)?;
            self.show(page);
            self.dirty = Dirty::Nothing;
        }
        let regions = patch::resync(&ids, &self.shown);
        let streams = self.cx.streams.take(self.seq.next());
        Ok(self.number(regions, streams, None))
    }

    /// Nothing has happened for a while: forgets what the page looks like, where that is worth it. The next patch has the regions that change whole.
    pub(crate) fn hibernate(&mut self) {
        if self.asleep.is_some() || self.dirty != Dirty::Nothing || self.shown.footprint() < AWAKE {
            return;
        }
        let shown = self.shown.fingerprint(self.cx.live().seed());
        self.asleep = Some(Asleep { shown, _counted: self.cx.live().count_hibernating() });
        self.shown = Node::empty();
    }

    /// The session is over.
    pub(crate) async fn unmount(mut self: Box<Self>) {
        let Self { page, cx, session, .. } = &mut *self;
        if AssertUnwindSafe(page.unmount(cx, session)).catch_unwind().await.is_err() {
            tracing::error!(page = std::any::type_name::<P>(), "unmount panicked");
        }
    }
}

/// What is known of what a joining browser shows.
#[derive(Debug)]
pub(crate) enum Base {
    /// The page of this session's patch with this number.
    Seen(Seq),
    /// A page with these hashes.
    Token(Fingerprint),
    /// Nothing.
    Nothing,
}

impl<P: Page> Parked for Seat<P> {
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }

    fn footprint(&self) -> usize {
        // What may still be sent to it counts from the start.
        let mail = if self.cx.is_subscribed() { self.cx.mailbox().footprint() } else { 0 };
        let streams = self.cx.streams.footprint();
        size_of::<Self>() + self.shown.footprint() + encoded_len(&self.session.state) + streams + mail
    }

    fn end(self: Box<Self>) {
        let shutdown = self.cx.live().shutdown().clone();
        let mut unmounted = Box::pin(self.unmount());
        // Most pages have nothing to wait for here, and need no task.
        if unmounted.as_mut().now_or_never().is_none() {
            shutdown.spawn(unmounted);
        }
    }
}

/// How long a value would be on the wire: the measure of what a state holds.
fn encoded_len(value: &impl serde::Serialize) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A state that can't be encoded still counts with what was written of it.
    let _ = rmp_serde::encode::write(&mut count, value);
    count.0
}
