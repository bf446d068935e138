//! Which patch changed which region last: what a browser is sent that missed some. Pure.

use xxhash_rust::xxh3::xxh3_64;

use super::patch::{Regions, whole};
use super::rendered::{Node, Part};
use super::wire::Seq;

/// Regions that are told apart.
const KEPT: usize = 64;

/// The newest changes of a session's regions.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Up to here it is not known what changed.
    floor: Seq,
    /// Regions by the hashes of their ids, each with the patch that changed it last; the oldest first.
    changed: Vec<(u64, Seq)>,
}

impl History {
    /// These regions are sent by the patch of this number.
    pub(crate) fn record(&mut self, regions: &Regions, seq: Seq) {
        for region in regions {
            let region = xxh3_64(region.id.as_bytes());
            self.changed.retain(|(known, _)| *known != region);
            self.changed.push((region, seq));
        }
        if let Some(surplus) = self.changed.len().checked_sub(KEPT + 1) {
            self.floor = self.changed[surplus].1;
            let floor = self.floor;
            self.changed.retain(|(_, seq)| *seq > floor);
            self.changed.shrink_to(KEPT);
        }
    }

    /// The regions to send so that a browser that last applied patch `seen` shows `page`.
    pub(crate) fn since(&self, seen: Seq, page: &Node) -> Regions {
        if seen < self.floor {
            return vec![whole(&page.part())];
        }
        let changed: Vec<u64> = self.changed.iter().filter(|(_, seq)| *seq > seen).map(|(region, _)| *region).collect();
        let mut out = Vec::new();
        if !changed.is_empty() {
            visit(&page.part(), &changed, &mut out);
        }
        out
    }
}

fn visit(part: &Part<'_>, changed: &[u64], out: &mut Regions) {
    if changed.contains(&xxh3_64(part.id.as_bytes())) {
        return out.push(whole(part));
    }
    part.parts().for_each(|inside| visit(&inside, changed, out));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::page::wire::{Change, RegionPatch};

    fn seq(number: u32) -> Seq {
        (0..number).fold(Seq::default(), |seq, _| seq.next())
    }

    fn page(ids: impl Iterator<Item = String>) -> Node {
        let child = |id: String| Arc::new(Node { id: id.into(), html: "x".into(), ..Node::default() });
        let children: Vec<_> = ids.map(child).collect();
        Node {
            id: "lv-root".into(),
            holes: vec![0; children.len()].into(),
            children: children.into(),
            ..Node::default()
        }
    }

    fn sent(id: &str) -> Regions {
        vec![RegionPatch::new(id.into(), Change::Inner(String::new()))]
    }

    #[test]
    fn what_changed_since_is_sent_whole() {
        let page = page(["a", "b", "c"].map(str::to_owned).into_iter());
        let mut history = History::default();
        for (number, id) in ["a", "b", "a", "gone"].into_iter().enumerate() {
            history.record(&sent(id), seq(number as u32 + 1));
        }
        #[track_caller]
        fn check(history: &History, page: &Node, seen: u32, expected: &[&str]) {
            let since = history.since(seq(seen), page);
            assert_eq!(since.iter().map(|region| &*region.id).collect::<Vec<_>>(), expected, "since {seen}");
        }
        check(&history, &page, 4, &[]);
        check(&history, &page, 2, &["a"]);
        check(&history, &page, 1, &["a", "b"]);
        history.record(&sent("lv-root"), seq(5));
        check(&history, &page, 3, &["lv-root"]);
    }

    #[test]
    fn what_is_not_known_any_more_is_the_whole_page() {
        let page = page((0..200).map(|number| format!("r{number}")));
        let mut history = History::default();
        for number in 0..200 {
            history.record(&sent(&format!("r{number}")), seq(number + 1));
        }
        assert!(history.changed.len() <= KEPT);
        assert_eq!(history.since(seq(190), &page).len(), 10);
        assert_eq!(&*history.since(seq(100), &page)[0].id, "lv-root");
    }
}
