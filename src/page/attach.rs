//! An app with its server around it, ready to be served.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::future::RouteFuture;
use tokio::net::TcpListener;
use tower::{Layer, Service};

use super::app::Live;
use super::door::Door;
use super::error::Result;
use crate::live::{MemoryClient, Server};

/// An app with its pages' sockets and the browser runtime: a service to be served.
///
/// It has no `.layer`, on purpose: joins go through the app's router, so a layer put outside of it would guard the GET of a page and
/// not its join. Layers belong on the app, or here by [`outer`](Self::outer), where joins pass them too.
///
/// # Example
///
/// ```no_run
/// use mizu::prelude::*;
///
/// # async fn example() -> Result {
/// let app = Live::new().attach(Router::new());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// app.serve_on(listener).await
/// # }
/// ```
///
/// A layer can't be put where joins don't pass:
///
/// ```compile_fail
/// use mizu::prelude::*;
///
/// let app = Live::new().attach(Router::new()).layer(axum::Extension(7));
/// ```
#[derive(Clone)]
pub struct LiveApp {
    live: Live,
    /// What pages, posts and joins go through.
    app: Router,
    /// `/_live` and the browser runtime.
    own: Router,
    server: Server<Door>,
}

/// Frames that a connection in memory takes in until the server has to wait: few, as a real socket's buffers hold little.
const MEMORY_FRAMES: usize = 16;

impl Live {
    /// Puts the server around an app: its pages, `/_live` for their sockets, the browser runtime.
    ///
    /// ```
    /// use mizu::prelude::*;
    ///
    /// let app = Live::new().attach(Router::new());
    /// # let _ = app;
    /// ```
    pub fn attach(&self, app: Router) -> LiveApp {
        LiveApp::new(self.clone(), app)
    }

    /// Attaches the app and serves it until the process is told to stop.
    ///
    /// The address is the environment's `ADDR` (`127.0.0.1:8080`, or `:8080` for every interface), else `127.0.0.1:3000`; `listening on
    /// http://ADDR` is printed once it is open. SIGINT and SIGTERM end it gracefully: browsers are told to come back, handlers finish.
    ///
    /// # Errors
    ///
    /// When the address can't be listened on.
    pub async fn serve(&self, app: Router) -> Result {
        self.attach(app).serve().await
    }
}

impl LiveApp {
    pub(crate) fn new(live: Live, app: Router) -> Self {
        Self::compose(live, app)
    }

    fn compose(live: Live, app: Router) -> Self {
        let server = Server::builder(Door::new(live.clone(), app.clone()))
            .limits(live.settings().limits.clone())
            .pubsub(live.pubsub().clone())
            .shutdown(live.shutdown().clone())
            .origins(live.origins().clone())
            .trusted_proxies(live.proxies().clone())
            .build();
        let own = Router::new().route("/_live", server.route()).merge(crate::assets::router());
        Self { live, app, own, server }
    }

    /// Puts a layer around the whole app. Pages, posts and joins pass it; `/_live` itself and the browser runtime do not.
    ///
    /// ```
    /// use mizu::prelude::*;
    ///
    /// let app = Live::new().attach(Router::new()).outer(axum::Extension(7));
    /// # let _ = app;
    /// ```
    #[must_use]
    pub fn outer<L>(self, layer: L) -> Self
    where
        L: Layer<Router>,
        L::Service: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        Self::compose(self.live, Router::new().fallback_service(layer.layer(self.app)))
    }

    /// The server behind the app.
    ///
    /// ```
    /// let app = mizu::Live::new().attach(axum::Router::new());
    /// assert_eq!(app.live().joined(), 0);
    /// ```
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The transport's server: its connections and counters.
    ///
    /// ```
    /// let app = mizu::Live::new().attach(axum::Router::new());
    /// assert_eq!(app.connections(), 0);
    /// ```
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Opens a connection in memory, as [`Server::connect_in_memory`] does: for tests that speak the protocol by hand.
    ///
    /// # Errors
    ///
    /// What a handshake over HTTP would be refused with.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let app = mizu::Live::new().attach(axum::Router::new());
    /// let (request, ()) = axum::http::Request::new(()).into_parts();
    /// let client = app.connect_in_memory(request).await.unwrap();
    /// assert!(!client.connection().is_closed());
    /// # }
    /// ```
    pub async fn connect_in_memory(&self, request: Parts) -> Result<MemoryClient, Response> {
        self.server.connect_in_memory_with(request, MEMORY_FRAMES).await
    }

    /// The app as `axum::serve` takes it, for who serves it in a way of their own. Handshakes and requests then know their peer's address.
    ///
    /// ```no_run
    /// # async fn example(app: mizu::LiveApp) -> std::io::Result<()> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// axum::serve(listener, app.into_make_service()).await
    /// # }
    /// ```
    pub fn into_make_service(self) -> IntoMakeServiceWithConnectInfo<Self, SocketAddr> {
        axum::ServiceExt::<Request>::into_make_service_with_connect_info(self)
    }

    /// Serves the app on the address in `ADDR`, else on `127.0.0.1:3000`; see [`Live::serve`].
    ///
    /// # Errors
    ///
    /// When the address can't be listened on.
    pub async fn serve(self) -> Result {
        let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
        // `:8080` means every interface, as elsewhere.
        let address = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address };
        let listener = TcpListener::bind(&address).await.map_err(|source| ListenError { address, source })?;
        println!("listening on http://{}", listener.local_addr()?);
        let shutdown = self.live.shutdown().clone();
        let serving = self.serve_on(listener);
        tokio::pin!(serving);
        tokio::select! {
            served = &mut serving => return served,
            () = stop_signal() => {}
        }
        tracing::info!("stopping: browsers are told to come back, handlers finish");
        let (served, left) = tokio::join!(serving, shutdown.drain());
        if left > 0 {
            tracing::warn!(left, "tasks did not end in time");
        }
        served
    }

    /// Serves the app on a listener, until [`Shutdown::drain`](crate::live::Shutdown::drain) is called.
    ///
    /// # Errors
    ///
    /// None so far; connections that fail are logged.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let app = mizu::Live::new().attach(axum::Router::new());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    /// let shutdown = app.live().shutdown().clone();
    /// let (served, left) = tokio::join!(app.serve_on(listener), shutdown.drain());
    /// assert!(served.is_ok() && left == 0);
    /// # }
    /// ```
    pub async fn serve_on(self, listener: TcpListener) -> Result {
        self.live.start_sweeper();
        let shutdown = self.live.shutdown().clone();
        crate::live::serve(listener, self, shutdown).await;
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}")]
struct ListenError {
    address: String,
    source: std::io::Error,
}

/// Resolves when the process is asked to stop.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Service<Request<Body>> for LiveApp {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        if path == "/_live" || path.starts_with("/_mizu/") {
            return self.own.call(request);
        }
        request.extensions_mut().insert(self.live.clone());
        self.app.call(request)
    }
}

impl std::fmt::Debug for LiveApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveApp").field("live", &self.live).finish_non_exhaustive()
    }
}
