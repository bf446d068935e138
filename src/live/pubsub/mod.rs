//! Many receivers of one message.
//!
//! [`PubSub`] keeps who wants which topic on this node, and delivers. An [`Adapter`] carries messages between
//! nodes; [`Local`] is the one for a single node, `RedisAdapter` (feature `redis`) and `NatsAdapter` (feature `nats`)
//! are for many. `contract` holds the tests that every adapter has to pass.

mod adapter;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod hub;
mod local;
#[cfg(feature = "nats")]
mod nats;
mod published;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "nats", feature = "redis"))]
mod remote;
mod topics;

pub use self::{
    adapter::{Adapter, AdapterError, Delivery},
    hub::{PubSub, PublishError, SubscribeError},
    local::Local,
    published::Published,
    topics::{Incoming, Subscriber, Subscription},
};

#[cfg(feature = "nats")]
pub use self::nats::NatsAdapter;
#[cfg(feature = "redis")]
pub use self::redis::RedisAdapter;
#[cfg(any(feature = "nats", feature = "redis"))]
pub use self::remote::{AdapterOptions, ConnectError};
