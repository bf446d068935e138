//! One person's page: its state, its flash messages, and which regions changed.

use super::flash::Flash;
use super::token::SessionId;
use crate::edge::{Identity, UserError, Who};

/// A page session as [`Page::handle`](crate::Page::handle) and [`Page::info`](crate::Page::info) change it.
///
/// # Example
///
/// ```
/// use mizu::prelude::*;
///
/// fn increment(session: &mut Session<i64>) {
///     session.state += 1;
///     session.mark("count");
///     session.flash.success("One more.");
/// }
/// ```
#[derive(Debug)]
pub struct Session<S> {
    /// The page's state. Change it freely; say with [`mark`](Self::mark) which regions show what changed.
    pub state: S,
    /// Messages to the person, shown until the next event.
    pub flash: Flash,
    id: SessionId,
    who: Who,
    marks: Marks,
}

/// What a callback said about the regions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Marks {
    /// Nothing: anything may have changed.
    #[default]
    Silent,
    /// Nothing changed.
    Kept,
    /// These changed.
    Some(Vec<Box<str>>),
    /// Anything may have changed.
    All,
}

/// The regions to be looked at by the next rendering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dirty {
    Nothing,
    Some(Vec<Box<str>>),
    All,
}

impl Dirty {
    pub(crate) fn add(&mut self, more: Self) {
        match (&mut *self, more) {
            (_, Self::Nothing) | (Self::All, _) => {}
            (Self::Some(marks), Self::Some(more)) => {
                more.into_iter().for_each(|mark| {
                    if !marks.contains(&mark) {
                        marks.push(mark);
                    }
                });
            }
            (_, more) => *self = more,
        }
    }
}

impl<S> Session<S> {
    pub(crate) fn new(id: SessionId, who: Who, state: S) -> Self {
        Self { state, flash: Flash::default(), id, who, marks: Marks::default() }
    }

    /// What names this session; it stays the same through reconnects.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The identity this session belongs to.
    ///
    /// # Errors
    ///
    /// When the app's identity is of another type, or none is configured.
    pub fn user<I: Identity>(&self) -> Result<&I, UserError> {
        self.who.require()
    }

    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// Says that these regions show something else now: one id, or several.
    ///
    /// Marks save work. A callback that marks nothing has the whole page rendered and compared, and the same is sent.
    /// Marking `lv-root`, or an id that is no region of the page yet, means everything.
    pub fn mark(&mut self, regions: impl IntoMarks) {
        let ids = regions.into_marks();
        match &mut self.marks {
            Marks::All => {}
            Marks::Some(marks) => marks.extend(ids),
            marks => *marks = Marks::Some(ids),
        }
    }

    /// Says that anything may have changed.
    ///
    /// ```
    /// fn reset(session: &mut mizu::Session<Vec<u8>>) {
    ///     session.state.clear();
    ///     session.mark_all();
    /// }
    /// ```
    pub fn mark_all(&mut self) {
        self.marks = Marks::All;
    }

    /// Says that nothing that shows has changed: nothing is rendered.
    ///
    /// ```
    /// fn remember(session: &mut mizu::Session<u64>, hidden: u64) {
    ///     session.state = hidden;
    ///     session.keep();
    /// }
    /// ```
    pub fn keep(&mut self) {
        if self.marks == Marks::Silent {
            self.marks = Marks::Kept;
        }
    }

    /// Puts another state in the place of this one and marks everything. Returns the old one.
    ///
    /// ```
    /// fn reset(session: &mut mizu::Session<i64>) -> i64 {
    ///     session.replace(0)
    /// }
    /// ```
    pub fn replace(&mut self, state: S) -> S {
        self.mark_all();
        std::mem::replace(&mut self.state, state)
    }

    /// What the callback that just ended said, leaving nothing said for the next.
    pub(crate) fn take_dirty(&mut self) -> Dirty {
        match std::mem::take(&mut self.marks) {
            Marks::Silent | Marks::All => Dirty::All,
            Marks::Kept => Dirty::Nothing,
            Marks::Some(marks) => Dirty::Some(marks),
        }
    }
}

/// What [`Session::mark`] takes: a region's id, or an array, slice or `Vec` of them.
pub trait IntoMarks {
    /// The ids.
    fn into_marks(self) -> Vec<Box<str>>;
}

impl IntoMarks for &str {
    fn into_marks(self) -> Vec<Box<str>> {
        vec![self.into()]
    }
}

impl IntoMarks for String {
    fn into_marks(self) -> Vec<Box<str>> {
        vec![self.into()]
    }
}

impl<I: Into<Box<str>>, const N: usize> IntoMarks for [I; N] {
    fn into_marks(self) -> Vec<Box<str>> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<I: Into<Box<str>>> IntoMarks for Vec<I> {
    fn into_marks(self) -> Vec<Box<str>> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<I: AsRef<str>> IntoMarks for &[I] {
    fn into_marks(self) -> Vec<Box<str>> {
        self.iter().map(|id| id.as_ref().into()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(callback: impl FnOnce(&mut Session<u8>)) -> Dirty {
        let mut session = Session::new(SessionId::random(), Who::anybody(), 1);
        callback(&mut session);
        session.take_dirty()
    }

    #[test]
    fn what_callbacks_say_becomes_what_is_rendered() {
        let some = |ids: &[&str]| Dirty::Some(ids.iter().map(|&id| id.into()).collect());
        assert_eq!(after(|_| {}), Dirty::All);
        assert_eq!(after(|s| s.keep()), Dirty::Nothing);
        assert_eq!(after(|s| s.mark("a")), some(&["a"]));
        assert_eq!(after(|s| (s.mark(["a", "b"]), s.keep()).1), some(&["a", "b"]));
        assert_eq!(after(|s| (s.keep(), s.mark("a".to_owned())).1), some(&["a"]));
        assert_eq!(after(|s| (s.mark_all(), s.mark("a")).1), Dirty::All);
        assert_eq!(after(|s| assert_eq!(s.replace(2), 1)), Dirty::All);
    }

    #[test]
    fn dirt_adds_up() {
        let mut dirty = Dirty::Nothing;
        dirty.add(Dirty::Some(vec!["a".into()]));
        dirty.add(Dirty::Some(vec!["a".into(), "b".into()]));
        dirty.add(Dirty::Nothing);
        assert_eq!(dirty, Dirty::Some(vec!["a".into(), "b".into()]));
        dirty.add(Dirty::All);
        dirty.add(Dirty::Some(vec!["c".into()]));
        assert_eq!(dirty, Dirty::All);
    }
}
