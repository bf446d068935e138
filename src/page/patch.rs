//! From two renderings to what must be sent. Pure: no clock, no I/O.
//!
//! A region whose own HTML changed is sent as steps from the one rendering to the other, or whole where those can't be found or would be more; a region in which only an
//! inner one changed is not sent. Who missed something gets every region whole that changed since ([`super::history`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::diff::{diff, diff_rows, shared};
use super::intern::is_shared;
use super::rendered::{Extent, Node, Part};
use super::wire::{Change, RegionPatch};

/// Regions shorter than this, in bytes, are sent whole: steps would take as many, and finding them longer.
const SHORT: usize = 64;

/// What is to be sent, of which others may be sent the same.
pub(crate) type Regions = Vec<Arc<RegionPatch>>;

/// The regions to send so that a browser showing `old` shows `new`.
pub(crate) fn between(old: &Arc<Node>, new: &Arc<Node>) -> Regions {
    let mut out = Vec::new();
    nodes(old, new, SHORT, &mut out);
    out
}

/// As [`between`], with steps for short regions as well.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn in_steps(old: &Arc<Node>, new: &Arc<Node>) -> Regions {
    let mut out = Vec::new();
    nodes(old, new, 0, &mut out);
    out
}

fn nodes(old: &Arc<Node>, new: &Arc<Node>, short: usize, out: &mut Regions) {
    if Arc::ptr_eq(old, new) {
        return;
    }
    if old.rows.is_some() || new.rows.is_some() {
        (0..new.row_count()).for_each(|row| parts(&old.row(row), &new.row(row), short, out));
    } else if short > 0 && is_shared(new) {
        let find = || {
            let mut found = Vec::new();
            parts(&old.part(), &new.part(), short, &mut found);
            found
        };
        out.extend_from_slice(&shared(old, new, find));
    } else {
        parts(&old.part(), &new.part(), short, out);
    }
}

fn parts(old: &Part<'_>, new: &Part<'_>, short: usize, out: &mut Regions) {
    if old.same_frame(new) {
        return old.children.iter().zip(new.children).for_each(|(old, new)| nodes(old, new, short, out));
    }
    let list = |part: &Part<'_>| part.children.first().is_some_and(|first| first.rows.is_some());
    let bare = |part: &Part<'_>| part.html.is_empty() && part.children.is_empty();
    if (list(old) && (list(new) || bare(new))) || (list(new) && bare(old)) {
        let (old, rows): (Vec<_>, Vec<_>) = (old.parts().collect(), new.parts().collect());
        let Some(found) = diff_rows(&old, &rows) else { return out.push(whole(new)) };
        push(new, found.ops, out);
        let kept = found.kept.into_iter();
        return kept.for_each(|(before, now)| parts(&old[before as usize], &rows[now as usize], short, out));
    }
    let found = if new.len() < short { None } else { diff(old, new) };
    let Some(found) = found else { return out.push(whole(new)) };
    push(new, found.ops, out);
    for (before, now) in found.kept {
        nodes(&old.children[before as usize], &new.children[now as usize], short, out);
    }
}

fn push(part: &Part<'_>, ops: Vec<super::ops::Op>, out: &mut Regions) {
    if !ops.is_empty() {
        out.push(RegionPatch::new(part.id.into(), Change::Ops(ops.into())));
    }
}

/// The regions asked for, whole and once each; the page for any that it does not hold, and where they would be more than the page.
pub(crate) fn resync(ids: &[String], page: &Node) -> Regions {
    const MOST: usize = 64;
    let ids: BTreeSet<_> = ids.iter().take(MOST + 1).map(String::as_str).collect();
    let found: Option<Vec<_>> = ids.iter().map(|id| page.find(id)).collect();
    let found = found.filter(|found| (1..=MOST).contains(&found.len()));
    let found = found.filter(|found| found.iter().map(Part::len).sum::<usize>() <= page.len());
    found.map_or_else(|| vec![whole(&page.part())], |found| found.iter().map(whole).collect())
}

/// One region or row with everything inside it.
pub(crate) fn whole(part: &Part<'_>) -> Arc<RegionPatch> {
    let html = part.html();
    let change = if part.extent == Extent::Outer { Change::Outer(html) } else { Change::Inner(html) };
    RegionPatch::new(part.id.into(), change)
}
