//! Places in a log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Which history of a store a place belongs to. A store restored from a backup gets another one.
///
/// # Shape
///
/// 64 random bits; printed as 16 hexadecimal digits.
///
/// ```
/// use mizu::sync::Epoch;
/// assert_ne!(Epoch::random(), Epoch::random());
/// assert_eq!(Epoch::from_bits(10).to_string(), "000000000000000a");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// A new one.
    ///
    /// ```
    /// # let epoch = mizu::sync::Epoch::random();
    /// assert_eq!(mizu::sync::Epoch::from_bits(epoch.bits()), epoch);
    /// ```
    pub fn random() -> Self {
        // One bit less, so that databases can keep it as a signed number.
        Self(rand::random::<u64>() >> 1)
    }

    /// The epoch that a store kept as a number.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Epoch::from_bits(1).bits(), 1);
    /// ```
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// As a number.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Epoch::from_bits(1).bits(), 1);
    /// ```
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A place in the log of a scope: everything up to it is known.
///
/// Opaque to clients. It holds the epoch, the position and a random check value of the entry at that position, so that a place in a
/// history that was lost is told from one in the history that took its place.
///
/// # Shape
///
/// `EPOCH-POSITION-CHECK` in hexadecimal; the beginning of every log is the empty text.
///
/// ```
/// use mizu::sync::Cursor;
///
/// let cursor: Cursor = "00000000000000a1-1c-9f".parse()?;
/// assert_eq!(cursor.position(), 28);
/// assert_eq!(cursor.to_string(), "00000000000000a1-1c-9f");
/// assert_eq!("".parse(), Ok(Cursor::BEGINNING));
/// assert!("28".parse::<Cursor>().is_err());
/// # Ok::<(), mizu::sync::ParseCursorError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(Option<Place>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    epoch: Epoch,
    position: u64,
    check: u64,
}

impl Cursor {
    /// Before the first entry, whatever the epoch.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Cursor::BEGINNING.to_string(), "");
    /// ```
    pub const BEGINNING: Self = Self(None);

    /// The place after the entry at `position`.
    ///
    /// ```
    /// use mizu::sync::{Cursor, Epoch};
    /// assert_eq!(Cursor::new(Epoch::from_bits(1), 2, 3).check(), 3);
    /// ```
    pub const fn new(epoch: Epoch, position: u64, check: u64) -> Self {
        Self(Some(Place { epoch, position, check }))
    }

    /// The epoch; none at the beginning.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Cursor::BEGINNING.epoch(), None);
    /// ```
    pub fn epoch(self) -> Option<Epoch> {
        self.0.map(|place| place.epoch)
    }

    /// How many entries of the log are known.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Cursor::BEGINNING.position(), 0);
    /// ```
    pub fn position(self) -> u64 {
        self.0.map_or(0, |place| place.position)
    }

    /// The check value of the entry at the position.
    ///
    /// ```
    /// assert_eq!(mizu::sync::Cursor::BEGINNING.check(), 0);
    /// ```
    pub fn check(self) -> u64 {
        self.0.map_or(0, |place| place.check)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Place { epoch, position, check }) => write!(f, "{epoch}-{position:x}-{check:x}"),
            None => Ok(()),
        }
    }
}

/// A text is no cursor.
///
/// ```
/// let error = "x".parse::<mizu::sync::Cursor>().unwrap_err();
/// assert!(error.to_string().contains("empty"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is what a pull or snapshot gave, unchanged, or empty for the beginning")]
pub struct ParseCursorError;

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        if text.is_empty() {
            return Ok(Self::BEGINNING);
        }
        let mut parts = text.split('-').map(|part| match part.starts_with('+') || part.len() > 16 {
            true => Err(ParseCursorError),
            false => u64::from_str_radix(part, 16).map_err(|_| ParseCursorError),
        });
        let mut next = || parts.next().unwrap_or(Err(ParseCursorError));
        let (epoch, position, check) = (next()?, next()?, next()?);
        // Databases keep positions as signed numbers.
        match parts.next().is_none() && position <= i64::MAX as u64 {
            true => Ok(Self::new(Epoch(epoch), position, check)),
            false => Err(ParseCursorError),
        }
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_printed_is_read(epoch: u64, position in 0..=i64::MAX as u64, check: u64) {
            let cursor = Cursor::new(Epoch(epoch), position, check);
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn anything_else_is_an_error(text in "\\PC{0,60}") {
            let _ = text.parse::<Cursor>();
        }
    }

    #[test]
    fn forged_texts_are_refused() {
        for bad in ["-", "--", "1-2", "1-2-3-4", "1--3", "+1-2-3", "1-ffffffffffffffff-3", "1-2-11112222333344445"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
