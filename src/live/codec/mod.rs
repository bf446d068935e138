//! Messages to frames and back.
//!
//! | subprotocol | codec | frames | envelope |
//! |---|---|---|---|
//! | `mizu.v1` | [`MessagePack`] | binary | array `[kind, topic, ref, body]`, body is `bin` |
//! | `mizu.v1.json` | [`Json`] | text | object `{"kind", "topic", "ref", "body"}`; a body that is not JSON is `"base64"` instead |
//!
//! Both codecs carry the same messages. Encoding is canonical (the shortest form of everything), so that equal
//! messages are equal frames, which the golden vectors under `tests/vectors` pin down for both languages.

mod error;
mod format;
mod json;
mod message_pack;

pub use self::{
    error::{DecodeError, EncodeError},
    format::Format,
    json::Json,
    message_pack::MessagePack,
};

use bytes::Bytes;

use crate::live::Message;

/// One WebSocket data frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A binary frame.
    Binary(Bytes),
    /// A text frame.
    Text(String),
}

impl Frame {
    /// What the frame carries.
    ///
    /// ```
    /// # use mizu::live::Frame;
    /// assert_eq!(Frame::Text("{}".into()).as_bytes(), b"{}");
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Binary(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }

    /// What the frame carries, without its type.
    ///
    /// ```
    /// # use mizu::live::Frame;
    /// assert_eq!(Frame::Binary(vec![1].into()).into_bytes(), &[1][..]);
    /// ```
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Binary(bytes) => bytes,
            Self::Text(text) => Bytes::from(text),
        }
    }
}

/// Turns messages into frames and back.
///
/// ```
/// use mizu::live::{Codec, Json, Kind, Message, MessagePack, Ref, Topic};
///
/// let message = Message::new(Kind::EVENT, Topic::connection(), Ref::new(1), r#"{"a":1}"#);
/// for codec in [&MessagePack as &dyn Codec, &Json] {
///     let frame = codec.encode(&message).unwrap();
///     assert_eq!(codec.decode(frame).unwrap(), message);
/// }
/// ```
pub trait Codec: Send + Sync {
    /// The frame of a message.
    ///
    /// # Errors
    ///
    /// * [`EncodeError::TooBig`] when the body has more than `u32::MAX` bytes.
    fn encode(&self, message: &Message) -> Result<Frame, EncodeError>;

    /// The message of a frame. Its body is a copy: it does not keep the frame's memory alive.
    ///
    /// # Errors
    ///
    /// * A [`DecodeError`] that names the part that was wrong.
    fn decode(&self, frame: Frame) -> Result<Message, DecodeError>;
}
