//! Who is told after a commit.

use super::cursor::Cursor;
use super::ids::Scope;

/// Told after every commit which scope moved, and to where.
///
/// It is called with no lock held and must return at once. What it hears is a hint: a notification that is lost costs time, not truth,
/// and a cursor says only whether to pull.
///
/// ```
/// use mizu::sync::{Cursor, Engine, MemoryStore, Scope};
///
/// let engine = Engine::builder(MemoryStore::new())
///     .notify(|scope: &Scope, cursor: Cursor| println!("{scope} is at {cursor}"))
///     .build();
/// # let _ = engine;
/// ```
pub trait Notifier: Send + Sync + 'static {
    /// A scope is now at this place, or further.
    fn notify(&self, scope: &Scope, cursor: Cursor);
}

impl<F: Fn(&Scope, Cursor) + Send + Sync + 'static> Notifier for F {
    fn notify(&self, scope: &Scope, cursor: Cursor) {
        self(scope, cursor);
    }
}
