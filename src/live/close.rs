//! Why connections end.

use std::fmt;

/// A WebSocket close code.
///
/// # Shape
///
/// `4000..=4499` tell the client to come back, `4500..=4999` tell it not to; lower codes are
/// those of the WebSocket protocol itself.
///
/// # Source
///
/// RFC 6455, section 7.4: 4000-4999 are for private use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The peer is done.
    pub const NORMAL: Self = Self(1000);
    /// The peer went away, for example because its tab was closed.
    pub const GOING_AWAY: Self = Self(1001);

    /// The server is shutting down; a CLOSE message said when to come back.
    pub const SHUTDOWN: Self = Self(4000);
    /// The client read too slowly, so its queue was full.
    pub const SLOW_CONSUMER: Self = Self(4001);
    /// Nothing was heard from the client for too long.
    pub const HEARTBEAT_TIMEOUT: Self = Self(4002);
    /// The client read nothing for too long while something had to be written.
    pub const WRITE_TIMEOUT: Self = Self(4003);
    /// The server has too much to do.
    pub const OVERLOADED: Self = Self(4004);
    /// The client kept sending more than it may.
    pub const RATE_LIMITED: Self = Self(4005);
    /// The server's handler failed.
    pub const INTERNAL: Self = Self(4006);
    /// Who the client is has changed: it was signed out, or may do less now. It comes back through the front door.
    pub const SIGNED_OUT: Self = Self(4007);

    /// The client sent something that is no message.
    pub const PROTOCOL_ERROR: Self = Self(4500);
    /// The client sent a message that is longer than allowed.
    pub const MESSAGE_TOO_BIG: Self = Self(4501);
    /// The application ended the connection for good.
    pub const DISCONNECTED_BY_SERVER: Self = Self(4502);

    /// An application's own code: `4100..=4499` (reconnect) or `4600..=4999` (terminal).
    ///
    /// ```
    /// use mizu::live::CloseCode;
    ///
    /// const LOBBY_FULL: CloseCode = CloseCode::application(4100).unwrap();
    /// assert!(LOBBY_FULL.is_reconnectable());
    /// assert!(CloseCode::application(4000).is_none());
    /// ```
    pub const fn application(code: u16) -> Option<Self> {
        match code {
            4100..=4499 | 4600..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The code with this number, whoever it belongs to.
    ///
    /// ```
    /// # use mizu::live::CloseCode;
    /// assert_eq!(CloseCode::from_number(4001), CloseCode::SLOW_CONSUMER);
    /// ```
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// The number on the wire.
    ///
    /// ```
    /// # use mizu::live::CloseCode;
    /// assert_eq!(CloseCode::MESSAGE_TOO_BIG.number(), 4501);
    /// ```
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Whether a client should come back: everything but `4500..=4999`.
    ///
    /// ```
    /// # use mizu::live::CloseCode;
    /// assert!(CloseCode::SHUTDOWN.is_reconnectable());
    /// assert!(!CloseCode::PROTOCOL_ERROR.is_reconnectable());
    /// ```
    pub const fn is_reconnectable(self) -> bool {
        !matches!(self.0, 4500..=4999)
    }

    /// The name of this code, for logs and close reasons.
    ///
    /// ```
    /// # use mizu::live::CloseCode;
    /// assert_eq!(CloseCode::RATE_LIMITED.name(), "rate_limited");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::NORMAL => "normal",
            Self::GOING_AWAY => "going_away",
            Self::SHUTDOWN => "shutdown",
            Self::SLOW_CONSUMER => "slow_consumer",
            Self::HEARTBEAT_TIMEOUT => "heartbeat_timeout",
            Self::WRITE_TIMEOUT => "write_timeout",
            Self::OVERLOADED => "overloaded",
            Self::RATE_LIMITED => "rate_limited",
            Self::INTERNAL => "internal",
            Self::SIGNED_OUT => "signed_out",
            Self::PROTOCOL_ERROR => "protocol_error",
            Self::MESSAGE_TOO_BIG => "message_too_big",
            Self::DISCONNECTED_BY_SERVER => "disconnected_by_server",
            Self(4100..=4499 | 4600..=4999) => "application",
            _ => "other",
        }
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name())
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a connection ended, as told to [`Handler::on_close`](crate::live::Handler::on_close).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCause {
    /// The peer closed in good order.
    Peer {
        /// The peer's code, if it gave one.
        code: Option<CloseCode>,
        /// The peer's reason, maybe empty.
        reason: String,
    },
    /// The socket ended without a close: the network, the peer's machine, a killed tab.
    Lost,
    /// [`Connection::close`](crate::live::Connection::close) was called.
    Local {
        /// The code it was called with.
        code: CloseCode,
        /// The reason it was called with.
        reason: String,
    },
    /// The peer sent something that is no message.
    ProtocolError {
        /// What was wrong with it.
        reason: String,
    },
    /// The peer sent a message longer than [`Limits::message_bytes`](crate::live::Limits::message_bytes).
    MessageTooBig,
    /// The outbound queue was full.
    SlowConsumer,
    /// A write took longer than [`Limits::write_timeout`](crate::live::Limits::write_timeout).
    WriteTimeout,
    /// Nothing was heard for twice [`Limits::heartbeat`](crate::live::Limits::heartbeat).
    HeartbeatTimeout,
    /// The peer went on sending more than its limits allow.
    RateLimited,
    /// The handler panicked.
    HandlerPanicked,
    /// The server shut down.
    Shutdown,
}

impl CloseCause {
    /// The code the peer is told, or told us; `None` for a lost socket.
    ///
    /// ```
    /// use mizu::live::{CloseCause, CloseCode};
    ///
    /// assert_eq!(CloseCause::Shutdown.code(), Some(CloseCode::SHUTDOWN));
    /// assert_eq!(CloseCause::Lost.code(), None);
    /// ```
    pub fn code(&self) -> Option<CloseCode> {
        Some(match self {
            Self::Peer { code, .. } => return *code,
            Self::Lost => return None,
            Self::Local { code, .. } => *code,
            Self::ProtocolError { .. } => CloseCode::PROTOCOL_ERROR,
            Self::MessageTooBig => CloseCode::MESSAGE_TOO_BIG,
            Self::SlowConsumer => CloseCode::SLOW_CONSUMER,
            Self::WriteTimeout => CloseCode::WRITE_TIMEOUT,
            Self::HeartbeatTimeout => CloseCode::HEARTBEAT_TIMEOUT,
            Self::RateLimited => CloseCode::RATE_LIMITED,
            Self::HandlerPanicked => CloseCode::INTERNAL,
            Self::Shutdown => CloseCode::SHUTDOWN,
        })
    }

    /// The reason for the peer, short enough for a close frame.
    ///
    /// # Units
    ///
    /// At most 123 bytes, which is what a close frame can hold.
    ///
    /// ```
    /// # use mizu::live::{CloseCause, CloseCode};
    /// let cause = CloseCause::Local { code: CloseCode::NORMAL, reason: "é".repeat(100) };
    /// assert_eq!(cause.reason().len(), 122);
    /// assert_eq!(CloseCause::SlowConsumer.reason(), "slow_consumer");
    /// ```
    pub fn reason(&self) -> &str {
        match self {
            Self::Peer { reason, .. } | Self::Local { reason, .. } | Self::ProtocolError { reason } => {
                &reason[..reason.floor_char_boundary(123)]
            }
            other => other.code().map_or("lost", CloseCode::name),
        }
    }
}

impl fmt::Display for CloseCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer { code: Some(code), reason } => write!(f, "closed by the peer: {code} {reason}"),
            Self::Peer { code: None, .. } => f.write_str("closed by the peer"),
            Self::Local { code, reason } => write!(f, "closed here: {code} {reason}"),
            Self::ProtocolError { reason } => write!(f, "protocol error: {reason}"),
            other => f.write_str(other.reason()),
        }
    }
}
