//! A client in the same process, without a port.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::mpsc, time::timeout};

use crate::live::{
    CloseCode, Codec, Connection, Format, Frame, Message,
    socket::{Received, Socket, SocketError},
};

/// How many frames may be under way from client to server.
const INBOUND: usize = 64;

/// A client that speaks to its server through memory: the same handshake, codec, limits, loop and handler as over a
/// WebSocket, only without one. Dropping it is a lost connection.
///
/// ```
/// use mizu::live::{CloseCode, Connection, Handler, Kind, Message, Server};
///
/// struct Goodbye;
///
/// impl Handler for Goodbye {
///     async fn on_message(&self, connection: &Connection, _: Message) {
///         connection.close(CloseCode::DISCONNECTED_BY_SERVER, "goodbye");
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let server = Server::new(Goodbye);
/// let (request, _) = axum::http::Request::new(()).into_parts();
/// let mut client = server.connect_in_memory(request).await.unwrap();
/// client.send(Message::new(Kind::application(1), Default::default(), Default::default(), "")).await.unwrap();
/// assert_eq!(client.receive().await, None);
/// assert_eq!(client.close_code(), Some(CloseCode::DISCONNECTED_BY_SERVER));
/// # }
/// ```
pub struct MemoryClient {
    connection: Connection,
    /// Holds at most [`INBOUND`] frames; sending waits when it is full.
    to_server: mpsc::Sender<Wire>,
    from_server: mpsc::Receiver<Wire>,
    deaf: Arc<AtomicBool>,
    closed: Option<(CloseCode, String)>,
}

/// The server has closed the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server has closed this connection")]
pub struct Disconnected;

enum Wire {
    Frame(Frame),
    Close(Option<(CloseCode, String)>),
}

impl MemoryClient {
    /// A client and the server's end of its pipe, which holds `capacity` frames until the server has to wait.
    pub(crate) fn pair(connection: Connection, capacity: usize, write_timeout: Duration) -> (Self, MemorySocket) {
        let (to_server, from_client) = mpsc::channel(INBOUND);
        let (to_client, from_server) = mpsc::channel(capacity.max(1));
        let deaf = Arc::new(AtomicBool::new(false));
        let socket = MemorySocket { from_client, to_client, deaf: Arc::clone(&deaf), pong: false, write_timeout };
        (Self { connection, to_server, from_server, deaf, closed: None }, socket)
    }

    /// The server's handle to this client.
    ///
    /// ```
    /// # use mizu::live::{Connection, MemoryClient};
    /// fn close(client: &MemoryClient) {
    ///     client.connection().close(mizu::live::CloseCode::NORMAL, "");
    /// }
    /// # let _ = close;
    /// ```
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// How bodies are encoded.
    ///
    /// ```
    /// # use mizu::live::{Format, MemoryClient};
    /// fn is_json(client: &MemoryClient) -> bool {
    ///     client.format() == Format::Json
    /// }
    /// # let _ = is_json;
    /// ```
    pub fn format(&self) -> Format {
        self.connection.format()
    }

    /// Sends a message; waits while the server reads nothing.
    ///
    /// # Errors
    ///
    /// * [`Disconnected`] when the server has closed the connection, or the message can't be encoded.
    ///
    /// ```
    /// # use mizu::live::{Kind, MemoryClient, Message};
    /// # async fn f(client: &MemoryClient, message: Message) {
    /// client.send(message).await.unwrap();
    /// # }
    /// ```
    pub async fn send(&self, message: Message) -> Result<(), Disconnected> {
        let frame = self.format().encode(&message).map_err(|_| Disconnected)?;
        self.send_frame(frame).await
    }

    /// Sends any frame, well-formed or not.
    ///
    /// # Errors
    ///
    /// * [`Disconnected`] when the server has closed the connection.
    ///
    /// ```
    /// # use mizu::live::{Frame, MemoryClient};
    /// # async fn f(client: &MemoryClient) {
    /// client.send_frame(Frame::Text("no message".into())).await.unwrap();
    /// # }
    /// ```
    pub async fn send_frame(&self, frame: Frame) -> Result<(), Disconnected> {
        self.to_server.send(Wire::Frame(frame)).await.map_err(|_| Disconnected)
    }

    /// The next message; `None` when the connection has ended, for which [`close_code`](Self::close_code) gives the
    /// reason.
    ///
    /// ```
    /// # use mizu::live::MemoryClient;
    /// # async fn f(mut client: MemoryClient) {
    /// while let Some(message) = client.receive().await {
    ///     println!("{message:?}");
    /// }
    /// # }
    /// ```
    pub async fn receive(&mut self) -> Option<Message> {
        let wire = self.from_server.recv().await?;
        self.take(wire)
    }

    /// The next message, if it is there already.
    ///
    /// ```
    /// # use mizu::live::MemoryClient;
    /// # fn f(mut client: MemoryClient) {
    /// let nothing_yet = client.try_receive().is_none();
    /// # }
    /// ```
    pub fn try_receive(&mut self) -> Option<Message> {
        let wire = self.from_server.try_recv().ok()?;
        self.take(wire)
    }

    fn take(&mut self, wire: Wire) -> Option<Message> {
        match wire {
            // The server encodes what it sends with the same codec, so the frame is well-formed.
            Wire::Frame(frame) => self.format().decode(frame).ok(),
            Wire::Close(close) => {
                self.closed = close;
                None
            }
        }
    }

    /// The code the server closed with, once [`receive`](Self::receive) has come to it.
    ///
    /// ```
    /// # use mizu::live::MemoryClient;
    /// # fn f(client: MemoryClient) {
    /// assert_eq!(client.close_code(), None);
    /// # }
    /// ```
    pub fn close_code(&self) -> Option<CloseCode> {
        self.closed.as_ref().map(|(code, _)| *code)
    }

    /// The reason the server closed with, once [`receive`](Self::receive) has come to it.
    ///
    /// ```
    /// # use mizu::live::MemoryClient;
    /// # fn f(client: MemoryClient) {
    /// assert_eq!(client.close_reason(), None);
    /// # }
    /// ```
    pub fn close_reason(&self) -> Option<&str> {
        self.closed.as_ref().map(|(_, reason)| reason.as_str())
    }

    /// Closes in good order, as a browser does.
    ///
    /// ```
    /// # use mizu::live::{CloseCode, MemoryClient};
    /// # async fn f(client: MemoryClient) {
    /// client.close(CloseCode::GOING_AWAY, "").await;
    /// # }
    /// ```
    pub async fn close(self, code: CloseCode, reason: &str) {
        // A server that is gone needs no close.
        let _ = self.to_server.send(Wire::Close(Some((code, reason.to_owned())))).await;
    }

    /// Answers no pings from now on, like a machine that has lost its network.
    ///
    /// ```
    /// # use mizu::live::MemoryClient;
    /// # fn f(client: MemoryClient) {
    /// client.go_deaf();
    /// # }
    /// ```
    pub fn go_deaf(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for MemoryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryClient").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// The server's end.
pub(crate) struct MemorySocket {
    from_client: mpsc::Receiver<Wire>,
    /// Holds as many frames as the pipe was made for; writing waits when it is full.
    to_client: mpsc::Sender<Wire>,
    deaf: Arc<AtomicBool>,
    pong: bool,
    write_timeout: Duration,
}

impl MemorySocket {
    async fn write(&self, wire: Wire) -> Result<(), SocketError> {
        match timeout(self.write_timeout, self.to_client.send(wire)).await {
            Ok(sent) => sent.map_err(|_| SocketError::Lost),
            Err(_) => Err(SocketError::TimedOut),
        }
    }
}

impl Socket for MemorySocket {
    async fn receive(&mut self) -> Result<Received, SocketError> {
        if std::mem::take(&mut self.pong) {
            return Ok(Received::Control);
        }
        Ok(match self.from_client.recv().await.ok_or(SocketError::Lost)? {
            Wire::Frame(frame) => Received::Frame(frame),
            Wire::Close(None) => Received::Closed { code: None, reason: String::new() },
            Wire::Close(Some((code, reason))) => Received::Closed { code: Some(code), reason },
        })
    }

    async fn feed(&mut self, frame: Bytes, format: Format) -> Result<(), SocketError> {
        self.write(Wire::Frame(match format {
            Format::MessagePack => Frame::Binary(frame),
            Format::Json => match String::from_utf8(frame.into()) {
                Ok(text) => Frame::Text(text),
                Err(error) => return Err(SocketError::Malformed(error.to_string())),
            },
        }))
        .await
    }

    async fn flush(&mut self) -> Result<(), SocketError> {
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), SocketError> {
        self.pong = !self.deaf.load(Ordering::Relaxed);
        Ok(())
    }

    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SocketError> {
        self.write(Wire::Close(Some((code, reason.to_owned())))).await
    }

    async fn linger(&mut self) {}
}
