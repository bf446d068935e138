//! What waits to be written to a client.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::live::{CloseCause, Limits, SendError, short::ShortStr};

/// The queue between everyone who sends and the one loop that writes. Pure: no clock, no socket, no waking.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    queue: VecDeque<Waiting>,
    /// Of all that waits.
    bytes: usize,
    /// Something was taken out and not yet flushed.
    writing: bool,
    phase: Phase,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Open,
    /// Nothing more is taken; what waits is still written.
    Closing(Box<CloseCause>),
    Ended,
}

#[derive(Debug)]
struct Waiting {
    frame: Bytes,
    key: Option<Key>,
}

/// What a newer message replaces. Keys of senders and topics of publishers don't meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Sent(ShortStr),
    Published(ShortStr),
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It waits; the loop has to be woken.
    First,
    /// It waits; the loop knows that something does.
    Behind,
    /// It took the place of an older one, or an equal one waits already.
    Coalesced,
}

/// Beyond this many places, an empty queue gives its memory back.
const KEPT_PLACES: usize = 4;

impl Outbound {
    pub(super) fn push(&mut self, frame: Bytes, key: Option<Key>, limits: &Limits) -> Result<Pushed, SendError> {
        if !matches!(self.phase, Phase::Open) {
            return Err(SendError::Closed);
        }
        if frame.len() > limits.queue_bytes {
            return Err(SendError::TooBig { bytes: frame.len() });
        }
        if key.is_some() {
            // Only messages sent with a key may be left out: an equal one without a key may be meant twice.
            let mut keyed = self.queue.iter_mut().filter(|waiting| waiting.key.is_some());
            if let Some(old) = keyed.find(|old| old.key == key) {
                self.bytes = self.bytes - old.frame.len() + frame.len();
                old.frame = frame;
                return self.check(limits).map(|()| Pushed::Coalesced);
            }
            if self.queue.iter().any(|old| old.key.is_some() && old.frame == frame) {
                return Ok(Pushed::Coalesced);
            }
        }
        let first = self.queue.is_empty() && !self.writing;
        self.bytes += frame.len();
        self.queue.push_back(Waiting { frame, key });
        self.check(limits)?;
        Ok(if first { Pushed::First } else { Pushed::Behind })
    }

    fn check(&mut self, limits: &Limits) -> Result<(), SendError> {
        if self.queue.len() <= limits.queue_messages && self.bytes <= limits.queue_bytes {
            return Ok(());
        }
        self.close(CloseCause::SlowConsumer);
        self.clear();
        Err(SendError::Full)
    }

    /// The next one to write.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let Waiting { frame, .. } = self.queue.pop_front()?;
        self.bytes -= frame.len();
        self.writing = true;
        Some(frame)
    }

    /// All that was taken is flushed; says whether nothing waits.
    pub(super) fn flushed(&mut self) -> bool {
        self.writing = false;
        if self.queue.is_empty() && self.queue.capacity() > KEPT_PLACES {
            self.queue = VecDeque::new();
        }
        self.queue.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.is_closed() || (self.queue.is_empty() && !self.writing)
    }

    /// Takes nothing more. The first cause counts; says whether this was it.
    pub(super) fn close(&mut self, cause: CloseCause) -> bool {
        let first = matches!(self.phase, Phase::Open);
        if first {
            self.phase = Phase::Closing(Box::new(cause));
        }
        first
    }

    pub(super) fn is_closed(&self) -> bool {
        !matches!(self.phase, Phase::Open)
    }

    pub(super) fn closing(&self) -> Option<&CloseCause> {
        match &self.phase {
            Phase::Closing(cause) => Some(cause),
            _ => None,
        }
    }

    pub(super) fn end(&mut self) {
        self.phase = Phase::Ended;
        self.clear();
    }

    fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(queue_messages: usize, queue_bytes: usize) -> Limits {
        Limits { queue_messages, queue_bytes, ..Limits::default() }
    }

    fn sent(key: &str) -> Option<Key> {
        Some(Key::Sent(ShortStr::new(key)))
    }

    fn published(key: &str) -> Option<Key> {
        Some(Key::Published(ShortStr::new(key)))
    }

    /// Pushes all and gives what waits then.
    fn check(messages: &[(Option<Key>, &'static str)], expected: &[&str]) {
        let mut outbound = Outbound::default();
        for (key, frame) in messages {
            outbound.push((*frame).into(), key.clone(), &Limits::default()).unwrap();
        }
        let waiting: Vec<_> = std::iter::from_fn(|| outbound.take()).collect();
        assert_eq!(waiting, expected, "{messages:?}");
        assert_eq!(outbound.bytes, 0);
    }

    #[test]
    fn the_newest_of_a_key_waits_in_the_place_of_the_oldest() {
        check(&[(None, "a"), (None, "a")], &["a", "a"]);
        check(&[(sent("k"), "1"), (None, "x"), (sent("k"), "2")], &["2", "x"]);
        check(&[(sent("k"), "1"), (sent("l"), "2"), (sent("k"), "3")], &["3", "2"]);
        check(&[(sent("k"), "1"), (published("k"), "2")], &["1", "2"]);
        check(&[(published("k"), "1"), (published("k"), "2")], &["2"]);
    }

    #[test]
    fn equal_messages_with_keys_wait_once() {
        check(&[(sent("k"), "1"), (sent("l"), "1"), (published("k"), "1")], &["1"]);
        check(&[(None, "1"), (sent("k"), "1")], &["1", "1"]);
        check(&[(sent("k"), "1"), (None, "1")], &["1", "1"]);
    }

    #[test]
    fn a_full_queue_closes() {
        for (limits, fits) in [(limits(3, 100), 3), (limits(100, 3), 3)] {
            let mut outbound = Outbound::default();
            for _ in 0..fits {
                outbound.push("x".into(), None, &limits).unwrap();
            }
            assert!(!outbound.is_closed());
            assert!(matches!(outbound.push("x".into(), None, &limits), Err(SendError::Full)));
            assert_eq!(outbound.closing(), Some(&CloseCause::SlowConsumer));
            assert!(outbound.is_empty(), "what can't be written is not kept");
            assert!(matches!(outbound.push("x".into(), None, &limits), Err(SendError::Closed)));
        }
    }

    #[test]
    fn a_message_that_never_fits_is_refused_and_nothing_else() {
        let mut outbound = Outbound::default();
        let refused = outbound.push("four".into(), None, &limits(3, 3));
        assert!(matches!(refused, Err(SendError::TooBig { bytes: 4 })));
        assert!(!outbound.is_closed());
    }

    #[test]
    fn a_replacement_counts_its_bytes() {
        let mut outbound = Outbound::default();
        let limits = limits(10, 6);
        outbound.push("aa".into(), sent("k"), &limits).unwrap();
        outbound.push("bb".into(), None, &limits).unwrap();
        outbound.push("aaaa".into(), sent("k"), &limits).unwrap();
        assert!(matches!(outbound.push("aaaaa".into(), sent("k"), &limits), Err(SendError::Full)));
    }

    #[test]
    fn the_loop_is_woken_once_and_drained_means_flushed() {
        let mut outbound = Outbound::default();
        let push = |outbound: &mut Outbound| outbound.push("x".into(), None, &Limits::default()).unwrap();
        assert!(outbound.is_drained());
        assert_eq!(push(&mut outbound), Pushed::First);
        assert_eq!(push(&mut outbound), Pushed::Behind);
        outbound.take();
        outbound.take();
        assert!(outbound.is_empty() && !outbound.is_drained());
        assert_eq!(push(&mut outbound), Pushed::Behind, "the loop looks again after its flush");
        assert!(!outbound.flushed());
        outbound.take();
        assert!(outbound.flushed() && outbound.is_drained());
        assert_eq!(push(&mut outbound), Pushed::First);
    }

    #[test]
    fn an_empty_queue_gives_memory_back() {
        let mut outbound = Outbound::default();
        for _ in 0..100 {
            outbound.push("x".into(), None, &Limits::default()).unwrap();
        }
        while outbound.take().is_some() {}
        outbound.flushed();
        assert_eq!(outbound.queue.capacity(), 0);
    }
}
