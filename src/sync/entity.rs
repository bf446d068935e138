//! Rows with a type.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of rows, with a type.
///
/// ```
/// use mizu::sync::Entity;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Todo { id: String, title: String, done: bool }
///
/// impl Entity for Todo {
///     const NAME: &'static str = "todo";
///     fn id(&self) -> &str { &self.id }
/// }
/// ```
pub trait Entity: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What the rows are called in the log and in the browser.
    ///
    /// # Shape
    ///
    /// 1 to 64 characters of `A-Z a-z 0-9 _ - .`
    const NAME: &'static str;

    /// What tells the row from others of its kind.
    ///
    /// # Shape
    ///
    /// 1 to 128 bytes without control characters. The row must have a field `id` of this value where the free mutators of
    /// [`EngineBuilder::entity`](crate::sync::EngineBuilder::entity) are used.
    fn id(&self) -> &str;
}

/// Which rows of a kind to read, in the order of their ids.
///
/// ```
/// use mizu::sync::Scan;
///
/// let scan = Scan::all().prefix("2026-").after("2026-03").limit(50);
/// # let _ = scan;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    pub(crate) prefix: String,
    pub(crate) after: Option<String>,
    pub(crate) limit: Option<usize>,
}

impl Scan {
    /// Every row of the kind, up to the limit of a read.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Scan::all(), mizu::sync::Scan::default());
    /// ```
    pub fn all() -> Self {
        Self::default()
    }

    /// Only rows whose id starts with this.
    ///
    /// ```
    /// # use mizu::sync::Scan;
    /// let scan = Scan::all().prefix("a");
    /// # let _ = scan;
    /// ```
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Only rows behind this id: the last one of the page before.
    ///
    /// ```
    /// # use mizu::sync::Scan;
    /// let scan = Scan::all().after("t17");
    /// # let _ = scan;
    /// ```
    #[must_use]
    pub fn after(mut self, id: &str) -> Self {
        self.after = Some(id.to_owned());
        self
    }

    /// The same as a store can read it, for whom a NUL may be no character; none where no id can be so.
    pub(crate) fn readable(mut self) -> Option<Self> {
        if let Some(after) = &mut self.after {
            // No id has a character below the space, so that none is between the two.
            after.truncate(after.find('\0').unwrap_or(after.len()));
        }
        (!self.prefix.contains('\0')).then_some(self)
    }

    /// At most so many rows; without it, all.
    ///
    /// ```
    /// # use mizu::sync::Scan;
    /// let scan = Scan::all().limit(10);
    /// # let _ = scan;
    /// ```
    #[must_use]
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = Some(rows);
        self
    }
}
