//! Accepting clients and running their connections.

mod admission;
mod builder;
mod handler;
mod run;
mod serving;
mod upgrade;

pub use self::{
    builder::ServerBuilder,
    handler::Handler,
    serving::Server,
    upgrade::{RefusedUpgrade, ViaUpgrade},
};
