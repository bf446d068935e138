//! A server on a real port, and clients that misbehave.

#![allow(dead_code, reason = "each test uses its own part of this")]

use std::net::SocketAddr;

use axum::Router;
use futures::{SinkExt, StreamExt};
use mizu::live::{CloseCode, Codec, Format, Frame, Listen, Message, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message as Wire, client::IntoClientRequest},
};

use crate::recorder::{Recorder, within};

/// Serves on a free port until the server is drained.
pub(crate) async fn listen(server: &Server<Recorder>, listen: Listen) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app: Router = Router::new().route("/_live", server.route());
    let shutdown = server.shutdown().clone();
    tokio::spawn(async move { listen.serve(listener, app, shutdown).await });
    address
}

/// A WebSocket client.
pub(crate) struct Client(pub(crate) WebSocketStream<TcpStream>);

/// Shakes hands with these headers.
pub(crate) async fn handshake(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<Client, tungstenite::Error> {
    handshake_over(TcpStream::connect(address).await.unwrap(), headers).await
}

pub(crate) async fn handshake_over(
    stream: TcpStream,
    headers: &[(&'static str, &str)],
) -> Result<Client, tungstenite::Error> {
    let address = stream.peer_addr().unwrap();
    let mut request = format!("ws://{address}/_live").into_client_request()?;
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    client_async(request, stream).await.map(|(socket, _)| Client(socket))
}

pub(crate) async fn open(address: SocketAddr) -> Client {
    handshake(address, &[("sec-websocket-protocol", "mizu.v1")]).await.unwrap()
}

/// A client whose system takes very little before the server has to wait.
pub(crate) async fn open_narrow(address: SocketAddr) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let stream = socket.connect(address).await.unwrap();
    handshake_over(stream, &[("sec-websocket-protocol", "mizu.v1")]).await.unwrap()
}

/// The status with which a handshake was refused.
pub(crate) fn status(refused: Result<Client, tungstenite::Error>) -> u16 {
    match refused {
        Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the handshake was accepted"),
    }
}

impl Client {
    pub(crate) async fn send(&mut self, message: Message) {
        let frame = Format::MessagePack.encode(&message).unwrap().into_bytes();
        self.0.send(Wire::Binary(frame)).await.unwrap();
    }

    pub(crate) async fn receive(&mut self) -> Message {
        loop {
            match within(self.0.next()).await.unwrap().unwrap() {
                Wire::Binary(frame) => {
                    return Format::MessagePack.decode(Frame::Binary(frame)).unwrap();
                }
                Wire::Text(text) => {
                    return Format::Json.decode(Frame::Text(text.to_string())).unwrap();
                }
                Wire::Ping(_) | Wire::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Reads until the server closes, and gives code and reason.
    pub(crate) async fn closed(&mut self) -> (CloseCode, String) {
        loop {
            match within(self.0.next()).await {
                Some(Ok(Wire::Close(Some(frame)))) => {
                    let code = CloseCode::from_number(frame.code.into());
                    return (code, frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                other => panic!("the connection ended without a close code: {other:?}"),
            }
        }
    }

    /// The TCP stream behind it, after the handshake.
    pub(crate) fn into_raw(self) -> TcpStream {
        self.0.into_inner()
    }
}

/// One frame as a client sends it, with a mask of zeros.
pub(crate) fn raw_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Reads everything until the server ends the connection, and gives the payload of its close frame.
pub(crate) async fn raw_close(stream: &mut TcpStream) -> (CloseCode, String) {
    let mut bytes = Vec::new();
    within(stream.read_to_end(&mut bytes)).await.unwrap();
    let mut rest = bytes.as_slice();
    while let [first, len, tail @ ..] = rest {
        let (len, tail) = match len {
            126 => (usize::from(u16::from_be_bytes([tail[0], tail[1]])), &tail[2..]),
            len => (usize::from(*len), tail),
        };
        let (payload, tail) = tail.split_at(len);
        if first & 0x0f == 8 {
            let code = u16::from_be_bytes([payload[0], payload[1]]);
            let reason = String::from_utf8(payload[2..].to_vec()).unwrap();
            return (CloseCode::from_number(code), reason);
        }
        rest = tail;
    }
    panic!("no close frame in {} bytes", bytes.len());
}

/// Sends what is no handshake, and gives all that is answered until the server ends the connection.
pub(crate) async fn raw_request(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}
