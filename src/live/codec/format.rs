//! The encoding a connection uses.

use std::cell::RefCell;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::live::{Codec, DecodeError, EncodeError, Frame, Json, Message, MessagePack};

/// How deep a body may nest, so that reading it can't exhaust the stack.
const MAX_DEPTH: usize = 128;

/// The encoding of a connection, for envelopes and for bodies, chosen by WebSocket subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// `mizu.v1`: MessagePack in binary frames.
    #[default]
    MessagePack,
    /// `mizu.v1.json`: JSON in text frames, for people and simple agents.
    Json,
}

thread_local! {
    /// Where bodies are written before their length is known, so that each costs one allocation of exactly that length.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a thread keeps of its scratch space, in bytes.
const SCRATCH_KEPT: usize = 64 * 1024;

impl Format {
    /// Every format, in the order in which the server prefers them.
    pub const ALL: [Self; 2] = [Self::MessagePack, Self::Json];

    /// The name of the WebSocket subprotocol.
    ///
    /// ```
    /// # use mizu::live::Format;
    /// assert_eq!(Format::Json.subprotocol(), "mizu.v1.json");
    /// ```
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::MessagePack => "mizu.v1",
            Self::Json => "mizu.v1.json",
        }
    }

    /// The format of a WebSocket subprotocol.
    ///
    /// ```
    /// # use mizu::live::Format;
    /// assert_eq!(Format::from_subprotocol("mizu.v1"), Some(Format::MessagePack));
    /// assert_eq!(Format::from_subprotocol("soap"), None);
    /// ```
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.subprotocol() == name)
    }

    /// Writes a body. Structs become arrays in MessagePack, objects in JSON.
    ///
    /// # Errors
    ///
    /// * [`EncodeError::MessagePack`] or [`EncodeError::Json`] when the value has no such form.
    ///
    /// ```
    /// # use mizu::live::Format;
    /// assert_eq!(Format::MessagePack.to_bytes(&(1, "a")).unwrap(), &b"\x92\x01\xa1a"[..]);
    /// assert_eq!(Format::Json.to_bytes(&(1, "a")).unwrap(), &br#"[1,"a"]"#[..]);
    /// ```
    pub fn to_bytes<T: Serialize + ?Sized>(self, value: &T) -> Result<Bytes, EncodeError> {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            match self {
                Self::MessagePack => rmp_serde::encode::write(scratch, value)?,
                Self::Json => serde_json::to_writer(&mut *scratch, value)?,
            }
            let body = Bytes::copy_from_slice(scratch);
            scratch.shrink_to(SCRATCH_KEPT);
            Ok(body)
        })
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// * [`DecodeError::MessagePack`] or [`DecodeError::Json`] when it is malformed, nested deeper than 128 levels,
    ///   or of another type;
    /// * [`DecodeError::TrailingBytes`] when something follows the value.
    ///
    /// ```
    /// # use mizu::live::Format;
    /// let (n, s): (u8, String) = Format::Json.from_slice(br#"[1,"a"]"#).unwrap();
    /// assert_eq!((n, s.as_str()), (1, "a"));
    /// assert!(Format::MessagePack.from_slice::<u8>(b"\x01\x02").is_err());
    /// ```
    pub fn from_slice<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, DecodeError> {
        match self {
            Self::MessagePack => {
                // Read through a slice that shrinks: a reader of a reference does not say how far it came.
                let mut rest = bytes;
                let mut reader = rmp_serde::Deserializer::new(&mut rest);
                reader.set_max_depth(MAX_DEPTH);
                let value = T::deserialize(&mut reader)?;
                match rest.len() {
                    0 => Ok(value),
                    bytes => Err(DecodeError::TrailingBytes { bytes }),
                }
            }
            Self::Json => Ok(serde_json::from_slice(bytes)?),
        }
    }
}

impl Codec for Format {
    fn encode(&self, message: &Message) -> Result<Frame, EncodeError> {
        match self {
            Self::MessagePack => MessagePack.encode(message),
            Self::Json => Json.encode(message),
        }
    }

    fn decode(&self, frame: Frame) -> Result<Message, DecodeError> {
        match self {
            Self::MessagePack => MessagePack.decode(frame),
            Self::Json => Json.decode(frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_bodies_are_refused_not_followed() {
        let deep = [0x91; 60_000];
        assert!(matches!(
            Format::MessagePack.from_slice::<serde::de::IgnoredAny>(&deep),
            Err(DecodeError::MessagePack(rmp_serde::decode::Error::DepthLimitExceeded))
        ));
        let deep = "[".repeat(60_000);
        assert!(Format::Json.from_slice::<serde_json::Value>(deep.as_bytes()).is_err());
    }

    #[test]
    fn nothing_may_follow_a_body() {
        assert!(matches!(
            Format::MessagePack.from_slice::<u8>(&[1, 2, 3]),
            Err(DecodeError::TrailingBytes { bytes: 2 })
        ));
        assert!(Format::Json.from_slice::<u8>(b"1 2").is_err());
    }
}
