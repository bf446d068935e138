//! What travels: kind, topic, reference, body.

use std::fmt;

use bytes::Bytes;

use crate::live::Topic;

/// One message in either direction.
///
/// The body is opaque to this layer: it is moved, queued and counted, never read.
///
/// ```
/// use mizu::live::{Kind, Message, Ref, Topic};
///
/// let message = Message::new(Kind::EVENT, Topic::new("1")?, Ref::new(7), "body");
/// assert_eq!(message.body, "body");
/// # Ok::<(), mizu::live::TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// What kind of message this is.
    pub kind: Kind,
    /// What it is about; empty for the connection itself.
    pub topic: Topic,
    /// Which request it is, or answers; [`Ref::PUSH`] for neither.
    pub reference: Ref,
    /// The payload, in the connection's [`Format`](crate::live::Format) or any other.
    pub body: Bytes,
}

impl Message {
    /// A message of these parts.
    ///
    /// ```
    /// # use mizu::live::{Kind, Message, Ref, Topic};
    /// let poke = Message::new(Kind::POKE, Topic::connection(), Ref::PUSH, vec![1, 2]);
    /// assert_eq!(poke.kind, Kind::POKE);
    /// ```
    pub fn new(kind: Kind, topic: Topic, reference: Ref, body: impl Into<Bytes>) -> Self {
        Self { kind, topic, reference, body: body.into() }
    }
}

impl fmt::Debug for Message {
    /// Bodies may be long and private, so only their length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("topic", &self.topic.as_str())
            .field("ref", &self.reference.get())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

/// The kind of a message.
///
/// # Shape
///
/// One byte: `0x01..=0x11` have the fixed meanings below, `0x80..=0xFF` belong to applications,
/// everything else is unknown and ignored by both sides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(u8);

impl Kind {
    /// A client joins a page.
    pub const JOIN: Self = Self(0x01);
    /// A client leaves a page.
    pub const LEAVE: Self = Self(0x02);
    /// Something happened in the browser.
    pub const EVENT: Self = Self(0x03);
    /// The client's clock, echoed by the server.
    pub const HEARTBEAT: Self = Self(0x04);
    /// The answer to a request, with the request's reference.
    pub const REPLY: Self = Self(0x05);
    /// A page changed.
    pub const PATCH: Self = Self(0x06);
    /// Commands for the browser.
    pub const COMMAND: Self = Self(0x07);
    /// Something went wrong: code, text, whether the peer may go on.
    pub const ERROR: Self = Self(0x08);
    /// Go somewhere else.
    pub const REDIRECT: Self = Self(0x09);
    /// The connection is about to be closed: reason, and when to come back.
    pub const CLOSE: Self = Self(0x0A);
    /// Something in a scope changed: scope and cursor, never data.
    pub const POKE: Self = Self(0x0B);
    /// A client asks for pokes of scopes.
    pub const SUBSCRIBE: Self = Self(0x0C);
    /// A client wants no more of them.
    pub const UNSUBSCRIBE: Self = Self(0x0D);
    /// Presence, typing, cursors: never stored.
    pub const EPHEMERAL: Self = Self(0x0E);
    /// A part of a file.
    pub const UPLOAD: Self = Self(0x0F);
    /// The last patch a client applied.
    pub const ACK: Self = Self(0x10);
    /// Regions a client wants whole.
    pub const RESYNC: Self = Self(0x11);

    /// A kind that belongs to the application, which gives it its meaning.
    ///
    /// The high bit is set in any case, so `n` may be written as `0..=0x7F` or as `0x80..=0xFF`.
    ///
    /// ```
    /// use mizu::live::Kind;
    ///
    /// const MOVE: Kind = Kind::application(0x81);
    /// assert!(MOVE.is_application());
    /// assert_eq!(MOVE, Kind::application(1));
    /// ```
    pub const fn application(n: u8) -> Self {
        Self(n | 0x80)
    }

    /// The kind with this code, known or not.
    ///
    /// ```
    /// # use mizu::live::Kind;
    /// assert_eq!(Kind::from_code(3), Kind::EVENT);
    /// assert!(!Kind::from_code(0x42).is_known());
    /// ```
    pub const fn from_code(code: u8) -> Self {
        Self(code)
    }

    /// The byte on the wire.
    ///
    /// ```
    /// # use mizu::live::Kind;
    /// assert_eq!(Kind::RESYNC.code(), 0x11);
    /// ```
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Whether this kind belongs to the application.
    ///
    /// ```
    /// # use mizu::live::Kind;
    /// assert!(!Kind::EVENT.is_application());
    /// ```
    pub const fn is_application(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// Whether this kind has a meaning here: fixed or the application's.
    ///
    /// ```
    /// # use mizu::live::Kind;
    /// assert!(Kind::JOIN.is_known());
    /// assert!(!Kind::from_code(0).is_known());
    /// ```
    pub const fn is_known(self) -> bool {
        self.is_application() || (self.0 >= Self::JOIN.0 && self.0 <= Self::RESYNC.0)
    }

    const fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 17] = [
            "JOIN",
            "LEAVE",
            "EVENT",
            "HEARTBEAT",
            "REPLY",
            "PATCH",
            "COMMAND",
            "ERROR",
            "REDIRECT",
            "CLOSE",
            "POKE",
            "SUBSCRIBE",
            "UNSUBSCRIBE",
            "EPHEMERAL",
            "UPLOAD",
            "ACK",
            "RESYNC",
        ];
        if self.is_application() || !self.is_known() {
            return None;
        }
        Some(NAMES[self.0 as usize - 1])
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#04X}", self.0),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Ties an answer to its request.
///
/// # Shape
///
/// A `u32`; 0 means that the message is neither a request nor an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Ref(u32);

impl Ref {
    /// No request: a push.
    pub const PUSH: Self = Self(0);

    /// The reference with this number.
    ///
    /// ```
    /// # use mizu::live::Ref;
    /// assert_eq!(Ref::new(0), Ref::PUSH);
    /// ```
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    ///
    /// ```
    /// # use mizu::live::Ref;
    /// assert_eq!(Ref::new(9).get(), 9);
    /// ```
    pub const fn get(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_meaning() {
        for code in 0..=u8::MAX {
            let kind = Kind::from_code(code);
            assert_eq!(kind.code(), code);
            assert_eq!(kind.is_application(), code >= 0x80);
            assert_eq!(kind.is_known(), (1..=0x11).contains(&code) || code >= 0x80);
            assert_eq!(kind.name().is_some(), (1..=0x11).contains(&code));
        }
        assert_eq!(format!("{:?} {:?}", Kind::RESYNC, Kind::from_code(0x9A)), "RESYNC 0x9A");
    }

    #[test]
    fn debug_output_hides_the_body() {
        let message = Message::new(Kind::EVENT, Topic::connection(), Ref::new(1), "secret");
        assert_eq!(format!("{message:?}"), r#"Message { kind: EVENT, topic: "", ref: 1, body: 6 bytes }"#);
    }
}
