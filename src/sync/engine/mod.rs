//! The engine: mutators, who may call them, and everything that goes through a store.

mod apply;
mod builder;
mod changes;
mod core;
mod pulling;
mod reader;
mod retention;

pub use self::{
    builder::{EngineBuilder, SyncLimits},
    core::Engine,
    pulling::PullError,
    reader::{ReadError, Reader},
    retention::{Removed, Retention},
};
