//! What a page's callbacks can do besides changing their state: `context` holds it, the others each add one kind of effect.

mod context;
mod durable;
mod ephemeral;
mod presence;
mod topics;

pub use context::Ctx;
pub use presence::{PresenceDiff, Present};
