//! Accepting sockets.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::{Service, ServiceExt};

use crate::live::Shutdown;

/// How sockets are accepted.
///
/// ```no_run
/// use axum::Router;
/// use mizu::live::{Listen, Shutdown};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// let listen = Listen { connections: 10_000, ..Listen::default() };
/// listen.serve(listener, Router::new(), Shutdown::new()).await;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// How long a client may take to send the head of a request, the first or the next one on the same socket.
    ///
    /// # Units
    ///
    /// Time; default 10 seconds.
    pub header_timeout: Duration,
    /// How many sockets may be open at once, upgraded ones included. Others wait in the system's backlog.
    ///
    /// # Units
    ///
    /// Sockets; default 200,000.
    pub connections: usize,
}

impl Default for Listen {
    fn default() -> Self {
        Self { header_timeout: Duration::from_secs(10), connections: 200_000 }
    }
}

/// Serves with the defaults of [`Listen`] until shutdown starts.
///
/// The service finds the peer's address as [`ConnectInfo`] in the request's extensions. When shutdown starts, no
/// socket is accepted any more and running requests are finished; [`Shutdown::drain`] waits for them.
///
/// ```
/// use axum::Router;
/// use mizu::live::{Shutdown, serve};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let shutdown = Shutdown::new();
/// let serving = serve(listener, Router::new(), shutdown.clone());
/// let (_, tasks_left) = tokio::join!(serving, shutdown.drain());
/// assert_eq!(tasks_left, 0);
/// # Ok(()) }
/// ```
pub async fn serve<S>(listener: TcpListener, service: S, shutdown: Shutdown)
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    Listen::default().serve(listener, service, shutdown).await;
}

impl Listen {
    /// Serves until shutdown starts. See [`serve`].
    ///
    /// Errors of accepting, for example too many open files, are logged and waited out.
    pub async fn serve<S>(&self, listener: TcpListener, service: S, shutdown: Shutdown)
    where
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        self.accept_from(listener, service, shutdown).await;
    }

    async fn accept_from<S>(&self, mut listener: impl Accept, service: S, shutdown: Shutdown)
    where
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let seats = Arc::new(Semaphore::new(self.connections.min(Semaphore::MAX_PERMITS)));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(self.header_timeout);
        loop {
            let accepting = async {
                let seat = Arc::clone(&seats).acquire_owned().await;
                (seat, accept_one(&mut listener).await)
            };
            let (seat, (stream, peer)) = tokio::select! {
                () = shutdown.draining() => return,
                accepted = accepting => accepted,
            };
            // The semaphore is never closed, so there always is a seat.
            let Ok(seat) = seat else { return };
            let stream = Seated { stream, _seat: seat };
            let task = converse(http.clone(), stream, peer, service.clone(), shutdown.clone());
            shutdown.spawn(task);
        }
    }
}

/// All requests of one socket.
async fn converse<S>(http: http1::Builder, stream: Seated, peer: SocketAddr, service: S, shutdown: Shutdown)
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        service.clone().oneshot(request)
    });
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shutdown.draining() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

/// Where sockets come from.
trait Accept: Send {
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        TcpListener::accept(self)
    }
}

/// The next socket, however long the system refuses to give one.
async fn accept_one(listener: &mut impl Accept) -> (TcpStream, SocketAddr) {
    /// The longest pause between two tries.
    const MOST: Duration = Duration::from_secs(1);
    let mut pause = Duration::from_millis(5);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "small packets may be delayed");
                }
                return (stream, peer);
            }
            // The client changed its mind while it waited.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                tracing::error!(%error, "no socket can be accepted: trying again in {pause:?}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MOST);
            }
        }
    }
}

/// A socket that gives its seat back when it is dropped, upgraded or not.
struct Seated {
    stream: TcpStream,
    _seat: OwnedSemaphorePermit,
}

impl AsyncRead for Seated {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Seated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{Router, routing::get};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Out of files for a while.
    struct Exhausted {
        errors: Arc<AtomicUsize>,
        listener: TcpListener,
    }

    impl Accept for Exhausted {
        async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
            /// EMFILE, the same on every Unix.
            const TOO_MANY_OPEN_FILES: i32 = 24;
            let less_one = |errors: usize| errors.checked_sub(1);
            match self.errors.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less_one) {
                Ok(_) => Err(io::Error::from_raw_os_error(TOO_MANY_OPEN_FILES)),
                Err(_) => self.listener.accept().await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_open_files_are_waited_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let errors = Arc::new(AtomicUsize::new(20));
        let exhausted = Exhausted { errors: Arc::clone(&errors), listener };
        let app: Router = Router::new().route("/", get(|| async { "here" }));
        let shutdown = Shutdown::new();
        let ending = shutdown.clone();
        let serving = tokio::spawn(async move {
            Listen::default().accept_from(exhausted, app, ending).await;
        });
        let start = tokio::time::Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        assert_eq!(errors.load(Ordering::Relaxed), 0);
        let waited = start.elapsed();
        assert!((5..60).contains(&waited.as_secs()), "it neither spins nor sleeps for long: {waited:?}");
        assert_eq!(shutdown.drain().await, 0);
        serving.await.unwrap();
    }
}
