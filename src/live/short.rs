//! A short string that needs no allocation.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// Bytes that fit beside the tag, so that the whole takes 24 bytes.
const INLINE: usize = 22;

/// An immutable string that is cheap to clone: short ones are stored in place, others are shared.
///
/// The topics of pages are short numbers, so decoding a frame allocates nothing for its topic.
#[derive(Clone)]
pub(crate) enum ShortStr {
    /// Up to [`INLINE`] bytes, in place.
    Inline { len: u8, bytes: [u8; INLINE] },
    /// Anything longer.
    Shared(Arc<str>),
}

impl ShortStr {
    pub(crate) const EMPTY: Self = Self::Inline { len: 0, bytes: [0; INLINE] };

    pub(crate) fn new(text: &str) -> Self {
        match u8::try_from(text.len()) {
            Ok(len) if text.len() <= INLINE => {
                let mut bytes = [0; INLINE];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                Self::Inline { len, bytes }
            }
            _ => Self::Shared(Arc::from(text)),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            // The bytes were copied from a `str`, so the default is never taken.
            Self::Inline { len, bytes } => std::str::from_utf8(&bytes[..usize::from(*len)]).unwrap_or_default(),
            Self::Shared(text) => text,
        }
    }
}

impl PartialEq for ShortStr {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // Unused bytes are zero, so equal strings are equal arrays.
            (Self::Inline { len: a, bytes: x }, Self::Inline { len: b, bytes: y }) => a == b && x == y,
            (Self::Shared(a), Self::Shared(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

impl Eq for ShortStr {}

impl PartialOrd for ShortStr {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ShortStr {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for ShortStr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for ShortStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_representations_behave_alike() {
        for length in [0, 1, INLINE - 1, INLINE, INLINE + 1, 300] {
            let text = "x".repeat(length);
            let short = ShortStr::new(&text);
            assert_eq!(short.as_str(), text);
            assert_eq!(short, ShortStr::new(&text));
            assert_ne!(short, ShortStr::new(&format!("{text}y")));
            assert_eq!(matches!(short, ShortStr::Inline { .. }), length <= INLINE);
        }
        assert_eq!(size_of::<ShortStr>(), 24);
    }
}
