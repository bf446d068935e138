//! Renderings that many sessions show, kept once.
//!
//! What is found to be the same is compared byte by byte: a hash alone could show one person's page to another. Only what is
//! large enough to be worth it is looked for.

use std::sync::{Arc, LazyLock, Weak};

use foldhash::HashMap;
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::rendered::Node;

/// Regions whose own HTML is shorter than this, in bytes, are kept by each session for itself. Rows and lists never are.
const WORTH: usize = 64;

/// Places to look in, each behind a lock of its own.
const SHELVES: usize = 64;

/// So many renderings on a shelf are never looked through for those that nobody shows any more.
const FEW: usize = 64;

#[derive(Default)]
struct Shelf {
    known: HashMap<u64, Weak<Node>>,
    /// With so many of them it is time to forget those that nobody shows any more.
    many: usize,
}

impl Shelf {
    fn add(&mut self, hash: u64, node: &Arc<Node>) {
        self.known.insert(hash, Arc::downgrade(node));
        if self.known.len() >= self.many.max(FEW) {
            self.known.retain(|_, node| node.strong_count() > 0);
            self.many = 2 * self.known.len();
        }
    }
}

/// Guards which renderings are known; held for one lookup, now and then to forget some.
static SHELF: LazyLock<[Mutex<Shelf>; SHELVES]> = LazyLock::new(|| std::array::from_fn(|_| Mutex::default()));

/// So that nobody outside can look for renderings that share a place.
static SEED: LazyLock<u64> = LazyLock::new(rand::random);

/// Whether a rendering is shared between the sessions that show it.
pub(crate) fn is_shared(node: &Node) -> bool {
    node.html.len() >= WORTH || node.rows.is_some() || node.is_list()
}

/// The rendering to keep in the place of this one: another that is the same, if there is one. Its children are taken to be kept ones.
pub(crate) fn intern(node: Arc<Node>) -> Arc<Node> {
    if !is_shared(&node) {
        return node;
    }
    let hash = hash(&node, *SEED);
    let shelf = &SHELF[hash as usize % SHELVES];
    let known = {
        let mut shelf = shelf.lock();
        let known = shelf.known.get(&hash).and_then(Weak::upgrade);
        if known.is_none() {
            shelf.add(hash, &node);
        }
        known
    };
    let Some(known) = known else { return node };
    if same(&known, &node) {
        // What was found out of the one holds for the other.
        if let (Some(index), None) = (node.index.get(), known.index.get()) {
            _ = known.index.set(index.clone());
        }
        return known;
    }
    // Another one of the same hash: the newer is the likelier to be shown again.
    shelf.lock().add(hash, &node);
    node
}

fn same(one: &Arc<Node>, two: &Arc<Node>) -> bool {
    Arc::ptr_eq(one, two)
        || (one.same_own(two) && one.children.iter().zip(&two.children).all(|(one, two)| same(one, two)))
}

fn hash(node: &Node, seed: u64) -> u64 {
    let own = xxh3_64_with_seed(node.html.as_bytes(), xxh3_64_with_seed(node.id.as_bytes(), seed));
    node.children.iter().fold(own, |hash, child| match is_shared(child) {
        // One that is kept is known by its place.
        true => (hash ^ Arc::as_ptr(child) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31),
        false => self::hash(child, hash),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(html: &str, children: Vec<Arc<Node>>) -> Arc<Node> {
        let holes = vec![0; children.len()];
        Arc::new(Node::new("x".into(), html.into(), holes, None).with_children(children))
    }

    #[test]
    fn what_is_the_same_is_kept_once_and_what_is_not_is_not() {
        let (long, short) = ("a".repeat(WORTH), "a".repeat(WORTH - 1));
        let one = intern(node(&long, vec![]));
        assert!(Arc::ptr_eq(&one, &intern(node(&long, vec![]))));
        assert!(!Arc::ptr_eq(&one, &intern(node(&"b".repeat(WORTH), vec![]))));
        let other = Arc::new(Node { id: "y".into(), ..one.with_children(vec![]) });
        assert!(!Arc::ptr_eq(&one, &intern(other)), "another id");
        let (small, again) = (node(&short, vec![]), node(&short, vec![]));
        assert!(!Arc::ptr_eq(&intern(small.clone()), &intern(again.clone())), "too small to be looked for");
        // What is inside counts, kept or not.
        let around = |inside: &Arc<Node>| intern(node(&long, vec![inside.clone()]));
        assert!(Arc::ptr_eq(&around(&small), &around(&again)));
        assert!(Arc::ptr_eq(&around(&one), &around(&intern(node(&long, vec![])))));
        assert!(!Arc::ptr_eq(&around(&one), &around(&small)));
    }

    #[test]
    fn what_nobody_shows_is_forgotten() {
        for number in 0..50_000 {
            intern(node(&format!("{number:0100}"), vec![]));
        }
        let held = |shelf: &Mutex<Shelf>| shelf.lock().known.len();
        // As many as a shelf is never looked through for, and as many as others show at the time, twice.
        assert!(SHELF.iter().map(held).sum::<usize>() < 4 * SHELVES * FEW);
    }
}
