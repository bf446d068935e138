//! What carries frames: a WebSocket, or a pair in memory.
//!
//! The connection loop sees only [`Socket`], so everything in memory runs through the same loop as a real client.

mod memory;
mod websocket;

use std::future::Future;

use bytes::Bytes;

use crate::live::{CloseCode, Format, Frame};

pub use self::memory::{Disconnected, MemoryClient};
pub(crate) use self::websocket::WebSocket;

/// A message-oriented two-way pipe. Writes time out by themselves, as long as no progress is made.
pub(crate) trait Socket: Send {
    /// The next thing from the peer. Dropping the future loses nothing.
    fn receive(&mut self) -> impl Future<Output = Result<Received, SocketError>> + Send;

    /// Buffers one data frame, and writes when the buffer is full.
    fn feed(&mut self, frame: Bytes, format: Format) -> impl Future<Output = Result<(), SocketError>> + Send;

    /// Writes what is buffered.
    fn flush(&mut self) -> impl Future<Output = Result<(), SocketError>> + Send;

    /// Asks for a sign of life.
    fn ping(&mut self) -> impl Future<Output = Result<(), SocketError>> + Send;

    /// Writes a close frame behind what is buffered.
    fn close(&mut self, code: CloseCode, reason: &str) -> impl Future<Output = Result<(), SocketError>> + Send;

    /// Discards what the peer still sends until it is gone, for a short while: ending at once would reset the
    /// connection, and the peer might never read why.
    fn linger(&mut self) -> impl Future<Output = ()> + Send;
}

/// What a peer may send.
#[derive(Debug)]
pub(crate) enum Received {
    /// Data.
    Frame(Frame),
    /// A sign of life.
    Control,
    /// A close in good order.
    Closed { code: Option<CloseCode>, reason: String },
}

/// Why a socket can't go on.
#[derive(Debug)]
pub(crate) enum SocketError {
    /// It is gone.
    Lost,
    /// The peer sent more than a message may be.
    TooBig,
    /// The peer broke the WebSocket protocol.
    Malformed(String),
    /// The peer took nothing for too long.
    TimedOut,
}
