//! The loop of a session that a socket holds: mail in, callbacks, one patch out.
//!
//! The loop owns the session; no other task touches it. It renders only when everything it sent before was written to the socket,
//! so a slow browser has its session's changes pile up as marks, never as frames.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::asked::Asked;
use super::definition::Page;
use super::event::Event;
use super::heard::{Heard, heard};
use super::mailbox::{Mail, Overflow};
use super::park::Held;
use super::pokes;
use super::seat::{Base, Panicked, Refusal, Seat};
use super::watch::Watch;
use super::wire::{FULL_LOAD, Joined, Patch, Reply, Seq};
use crate::live::{CloseCode, Connection, EncodeError, Kind, Message, Published, Ref, SendError, Topic};
use crate::sync::Scope;

/// How a session's loop came to its end.
enum Ended {
    /// The socket is gone, or another one asks for the session: it waits for its browser.
    Released,
    /// The browser left the page.
    Left,
    /// A callback panicked.
    Panicked,
    /// More came for the session than it could take.
    Overflowed,
}

impl From<Panicked> for Ended {
    fn from(_: Panicked) -> Self {
        Self::Panicked
    }
}

/// A session and the socket that holds it.
pub(crate) struct Runner<P: Page> {
    pub(crate) seat: Box<Seat<P>>,
    pub(crate) connection: Connection,
    pub(crate) topic: Topic,
    /// Events that were handled and not yet answered.
    unanswered: Vec<(Ref, Option<Refusal>)>,
    /// Whether something may have changed since the last patch.
    stale: bool,
    /// The event that is being handled.
    handling: Ref,
    /// Watched scopes that the browser's own store knows of; nothing where it has none.
    told: Option<Vec<Scope>>,
}

/// Mail taken in before the browser is shown the result, at most.
const BURST: usize = 64;

impl<P: Page> Runner<P> {
    /// With `pokes`, the browser hears whenever a scope moves that the page watches.
    pub(crate) fn new(seat: Box<Seat<P>>, connection: Connection, topic: Topic, pokes: bool) -> Self {
        let told = pokes.then(Vec::new);
        Self { seat, connection, topic, unanswered: Vec::new(), stale: false, handling: Ref::PUSH, told }
    }

    /// Answers the join and runs the session until it ends or is let go.
    pub(crate) async fn run(mut self, held: Held, join: Ref, base: Base, fresh: bool) {
        let mut ended = self.joined(join, base, fresh).await.err();
        if ended.is_none() {
            ended = self.serve(&held).await.err();
        }
        let id = self.seat.id();
        match ended {
            Some(Ended::Left) => self.seat.unmount().await,
            Some(Ended::Panicked) => self.fail("panicked", "The page failed and starts again."),
            Some(Ended::Overflowed) => {
                tracing::warn!(session = %id, "more came for the session than its browser takes in; it starts again");
                self.fail("mailbox_full", "Too much happened at once; the page starts again.");
                self.seat.unmount().await;
            }
            Some(Ended::Released) | None => {
                self.seat.cx.disarm();
                let generation = self.seat.generation;
                held.put_back(self.seat, generation);
            }
        }
    }

    async fn joined(&mut self, join: Ref, base: Base, fresh: bool) -> Result<(), Ended> {
        self.seat.cx.arm().await;
        self.seat.catch_up().await?;
        let patch = self.seat.join(&base)?;
        let (session, live) = (self.seat.resume_token(), self.seat.cx.live());
        let joined = Joined {
            topic: self.topic.as_str(),
            session: &session,
            seq: self.seat.seq,
            heartbeat: live.settings().heartbeat_millis(),
            dev: live.is_dev(),
            fresh,
        };
        let reply = Reply { outcome: Ok(Some(joined)), patch: patch.as_ref() };
        send(&self.connection, Kind::REPLY, &Topic::connection(), join, &reply);
        self.redirect();
        self.tell_watched();
        Ok(())
    }

    /// Names the scopes that the page watches to the browser's own store, each once.
    fn tell_watched(&mut self) {
        let Some(told) = &mut self.told else { return };
        for Watch { scope, .. } in self.seat.cx.watches() {
            if !told.contains(scope) {
                told.push(scope.clone());
                pokes::tell(&self.connection, scope, "");
            }
        }
    }

    /// A watched scope has moved.
    async fn poked(&mut self, poke: &Published) -> Result<(), Panicked> {
        self.seat.poked(poke).await?;
        let watch = self.seat.cx.watches().iter().find(|watch| watch.topic() == poke.topic());
        if let (Some(_), Some(watch)) = (&self.told, watch) {
            pokes::tell(&self.connection, &watch.scope, poke.body());
        }
        Ok(())
    }

    async fn serve(&mut self, held: &Held) -> Result<(), Ended> {
        let stopped = held.hold().stopped();
        tokio::pin!(stopped);
        let quiet = self.seat.cx.live().settings().hibernate_after;
        let mut last = tokio::time::Instant::now();
        // Looked at when it is over, and not put off with each event: that would cost each event.
        let idle = tokio::time::sleep(quiet);
        tokio::pin!(idle);
        loop {
            let due = self.seat.cx.effects.next_due();
            let mailbox = self.seat.cx.mailbox().clone();
            tokio::select! {
                biased;
                () = &mut stopped => {
                    // What the browser sent before its socket was gone still counts: a click and then away, or the word that it left.
                    // If it comes back and sends an event again, that is answered from memory.
                    let waiting = if held.hold().has_ended() { 0 } else { mailbox.len() };
                    for mail in (0..waiting).map_while(|_| mailbox.pop()) {
                        Box::pin(self.take(mail)).await?;
                    }
                    return Err(Ended::Released);
                }
                mail = mailbox.next() => {
                    let mut mail = mail.map_err(|Overflow| Ended::Overflowed)?;
                    last = tokio::time::Instant::now();
                    for _ in 0..BURST {
                        // Boxed, because a callback's future would count for every idle session.
                        Box::pin(self.take(mail)).await?;
                        match mailbox.pop() {
                            Some(next) => mail = next,
                            None => break,
                        }
                    }
                }
                () = sleep_until(due) => {
                    for message in self.seat.cx.effects.fire(tokio::time::Instant::now()) {
                        self.seat.info(message).await?;
                    }
                    self.stale = true;
                }
                () = &mut idle => {
                    let since = last.elapsed();
                    if since >= quiet && !self.stale {
                        self.seat.hibernate();
                    }
                    let next = if since >= quiet { quiet } else { quiet - since };
                    idle.as_mut().reset(tokio::time::Instant::now() + next);
                }
                () = self.connection.drained(), if self.stale && !self.connection.is_drained() => {}
            }
            if self.stale && self.connection.is_drained() {
                self.flush()?;
            }
            if self.seat.cx.streams.overflow() {
                return Err(Ended::Overflowed);
            }
        }
    }

    async fn take(&mut self, mail: Mail<P::Message>) -> Result<(), Ended> {
        match mail {
            Mail::Event(reference, event) => self.event(reference, event).await?,
            Mail::Message(message) => self.seat.info(message).await?,
            Mail::Published(published, receive) => {
                if let Some(message) = receive(&published) {
                    self.seat.info(message).await?;
                }
            }
            Mail::Poke(poke) => self.poked(&poke).await?,
            // Neither concerns the page.
            Mail::Heard(published) => {
                self.tell_heard(&published);
                return Ok(());
            }
            Mail::PassOn(name, payload) => {
                self.seat.cx.pass_on(name, payload).await;
                return Ok(());
            }
            Mail::Params(reference, url, asked) => {
                self.handling = reference;
                let outcome = self.seat.params(*asked).await?;
                self.handling = Ref::PUSH;
                if outcome.is_ok() {
                    self.seat.claim.url = url.clone();
                    self.seat.cx.live().park().moved(self.seat.id(), url);
                }
                let dev = self.seat.cx.live().is_dev();
                self.unanswered.push((reference, outcome.err().map(|error| Refusal::of(&error, dev))));
            }
            Mail::Resync(ids) => {
                // What is dirty goes first, so that the regions asked for are sent as they are now.
                self.flush()?;
                if let Some(patch) = self.seat.resync(&ids)? {
                    send(&self.connection, Kind::PATCH, &self.topic, Ref::PUSH, &patch);
                }
            }
            Mail::Confirmed(seen) => {
                self.seat.cx.live().park().confirmed(self.seat.id());
                self.seat.cx.streams.acknowledge(seen);
            }
            Mail::Leave => return Err(Ended::Left),
        }
        self.stale = true;
        Ok(())
    }

    /// Hands an ephemeral message to the browser, which needs only the newest of each sender and name.
    fn tell_heard(&self, published: &Published) {
        let Some(Heard { message, key }) = heard(published) else { return };
        let Ok(body) = self.connection.format().to_bytes(&(&message.from, &message.name, &message.payload)) else {
            return;
        };
        let message = Message::new(Kind::EPHEMERAL, self.topic.clone(), Ref::PUSH, body);
        if let Err(error) = self.connection.send_latest(key, message) {
            tracing::debug!(%error, "an ephemeral message was lost");
        }
    }

    /// The event stays in its box: each future that holds it on its way would be larger by its size.
    async fn event(&mut self, reference: Ref, event: Box<Event>) -> Result<(), Ended> {
        if let Some(answer) = self.seat.answered.find(reference) {
            self.unanswered.push((reference, answer.cloned()));
            return Ok(());
        }
        self.handling = reference;
        let dev = self.seat.cx.live().is_dev();
        self.seat.cx.take_up(reference);
        let outcome = self.seat.handle(event).await?.map_err(|error| Refusal::of(&error, dev));
        self.handling = Ref::PUSH;
        self.seat.answered.keep(reference, &outcome);
        if reference != Ref::PUSH {
            self.unanswered.push((reference, outcome.err()));
        }
        Ok(())
    }

    /// Sends what changed: in the answer to the newest event, or on its own.
    fn flush(&mut self) -> Result<(), Ended> {
        self.stale = false;
        let patch = self.seat.refresh()?;
        let newest = self.unanswered.len().saturating_sub(1);
        let answers = std::mem::take(&mut self.unanswered);
        let alone = answers.is_empty();
        for (at, (reference, refusal)) in answers.into_iter().enumerate() {
            let patch = patch.as_ref().filter(|_| at == newest);
            self.answer(reference, refusal.as_ref(), patch);
        }
        if let (Some(patch), true) = (&patch, alone) {
            send_body(&self.connection, Kind::PATCH, &self.topic, Ref::PUSH, patch.to_bytes(self.connection.format()));
        }
        self.redirect();
        self.tell_watched();
        Ok(())
    }

    fn answer(&self, reference: Ref, refusal: Option<&Refusal>, patch: Option<&Patch>) {
        let outcome = match refusal {
            None => Ok(None::<()>),
            Some(refusal) => Err((&*refusal.code, &*refusal.message)),
        };
        send(&self.connection, Kind::REPLY, &self.topic, reference, &Reply { outcome, patch });
    }

    fn redirect(&mut self) {
        if let Some(to) = self.seat.cx.take_redirect() {
            let flash = self.seat.session.flash.clone();
            let cookie = super::cookie::of_flash(self.seat.cx.live(), &flash);
            send(&self.connection, Kind::REDIRECT, &self.topic, Ref::PUSH, &(to, false, FULL_LOAD, cookie));
        }
    }

    fn fail(&self, code: &str, message: &str) {
        send(&self.connection, Kind::ERROR, &self.topic, self.handling, &(code, message, true));
    }
}

/// Encodes a body in the connection's format and queues it. A connection that can't take it is closing, which its loop is told.
pub(crate) fn send(connection: &Connection, kind: Kind, topic: &Topic, reference: Ref, body: &impl Serialize) {
    send_body(connection, kind, topic, reference, connection.format().to_bytes(body));
}

/// As [`send`], with a body that is encoded already.
fn send_body(connection: &Connection, kind: Kind, topic: &Topic, reference: Ref, body: Result<Bytes, EncodeError>) {
    let sent = match body {
        Ok(body) => connection.send(Message::new(kind, topic.clone(), reference, body)),
        Err(error) => Err(error.into()),
    };
    match sent {
        Ok(()) | Err(SendError::Closed | SendError::Full) => {}
        Err(error) => {
            // The browser would wait for what never comes. It finds out, and asks anew.
            tracing::error!(%error, "a frame can't be sent; the connection is closed");
            connection.close(CloseCode::INTERNAL, "a frame could not be sent");
        }
    }
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Where frames for a joined page go: its mailbox, whatever the page's type.
pub(crate) trait Inbox: Send + Sync {
    /// Puts something the browser sent into the session's mailbox.
    fn put(&self, frame: Inbound) -> Result<(), Overflow>;
}

/// What a browser sends to a page it has joined.
pub(crate) enum Inbound {
    Event(Ref, Event),
    Params(Ref, Arc<str>, Box<Asked>),
    Resync(Vec<String>),
    Ephemeral(String, serde_json::Value),
    Confirmed(Seq),
    Leave,
}

impl<M: Send + 'static> Inbox for super::mailbox::Mailbox<M> {
    fn put(&self, frame: Inbound) -> Result<(), Overflow> {
        self.push(match frame {
            Inbound::Event(reference, event) => Mail::Event(reference, Box::new(event)),
            Inbound::Params(reference, url, asked) => Mail::Params(reference, url, asked),
            Inbound::Resync(ids) => Mail::Resync(ids),
            Inbound::Ephemeral(name, payload) => {
                self.push_or_pass(Mail::PassOn(name, payload));
                return Ok(());
            }
            Inbound::Confirmed(seen) => Mail::Confirmed(seen),
            Inbound::Leave => Mail::Leave,
        })
    }
}
