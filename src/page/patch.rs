//! From two renderings to what must be sent. Pure: no clock, no I/O.
//!
//! A region whose own HTML changed is sent as steps from the one rendering to the other, or whole where those can't be found or would be more; a region in which only an
//! inner one changed is not sent. Who missed something gets every region whole that changed since.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::diff::steps;
use super::rendered::{Extent, Node, ROOT};
use super::wire::{Change, RegionPatch, Seq};

/// Regions shorter than this, in bytes, are sent whole: steps would take as many, and finding them longer.
const SHORT: usize = 64;

/// The regions to send so that a browser showing `old` shows `new`.
pub(crate) fn between(old: &Arc<Node>, new: &Arc<Node>) -> Vec<RegionPatch> {
    let mut out = Vec::new();
    visit(old, new, SHORT, &mut out);
    out
}

/// As [`between`], with steps for short regions as well.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn in_steps(old: &Arc<Node>, new: &Arc<Node>) -> Vec<RegionPatch> {
    let mut out = Vec::new();
    visit(old, new, 0, &mut out);
    out
}

fn visit(old: &Arc<Node>, new: &Arc<Node>, short: usize, out: &mut Vec<RegionPatch>) {
    if Arc::ptr_eq(old, new) {
        return;
    }
    if !old.same_frame(new) {
        let found = if new.len() < short { None } else { steps(old, new) };
        let Some(found) = found else { return out.push(whole(new)) };
        if !found.ops.is_empty() {
            out.push(RegionPatch { id: new.id.clone(), change: Change::Ops(found.ops) });
        }
        for (before, now) in found.kept {
            visit(&old.children[before as usize], &new.children[now as usize], short, out);
        }
        return;
    }
    old.children.iter().zip(&new.children).for_each(|(old, new)| visit(old, new, short, out));
}

/// The regions to send so that a browser that last applied patch `seen` shows `page`.
pub(crate) fn since(seen: Seq, page: &Arc<Node>) -> Vec<RegionPatch> {
    fn visit(seen: Seq, node: &Arc<Node>, out: &mut Vec<RegionPatch>) {
        if node.version > seen {
            return out.push(whole(node));
        }
        node.children.iter().for_each(|child| visit(seen, child, out));
    }
    let mut out = Vec::new();
    visit(seen, page, &mut out);
    out
}

/// The regions asked for, whole and once each; the page for any that it does not hold, and where they would be more than the page.
pub(crate) fn resync(ids: &[String], page: &Arc<Node>) -> Vec<RegionPatch> {
    const MOST: usize = 64;
    let ids: BTreeSet<_> = ids.iter().take(MOST + 1).map(String::as_str).collect();
    let found: Option<Vec<_>> = ids.iter().map(|id| page.find(id)).collect();
    let found = found.filter(|found| (1..=MOST).contains(&found.len()));
    let found = found.filter(|found| found.iter().map(|node| node.len()).sum::<usize>() <= page.len());
    found.map_or_else(|| vec![whole(page)], |found| found.into_iter().map(whole).collect())
}

/// One region with everything inside it.
pub(crate) fn whole(node: &Arc<Node>) -> RegionPatch {
    debug_assert!(&*node.id != ROOT || node.extent == Extent::Inner);
    let html = node.html();
    let change = if node.extent == Extent::Outer { Change::Outer(html) } else { Change::Inner(html) };
    RegionPatch { id: node.id.clone(), change }
}
