//! How much a client may do.

mod bucket;
mod keyed;
mod limits;

pub use self::{
    bucket::{Rate, RetryAfter, TokenBucket},
    keyed::KeyedLimiter,
    limits::Limits,
};
