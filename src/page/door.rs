//! The one door: what a socket asks for goes through the app's own router, as a request like any other.
//!
//! A JOIN becomes a GET with the handshake's headers, so that every layer and extractor that guards the page guards the join.
//! Frames for a page that is joined go straight into its session's mailbox.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header, request::Parts, uri::PathAndQuery};
use axum::response::Response;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;
use tower::ServiceExt;

use super::app::Live;
use super::event::Event;
use super::join::{Answer, JoinRequest};
use super::park::Hold;
use super::pokes::Pokes;
use super::runner::{Inbound, Inbox, send};
use super::token::SessionId;
use super::wire::{Ack, EphemeralBody, EventBody, FULL_LOAD, Join, Reply, Resync, Scopes, Seq};
use crate::edge::Who;
use crate::live::{CloseCause, Connection, Handler, Kind, Message, Meta, Ref, Topic};

/// What every connection of an app goes through.
#[derive(Clone)]
pub(crate) struct Door {
    live: Live,
    app: Router,
}

/// The handshake, as the inner requests repeat it. Copied out: the headers themselves would keep the whole read buffer.
struct Handshake {
    headers: Box<[(HeaderName, Box<[u8]>)]>,
    address: Option<SocketAddr>,
}

/// The pages a connection has joined.
#[derive(Default)]
struct Pages(Mutex<PagesInner>);

#[derive(Default)]
struct PagesInner {
    joined: Vec<Joined>,
    /// The topic of the next page.
    next: u32,
}

struct Joined {
    topic: Topic,
    session: SessionId,
    inbox: Arc<dyn Inbox>,
    hold: Arc<Hold>,
}

/// How long the app's router may take for a join.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pages one connection may have joined at a time.
const PAGES: usize = 16;

/// An ephemeral message is no longer than this, in bytes.
const EPHEMERAL: usize = 4 * 1024;

/// How deep an ephemeral message may be nested.
const DEPTH: usize = 16;

/// A page's address is no longer than this, in bytes.
const ADDRESS: usize = 8 * 1024;

impl Door {
    pub(crate) fn new(live: Live, app: Router) -> Self {
        Self { live, app }
    }

    /// Joins a page and runs its session for as long as the connection holds it.
    async fn join(self, connection: Connection, topic: Topic, reference: Ref, join: Join) {
        // Boxed, and gone before the session runs: what a join needs would count for every idle session.
        let Some((topic, session)) = Box::pin(self.ask(&connection, topic, reference, join)).await else { return };
        session.await;
        if let Some(pages) = connection.meta().get::<Pages>() {
            pages.0.lock().joined.retain(|page| page.topic != topic);
        }
    }

    /// Runs the app's router on a join, and lets its answer decide. What is no session is answered here.
    async fn ask(self, connection: &Connection, topic: Topic, reference: Ref, join: Join) -> Option<Running> {
        let refuse = |code, message, recoverable| {
            refuse(connection, reference, code, message, recoverable);
            None
        };
        let current = current(connection, &topic);
        if current.is_none() && !topic.is_connection() {
            return refuse("unknown_topic", "This page is not joined; join it again.", true);
        }
        let (url, forced) = (join.url.clone(), join.params.0.get("forced").is_some());
        let marker = JoinRequest::new(join, connection.clone(), reference, current);
        let Some(mut request) = inner_request(connection, &url, marker.clone()) else {
            return refuse("bad_message", "A page's address is a path of this site.", false);
        };
        request.extensions_mut().insert(self.live.clone());
        let answered = tokio::time::timeout(PATIENCE, self.app.clone().oneshot(request)).await;
        let Ok(Ok(response)) = answered else {
            return refuse("internal", "The page took too long to answer.", true);
        };
        match decide(response, &url, forced, marker.take_answer()) {
            Decision::Start(joining) => start(connection, reference, joining),
            Decision::Nothing => None,
            Decision::Redirect(to) => {
                send(connection, Kind::REDIRECT, &Topic::connection(), reference, &(to, true, FULL_LOAD));
                None
            }
            Decision::Refuse(code, message, recoverable) => refuse(code, message, recoverable),
        }
    }

    /// Subscribes to scopes for whoever opened the socket, and says which may be heard.
    async fn subscribe(self, connection: Connection, reference: Option<Ref>, scopes: Vec<String>) {
        let Some(pokes) = connection.meta().get::<Pokes>() else { return };
        let who = match identify(&self.live, &connection).await {
            Some(who) => who,
            None => {
                let reference = reference.unwrap_or(Ref::PUSH);
                return refuse(&connection, reference, "unauthorized", "Sign in first.", false);
            }
        };
        let (subscribed, refused) = pokes.subscribe(&self.live, &connection, &who, scopes).await;
        if let Some(reference) = reference {
            let reply = Reply { outcome: Ok(Some((subscribed, refused))), patch: None };
            send(&connection, Kind::REPLY, &Topic::connection(), reference, &reply);
        }
    }

    fn forward(&self, connection: &Connection, message: &Message) {
        let Some(inbox) = inbox(connection, &message.topic) else {
            // LEAVE and ACK of a page that is gone already need no answer.
            if !matches!(message.kind, Kind::LEAVE | Kind::ACK | Kind::EPHEMERAL) {
                let text = "This page is not joined; join it again.";
                send(connection, Kind::ERROR, &message.topic, message.reference, &("unknown_topic", text, true));
            }
            return;
        };
        let put = match read(&self.live, connection, message) {
            Ok(frame) => inbox.put(frame),
            Err(error) => {
                return send(connection, Kind::ERROR, &message.topic, message.reference, &("bad_message", error, true));
            }
        };
        if put.is_err() {
            tracing::debug!(connection = %connection.id(), "a page's mailbox is full");
        }
    }
}

impl Handler for Door {
    async fn on_auth(&self, request: &mut Parts) -> Result<Meta, Response> {
        let address = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address);
        let mut meta = Meta::default();
        meta.insert(Handshake { headers: end_to_end(&request.headers), address });
        meta.insert(Pages::default());
        meta.insert(Pokes::default());
        Ok(meta)
    }

    async fn on_message(&self, connection: &Connection, message: Message) {
        match message.kind {
            Kind::JOIN => match connection.format().from_slice::<Join>(&message.body) {
                Ok(mut join) => {
                    let scopes = std::mem::take(&mut join.scopes);
                    if !scopes.is_empty() {
                        let subscribing = self.clone().subscribe(connection.clone(), None, scopes);
                        drop(self.live.shutdown().spawn(subscribing));
                    }
                    let joining = self.clone().join(connection.clone(), message.topic, message.reference, join);
                    drop(self.live.shutdown().spawn(joining));
                }
                Err(error) => {
                    tracing::debug!(%error, "a join could not be read");
                    refuse(connection, message.reference, "bad_message", "The join could not be read.", false);
                }
            },
            Kind::SUBSCRIBE => match connection.format().from_slice::<Scopes>(&message.body) {
                Ok(Scopes { scopes }) => {
                    // In turn with what comes after it: an UNSUBSCRIBE must not overtake this.
                    let subscribing = self.clone().subscribe(connection.clone(), Some(message.reference), scopes);
                    if tokio::time::timeout(PATIENCE, Box::pin(subscribing)).await.is_err() {
                        refuse(connection, message.reference, "internal", "The server took too long.", true);
                    }
                }
                Err(_) => refuse(connection, message.reference, "bad_message", "The scopes could not be read.", true),
            },
            Kind::UNSUBSCRIBE => {
                let scopes = connection.format().from_slice::<Scopes>(&message.body);
                if let (Ok(Scopes { scopes }), Some(pokes)) = (scopes, connection.meta().get::<Pokes>()) {
                    pokes.unsubscribe(&scopes);
                }
            }
            Kind::EVENT | Kind::EPHEMERAL | Kind::LEAVE | Kind::RESYNC | Kind::ACK => {
                self.forward(connection, &message)
            }
            _ => refuse(
                connection,
                message.reference,
                "unsupported",
                "This server does not know that kind of message.",
                true,
            ),
        }
    }

    fn on_close(&self, connection: &Connection, _cause: &CloseCause) {
        if let Some(pokes) = connection.meta().get::<Pokes>() {
            pokes.clear();
        }
        if let Some(pages) = connection.meta().get::<Pages>() {
            pages.0.lock().joined.iter().for_each(|page| page.hold.release());
        }
    }
}

/// A session that is about to run, and the topic of its frames.
type Running = (Topic, BoxFuture<'static, ()>);

/// Makes the session one of the connection's pages.
fn start(connection: &Connection, reference: Ref, joining: Box<dyn super::join::Joining>) -> Option<Running> {
    let pages = connection.meta().get::<Pages>()?;
    let hold = joining.hold();
    let topic = {
        let mut pages = pages.0.lock();
        if pages.joined.len() >= PAGES {
            refuse(connection, reference, "rate_limited", "This connection shows too many pages.", true);
            return None;
        }
        pages.next += 1;
        let topic = Topic::new(pages.next.to_string()).ok()?;
        let (session, inbox, hold) = (joining.id(), joining.inbox(), hold.clone());
        // Nearly every connection shows one page.
        pages.joined.reserve_exact(1);
        pages.joined.push(Joined { topic: topic.clone(), session, inbox, hold });
        topic
    };
    if connection.is_closed() {
        // The connection closed before the page was among its pages: nobody else would let it go.
        hold.release();
    }
    Some((topic.clone(), joining.start(connection.clone(), topic, reference)))
}

/// What becomes of a join.
enum Decision {
    Start(Box<dyn super::join::Joining>),
    Nothing,
    Redirect(String),
    Refuse(&'static str, &'static str, bool),
}

fn decide(response: Response, url: &str, forced: bool, answer: Option<Answer>) -> Decision {
    let (status, headers) = (response.status(), response.headers());
    if status.is_redirection() {
        let to = headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or(url);
        return Decision::Redirect(to.to_owned());
    }
    if headers.contains_key(header::SET_COOKIE) {
        if !forced {
            // Only a document can set a cookie: the browser must ask for one.
            return Decision::Redirect(url.to_owned());
        }
        // It just did, and the cookie is set again: by a layer that always does. Going round in circles helps nobody.
        tracing::warn!(url, "a layer sets a cookie on every response; one on a join can't reach the browser");
    }
    match (status, answer) {
        (status, Some(Answer::Session(joining))) if status.is_success() => Decision::Start(joining),
        (status, Some(Answer::Same)) if status.is_success() => Decision::Nothing,
        (status, Some(Answer::Refused(code, message))) if status.is_success() => Decision::Refuse(code, message, true),
        (StatusCode::UNAUTHORIZED, _) => Decision::Refuse("unauthorized", "Sign in first.", false),
        (StatusCode::FORBIDDEN, _) => Decision::Refuse("forbidden", "You may not see this page.", false),
        (StatusCode::TOO_MANY_REQUESTS, _) => Decision::Refuse("rate_limited", "Too many at once; try again.", true),
        (status, _) if status.is_server_error() => Decision::Refuse("internal", "The page failed.", true),
        _ => Decision::Refuse("not_a_page", "There is no page at this address.", false),
    }
}

/// What the page's session is to be told.
fn read(live: &Live, connection: &Connection, message: &Message) -> Result<Inbound, &'static str> {
    let format = connection.format();
    match message.kind {
        Kind::EVENT => {
            let body: EventBody = format.from_slice(&message.body).map_err(|_| "The event could not be read.")?;
            let limits = live.settings().form;
            if body.values.len() > limits.values || body.form.len() > limits.fields {
                return Err("The event has too many values or fields.");
            }
            let EventBody { name, target, values, form, key, meta } = body;
            Ok(Inbound::Event(message.reference, Event::from_parts(&name, target, values, form, key, meta.0)))
        }
        Kind::RESYNC => {
            let body: Resync = format.from_slice(&message.body).map_err(|_| "The resync could not be read.")?;
            Ok(Inbound::Resync(body.regions))
        }
        Kind::EPHEMERAL if message.body.len() > EPHEMERAL => Err("An ephemeral message has at most 4 KiB."),
        Kind::EPHEMERAL => {
            let body: EphemeralBody =
                format.from_slice(&message.body).map_err(|_| "The ephemeral message could not be read.")?;
            // What one browser sends, all others must be able to read.
            if !readable(&body.payload, DEPTH) {
                return Err("An ephemeral message holds integers up to 2^53, at most 16 deep.");
            }
            Ok(Inbound::Ephemeral(body.name, body.payload))
        }
        Kind::ACK => {
            // An older client says nothing more than that.
            let seen = format.from_slice::<Ack>(&message.body).map_or_else(|_| Seq::default(), |body| body.seen);
            Ok(Inbound::Confirmed(seen))
        }
        _ => Ok(Inbound::Leave),
    }
}

/// Whether a browser reads it as it is.
fn readable(value: &Value, depth: usize) -> bool {
    const SAFE: i64 = 1 << 53;
    match value {
        Value::Number(number) => {
            number.is_f64() || number.as_i64().is_some_and(|number| (-SAFE..=SAFE).contains(&number))
        }
        Value::Array(items) => depth > 0 && items.iter().all(|item| readable(item, depth - 1)),
        Value::Object(members) => depth > 0 && members.values().all(|item| readable(item, depth - 1)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn inbox(connection: &Connection, topic: &Topic) -> Option<Arc<dyn Inbox>> {
    current(connection, topic).map(|(_, inbox)| inbox)
}

fn current(connection: &Connection, topic: &Topic) -> Option<(SessionId, Arc<dyn Inbox>)> {
    let pages = connection.meta().get::<Pages>()?.0.lock();
    let page = pages.joined.iter().find(|page| page.topic == *topic)?;
    Some((page.session, page.inbox.clone()))
}

fn refuse(connection: &Connection, reference: Ref, code: &str, message: &str, recoverable: bool) {
    send(connection, Kind::ERROR, &Topic::connection(), reference, &(code, message, recoverable));
}

/// Who opened the socket, by the app's extractor on the handshake's headers.
async fn identify(live: &Live, connection: &Connection) -> Option<Who> {
    let mut parts = handshake_request(connection, PathAndQuery::from_static("/_live"))?.into_parts().0;
    live.identify(&mut parts).await.ok()
}

/// The request a join becomes; nothing for an address that is not a path of this site.
fn inner_request(connection: &Connection, url: &str, marker: JoinRequest) -> Option<Request<Body>> {
    if url.len() > ADDRESS || !url.starts_with('/') || url.starts_with("//") || url.contains('#') {
        return None;
    }
    let path: PathAndQuery = url.parse().ok()?;
    let mut request = handshake_request(connection, path)?;
    request.extensions_mut().insert(marker);
    Some(request)
}

/// A request with what the handshake said of the client.
fn handshake_request(connection: &Connection, path: PathAndQuery) -> Option<Request<Body>> {
    let handshake = connection.meta().get::<Handshake>()?;
    let mut request = Request::builder().uri(axum::http::Uri::from(path)).body(Body::empty()).ok()?;
    for (name, value) in &handshake.headers {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().append(name, value);
        }
    }
    if let Some(address) = handshake.address {
        request.extensions_mut().insert(ConnectInfo(address));
    }
    Some(request)
}

/// The headers that say something of the client, not of this one hop.
///
/// # Source
///
/// RFC 9110, section 7.6.1.
fn end_to_end(headers: &HeaderMap) -> Box<[(HeaderName, Box<[u8]>)]> {
    const HOP: [HeaderName; 9] = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("keep-alive"),
    ];
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<_> = named.flat_map(|line| line.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    let keep = |name: &HeaderName| {
        !HOP.contains(name)
            && !name.as_str().starts_with("sec-websocket-")
            && !named.iter().any(|hop| hop == name.as_str())
    };
    headers.iter().filter(|(name, _)| keep(name)).map(|(name, value)| (name.clone(), value.as_bytes().into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_meant_for_the_app_is_passed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("cookie", "a=1"),
            ("connection", "Upgrade, X-Hop"),
            ("upgrade", "websocket"),
            ("x-hop", "1"),
            ("sec-websocket-key", "k"),
            ("sec-websocket-protocol", "mizu.v1"),
            ("te", "trailers"),
            ("x-user", "ann"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let kept = end_to_end(&headers);
        let mut kept: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["cookie", "x-user"]);
    }
}
