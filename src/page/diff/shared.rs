//! Differences that were found before: many sessions take the same step at the same time.

use std::sync::{Arc, LazyLock, OnceLock, Weak};

use parking_lot::Mutex;

use crate::page::rendered::Node;
use crate::page::wire::RegionPatch;

/// Places to look in, each behind a lock of its own.
const SHELVES: usize = 16;
/// Differences that each remembers; the oldest goes first.
const KEPT: usize = 8;

/// What leads from one rendering to another, both of them known by where they are: sessions share what they show.
struct Known {
    /// Weak, and so never another rendering in the same place.
    old: Weak<Node>,
    new: Weak<Node>,
    /// Found by the first who asks, while others wait.
    regions: OnceLock<Arc<[Arc<RegionPatch>]>>,
}

/// Guards what was found; held to look, or to put something in.
static SHELF: LazyLock<[Mutex<Vec<Arc<Known>>>; SHELVES]> = LazyLock::new(Default::default);

/// The regions to send so that whoever shows `old` shows `new`: found once for all who take the step.
pub(crate) fn shared(
    old: &Arc<Node>,
    new: &Arc<Node>,
    find: impl FnOnce() -> Vec<Arc<RegionPatch>>,
) -> Arc<[Arc<RegionPatch>]> {
    let (from, to) = (Arc::as_ptr(old), Arc::as_ptr(new));
    let place = (from as usize >> 6) ^ (to as usize >> 6).rotate_left(7);
    let known = {
        let mut shelf = SHELF[place % SHELVES].lock();
        let known = shelf.iter().find(|known| known.old.as_ptr() == from && known.new.as_ptr() == to);
        match known.cloned() {
            Some(known) => known,
            // Nobody else shows what this session did: nobody else takes the step.
            None if Arc::strong_count(old) == 1 => {
                drop(shelf);
                return find().into();
            }
            None => {
                let (old, new) = (Arc::downgrade(old), Arc::downgrade(new));
                let known = Arc::new(Known { old, new, regions: OnceLock::new() });
                if shelf.len() == KEPT {
                    shelf.remove(0);
                }
                shelf.push(known.clone());
                known
            }
        }
    };
    known.regions.get_or_init(|| find().into()).clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::wire::Change;

    fn node(html: &str) -> Arc<Node> {
        Arc::new(Node { html: html.into(), ..Node::default() })
    }

    fn patch(text: &str) -> Vec<Arc<RegionPatch>> {
        vec![RegionPatch::new("x".into(), Change::Inner(text.into()))]
    }

    #[test]
    fn who_takes_the_same_step_shares_it() {
        let (a, b) = (node("a"), node("b"));
        let other = a.clone();
        let found = shared(&a, &b, || patch("b"));
        let again = shared(&other, &b, || unreachable!("it was found already"));
        assert!(Arc::ptr_eq(&found, &again));
        assert_eq!(shared(&a, &node("c"), || patch("c"))[0].change, Change::Inner("c".into()));
    }

    #[test]
    fn who_is_alone_leaves_nothing_behind_and_what_is_kept_is_bounded() {
        let held = || {
            SHELF
                .iter()
                .map(|shelf| shelf.lock().iter().filter(|known| known.old.strong_count() == 0).count())
                .sum::<usize>()
        };
        let before = held();
        shared(&node("a"), &node("b"), || patch("b"));
        assert_eq!(held(), before);
        for _ in 0..500 {
            let old = node("a");
            let _other = old.clone();
            shared(&old, &node("b"), || patch("b"));
        }
        assert!(SHELF.iter().all(|shelf| shelf.lock().len() <= KEPT));
    }
}
