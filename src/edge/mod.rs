//! What stands at the edge of every way in: who is asking, from which site, from which address, and how often.
//!
//! Belongs to no layer and knows none: `live`, `sync` and `page` all use it, so that the three can't differ in whom they let in.

mod bucket;
mod forwarded;
mod identity;
mod keyed;
mod origin;

pub(crate) use self::identity::{Extract, extractor};
pub use self::{
    bucket::{Rate, RetryAfter, TokenBucket},
    forwarded::{ClientAddress, ParseProxiesError, TrustedProxies},
    identity::{Anybody, Identity, UserError, Who},
    keyed::KeyedLimiter,
    origin::{Origins, Verdict},
};
