//! Who is where: members of topics, on all nodes that share a pub/sub adapter.
//!
//! [`Presence`] tracks this node's members of a topic and hears of those of the others. Each node owns its members and
//! tells the changes, numbered; whoever finds a gap in the numbers asks for the whole. A node that is silent for too long
//! is taken for dead, and its members have left. `roster` holds what is known of one topic and does no I/O; `tracker`
//! carries its messages; `wire` writes them.
//!
//! What holds here:
//!
//! 1. Nothing is stored: presence is what the living say, and it is right again within [`SILENCE`] of whatever was lost.
//! 2. A member belongs to a key (a person), which may have several (tabs, devices). A key has joined with its first
//!    member, and left with its last, wherever they are.

mod roster;
mod tracker;
mod wire;

pub use self::{
    roster::{Difference, Present, Roll},
    tracker::{Presence, PresenceError, SILENCE, Tracked, Watching},
};
