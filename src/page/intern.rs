//! Renderings that many sessions show, kept once.
//!
//! What is found to be the same is compared byte by byte: a hash alone could show one person's page to another. Only what is
//! large enough to be worth it is looked for.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use xxhash_rust::xxh3::Xxh3;

use super::rendered::Node;

/// Regions whose own HTML is shorter than this, in bytes, are kept by each session for itself. Rows and lists never are.
const WORTH: usize = 512;

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
    let hash = hash(&node);
    let shelf = &SHELF[hash as usize % SHELVES];
    let known = shelf.lock().known.get(&hash).and_then(Weak::upgrade);
    if let Some(known) = known.filter(|known| same(known, &node)) {
        return known;
    }
    let mut shelf = shelf.lock();
    shelf.known.insert(hash, Arc::downgrade(&node));
    if shelf.known.len() >= shelf.many.max(FEW) {
        shelf.known.retain(|_, node| node.strong_count() > 0);
        shelf.many = 2 * shelf.known.len();
    }
    node
}

/// A rendering and all inside it, of which nothing is kept yet.
pub(crate) fn intern_all(node: &Arc<Node>) -> Arc<Node> {
    let children: Vec<_> = node.children.iter().map(intern_all).collect();
    if children.iter().zip(&node.children).all(|(one, two)| Arc::ptr_eq(one, two)) {
        return intern(node.clone());
    }
    intern(Arc::new(node.with_children(children)))
}

fn same(one: &Arc<Node>, two: &Arc<Node>) -> bool {
    Arc::ptr_eq(one, two)
        || (one.same_own(two) && one.children.iter().zip(&two.children).all(|(one, two)| same(one, two)))
}

fn hash(node: &Node) -> u64 {
    let mut hasher = Xxh3::with_seed(*SEED);
    write(node, &mut hasher);
    hasher.digest()
}

fn write(node: &Node, hasher: &mut Xxh3) {
    hasher.update(node.id.as_bytes());
    hasher.update(node.html.as_bytes());
    for child in &node.children {
        // One that is kept is known by its place.
        match is_shared(child) {
            true => hasher.update(&(Arc::as_ptr(child) as usize).to_le_bytes()),
            false => write(child, hasher),
        }
    }
}
