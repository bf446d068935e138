//! The names messages are addressed to.

use std::fmt;

use crate::live::short::ShortStr;

/// The name of something messages are about: a page of a connection, a chat room, a user.
///
/// # Shape
///
/// Any UTF-8 string of at most [`Topic::MAX_BYTES`] bytes. The empty topic means the connection
/// itself. Cloning is cheap, and topics of up to 22 bytes never allocate.
///
/// ```
/// use mizu::live::Topic;
///
/// let topic = Topic::new("room:7")?;
/// assert_eq!(topic.as_str(), "room:7");
/// assert!(Topic::new("x".repeat(256)).is_err());
/// # Ok::<(), mizu::live::TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(ShortStr);

impl Topic {
    /// The longest a topic may be.
    ///
    /// # Units
    ///
    /// Bytes of UTF-8.
    pub const MAX_BYTES: usize = 255;

    /// A topic with this name.
    ///
    /// # Errors
    ///
    /// * [`TopicError::TooLong`] when the name has more than [`Topic::MAX_BYTES`] bytes.
    ///
    /// ```
    /// # use mizu::live::{Topic, TopicError};
    /// assert_eq!(Topic::new("é".repeat(128)), Err(TopicError::TooLong { bytes: 256 }));
    /// ```
    pub fn new(name: impl AsRef<str>) -> Result<Self, TopicError> {
        let name = name.as_ref();
        if name.len() > Self::MAX_BYTES {
            return Err(TopicError::TooLong { bytes: name.len() });
        }
        Ok(Self(ShortStr::new(name)))
    }

    /// The empty topic: the connection itself.
    ///
    /// ```
    /// # use mizu::live::Topic;
    /// assert!(Topic::connection().is_connection());
    /// assert_eq!(Topic::connection().as_str(), "");
    /// ```
    pub const fn connection() -> Self {
        Self(ShortStr::EMPTY)
    }

    /// Whether this is the empty topic.
    ///
    /// ```
    /// # use mizu::live::Topic;
    /// assert!(!Topic::new("1").unwrap().is_connection());
    /// ```
    pub fn is_connection(&self) -> bool {
        self.as_str().is_empty()
    }

    /// The name.
    ///
    /// ```
    /// # use mizu::live::Topic;
    /// assert_eq!(Topic::new("user:1").unwrap().as_str(), "user:1");
    /// ```
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn short(&self) -> &ShortStr {
        &self.0
    }
}

impl Default for Topic {
    /// The empty topic.
    fn default() -> Self {
        Self::connection()
    }
}

impl AsRef<str> for Topic {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({:?})", self.as_str())
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<&str> for Topic {
    type Error = TopicError;

    fn try_from(name: &str) -> Result<Self, TopicError> {
        Self::new(name)
    }
}

/// Why a string is no topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// The name is longer than [`Topic::MAX_BYTES`].
    #[error("a topic of {bytes} bytes is longer than the {} allowed: shorten its name", Topic::MAX_BYTES)]
    TooLong {
        /// The length of the name in bytes.
        bytes: usize,
    },
}
