//! The streams of a session.

use std::sync::Arc;

use super::items;
use super::journal::{Journal, Steps};
use super::places::places;
use super::split::split;
use crate::page::patch::Regions;
use crate::page::rendered::{Fingerprint, Node};
use crate::page::stream_op::StreamOp;
use crate::page::wire::{Change, RegionPatch, Seq};

/// What a session knows of its streams. Most sessions have none, and then this is two words.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// A browser has joined: it has the items, and the server has them no longer.
    joined: bool,
    known: Option<Box<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Where streams stand in the page as it was rendered last.
    places: Vec<Arc<str>>,
    /// Those of them that are new since the last patch: a browser has no items there, or some of another time.
    appeared: Vec<Arc<str>>,
    streams: Vec<One>,
    journal: Journal,
    /// Whether anything was ever streamed.
    used: bool,
    /// What the document showed that the browser joined from, until that has acknowledged the join.
    document: Option<Fingerprint>,
    /// What whoever develops the page should know.
    mistakes: Vec<String>,
}

#[derive(Debug)]
struct One {
    id: Arc<str>,
    limit: Option<u32>,
    /// The HTML of its items, until a browser has them.
    held: String,
    /// Steps that were not sent.
    ops: Vec<StreamOp>,
}

impl Streams {
    /// Steps of more than one callback wait in so many bytes at most: a browser that reads more slowly is shown the page anew.
    const WAITING: usize = 1024 * 1024;

    fn known(&mut self) -> &mut Known {
        self.known.get_or_insert_default()
    }

    fn one(&mut self, id: &Arc<str>) -> &mut One {
        let streams = &mut self.known().streams;
        let at = streams.iter().position(|stream| stream.id == *id).unwrap_or_else(|| {
            streams.push(One { id: id.clone(), limit: None, held: String::new(), ops: Vec::new() });
            streams.len() - 1
        });
        &mut streams[at]
    }

    pub(super) fn limit(&mut self, id: &Arc<str>, most: Option<u32>) {
        self.one(id).limit = most;
    }

    /// One more step of a stream, which is told how many items there may be.
    pub(super) fn push(&mut self, id: &Arc<str>, op: impl FnOnce(Option<u32>) -> StreamOp) {
        self.known().used = true;
        let stream = self.one(id);
        let op = op(stream.limit);
        if op == StreamOp::Reset {
            // Nobody sees what came before.
            stream.ops.clear();
        }
        stream.ops.push(op);
    }

    /// In development: what a browser could not do with the markup of a step.
    pub(super) fn check(&mut self, id: &str, html: &str) {
        let (items, other) = split(html);
        let mistakes = &mut self.known().mistakes;
        if other {
            mistakes.push(format!("the stream {id:?} was given what is no element; an item is one element with an id"));
        }
        if items.iter().any(|item| item.id.is_none()) {
            mistakes.push(format!("the stream {id:?} was given an item without an id, which is its key"));
        }
        let mut ids: Vec<_> = items.iter().filter_map(|item| item.id.as_deref()).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            mistakes.push(format!("the stream {id:?} was given two items of the id {:?}", twice[0]));
        }
    }

    /// The page is rendered in this way now.
    pub(crate) fn placed(&mut self, page: &Node) {
        if !page.streams && self.known.is_none() {
            return;
        }
        let places = places(page);
        let known = self.known();
        let new = places.iter().filter(|place| !known.places.contains(place)).cloned();
        known.appeared.extend(new);
        known.places = places;
    }

    pub(crate) fn places(&self) -> &[Arc<str>] {
        self.known.as_ref().map_or(&[], |known| &known.places)
    }

    /// Whether a page can be shown with what its streams hold.
    pub(crate) fn are_complete(&self) -> bool {
        !self.joined || self.known.as_ref().is_none_or(|known| !known.used)
    }

    /// Whether a browser that has seen this patch can be brought up to date.
    pub(crate) fn know_since(&self, seen: Seq) -> bool {
        self.known.as_ref().is_none_or(|known| known.journal.knows(seen))
    }

    /// Whether this is what the browser joined from whose acknowledgement has not come.
    pub(crate) fn began_with(&self, shown: &Fingerprint) -> bool {
        self.known.as_ref().is_some_and(|known| known.document.as_ref() == Some(shown))
    }

    /// The items of a stream, as long as they are held.
    pub(crate) fn held(&self, id: &str) -> Option<&str> {
        let stream = self.known.as_ref()?.streams.iter().find(|stream| *stream.id == *id)?;
        (!self.joined).then_some(&*stream.held)
    }

    /// Takes the steps that wait on the items that are held.
    pub(crate) fn settle(&mut self) {
        if let (Some(known), false) = (&mut self.known, self.joined) {
            known.streams.iter_mut().for_each(|stream| items::apply(&mut stream.held, &mut stream.ops));
            known.appeared = Vec::new();
        }
    }

    /// In development: what was streamed to where nothing is.
    pub(crate) fn check_places(&mut self) {
        let Some(known) = &mut self.known else { return };
        let Known { places, streams, mistakes, .. } = &mut **known;
        let full = streams.iter().filter(|one| !one.ops.is_empty() || !one.held.is_empty());
        for One { id, .. } in full.filter(|one| !places.contains(&one.id)) {
            let mistake = format!("nothing shows the stream {id:?}: render must have its place, (view.stream({id:?}))");
            if !mistakes.contains(&mistake) {
                mistakes.push(mistake);
            }
        }
    }

    pub(crate) fn take_mistakes(&mut self) -> Vec<String> {
        self.known.as_mut().map(|known| std::mem::take(&mut known.mistakes)).unwrap_or_default()
    }

    /// The steps that wait, for the patch of this number, which keeps them until they are acknowledged. What stands nowhere is passed over.
    pub(crate) fn take(&mut self, seq: Seq) -> Regions {
        let Some(known) = &mut self.known else { return Vec::new() };
        let Known { places, appeared, streams, journal, .. } = &mut **known;
        let appeared = std::mem::take(appeared);
        let (mut sent, mut kept) = (Vec::new(), Vec::new());
        for stream in streams.iter_mut().filter(|stream| !stream.ops.is_empty()) {
            let ops = std::mem::take(&mut stream.ops);
            if places.contains(&stream.id) {
                sent.push((stream.id.clone(), ops.into()));
            }
        }
        streams.retain(|stream| stream.limit.is_some() || !stream.held.is_empty());
        // Whoever misses this patch may have had other items there before.
        kept.extend(appeared.into_iter().map(|id| (id, Arc::from([StreamOp::Reset]))));
        kept.extend_from_slice(&sent);
        if !kept.is_empty() {
            journal.push(seq, kept);
        }
        regions(sent)
    }

    /// The steps that a browser has missed which has seen this patch.
    pub(crate) fn since(&self, seen: Seq) -> Regions {
        let Some(known) = &self.known else { return Vec::new() };
        regions(known.journal.since(seen).cloned())
    }

    /// These streams whole.
    pub(crate) fn whole(&self, ids: &[Arc<str>]) -> Regions {
        let whole = |id: &Arc<str>| {
            let items = self.held(id).unwrap_or_default().to_owned();
            RegionPatch::new(id.clone(), Change::Inner(items))
        };
        ids.iter().map(whole).collect()
    }

    /// A browser has joined by the patch of this number: from now on it keeps the items. With what it had shown, if it needed no more than steps since.
    pub(crate) fn join(&mut self, seq: Seq, from: Option<Fingerprint>) {
        let first = !std::mem::replace(&mut self.joined, true);
        let Some(known) = &mut self.known else { return };
        if first {
            known.streams.iter_mut().for_each(|stream| stream.held = String::new());
            match from {
                Some(shown) => known.document = Some(shown),
                None => known.journal.begin(seq),
            }
        }
    }

    /// The browser has the patches up to this one.
    pub(crate) fn acknowledge(&mut self, seq: Seq) {
        if let Some(known) = &mut self.known {
            known.document = None;
            known.journal.acknowledge(seq);
        }
    }

    /// Whether more waits to be sent than may.
    pub(crate) fn overflow(&self) -> bool {
        let ops = |known: &Known| known.streams.iter().map(|one| one.ops.len()).sum::<usize>();
        let Some(known) = &self.known else { return false };
        // One step alone may be as large as it is: it was made at once.
        ops(known) > 1 && known.waiting() > Self::WAITING
    }

    /// The bytes of memory that they hold.
    pub(crate) fn footprint(&self) -> usize {
        let Some(known) = &self.known else { return 0 };
        let held = known.streams.iter().map(|one| size_of::<One>() + one.id.len() + one.held.capacity()).sum::<usize>();
        size_of::<Known>() + held + known.waiting() + known.journal.footprint()
    }
}

impl Known {
    fn waiting(&self) -> usize {
        self.streams.iter().flat_map(|one| &one.ops).map(StreamOp::len).sum()
    }
}

/// The steps of several patches, one list for each stream.
pub(crate) fn merged<'p>(patches: impl IntoIterator<Item = &'p Arc<RegionPatch>>) -> Regions {
    let mut merged: Vec<(Arc<str>, Vec<StreamOp>)> = Vec::new();
    for patch in patches {
        let Change::Stream(ops) = &patch.change else { continue };
        match merged.iter_mut().find(|(id, _)| *id == patch.id) {
            Some((_, all)) => all.extend_from_slice(ops),
            None => merged.push((patch.id.clone(), ops.to_vec())),
        }
    }
    regions(merged.into_iter().map(|(id, ops)| (id, ops.into())))
}

fn regions(steps: impl IntoIterator<Item = Steps>) -> Regions {
    let region = |(id, ops): Steps| RegionPatch::new(id, Change::Stream(ops));
    steps.into_iter().map(region).collect()
}
