//! What can be wrong with frames and bodies.

use crate::live::TopicError;

/// Why something could not be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The body does not fit into a frame.
    #[error("a body of {bytes} bytes is larger than the {} a frame can hold: send it in parts", u32::MAX)]
    TooBig {
        /// The length of the body.
        bytes: usize,
    },
    /// A value has no form in MessagePack.
    #[error("the value can't be written as MessagePack")]
    MessagePack(#[from] rmp_serde::encode::Error),
    /// A value has no form in JSON.
    #[error("the value can't be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Why something is no message, or no body of the expected type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A text frame on the binary subprotocol, or the other way round.
    #[error("expected a {expected} frame on this subprotocol")]
    WrongFrame {
        /// `"binary"` or `"text"`.
        expected: &'static str,
    },
    /// The frame ended inside a field.
    #[error("the frame ends inside its {field}")]
    Truncated {
        /// The field.
        field: &'static str,
    },
    /// A field has another type.
    #[error("the {field} can't start with the byte {marker:#04x}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// The MessagePack marker that was there.
        marker: u8,
    },
    /// The envelope has another number of elements.
    #[error("an envelope has 4 elements, not {elements}")]
    WrongLength {
        /// The number of elements.
        elements: usize,
    },
    /// A number is larger than its field allows.
    #[error("{value} is too large for the {field}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// The number.
        value: u64,
    },
    /// The topic is not UTF-8.
    #[error("the topic is not UTF-8")]
    TopicNotUtf8(#[from] std::str::Utf8Error),
    /// The topic is too long.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// There are bytes behind the end.
    #[error("{bytes} bytes follow the end")]
    TrailingBytes {
        /// How many.
        bytes: usize,
    },
    /// Both `body` and `base64` are there.
    #[error("a message has `body` or `base64`, not both")]
    TwoBodies,
    /// `base64` is not base64.
    #[error("`base64` is not base64")]
    Base64(#[from] base64::DecodeError),
    /// It is not MessagePack, or not of the expected type.
    #[error("not the expected MessagePack: {0}")]
    MessagePack(#[from] rmp_serde::decode::Error),
    /// It is not JSON, or not of the expected type.
    #[error("not the expected JSON: {0}")]
    Json(#[from] serde_json::Error),
}
