//! Whom a request comes from, and whether it may ask at all.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use serde::de::DeserializeOwned;

use super::answer::{LATER, Refusal, refuse};
use crate::edge::{Identity, KeyedLimiter, Origins, TrustedProxies, Verdict, Who};
use crate::sync::engine::{Engine, SyncLimits};

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(20);

/// Answers a request whose handling panicked, say in the app's own authoriser: nothing came of it, and it may be sent again.
pub(super) async fn caught(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(path, panic = text.unwrap_or("not a text"), "a request panicked");
        refuse(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this is a fault of the server"))
    })
}

/// How many users and addresses are remembered.
const REMEMBERED: usize = 100_000;

/// A request that may ask.
pub(super) struct Entered<I> {
    pub(super) identity: I,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl<I: Identity> Entered<I> {
    pub(super) fn who(&self) -> Who {
        Who::new(self.identity.clone())
    }

    /// Reads the body as JSON of a type.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        // A form of another site can't send this type, whatever its browser says about where it comes from.
        if !kind.trim_start().to_ascii_lowercase().starts_with("application/json") {
            let message = "the content type must be application/json";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid", message));
        }
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        let read = serde_path_to_error::deserialize(&mut json).map_err(|error| error.to_string());
        let read = read.and_then(|value| json.end().map(|()| value).map_err(|error| error.to_string()));
        read.map_err(Refusal::invalid)
    }
}

/// What every request goes through.
pub(super) struct Door {
    pub(super) engine: Engine,
    origins: Origins,
    proxies: TrustedProxies,
    users: KeyedLimiter<String>,
    addresses: KeyedLimiter<std::net::IpAddr>,
    body_bytes: usize,
}

impl Door {
    pub(super) fn new(engine: &Engine) -> Arc<Self> {
        let SyncLimits { requests_per_user, requests_per_address, body_bytes, .. } = *engine.limits();
        let (origins, proxies) = engine.edge();
        Arc::new(Self {
            engine: engine.clone(),
            origins: origins.clone(),
            proxies: proxies.clone(),
            users: KeyedLimiter::new(requests_per_user, REMEMBERED),
            addresses: KeyedLimiter::new(requests_per_address, REMEMBERED),
            body_bytes,
        })
    }

    /// Who asks, and what with.
    pub(super) async fn enter<I, S>(&self, request: Request, state: &S) -> Result<Entered<I>, Response>
    where
        I: Identity + FromRequestParts<S>,
        S: Send + Sync,
    {
        let (mut parts, body) = request.into_parts();
        if self.origins.check(&parts.headers) == Verdict::CrossSite {
            return Err(refuse(Refusal::new(
                StatusCode::FORBIDDEN,
                "cross_site",
                "this site's own pages may ask this",
            )));
        }
        let now = Instant::now();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        if let Some(peer) = peer {
            let client = self.proxies.client(peer, &parts.headers);
            if client.is_forwarded() {
                self.addresses.take(client.ip(), now).map_err(limited)?;
            }
        }
        let identity = I::from_request_parts(&mut parts, state).await;
        let identity = identity.map_err(|refused| unauthorized(refused.into_response()))?;
        let key = identity.key();
        if !key.is_empty() {
            self.users.take(key, now).map_err(limited)?;
        }
        let body = self.body(body).await?;
        Ok(Entered { identity, headers: parts.headers, body })
    }

    async fn body(&self, body: Body) -> Result<Bytes, Response> {
        match tokio::time::timeout(BODY_TIME, to_bytes(body, self.body_bytes)).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) if is_too_large(&error) => {
                let message = format!("a request has at most {} bytes", self.body_bytes);
                Err(refuse(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)))
            }
            Ok(Err(error)) => Err(refuse(Refusal::invalid(format!("the body could not be read: {error}")))),
            Err(_) => Err(refuse(Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body took too long"))),
        }
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}

fn limited(retry: crate::edge::RetryAfter) -> Response {
    refuse(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many requests").retry(retry.0))
}

/// What the app's extractor refused, as a program reads it: a redirect to a sign-in page, or the page itself, means the same as 401. When to come
/// again is the app's to say; its words are for people.
fn unauthorized(response: Response) -> Response {
    let refusal = match response.status() {
        StatusCode::FORBIDDEN => Refusal::new(StatusCode::FORBIDDEN, "forbidden", "you may not do this"),
        StatusCode::TOO_MANY_REQUESTS => {
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many requests").retry(LATER)
        }
        status if status.is_server_error() => {
            let message = "who is asking could not be found out";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).retry(LATER)
        }
        status if status.is_client_error() && status != StatusCode::UNAUTHORIZED => {
            Refusal::new(status, "invalid", "the app does not take this request")
        }
        _ => Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in first"),
    };
    let mut refused = refuse(refusal);
    if let Some(retry) = response.headers().get(header::RETRY_AFTER) {
        refused.headers_mut().insert(header::RETRY_AFTER, retry.clone());
    }
    refused
}
