//! Rows of a scope in a page's state, shared between sessions.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sync::{Cursor, Entity};

/// The rows of a scope as a page shows them: kept in its state, replaced when the scope moves, shared by all sessions that watch the same.
///
/// [`Ctx::watch`](crate::Ctx::watch) gives them. They are ordered by the bytes of their ids; they don't change while a callback or a rendering runs. Saved with the state
/// they are nothing: they are read again.
///
/// ```
/// use mizu::Rows;
/// # use mizu::sync::Entity;
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Todo { id: String }
/// # impl Entity for Todo {
/// #     const NAME: &'static str = "todo";
/// #     fn id(&self) -> &str { &self.id }
/// # }
/// let todos = Rows::<Todo>::default();
/// assert!(todos.is_empty() && todos.get("t1").is_none());
/// for todo in &todos {
///     println!("{}", todo.id);
/// }
/// ```
pub struct Rows<T>(Arc<Held<T>>);

/// What one watch shows.
pub(crate) struct Held<T> {
    /// Guards which version is shown; held to copy or replace a pointer.
    version: Mutex<Arc<Version<T>>>,
}

/// The rows of a scope at one place of its log.
pub(crate) struct Version<T> {
    pub(crate) cursor: Cursor,
    /// Ordered by the bytes of their ids.
    pub(crate) rows: Arc<[Arc<T>]>,
}

impl<T> Held<T> {
    pub(crate) fn new(version: Arc<Version<T>>) -> Self {
        Self { version: Mutex::new(version) }
    }

    pub(crate) fn version(&self) -> Arc<Version<T>> {
        self.version.lock().clone()
    }

    /// Shows another version; whether it is one.
    pub(crate) fn replace(&self, version: Arc<Version<T>>) -> bool {
        let mut shown = self.version.lock();
        let other = !Arc::ptr_eq(&shown.rows, &version.rows);
        *shown = version;
        other
    }
}

impl<T> Rows<T> {
    pub(crate) fn new(held: Arc<Held<T>>) -> Self {
        Self(held)
    }

    /// All of them.
    ///
    /// ```
    /// # use mizu::Rows;
    /// let rows = Rows::<String>::default().read();
    /// assert_eq!(rows.len(), 0);
    /// ```
    pub fn read(&self) -> Arc<[Arc<T>]> {
        self.0.version().rows.clone()
    }

    /// All of them as they are now, to be told from those before: what [`View::shared`](crate::View::shared) is given.
    ///
    /// ```
    /// # use mizu::Rows;
    /// let rows = Rows::<String>::default();
    /// assert!(rows.snapshot() == rows.snapshot());
    /// ```
    pub fn snapshot(&self) -> Snapshot<T> {
        Snapshot(self.read())
    }

    /// How many there are.
    ///
    /// ```
    /// assert_eq!(mizu::Rows::<String>::default().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.0.version().rows.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(mizu::Rows::<String>::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each of them.
    ///
    /// ```
    /// assert_eq!(mizu::Rows::<String>::default().iter().count(), 0);
    /// ```
    pub fn iter(&self) -> Iter<T> {
        let rows = self.read();
        let left = 0..rows.len();
        Iter { rows, left }
    }
}

impl<T: Entity> Rows<T> {
    /// The row of this id.
    ///
    /// See [`Rows`] for an example.
    pub fn get(&self, id: &str) -> Option<Arc<T>> {
        let rows = self.read();
        let at = rows.binary_search_by(|row| row.id().cmp(id)).ok()?;
        Some(rows[at].clone())
    }
}

/// The rows of a scope at one time. Two are equal when they are the same version, whatever is in them.
///
/// ```
/// # use mizu::Rows;
/// let snapshot = Rows::<String>::default().snapshot();
/// assert_eq!(snapshot.iter().count(), 0);
/// ```
pub struct Snapshot<T>(Arc<[Arc<T>]>);

impl<T> std::ops::Deref for Snapshot<T> {
    type Target = [Arc<T>];

    fn deref(&self) -> &[Arc<T>] {
        &self.0
    }
}

impl<T> PartialEq for Snapshot<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Snapshot<T> {}

impl<T> Hash for Snapshot<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0.as_ptr() as usize).hash(state);
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({})", self.len())
    }
}

/// Each of some [`Rows`], as they were when it began.
///
/// ```
/// let mut rows = mizu::Rows::<String>::default().iter();
/// assert!(rows.next().is_none());
/// ```
pub struct Iter<T> {
    rows: Arc<[Arc<T>]>,
    left: Range<usize>,
}

impl<T> Iterator for Iter<T> {
    type Item = Arc<T>;

    fn next(&mut self) -> Option<Arc<T>> {
        self.left.next().map(|at| self.rows[at].clone())
    }

    fn nth(&mut self, n: usize) -> Option<Arc<T>> {
        self.left.nth(n).map(|at| self.rows[at].clone())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl<T> DoubleEndedIterator for Iter<T> {
    fn next_back(&mut self) -> Option<Arc<T>> {
        self.left.next_back().map(|at| self.rows[at].clone())
    }
}

impl<T> ExactSizeIterator for Iter<T> {}

impl<T> IntoIterator for &Rows<T> {
    type Item = Arc<T>;
    type IntoIter = Iter<T>;

    fn into_iter(self) -> Iter<T> {
        self.iter()
    }
}

impl<T> Clone for Rows<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        let nothing = Version { cursor: Cursor::BEGINNING, rows: Arc::new([]) };
        Self(Arc::new(Held::new(Arc::new(nothing))))
    }
}

impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({})", self.len())
    }
}

impl<T> Serialize for Rows<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de, T> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self::default())
    }
}
