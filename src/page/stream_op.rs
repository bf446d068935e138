//! One step of a stream.

use serde::{Serialize, Serializer};

/// What becomes of a stream's items. Each step that brings some may say how many there are to be at most.
///
/// # Shape
///
/// `[0, html, limit?]`, `[1, html, limit?]`, `[2, html, index, limit?]`, `[3, html, limit?]`, `[4, id]`, `[5]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamOp {
    /// Last, in their order; what is too much goes from the front.
    Append(Box<str>, Option<u32>),
    /// First, in their order; what is too much goes from the end.
    Prepend(Box<str>, Option<u32>),
    /// Before the item at this place, counted without those that come; what is too much goes from the end.
    Insert(Box<str>, u32, Option<u32>),
    /// Each where it is, or last; what is too much goes from the front.
    Upsert(Box<str>, Option<u32>),
    Remove(Box<str>),
    Reset,
}

impl StreamOp {
    /// The bytes it holds.
    pub(crate) fn len(&self) -> usize {
        let text = match self {
            Self::Append(text, _) | Self::Prepend(text, _) | Self::Upsert(text, _) | Self::Remove(text) => text.len(),
            Self::Insert(html, ..) => html.len(),
            Self::Reset => 0,
        };
        size_of::<Self>() + text
    }
}

impl Serialize for StreamOp {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Append(html, None) => (0u8, html).serialize(out),
            Self::Append(html, limit) => (0u8, html, limit).serialize(out),
            Self::Prepend(html, None) => (1u8, html).serialize(out),
            Self::Prepend(html, limit) => (1u8, html, limit).serialize(out),
            Self::Insert(html, at, None) => (2u8, html, at).serialize(out),
            Self::Insert(html, at, limit) => (2u8, html, at, limit).serialize(out),
            Self::Upsert(html, None) => (3u8, html).serialize(out),
            Self::Upsert(html, limit) => (3u8, html, limit).serialize(out),
            Self::Remove(id) => (4u8, id).serialize(out),
            Self::Reset => (5u8,).serialize(out),
        }
    }
}
