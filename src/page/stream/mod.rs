//! Keyed collections that the server sends and does not keep.
//!
//! A callback says what becomes of a collection by the handle [`Stream`]: a list of steps ([`StreamOp`](super::stream_op::StreamOp)), which leave with that callback's patch. Where a
//! collection stands is a region without any HTML of its own, so renderings, comparisons and shared nodes know nothing of its items.
//!
//! 1. Items are held from `mount` until a browser joins: a page without scripts is shown with them. From then on only steps are.
//! 2. Steps that were sent are kept until the browser has acknowledged them (`journal`), and no longer than its bounds say. A session that has lost some
//!    can't be resumed: it is mounted anew.
//! 3. Nothing empties a stream in the browser but a step that says so, or its items sent whole.

mod handle;
mod items;
mod journal;
mod places;
mod split;
mod streams;

pub use handle::Stream;
pub(crate) use places::{around, filled, inside};
pub(crate) use streams::{Streams, merged};
