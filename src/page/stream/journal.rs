//! The steps of the newest patches, kept until the browser has them. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::page::stream_op::StreamOp;
use crate::page::wire::Seq;

/// The steps of one stream, as a patch carries them.
pub(super) type Steps = (Arc<str>, Arc<[StreamOp]>);

/// What was sent and may not have arrived.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The steps of patches up to this one are not known any more.
    floor: Seq,
    patches: VecDeque<Sent>,
    bytes: usize,
}

#[derive(Debug)]
struct Sent {
    seq: Seq,
    streams: Vec<Steps>,
    bytes: usize,
}

impl Journal {
    /// Patches that are kept.
    const PATCHES: usize = 256;
    /// Bytes that are kept.
    const BYTES: usize = 64 * 1024;

    /// These steps are sent by the patch of this number.
    pub(super) fn push(&mut self, seq: Seq, streams: Vec<Steps>) {
        let op = |(id, ops): &Steps| id.len() + ops.iter().map(StreamOp::len).sum::<usize>();
        let bytes = size_of::<Sent>() + streams.iter().map(op).sum::<usize>();
        self.patches.push_back(Sent { seq, streams, bytes });
        self.bytes += bytes;
        while self.patches.len() > Self::PATCHES || self.bytes > Self::BYTES {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let Some(gone) = self.patches.pop_front() else { return };
        self.bytes -= gone.bytes;
        self.floor = gone.seq;
        if self.patches.is_empty() {
            // Of an idle session that has everything, nothing is held.
            self.patches = VecDeque::new();
        }
    }

    /// The browser has the patches up to this one.
    pub(super) fn acknowledge(&mut self, seq: Seq) {
        while self.patches.front().is_some_and(|sent| sent.seq <= seq) {
            self.pop();
        }
    }

    /// The patch of this number brings everything: what was before is not needed, and not known.
    pub(super) fn begin(&mut self, seq: Seq) {
        *self = Self { floor: seq, ..Self::default() };
    }

    /// Whether everything is known that a browser needs which has seen this patch.
    pub(super) fn knows(&self, seen: Seq) -> bool {
        seen >= self.floor
    }

    /// The steps that came after a patch, in their order.
    pub(super) fn since(&self, seen: Seq) -> impl Iterator<Item = &Steps> {
        self.patches.iter().filter(move |sent| sent.seq > seen).flat_map(|sent| &sent.streams)
    }

    pub(super) fn footprint(&self) -> usize {
        self.bytes + self.patches.capacity() * size_of::<Sent>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(number: u32) -> Seq {
        (0..number).fold(Seq::default(), |seq, _| seq.next())
    }

    fn steps(text: String) -> Vec<Steps> {
        vec![("log".into(), vec![StreamOp::Append(text.into(), None)].into())]
    }

    fn since(journal: &Journal, seen: u32) -> Option<usize> {
        journal.knows(seq(seen)).then(|| journal.since(seq(seen)).count())
    }

    #[test]
    fn what_is_acknowledged_is_forgotten() {
        let mut journal = Journal::default();
        [1, 2, 5].into_iter().for_each(|number| journal.push(seq(number), steps("x".into())));
        assert_eq!([0, 1, 3, 5, 9].map(|seen| since(&journal, seen)), [Some(3), Some(2), Some(1), Some(0), Some(0)]);
        journal.acknowledge(seq(3));
        assert_eq!([1, 2, 4, 5].map(|seen| since(&journal, seen)), [None, Some(1), Some(1), Some(0)]);
        journal.acknowledge(seq(9));
        assert_eq!((since(&journal, 4), since(&journal, 5), journal.footprint()), (None, Some(0), 0));
        journal.begin(seq(7));
        assert_eq!((since(&journal, 6), since(&journal, 7)), (None, Some(0)));
    }

    #[test]
    fn it_is_bounded() {
        let mut journal = Journal::default();
        (1..=1_000).for_each(|number| journal.push(seq(number), steps("x".into())));
        assert_eq!((since(&journal, 743), since(&journal, 744)), (None, Some(Journal::PATCHES)));
        journal.push(seq(1_001), steps("x".repeat(Journal::BYTES / 2)));
        journal.push(seq(1_002), steps("x".repeat(Journal::BYTES / 2)));
        assert_eq!((since(&journal, 1_000), since(&journal, 1_001)), (None, Some(1)));
        journal.push(seq(1_003), steps("x".repeat(Journal::BYTES)));
        assert_eq!((since(&journal, 1_002), since(&journal, 1_003)), (None, Some(0)));
        assert!(journal.footprint() < Journal::BYTES);
    }
}
