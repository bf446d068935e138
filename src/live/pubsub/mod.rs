//! Many receivers of one message.
//!
//! [`PubSub`] keeps who wants which topic on this node, and delivers. An [`Adapter`] carries messages between
//! nodes; [`Local`] is the one for a single node. `contract` holds the tests that every adapter has to pass.

mod adapter;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod hub;
mod local;
mod published;
mod topics;

pub use self::{
    adapter::{Adapter, AdapterError, Delivery},
    hub::{PubSub, PublishError, SubscribeError},
    local::Local,
    published::Published,
    topics::{Incoming, Subscriber, Subscription},
};
