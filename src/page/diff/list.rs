//! Rows of a list that come, go and change places: found by their keys alone, without a look at their HTML.

use foldhash::{HashMap, HashMapExt};

use super::compare::Difference;
use super::script::script;
use crate::page::ops::{Anchor, Op};
use crate::page::rendered::Part;

/// What changed in which rows there are and where. Nothing where the list is better sent whole.
pub(crate) fn diff(old: &[Part<'_>], new: &[Part<'_>]) -> Option<Difference> {
    let mut places = HashMap::with_capacity(old.len());
    // A key that stands twice names nobody.
    let unique = old.iter().enumerate().all(|(at, row)| places.insert(row.id, at as u32).is_none());
    let from: Vec<Option<u32>> = new.iter().map(|row| places.remove(row.id)).collect();
    let kept = from.iter().enumerate().filter_map(|(at, from)| Some(((*from)?, at as u32))).collect();
    let steps = script(old.len(), &from, |at, out| new[at].write(out)).filter(|_| unique)?;
    let op = Op::Children { anchor: Anchor::Region, path: Vec::new(), count: old.len() as u32, steps };
    let whole: usize = new.iter().map(Part::len).sum();
    (op.weight() <= whole + 32).then(|| Difference { ops: vec![op], kept })
}
