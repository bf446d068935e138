//! From an HTTP request to a connection.

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, FromRequestParts, Request, WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::live::{
    Connection, Format, Handler, MemoryClient, Meta, Server, Verdict,
    server::{admission::Seat, run::run, serving::Core},
    socket::WebSocket,
};

/// Why a handshake was refused, and how that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedUpgrade {
    /// It came from another site: 403.
    #[error("cross_site: this handshake comes from another site")]
    CrossSite,
    /// It asks for unknown subprotocols only: 400.
    #[error("unknown_subprotocol: ask for mizu.v1 or mizu.v1.json")]
    UnknownSubprotocol,
    /// Too many handshakes, or too many connections: 503 with `Retry-After`.
    #[error("overloaded: too many connections at the moment")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many handshakes from this address: 429 with `Retry-After`.
    #[error("rate_limited: too many connections from this address")]
    Address {
        /// When to try again.
        retry_after: Duration,
    },
    /// The server is about to end: 503 with `Retry-After`.
    #[error("shutdown: the server is shutting down")]
    ShuttingDown {
        /// When to try again.
        retry_after: Duration,
    },
}

impl IntoResponse for RefusedUpgrade {
    fn into_response(self) -> Response {
        let (status, retry_after) = match self {
            Self::CrossSite => (StatusCode::FORBIDDEN, None),
            Self::UnknownSubprotocol => (StatusCode::BAD_REQUEST, None),
            Self::Overloaded { retry_after } | Self::ShuttingDown { retry_after } => {
                (StatusCode::SERVICE_UNAVAILABLE, Some(retry_after))
            }
            Self::Address { retry_after } => (StatusCode::TOO_MANY_REQUESTS, Some(retry_after)),
        };
        let mut response = (status, self.to_string()).into_response();
        if let Some(retry_after) = retry_after {
            // The header knows whole seconds only; coming too early would be in vain.
            let seconds = retry_after.as_millis().div_ceil(1000).max(1) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Marks [`Server`] as an axum handler by itself.
#[derive(Debug)]
pub struct ViaUpgrade(());

impl<H: Handler, S> axum::handler::Handler<ViaUpgrade, S> for Server<H> {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, _state: S) -> Self::Future {
        Box::pin(async move {
            let (parts, _body) = request.into_parts();
            upgrade(self.core, parts).await.unwrap_or_else(|refusal| refusal)
        })
    }
}

async fn upgrade<H: Handler>(core: Arc<Core<H>>, mut parts: Parts) -> Result<Response, Response> {
    let agreed = agree(&core, &parts.headers).map_err(|refused| refuse(&core, refused))?;
    // axum's extractor checks the handshake and takes what upgrades the request out, where the handler can't find
    // it. The upgrade itself is ours: axum would run it in a task that nobody waits for.
    let on_upgrade = parts.extensions.get::<OnUpgrade>().cloned();
    let valid = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let (Ok(_), Some(on_upgrade), Some(key)) = (&valid, on_upgrade, key) else {
        core.common.counters.refused_handshake.increment();
        return Err(valid
            .err()
            .map_or_else(|| StatusCode::UPGRADE_REQUIRED.into_response(), IntoResponse::into_response));
    };
    drop(valid);

    let (connection, seat) = accept(&core, parts, &agreed).await?;
    let common = Arc::clone(&core.common);
    common.shutdown.spawn(async move {
        match on_upgrade.await {
            Ok(upgraded) => {
                let socket = WebSocket::new(upgraded, &core.common.limits).await;
                // A task of its own, so that nothing of the handshake stays for as long as the connection does.
                let shutdown = core.common.shutdown.clone();
                shutdown.spawn(run(socket, connection, core, seat));
            }
            Err(error) => tracing::debug!(%error, "a handshake was not completed"),
        }
    });

    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(key) = HeaderValue::from_str(&key) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    }
    if agreed.named {
        let name = HeaderValue::from_static(agreed.format.subprotocol());
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    Ok(response)
}

/// Connects a client in memory; `capacity` is in frames.
pub(super) async fn connect<H: Handler>(
    core: Arc<Core<H>>,
    parts: Parts,
    capacity: usize,
) -> Result<MemoryClient, Response> {
    let agreed = agree(&core, &parts.headers).map_err(|refused| refuse(&core, refused))?;
    let (connection, seat) = accept(&core, parts, &agreed).await?;
    let common = Arc::clone(&core.common);
    let timeout = common.limits.write_timeout;
    let (client, socket) = MemoryClient::pair(connection.clone(), capacity, timeout);
    common.shutdown.spawn(run(socket, connection, core, seat));
    Ok(client)
}

/// What can be said by looking at the headers.
struct Agreed {
    verdict: Verdict,
    format: Format,
    /// Whether the client asked for a subprotocol, which then has to be named.
    named: bool,
}

fn agree<H: Handler>(core: &Core<H>, headers: &HeaderMap) -> Result<Agreed, RefusedUpgrade> {
    let shutdown = &core.common.shutdown;
    if shutdown.is_draining() {
        let retry_after = shutdown.reconnect_after();
        return Err(RefusedUpgrade::ShuttingDown { retry_after });
    }
    let verdict = core.origins.check(headers);
    if verdict == Verdict::CrossSite {
        return Err(RefusedUpgrade::CrossSite);
    }
    let mut offers = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        .peekable();
    let named = offers.peek().is_some();
    // The client names them in the order in which it prefers them.
    match offers.find_map(Format::from_subprotocol) {
        Some(format) => Ok(Agreed { verdict, format, named }),
        None if !named => Ok(Agreed { verdict, format: Format::default(), named }),
        None => Err(RefusedUpgrade::UnknownSubprotocol),
    }
}

/// Counts and answers a refusal.
fn refuse<H: Handler>(core: &Core<H>, refused: RefusedUpgrade) -> Response {
    let counters = &core.common.counters;
    match refused {
        RefusedUpgrade::CrossSite => &counters.refused_cross_site,
        RefusedUpgrade::UnknownSubprotocol => &counters.refused_handshake,
        RefusedUpgrade::Address { .. } => &counters.refused_address,
        RefusedUpgrade::Overloaded { .. } | RefusedUpgrade::ShuttingDown { .. } => &counters.refused_overload,
    }
    .increment();
    tracing::debug!(%refused, "a handshake was refused");
    refused.into_response()
}

/// The part of a handshake that uses something up, then the application's.
async fn accept<H: Handler>(
    core: &Arc<Core<H>>,
    mut parts: Parts,
    agreed: &Agreed,
) -> Result<(Connection, Seat), Response> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let client = peer.map(|peer| core.proxies.client(peer, &parts.headers));
    let admitted = core.admission.admit(client, Instant::now().into_std());
    let seat = admitted.map_err(|refused| refuse(core, refused))?;
    parts.extensions.insert(agreed.verdict);
    if let Some(client) = client {
        parts.extensions.insert(client);
    }
    let mut meta: Meta = core.handler.on_auth(&mut parts).await.inspect_err(|_| {
        core.common.counters.refused_auth.increment();
    })?;
    meta.insert(agreed.verdict);
    if let Some(client) = client {
        meta.insert(client);
    }
    Ok((Connection::new(agreed.format, meta, Arc::clone(&core.common)), seat))
}
