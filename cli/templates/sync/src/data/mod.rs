//! Durable data: what kinds of rows there are, who may touch them, where they are kept.

mod engine;
mod todo;

pub use engine::{engine, open, todos};
pub use todo::Todo;
