//! What browsers talk to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answers::{Body, PREFIX, events, file, instead, not_found, unavailable};
use super::board::{Board, Phase};
use super::forward::{ForwardError, Forwarder, connect, wants_page};
use super::inject::inject;

/// How long a request waits for a server that is being replaced.
const PATIENCE: Duration = Duration::from_secs(70);

/// How long a request waits for the news that the server which can't be reached is gone.
const NEWS: Duration = Duration::from_secs(2);

/// How long accepting pauses when there are too many connections.
const PAUSE: Duration = Duration::from_millis(50);

/// Nobody can answer: the connection is closed without a word, as the server's own would be.
#[derive(Debug, thiserror::Error)]
#[error("there is no server")]
pub(crate) struct NoAnswer;

/// Stands in front of the server. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Proxy {
    board: Arc<Board>,
    forwarder: Forwarder,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Proxy {
    pub(crate) fn new(board: Arc<Board>, stop: CancellationToken) -> Self {
        let tasks = TaskTracker::new();
        let forwarder = Forwarder { tasks: tasks.clone(), stop: stop.clone() };
        Self { board, forwarder, stop, tasks }
    }

    /// Serves until it is told to stop; then all connections have ended.
    pub(crate) async fn run(self, listener: TcpListener) {
        while let Some(accepted) = self.stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, _)) => self.take(stream),
                Err(_) => sleep(PAUSE).await,
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn take(&self, stream: TcpStream) {
        // It only makes small frames wait for each other.
        drop(stream.set_nodelay(true));
        let (proxy, stop) = (self.clone(), self.stop.clone());
        let service = service_fn(move |request| {
            let proxy = proxy.clone();
            async move { proxy.answer(request).await }
        });
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        let connection = connection.with_upgrades();
        // However it ends, the browser sees it, and nobody else has to.
        self.tasks.spawn(async move { drop(stop.run_until_cancelled(connection).await) });
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, NoAnswer> {
        if request.uri().path().starts_with(PREFIX) {
            return Ok(self.answer_here(&request));
        }
        let (is_page, method) = (wants_page(request.headers()), request.method().clone());
        let Some((stream, version)) = self.reach().await else { return self.answer_instead(&method, is_page) };
        match self.forwarder.send(stream, request).await {
            Ok(answer) => inject(&method, answer, &version).await.map_err(|_| NoAnswer),
            Err(ForwardError::Gone(_) | ForwardError::Unreachable(_)) => self.answer_instead(&method, is_page),
        }
    }

    fn answer_here(&self, request: &Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if path.strip_prefix(PREFIX) == Some("events") {
            let (answer, writing) = events(self.board.subscribe(), self.stop.clone());
            self.tasks.spawn(writing);
            return answer;
        }
        file(path).unwrap_or_else(not_found)
    }

    /// Whoever goes to a page gets one. A script that asks by HEAD whether the server is there must hear nothing.
    fn answer_instead(&self, method: &Method, is_page: bool) -> Result<Response<Body>, NoAnswer> {
        let status = self.board.status();
        match method {
            &Method::HEAD => Err(NoAnswer),
            _ if is_page => Ok(instead(&status)),
            _ => Ok(unavailable(&status)),
        }
    }

    /// A connection to the server, and the version of it. One that is being replaced is waited for; nothing where there is none.
    async fn reach(&self) -> Option<(TcpStream, String)> {
        let mut status = self.board.subscribe();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = status.borrow_and_update().clone();
            let until = match now.server {
                Some(server) => match connect(server).await {
                    Ok(stream) => return Some((stream, now.version)),
                    // It has just ended, and that is not known here yet.
                    Err(_) => Instant::now() + NEWS,
                },
                None if now.phase == Phase::Starting => deadline,
                None => return None,
            };
            if !matches!(timeout_at(until, status.changed()).await, Ok(Ok(()))) {
                return None;
            }
        }
    }
}

/// Listens on an address as people write it: `:8080` is every interface.
pub(crate) async fn listen(addr: &str) -> io::Result<TcpListener> {
    let addr = if addr.starts_with(':') { format!("0.0.0.0{addr}") } else { addr.to_owned() };
    TcpListener::bind(addr).await
}
