//! Typed messages over the transport's opaque bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::token::SessionId;
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

/// The byte that MessagePack never uses: behind the message, it says that the sender's id follows.
const SENDER: u8 = 0xc1;

/// As [`encode`], and who is not to be told.
pub(crate) fn encode_from<T: Serialize + ?Sized>(
    message: &T,
    sender: SessionId,
) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let mut body = encode(message)?;
    // Whoever reads the message stops before this.
    body.push(SENDER);
    body.extend(sender.to_bytes());
    Ok(body)
}

/// Whether this session sent it, and is not to be told.
pub(crate) fn is_from(published: &Published, session: SessionId) -> bool {
    let id = session.to_bytes();
    published.body().strip_suffix(&id).is_some_and(|rest| rest.last() == Some(&SENDER))
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
