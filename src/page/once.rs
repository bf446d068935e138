//! Regions that are rendered once for all who show the same value.

use std::any::{Any, TypeId};
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, LazyLock, Weak};

use foldhash::{HashMap, quality::RandomState};
use maud::Markup;
use parking_lot::Mutex;

use super::rendered::Node;

/// Places to look in, each behind a lock of its own.
const SHELVES: usize = 16;

/// So many values in one place are never looked through for those that nobody shows any more.
const FEW: usize = 16;

#[derive(Default)]
struct Shelf {
    /// By the hash of what they are made of.
    known: HashMap<u64, Arc<Known>>,
    /// With so many of them it is time to forget those that nobody shows any more.
    many: usize,
}

struct Known {
    /// Who renders it, under which id, and what.
    render: TypeId,
    id: Box<str>,
    value: Box<dyn Any + Send + Sync>,
    /// Guards the rendering while it is made, so that one makes it and the others wait. Nothing where nobody shows it any more.
    node: Mutex<Weak<Node>>,
}

/// Guards which values are known; held for one lookup, now and then to forget some.
static SHELF: LazyLock<[Mutex<Shelf>; SHELVES]> = LazyLock::new(|| std::array::from_fn(|_| Mutex::default()));

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// What `render` makes of the value, for the region of this id.
pub(crate) fn once<V, R>(id: &str, value: &V, render: &R) -> Arc<Node>
where
    V: Hash + Eq + Clone + Send + Sync + 'static,
    R: Fn(&V) -> Markup + 'static,
{
    const { assert!(size_of::<R>() == 0, "what renders a shared region must capture nothing: it is given all it may show") };
    let hash = HASHER.hash_one((TypeId::of::<R>(), id, value));
    let known = find(hash, id, value, TypeId::of::<R>());
    let mut node = known.node.lock();
    if let Some(node) = node.upgrade() {
        return node;
    }
    let html = render(value).into_string();
    let made = Node { id: id.into(), html: html.into(), dependency: Some(hash), watches: true, ..Node::default() };
    let made = Arc::new(made);
    *node = Arc::downgrade(&made);
    made
}

fn find<V: Eq + Clone + Send + Sync + 'static>(hash: u64, id: &str, value: &V, render: TypeId) -> Arc<Known> {
    let mut shelf = SHELF[hash as usize % SHELVES].lock();
    if let Some(known) = shelf.known.get(&hash)
        && known.render == render
        && *known.id == *id
        && known.value.downcast_ref() == Some(value)
    {
        return known.clone();
    }
    let known = Known { render, id: id.into(), value: Box::new(value.clone()), node: Mutex::default() };
    let known = Arc::new(known);
    if shelf.known.len() >= shelf.many.max(FEW) {
        // One that is being made is held by whoever makes it.
        shelf.known.retain(|_, known| Arc::strong_count(known) > 1 || known.node.lock().strong_count() > 0);
        shelf.many = 2 * shelf.known.len();
    }
    shelf.known.insert(hash, known.clone());
    known
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use maud::html;

    use super::*;

    #[test]
    fn who_shows_the_same_value_shares_its_rendering() {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let render = |number: &u32| {
            MADE.fetch_add(1, Ordering::Relaxed);
            html! { (number) }
        };
        let one = once("a", &1, &render);
        assert!(Arc::ptr_eq(&one, &once("a", &1, &render)));
        assert_eq!((&*one.html, &*once("a", &2, &render).html), ("1", "2"));
        assert_eq!(MADE.load(Ordering::Relaxed), 2);
        assert!(!Arc::ptr_eq(&one, &once("b", &1, &render)), "another region");
        assert!(!Arc::ptr_eq(&one, &once("a", &1, &|_: &u32| html! { "x" })), "another function");
        assert_eq!(&*once("a", &1u64, &|_: &u64| html! { "y" }).html, "y");
    }

    #[test]
    fn many_threads_render_it_once_and_a_panic_keeps_nobody_waiting() {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let render = |_: &&str| {
            assert!(MADE.fetch_add(1, Ordering::Relaxed) > 0, "the first one fails");
            html! { "done" }
        };
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(move || once("c", &"value", &render))).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        assert_eq!((made.len(), MADE.load(Ordering::Relaxed)), (7, 2));
        assert!(made.iter().all(|one| Arc::ptr_eq(one, &made[0])));
    }

    #[test]
    fn what_nobody_shows_is_forgotten() {
        for number in 0..10_000u32 {
            once("d", &number, &|number: &u32| html! { (number) });
        }
        assert!(SHELF.iter().all(|shelf| shelf.lock().known.len() < 100));
    }
}
