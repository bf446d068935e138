//! A real WebSocket.

use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message as Wire,
        error::ProtocolError,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame as Fragment,
                coding::{Data, OpCode},
            },
        },
    },
};

use crate::live::{
    CloseCode, Format, Frame, Limits,
    socket::{Received, Socket, SocketError},
};

/// Frames up to this length are collected before they are written.
const WRITE_BUFFER: usize = 4 * 1024;

/// Longer frames go out in fragments of this length. The write buffer never shrinks, so without fragments one large
/// patch would cost its size for the rest of the connection.
const FRAGMENT: usize = 8 * 1024;

/// How long, and for how much, a closed socket is still read.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 * 1024 * 1024;

pub(crate) struct WebSocket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    write_timeout: Duration,
}

impl WebSocket {
    pub(crate) async fn new(upgraded: Upgraded, limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(limits.read_buffer_bytes)
            .write_buffer_size(WRITE_BUFFER)
            // The buffer holds at most what was collected and one fragment, headers and a pong beside them.
            .max_write_buffer_size(2 * (WRITE_BUFFER + FRAGMENT))
            .max_message_size(Some(limits.message_bytes))
            .max_frame_size(Some(limits.message_bytes));
        let io = TokioIo::new(upgraded);
        let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        Self { stream, write_timeout: limits.write_timeout }
    }

    async fn write(&mut self, message: Wire) -> Result<(), SocketError> {
        in_time(self.write_timeout, self.stream.feed(message)).await
    }
}

async fn in_time(limit: Duration, write: impl Future<Output = Result<(), Error>>) -> Result<(), SocketError> {
    let mut write = std::pin::pin!(write);
    // Most writes are done at once, and need no timer.
    let first = std::future::poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx))).await;
    if let Poll::Ready(written) = first {
        return written.map_err(SocketError::from);
    }
    match timeout(limit, write).await {
        Ok(written) => written.map_err(SocketError::from),
        Err(_) => Err(SocketError::TimedOut),
    }
}

impl Socket for WebSocket {
    async fn receive(&mut self) -> Result<Received, SocketError> {
        Ok(match self.stream.next().await.ok_or(SocketError::Lost)?? {
            Wire::Binary(bytes) => Received::Frame(Frame::Binary(bytes)),
            Wire::Text(text) => Received::Frame(Frame::Text(text.as_str().to_owned())),
            Wire::Close(None) => Received::Closed { code: None, reason: String::new() },
            Wire::Close(Some(CloseFrame { code, reason })) => {
                Received::Closed { code: Some(CloseCode::from_number(code.into())), reason: reason.as_str().to_owned() }
            }
            Wire::Ping(_) | Wire::Pong(_) | Wire::Frame(_) => Received::Control,
        })
    }

    async fn feed(&mut self, mut frame: Bytes, format: Format) -> Result<(), SocketError> {
        let mut kind = match format {
            Format::MessagePack => Data::Binary,
            Format::Json => Data::Text,
        };
        loop {
            let fragment = frame.split_to(frame.len().min(FRAGMENT));
            let last = frame.is_empty();
            let fragment = Fragment::message(fragment, OpCode::Data(kind), last);
            self.write(Wire::Frame(fragment)).await?;
            if last {
                return Ok(());
            }
            kind = Data::Continue;
        }
    }

    async fn flush(&mut self) -> Result<(), SocketError> {
        in_time(self.write_timeout, self.stream.flush()).await
    }

    async fn ping(&mut self) -> Result<(), SocketError> {
        self.write(Wire::Ping(Bytes::new())).await?;
        self.flush().await
    }

    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SocketError> {
        let frame = CloseFrame { code: code.number().into(), reason: reason.into() };
        self.write(Wire::Close(Some(frame))).await?;
        self.flush().await
    }

    async fn linger(&mut self) {
        let io = self.stream.get_mut();
        let discard = async {
            // The peer sees the end of our side, and ends its own when it has read why.
            io.shutdown().await?;
            let mut scrap = vec![0; 8 * 1024];
            let mut total = 0;
            while total < LINGER_BYTES {
                match io.read(&mut scrap).await? {
                    0 => break,
                    bytes => total += bytes,
                }
            }
            Ok::<_, std::io::Error>(())
        };
        // However it ends, the socket is dropped now.
        let _ = timeout(LINGER, discard).await;
    }
}

impl From<Error> for SocketError {
    fn from(error: Error) -> Self {
        match error {
            Error::Capacity(_) => Self::TooBig,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
                Self::Lost
            }
            Error::Protocol(error) => Self::Malformed(error.to_string()),
            Error::Utf8(_) => Self::Malformed("a text frame must be UTF-8".to_owned()),
            _ => Self::Lost,
        }
    }
}
