//! Pages for what the examples don't show: lists that change in many ways, and the todos in memory.

mod lists;
mod serve;
#[cfg(feature = "sqlite")]
mod todos;

pub(crate) use self::lists::inserted;
pub(crate) use self::serve::serve;
#[cfg(feature = "sqlite")]
pub(crate) use self::todos::{CHANGED, title};

/// The page that watches a scope, as the example has it.
#[cfg(feature = "sqlite")]
#[allow(clippy::duplicate_mod, reason = "each example brings the look along, so that it runs alone")]
#[allow(dead_code, reason = "its server is not run")]
#[path = "../../../examples/todo.rs"]
mod todo;
