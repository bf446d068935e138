//! Where every page session of this node is known: parked while no socket holds it, else with whoever holds it.
//!
//! Parked sessions are bounded by count, bytes and time; the one parked longest goes first. Whoever takes a session holds it alone
//! until it is put back, and can be asked to.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::token::{Generation, SessionId};
use crate::edge::Who;
use crate::live::{CloseCode, Connection};

/// A page session whose type is forgotten while it is parked.
pub(crate) trait Parked: Send {
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
    /// Bytes of memory it holds, roughly.
    fn footprint(&self) -> usize;
    /// Ends it for good.
    fn end(self: Box<Self>);
}

/// What must be equal for a session to be adopted.
#[derive(Clone)]
pub(crate) struct Claim {
    pub(crate) who: Who,
    /// Path and query of the page.
    pub(crate) url: Arc<str>,
    /// The page's type.
    pub(crate) page: std::any::TypeId,
}

impl Claim {
    fn matches(&self, other: &Self) -> bool {
        self.page == other.page && self.url == other.url && self.who == other.who
    }
}

/// Bounds of what is parked on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkLimits {
    /// Parked sessions, 10,000 by default.
    pub sessions: usize,
    /// Bytes of state and renderings, 256 MiB by default.
    pub bytes: usize,
    /// How long a session waits for its browser, five minutes by default.
    pub time: Duration,
}

impl Default for ParkLimits {
    fn default() -> Self {
        Self { sessions: 10_000, bytes: 256 << 20, time: Duration::from_secs(300) }
    }
}

/// Whoever holds a session, as others see them.
pub(crate) struct Hold {
    /// The holder is to stop when the callback that runs is done, and park the session.
    stop: CancellationToken,
    /// The session is to end, not to be parked.
    ended: AtomicBool,
    /// Told when the session is no longer held.
    given_back: Notify,
    connection: Option<Connection>,
}

impl Hold {
    fn new(connection: Option<Connection>) -> Self {
        let (stop, ended) = (CancellationToken::new(), AtomicBool::new(false));
        Self { stop, ended, given_back: Notify::new(), connection }
    }

    /// Asks the holder to let the session go: its browser is gone, or asks elsewhere.
    pub(crate) fn release(&self) {
        self.stop.cancel();
    }

    /// Ends the session once the callback that runs is done.
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.stop.cancel();
    }

    /// Resolves when the holder is to let the session go.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the session is to end, not to be parked.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

pub(crate) struct Park {
    limits: ParkLimits,
    /// Guards the map. Held for look-ups only; sessions are ended outside.
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    slots: HashMap<SessionId, Slot>,
    /// Parked sessions, the one parked longest first.
    order: BTreeMap<u64, SessionId>,
    tick: u64,
    bytes: usize,
    closed: bool,
}

/// How many sessions there are.
pub(crate) struct Counts {
    pub(crate) parked: usize,
    pub(crate) held: usize,
}

struct Slot {
    claim: Claim,
    generation: Generation,
    /// Whether the browser has shown that it knows this generation's token. Until then the one before is good as well: the answer
    /// that carried the new one may be lost.
    confirmed: bool,
    place: Place,
}

enum Place {
    Parked { session: Box<dyn Parked>, bytes: usize, tick: u64, since: Instant },
    Held(Arc<Hold>),
}

/// The right to one session, given back when dropped: a session that is not put back by then is gone.
pub(crate) struct Held {
    park: Arc<Park>,
    id: SessionId,
    hold: Arc<Hold>,
}

impl Held {
    pub(crate) fn hold(&self) -> &Arc<Hold> {
        &self.hold
    }

    /// Ends the session for good.
    pub(crate) fn end(self, session: Box<dyn Parked>) {
        drop(self);
        session.end();
    }

    /// Parks the session under the claim it was made or taken with.
    pub(crate) fn put_back(self, session: Box<dyn Parked>, generation: Generation) {
        let (bytes, since) = (session.footprint(), Instant::now());
        let mut evicted = Vec::new();
        {
            let mut guard = self.park.inner.lock();
            let inner = &mut *guard;
            let closed = inner.closed;
            match inner.slots.get_mut(&self.id) {
                Some(slot) if !closed && !self.hold.has_ended() => {
                    inner.tick += 1;
                    let tick = inner.tick;
                    slot.generation = generation;
                    slot.place = Place::Parked { session, bytes, tick, since };
                    inner.order.insert(tick, self.id);
                    inner.bytes += bytes;
                    inner.shrink(&self.park.limits, since, &mut evicted);
                }
                _ => evicted.push(session),
            }
        }
        evicted.into_iter().for_each(Parked::end);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        {
            let mut inner = self.park.inner.lock();
            let mine = |slot: &Slot| matches!(&slot.place, Place::Held(hold) if Arc::ptr_eq(hold, &self.hold));
            if inner.slots.get(&self.id).is_some_and(mine) {
                inner.slots.remove(&self.id);
            }
        }
        self.hold.given_back.notify_waiters();
    }
}

impl Inner {
    /// Takes a parked session's place away, so that it is in no count.
    fn unpark(&mut self, id: SessionId, with: Place) -> Option<Box<dyn Parked>> {
        let slot = self.slots.get_mut(&id)?;
        match std::mem::replace(&mut slot.place, with) {
            Place::Parked { session, bytes, tick, .. } => {
                self.order.remove(&tick);
                self.bytes -= bytes;
                Some(session)
            }
            held => {
                slot.place = held;
                None
            }
        }
    }

    fn evict(&mut self, id: SessionId) -> Option<Box<dyn Parked>> {
        let nobody = Hold::new(None);
        let session = self.unpark(id, Place::Held(Arc::new(nobody)))?;
        self.slots.remove(&id);
        Some(session)
    }

    /// Takes out what is too much, and what has waited too long.
    fn shrink(&mut self, limits: &ParkLimits, now: Instant, evicted: &mut Vec<Box<dyn Parked>>) {
        while let Some((_, &oldest)) = self.order.first_key_value() {
            let due = |slot: &Slot| matches!(slot.place, Place::Parked { since, .. } if now.duration_since(since) >= limits.time);
            let too_much = self.order.len() > limits.sessions || self.bytes > limits.bytes;
            if !too_much && !self.slots.get(&oldest).is_some_and(due) {
                return;
            }
            evicted.extend(self.evict(oldest));
        }
    }
}

/// How long a session that someone else holds is waited for. A handler that runs longer keeps it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a session that is held may be taken from its holder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// Only from the park: what is held is in use by another tab.
    Park,
    /// From whoever holds it: the same browser asks again, over a new connection.
    Anyone,
}

impl Park {
    pub(crate) fn new(limits: ParkLimits) -> Self {
        Self { limits, inner: Mutex::default() }
    }

    /// Registers a session that was just mounted; the caller holds it.
    pub(crate) fn enter(self: &Arc<Self>, id: SessionId, claim: Claim, connection: Option<Connection>) -> Held {
        let hold = Arc::new(Hold::new(connection));
        let place = Place::Held(hold.clone());
        self.inner.lock().slots.insert(id, Slot { claim, generation: Generation::default(), confirmed: true, place });
        Held { park: self.clone(), id, hold }
    }

    /// Takes a session out, if there is one that this claim and generation fit.
    pub(crate) async fn take(
        self: &Arc<Self>,
        id: SessionId,
        generation: Generation,
        claim: &Claim,
        from: From,
        connection: Option<&Connection>,
    ) -> Option<(Box<dyn Parked>, Held)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let holder = {
                let mut inner = self.inner.lock();
                let slot = inner.slots.get(&id)?;
                let unconfirmed = !slot.confirmed && generation.next() == slot.generation;
                if !(slot.generation == generation || unconfirmed) || !slot.claim.matches(claim) {
                    return None;
                }
                match &slot.place {
                    Place::Held(_) if from == From::Park && !unconfirmed => return None,
                    Place::Held(hold) => hold.clone(),
                    Place::Parked { .. } => {
                        let hold = Arc::new(Hold::new(connection.cloned()));
                        let session = inner.unpark(id, Place::Held(hold.clone()))?;
                        return Some((session, Held { park: self.clone(), id, hold }));
                    }
                }
            };
            let given_back = holder.given_back.notified();
            tokio::pin!(given_back);
            // Registered before the place is looked at again, so that a return in between is not missed.
            given_back.as_mut().enable();
            holder.release();
            if self.is_held_by(id, &holder) && tokio::time::timeout_at(deadline, given_back).await.is_err() {
                return None;
            }
        }
    }

    fn is_held_by(&self, id: SessionId, holder: &Arc<Hold>) -> bool {
        let inner = self.inner.lock();
        let place = inner.slots.get(&id).map(|slot| &slot.place);
        matches!(place, Some(Place::Held(hold)) if Arc::ptr_eq(hold, holder))
    }

    /// Notes that the session was adopted once more: tokens of before are used ones.
    pub(crate) fn adopted(&self, id: SessionId, generation: Generation) {
        if let Some(slot) = self.inner.lock().slots.get_mut(&id) {
            (slot.generation, slot.confirmed) = (generation, false);
        }
    }

    /// Notes that the browser knows the token of the session's generation.
    pub(crate) fn confirmed(&self, id: SessionId) {
        if let Some(slot) = self.inner.lock().slots.get_mut(&id) {
            slot.confirmed = true;
        }
    }

    /// Changes the address a held session is known under: its query changed.
    pub(crate) fn moved(&self, id: SessionId, url: Arc<str>) {
        if let Some(slot) = self.inner.lock().slots.get_mut(&id) {
            slot.claim.url = url;
        }
    }

    /// Whether this connection holds the session, for the same page, path and identity as the claim's: another path may be guarded
    /// by other layers.
    pub(crate) fn is_held_on(&self, id: SessionId, connection: &Connection, claim: &Claim) -> bool {
        let inner = self.inner.lock();
        let Some(Slot { claim: held, place: Place::Held(hold), .. }) = inner.slots.get(&id) else { return false };
        let here = hold.connection.as_ref().is_some_and(|held| held.id() == connection.id());
        let path = |claim: &Claim| claim.url.split('?').next().map(str::to_owned);
        here && !hold.has_ended() && held.page == claim.page && held.who == claim.who && path(held) == path(claim)
    }

    /// A session's mailbox had no room: if it is parked, nobody will empty it.
    pub(crate) fn overflowed(&self, id: SessionId) {
        let evicted = self.inner.lock().evict(id);
        if let Some(session) = evicted {
            tracing::debug!(session = %id, "a parked session's mailbox overflowed; the session is dropped");
            session.end();
        }
    }

    /// Ends what has waited too long.
    pub(crate) fn sweep(&self) {
        let mut evicted = Vec::new();
        self.inner.lock().shrink(&self.limits, Instant::now(), &mut evicted);
        evicted.into_iter().for_each(Parked::end);
    }

    /// Ends every session of whoever has this key, parked or held; returns how many there were.
    pub(crate) fn disconnect(&self, key: &str) -> usize {
        let (mut evicted, mut holds) = (Vec::new(), Vec::new());
        {
            let mut inner = self.inner.lock();
            let theirs: Vec<_> =
                inner.slots.iter().filter(|(_, slot)| slot.claim.who.key() == key).map(|(&id, _)| id).collect();
            for id in theirs {
                if let Some(Slot { place: Place::Held(hold), .. }) = inner.slots.get(&id) {
                    holds.push(hold.clone());
                } else {
                    evicted.extend(inner.evict(id));
                }
            }
        }
        let count = evicted.len() + holds.len();
        evicted.into_iter().for_each(Parked::end);
        for hold in holds {
            hold.end();
            if let Some(connection) = &hold.connection {
                connection.close(CloseCode::SIGNED_OUT, "signed out");
            }
        }
        count
    }

    /// Ends all that is parked, and from now on what would be: the node is going away.
    pub(crate) fn close(&self) {
        let evicted: Vec<_> = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            let parked: Vec<_> = inner.order.values().copied().collect();
            parked.into_iter().filter_map(|id| inner.evict(id)).collect()
        };
        evicted.into_iter().for_each(Parked::end);
    }

    pub(crate) fn counts(&self) -> Counts {
        let inner = self.inner.lock();
        Counts { parked: inner.order.len(), held: inner.slots.len() - inner.order.len() }
    }

    /// How often it is worth looking for sessions that waited too long.
    pub(crate) fn sweep_every(&self) -> Duration {
        (self.limits.time / 8).clamp(Duration::from_millis(10), Duration::from_secs(15))
    }
}
