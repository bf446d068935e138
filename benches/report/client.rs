//! The load: browsers that do nothing but join, click and count bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::body::Bytes;
use futures::{SinkExt, StreamExt};
use mizu::live::{Codec, Format, Frame, Kind, Message, MessagePack, Ref, Topic};
use serde::Serialize;
use serde::de::IgnoredAny;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Wire;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::Result;
use crate::http::Http;

/// A WebSocket that counts nothing and knows nothing of pages.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub(crate) async fn open(address: SocketAddr, path: &str) -> Result<Self> {
        let mut request = format!("ws://{address}{path}").into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("mizu.v1"));
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(4 * 1024).write_buffer_size(1024);
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
        Ok(Self(socket))
    }

    pub(crate) async fn send(&mut self, bytes: Bytes) -> Result {
        Ok(self.0.send(Wire::Binary(bytes)).await?)
    }

    /// The next data frame. Pings are answered on the way.
    pub(crate) async fn receive(&mut self) -> Result<Bytes> {
        loop {
            match self.0.next().await.ok_or("the server closed the socket")?? {
                Wire::Binary(bytes) => return Ok(bytes),
                Wire::Close(why) => return Err(format!("the server closed the socket: {why:?}").into()),
                _ => {}
            }
        }
    }
}

/// A page in a browser: what a GET gave, joined over a socket.
pub(crate) struct Browser {
    socket: Socket,
    topic: Topic,
    reference: u32,
    /// The join's answer, in bytes.
    pub(crate) joined_bytes: usize,
    returns: Return,
}

/// What a browser needs to come back after its socket dropped.
pub(crate) struct Return {
    url: String,
    session: String,
    seen: u32,
    reference: u32,
}

/// Status, patch, and: topic, session, seq, heartbeat, dev, fresh.
type JoinReply = (u8, Option<IgnoredAny>, (String, String, u32, u32, bool, bool));

impl Browser {
    /// Loads the page over `http` and joins it.
    pub(crate) async fn open(http: &mut Http, address: SocketAddr, url: &str) -> Result<Self> {
        let token = token(http.get(url).await?)?;
        Self::join(address, url, &token, None, 1).await
    }

    /// Joins the session of a browser whose socket dropped.
    pub(crate) async fn resume(address: SocketAddr, before: &Return) -> Result<Self> {
        Self::join(address, &before.url, "", Some((&before.session, before.seen)), before.reference + 1).await
    }

    async fn join(
        address: SocketAddr,
        url: &str,
        token: &str,
        resume: Option<(&str, u32)>,
        reference: u32,
    ) -> Result<Self> {
        let mut socket = Socket::open(address, "/_live").await?;
        let scopes: [&str; 0] = [];
        let body = (token, url, BTreeMap::<&str, &str>::new(), resume, scopes);
        socket.send(frame(Kind::JOIN, &Topic::connection(), reference, &body)?).await?;
        let bytes = socket.receive().await?;
        let joined_bytes = bytes.len();
        let reply = MessagePack.decode(Frame::Binary(bytes))?;
        if reply.kind != Kind::REPLY {
            return Err(format!("a join was answered by {reply:?}").into());
        }
        let (_, _, (topic, session, seen, _, _, fresh)) = Format::MessagePack.from_slice::<JoinReply>(&reply.body)?;
        if fresh {
            return Err("a join did not find its session, and mounted anew".into());
        }
        let topic = Topic::new(topic)?;
        socket.send(frame(Kind::ACK, &topic, 0, &(seen,))?).await?;
        let returns = Return { url: url.to_owned(), session, seen, reference };
        Ok(Self { socket, topic, reference, joined_bytes, returns })
    }

    /// The frame of the next click on something that sends this event.
    pub(crate) fn click_frame(&mut self, event: &str) -> Result<Bytes> {
        self.reference += 1;
        let (none, values): (Option<&str>, [(&str, &str); 0]) = (None, []);
        let body = (event, none, values, none, none, BTreeMap::from([("type", "click")]));
        frame(Kind::EVENT, &self.topic, self.reference, &body)
    }

    /// Clicks, waits for the answer and gives its bytes.
    pub(crate) async fn click(&mut self, event: &str) -> Result<usize> {
        let click = self.click_frame(event)?;
        self.socket.send(click).await?;
        let bytes = self.socket.receive().await?;
        let length = bytes.len();
        let reply = MessagePack.decode(Frame::Binary(bytes))?;
        // The first element of the answer is its status.
        let succeeded = reply.kind == Kind::REPLY && reply.body.get(1) == Some(&0);
        if !succeeded || reply.reference.get() != self.reference {
            return Err(format!("click {} was answered by {reply:?}", self.reference).into());
        }
        Ok(length)
    }

    /// The next patch that nobody on this page asked for, as the bytes of its frame.
    pub(crate) async fn pushed(&mut self) -> Result<Bytes> {
        let bytes = self.socket.receive().await?;
        // An array of four, whose first is the kind.
        if bytes.get(1) != Some(&Kind::PATCH.code()) {
            return Err(format!("instead of a patch came {:?}", MessagePack.decode(Frame::Binary(bytes))).into());
        }
        Ok(bytes)
    }

    /// Drops the socket as a lost network does, without a word.
    pub(crate) fn vanish(self) -> Return {
        Return { reference: self.reference, ..self.returns }
    }
}

fn frame(kind: Kind, topic: &Topic, reference: u32, body: &impl Serialize) -> Result<Bytes> {
    let body = Format::MessagePack.to_bytes(body)?;
    Ok(MessagePack.encode(&Message::new(kind, topic.clone(), Ref::new(reference), body))?.into_bytes())
}

/// The token in a page's form `lv`.
fn token(page: &[u8]) -> Result<String> {
    let page = std::str::from_utf8(page)?;
    let input = page.rsplit_once("name=\"lv-token\"").map(|(_, after)| after);
    let value = input.and_then(|input| input.split_once(" value=\"")).map(|(_, after)| after);
    let token = value.and_then(|value| value.split_once('"')).ok_or("the page has no token")?;
    Ok(token.0.to_owned())
}
