//! A handler that tells a test everything, and does little things on request.

#![allow(dead_code, reason = "each test uses its own part of this")]

use std::time::Duration;

use axum::{
    http::{HeaderName, Request, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use mizu::live::{
    CloseCause, Connection, Handler, Kind, Limits, MemoryClient, Message, Meta, Rate, Ref, Server, ServerBuilder, Topic,
};
use tokio::sync::mpsc;

/// Kinds that make [`Recorder`] do something.
pub(crate) mod ask {
    use mizu::live::Kind;

    /// Send the message back.
    pub(crate) const ECHO: Kind = Kind::application(1);
    /// Only record it.
    pub(crate) const RECORD: Kind = Kind::application(2);
    /// Panic.
    pub(crate) const PANIC: Kind = Kind::application(3);
    /// Take as many seconds as the body says, then record it.
    pub(crate) const SLEEP: Kind = Kind::application(4);
    /// Never be done.
    pub(crate) const HANG: Kind = Kind::application(5);
}

/// What the server-side name of a client is.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Name(pub(crate) String);

pub(crate) struct Recorder {
    messages: mpsc::UnboundedSender<(Connection, Message)>,
    closes: mpsc::UnboundedSender<(Connection, CloseCause)>,
}

/// What a [`Recorder`] recorded.
pub(crate) struct Records {
    messages: mpsc::UnboundedReceiver<(Connection, Message)>,
    closes: mpsc::UnboundedReceiver<(Connection, CloseCause)>,
}

impl Recorder {
    pub(crate) fn new() -> (Self, Records) {
        let (messages, message_records) = mpsc::unbounded_channel();
        let (closes, close_records) = mpsc::unbounded_channel();
        (Self { messages, closes }, Records { messages: message_records, closes: close_records })
    }
}

impl Records {
    pub(crate) async fn message(&mut self) -> (Connection, Message) {
        within(self.messages.recv()).await.unwrap()
    }

    pub(crate) async fn close(&mut self) -> CloseCause {
        within(self.closes.recv()).await.unwrap().1
    }

    /// Whether anything is left that no one asked for.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.messages.try_recv().is_err() && self.closes.try_recv().is_err()
    }

    pub(crate) fn no_message(&mut self) -> bool {
        self.messages.try_recv().is_err()
    }
}

impl Handler for Recorder {
    async fn on_auth(&self, request: &mut Parts) -> Result<Meta, Response> {
        let mut meta = Meta::new();
        match request.uri.query() {
            Some("refuse") => return Err(StatusCode::UNAUTHORIZED.into_response()),
            Some(name) => meta.insert(Name(name.to_owned())),
            None => {}
        }
        Ok(meta)
    }

    async fn on_message(&self, connection: &Connection, message: Message) {
        match message.kind {
            ask::ECHO => drop(connection.send(message)),
            ask::PANIC => panic!("as the client asked"),
            ask::HANG => std::future::pending().await,
            ask::SLEEP => {
                tokio::time::sleep(Duration::from_secs(message.body[0].into())).await;
                self.messages.send((connection.clone(), message)).unwrap();
            }
            _ => drop(self.messages.send((connection.clone(), message))),
        }
    }

    fn on_close(&self, connection: &Connection, cause: &CloseCause) {
        let _ = self.closes.send((connection.clone(), cause.clone()));
    }
}

pub(crate) fn builder() -> (ServerBuilder<Recorder>, Records) {
    let (recorder, records) = Recorder::new();
    (Server::builder(recorder), records)
}

pub(crate) fn server(limits: Limits) -> (Server<Recorder>, Records) {
    let (builder, records) = builder();
    (builder.limits(limits).build(), records)
}

/// Limits that no test runs into by accident.
pub(crate) fn no_rates() -> Limits {
    Limits { messages: Rate::UNLIMITED, joins: Rate::UNLIMITED, upgrades: Rate::UNLIMITED, ..Limits::default() }
}

pub(crate) fn message(kind: Kind, reference: u32, body: impl Into<Bytes>) -> Message {
    Message::new(kind, Topic::connection(), Ref::new(reference), body)
}

pub(crate) fn request(uri: &str, headers: &[(&'static str, &str)]) -> Parts {
    let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
    for (name, value) in headers {
        parts.headers.append(HeaderName::from_static(name), value.parse().unwrap());
    }
    parts
}

pub(crate) async fn connect(server: &Server<Recorder>) -> MemoryClient {
    server.connect_in_memory(request("/_live", &[])).await.unwrap()
}

pub(crate) async fn connect_narrow(server: &Server<Recorder>, capacity: usize) -> MemoryClient {
    server.connect_in_memory_with(request("/_live", &[]), capacity).await.unwrap()
}

/// Something that must happen soon, in real or paused time.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    let patience = Duration::from_secs(600);
    tokio::time::timeout(patience, future).await.expect("something that never happened")
}

/// Waits for a condition that has no event.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
