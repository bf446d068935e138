//! What several whole-stack tests use.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use mizu::live::{Kind, MemoryClient, Message, Ref, Topic};
use mizu::{Identity, LiveApp};
use rmpv::Value;

/// Whoever the header `x-user` names.
#[derive(Clone, PartialEq)]
pub(crate) struct User(pub(crate) String);

impl Identity for User {
    fn key(&self) -> String {
        self.0.clone()
    }
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let user = parts.headers.get("x-user").and_then(|user| user.to_str().ok());
        user.map(|user| Self(user.to_owned())).ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// A socket that speaks the page's protocol by hand.
pub(crate) struct Raw {
    pub(crate) client: MemoryClient,
    reference: u32,
    topic: Topic,
}

impl Raw {
    /// Connects with these headers, as the server's own origin.
    pub(crate) async fn connect(app: &LiveApp, headers: &[(&str, &str)]) -> Self {
        let mut all = vec![("origin", "http://test")];
        all.extend(headers);
        Self::connect_with(app, &all).await
    }

    /// Connects as something that is no browser.
    pub(crate) async fn connect_without_origin(app: &LiveApp) -> Self {
        Self::connect_with(app, &[]).await
    }

    async fn connect_with(app: &LiveApp, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::get("/_live").header("host", "test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 9], 4_000))));
        let client = app.connect_in_memory(parts).await.unwrap();
        Self { client, reference: 0, topic: Topic::connection() }
    }

    pub(crate) async fn send(&mut self, kind: Kind, topic: Topic, reference: Ref, body: &impl serde::Serialize) {
        let body = self.client.format().to_bytes(body).unwrap();
        self.client.send(Message::new(kind, topic, reference, body)).await.unwrap();
    }

    /// The next message's kind and body.
    pub(crate) async fn receive(&mut self) -> (Kind, Vec<Value>) {
        let message = tokio::time::timeout(Duration::from_secs(10), self.client.receive()).await.unwrap().unwrap();
        let body: Value = self.client.format().from_slice(&message.body).unwrap();
        (message.kind, body.as_array().cloned().unwrap_or_default())
    }

    async fn ask(&mut self, body: &serde_json::Value) -> (Kind, Vec<Value>) {
        self.reference += 1;
        self.send(Kind::JOIN, Topic::connection(), Ref::new(self.reference), body).await;
        let answer = self.receive().await;
        if answer.0 == Kind::REPLY {
            self.topic = Topic::new(answer.1[2][0].as_str().unwrap()).unwrap();
        }
        answer
    }

    /// Joins a page; gives the answer's kind and body.
    pub(crate) async fn join(&mut self, token: &str, url: &str) -> (Kind, Vec<Value>) {
        self.ask(&serde_json::json!([token, url, {}, null, []])).await
    }

    /// Resumes a session.
    pub(crate) async fn resume(&mut self, session: &str, url: &str, seen: u32) -> (Kind, Vec<Value>) {
        self.ask(&serde_json::json!(["", url, {}, [session, seen], []])).await
    }

    /// Says that the join's answer came.
    pub(crate) async fn confirm(&mut self) {
        let topic = self.topic.clone();
        self.send(Kind::ACK, topic, Ref::PUSH, &serde_json::json!([0])).await;
    }

    /// Sends an event to the page that was joined last; gives the answer.
    pub(crate) async fn event(&mut self, reference: u32, name: &str) -> (Kind, Vec<Value>) {
        let topic = self.topic.clone();
        self.send(Kind::EVENT, topic, Ref::new(reference), &serde_json::json!([name])).await;
        self.receive().await
    }
}

/// Waits until something holds.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("it did not come to be in time");
}
