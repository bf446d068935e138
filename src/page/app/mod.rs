//! The server of an app with pages: how it is configured, and what everything in this layer asks of it.

mod builder;
mod live;

pub use builder::LiveBuilder;
pub use live::Live;
pub(crate) use live::WeakLive;
