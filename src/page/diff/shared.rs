//! Differences that were found before: many sessions take the same step at the same time.

use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::compare::diff;
use crate::page::ops::Op;
use crate::page::rendered::{Extent, Node as Region};

/// Regions that are looked up, in bytes: finding the difference of shorter ones is quicker, and longer ones take longer to recognise.
const SIZES: std::ops::Range<usize> = 512..32 * 1024;
/// Places to look in, each behind a lock of its own.
const SHELVES: usize = 16;
/// Differences that each remembers; the oldest goes first.
const KEPT: usize = 8;

/// The steps from one rendering of a region to the next, shared by all who take them, and the regions inside it that are still there.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pub(crate) ops: Arc<[Op]>,
    pub(crate) kept: Vec<(u32, u32)>,
}

struct Known {
    old: Box<str>,
    new: Box<str>,
    extent: Extent,
    /// Nothing where the region is better sent whole.
    ops: Option<Arc<[Op]>>,
}

/// Guards what was found; held to look, or to put something in.
static SHELF: LazyLock<[Mutex<Vec<Arc<Known>>>; SHELVES]> = LazyLock::new(Default::default);

/// As [`diff`], remembered.
pub(crate) fn steps(old: &Region, new: &Region) -> Option<Steps> {
    let fits = SIZES.contains(&new.html.len()) && SIZES.contains(&old.html.len());
    // What is inserted may hold regions, whose HTML is not compared here.
    if !fits || !old.children.is_empty() || !new.children.is_empty() {
        return diff(old, new).map(|found| Steps { ops: found.ops.into(), kept: found.kept });
    }
    let hash = xxh3_64_with_seed(new.html.as_bytes(), xxh3_64_with_seed(old.html.as_bytes(), 0));
    let shelf = &SHELF[hash as usize % SHELVES];
    // A hash alone could show a stranger's page.
    let same = |known: &&Arc<Known>| known.new == new.html && known.old == old.html && known.extent == new.extent;
    let known = shelf.lock().iter().find(same).cloned();
    let known = known.unwrap_or_else(|| {
        let ops = diff(old, new).map(|found| found.ops.into());
        let known = Arc::new(Known { old: old.html.clone(), new: new.html.clone(), extent: new.extent, ops });
        let mut shelf = shelf.lock();
        if shelf.len() == KEPT {
            shelf.remove(0);
        }
        shelf.push(known.clone());
        known
    });
    known.ops.clone().map(|ops| Steps { ops, kept: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::wire::Seq;

    fn region(html: String) -> Region {
        Region {
            id: "list".into(),
            extent: Extent::Inner,
            html: html.into(),
            holes: Box::default(),
            children: Box::default(),
            version: Seq::default(),
            dependency: None,
            watches: false,
        }
    }

    #[test]
    fn who_takes_the_same_step_shares_it() {
        let list = |last: &str| region((0..50).map(|at| format!("<li>{at} of many</li>")).collect::<String>() + last);
        let found = steps(&list("<li>a</li>"), &list("<li>b</li>")).unwrap();
        let again = steps(&list("<li>a</li>"), &list("<li>b</li>")).unwrap();
        assert!(Arc::ptr_eq(&found.ops, &again.ops));
        let other = steps(&list("<li>a</li>"), &list("<li>c</li>")).unwrap();
        assert_ne!(found.ops, other.ops);
        for at in 0..200 {
            steps(&list(&format!("<li>{at}</li>")), &list("<li>x</li>")).unwrap();
        }
        assert!(SHELF.iter().all(|shelf| shelf.lock().len() <= KEPT));
    }
}
