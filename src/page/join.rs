//! The hand-over between a JOIN frame and the page's route, through the app's own router.
//!
//! The door puts a [`JoinRequest`] into the extensions of an inner request; only code in this process can. The page's handler, if the
//! router and every layer let the request come that far, leaves a [`Joining`] in it; the door starts that when the answer came
//! back whole.

use std::sync::Arc;

use futures::future::BoxFuture;
use parking_lot::Mutex;

use super::definition::Page;
use super::park::{Held, Hold};
use super::runner::{Inbox, Runner};
use super::seat::{Base, Seat};
use super::token::SessionId;
use super::wire::Join;
use crate::live::{Connection, Ref, Topic};

/// What the door asks of the page's route.
#[derive(Clone)]
pub(crate) struct JoinRequest(Arc<Inner>);

struct Inner {
    join: Join,
    connection: Connection,
    /// The ref of the frame, for what is answered by the session itself.
    reference: Ref,
    /// The session that is joined already, when this asks for its page under another query.
    current: Option<(SessionId, Arc<dyn Inbox>)>,
    /// Guards the page's answer; set once, taken once.
    answer: Mutex<Option<Answer>>,
}

/// What the page's route answers.
pub(crate) enum Answer {
    /// A session is ready to be run.
    Session(Box<dyn Joining>),
    /// The session that is joined already goes on; its loop answers.
    Same,
    /// Refused, with a code and a message.
    Refused(&'static str, &'static str),
}

impl JoinRequest {
    pub(crate) fn new(
        join: Join,
        connection: Connection,
        reference: Ref,
        current: Option<(SessionId, Arc<dyn Inbox>)>,
    ) -> Self {
        Self(Arc::new(Inner { join, connection, reference, current, answer: Mutex::new(None) }))
    }

    pub(crate) fn join(&self) -> &Join {
        &self.0.join
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.0.connection
    }

    pub(crate) fn reference(&self) -> Ref {
        self.0.reference
    }

    pub(crate) fn current(&self) -> Option<&(SessionId, Arc<dyn Inbox>)> {
        self.0.current.as_ref()
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.0.answer.lock() = Some(answer);
    }

    pub(crate) fn take_answer(&self) -> Option<Answer> {
        self.0.answer.lock().take()
    }
}

/// A session about to be run, its page's type forgotten. Dropped without being started, it goes back to the park.
pub(crate) trait Joining: Send {
    fn id(&self) -> SessionId;
    fn inbox(&self) -> Arc<dyn Inbox>;
    fn hold(&self) -> Arc<Hold>;
    fn start(self: Box<Self>, connection: Connection, topic: Topic, reference: Ref) -> BoxFuture<'static, ()>;
}

pub(crate) struct Ready<P: Page> {
    /// Taken when the session starts, or goes back.
    seat: Option<(Box<Seat<P>>, Held)>,
    id: SessionId,
    inbox: Arc<dyn Inbox>,
    hold: Arc<Hold>,
    base: Base,
    fresh: bool,
    /// The browser has a store of its own, which wants to hear of the scopes that the page watches.
    pokes: bool,
}

impl<P: Page> Ready<P> {
    pub(crate) fn new(seat: Box<Seat<P>>, held: Held, base: Base, fresh: bool, join: &Join) -> Self {
        let (id, inbox, hold) = (seat.id(), seat.cx.mailbox().clone(), held.hold().clone());
        let pokes = join.params.0.get("pokes").is_some();
        Self { seat: Some((seat, held)), id, inbox, hold, base, fresh, pokes }
    }
}

impl<P: Page> Joining for Ready<P> {
    fn id(&self) -> SessionId {
        self.id
    }

    fn inbox(&self) -> Arc<dyn Inbox> {
        self.inbox.clone()
    }

    fn hold(&self) -> Arc<Hold> {
        self.hold.clone()
    }

    fn start(mut self: Box<Self>, connection: Connection, topic: Topic, reference: Ref) -> BoxFuture<'static, ()> {
        let base = std::mem::replace(&mut self.base, Base::Nothing);
        let (fresh, pokes, started) = (self.fresh, self.pokes, self.seat.take());
        Box::pin(async move {
            let Some((mut seat, held)) = started else { return };
            seat.generation = seat.generation.next();
            seat.cx.live().park().adopted(seat.id(), seat.generation);
            Runner::new(seat, connection, topic, pokes).run(held, reference, base, fresh).await;
        })
    }
}

impl<P: Page> Drop for Ready<P> {
    fn drop(&mut self) {
        if let Some((seat, held)) = self.seat.take() {
            let generation = seat.generation;
            held.put_back(seat, generation);
        }
    }
}
