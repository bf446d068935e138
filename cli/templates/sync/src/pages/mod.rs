//! The pages: a file each.

mod about;
mod todos;

pub use about::About;
pub use todos::{Do, Todos};
