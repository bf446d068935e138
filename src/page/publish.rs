//! Typed messages over the transport's opaque bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::live::{Published, Topic, TopicError};

/// Why a topic can't be published or subscribed to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoTopic {
    #[error("a topic needs a name")]
    Empty,
    #[error(transparent)]
    Name(#[from] TopicError),
}

/// The topic of this name. The empty name is the transport's own.
pub(crate) fn topic(name: &str) -> Result<Topic, NoTopic> {
    if name.is_empty() { Err(NoTopic::Empty) } else { Ok(Topic::new(name)?) }
}

/// Field names travel with the values, so that nodes of two builds understand each other while one replaces the other.
pub(crate) fn encode<T: Serialize + ?Sized>(message: &T) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    rmp_serde::to_vec_named(message)
}

/// Decodes once for all sessions of this node, whichever comes first.
pub(crate) fn decode<T: DeserializeOwned + Clone + Send + Sync + 'static>(published: &Published) -> Option<T> {
    let decoded = published.memo(|| {
        rmp_serde::from_slice::<T>(published.body())
            .inspect_err(|error| {
                let (topic, wanted) = (published.topic().as_str(), std::any::type_name::<T>());
                tracing::warn!(%error, topic, wanted, "what was published is not what this page subscribed to");
            })
            .ok()
    });
    decoded.clone()
}
