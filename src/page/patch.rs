//! From two renderings to what must be sent. Pure: no clock, no I/O.
//!
//! A region whose own HTML changed is sent whole, with all inside it; a region in which only an inner one changed is not.

use std::sync::Arc;

use super::rendered::{Extent, Node, ROOT};
use super::wire::{RegionPatch, Seq};

/// The regions to send so that a browser showing `old` shows `new`.
pub(crate) fn between(old: &Arc<Node>, new: &Arc<Node>) -> Vec<RegionPatch> {
    let mut out = Vec::new();
    visit(old, new, &mut out);
    out
}

fn visit(old: &Arc<Node>, new: &Arc<Node>, out: &mut Vec<RegionPatch>) {
    if Arc::ptr_eq(old, new) {
        return;
    }
    if !old.same_frame(new) {
        return out.push(whole(new));
    }
    old.children.iter().zip(&new.children).for_each(|(old, new)| visit(old, new, out));
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

/// The regions asked for, whole; the page for any that it does not hold.
pub(crate) fn resync(ids: &[String], page: &Arc<Node>) -> Vec<RegionPatch> {
    let found: Option<Vec<_>> = ids.iter().map(|id| page.find(id).map(whole)).collect();
    found.filter(|found| !found.is_empty()).unwrap_or_else(|| vec![whole(page)])
}

/// One region with everything inside it.
pub(crate) fn whole(node: &Arc<Node>) -> RegionPatch {
    debug_assert!(&*node.id != ROOT || node.extent == Extent::Inner);
    RegionPatch { id: node.id.clone(), outer: node.extent == Extent::Outer, html: node.html() }
}
