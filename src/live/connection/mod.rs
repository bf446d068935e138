//! One client, as the application sees it.
//!
//! [`Connection`] is the handle; the loop that owns the socket is in `server::run` and shares the outbound queue with
//! it.

mod error;
mod fan_out;
mod handle;
mod meta;
mod outbound;

pub(crate) use self::handle::Common;
pub use self::{
    error::SendError,
    handle::{Connection, ConnectionId},
    meta::Meta,
};
