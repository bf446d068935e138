//! Why a message was not queued.

use crate::live::{EncodeError, Format};

/// Why a message was not queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closed or about to be.
    #[error("the connection is closed")]
    Closed,
    /// Too much waits: the connection closes now.
    #[error("too much waits for this client: the connection closes as a slow consumer")]
    Full,
    /// The message is larger than everything that may wait.
    #[error("a message of {bytes} bytes is larger than the queue: raise `queue_bytes` or send it in parts")]
    TooBig {
        /// The length of its frame.
        bytes: usize,
    },
    /// The frame is of another format.
    #[error("this connection takes frames of {expected:?} only")]
    WrongFormat {
        /// The connection's format.
        expected: Format,
    },
    /// The message has no frame.
    #[error("can't encode the message: {0}")]
    Encode(#[from] EncodeError),
}
