//! What changed in a region's HTML, as few and small steps as its browser can take without parsing it anew. Pure: no clock, no I/O.
//!
//! `tree` splits HTML as maud writes it into nodes that borrow from it, and gives up on whatever a browser would rearrange. `compare` finds what changed
//! between two trees: children with an `id` or a `data-key` by that, the others by their order; `script` turns that into steps for a list of children. `narrow` finds the
//! element around a small change without looking at the rest; `list` finds which rows of a list came and went. `shared` remembers them for all sessions that take the same step. What comes out are the `ops` beside this module, which the browser checks as it takes them: where it finds
//! something else than it should, it asks for the region whole.
//!
//! Nothing here has to be right about what a browser makes of HTML: a region that is given up on is sent whole.

mod attributes;
mod compare;
mod list;
mod narrow;
mod script;
mod shared;
mod tree;

pub(crate) use compare::diff;
pub(crate) use list::diff as diff_rows;
pub(crate) use shared::shared;
