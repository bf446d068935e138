//! Requests to the server, and its answers.

use std::io;
use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ForwardError {
    #[error("the server went away")]
    Gone(#[from] hyper::Error),
    #[error("the server can't be reached")]
    Unreachable(#[from] io::Error),
}

/// Sends requests on, each over a connection of its own: over loopback that costs next to nothing, and none is ever stale.
#[derive(Clone, Debug)]
pub(crate) struct Forwarder {
    /// Knows the connections.
    pub(crate) tasks: TaskTracker,
    /// Ends those that became sockets.
    pub(crate) stop: CancellationToken,
}

impl Forwarder {
    /// Sends a request over a connection to the server.
    pub(crate) async fn send(
        &self,
        stream: TcpStream,
        mut request: Request<Incoming>,
    ) -> Result<Response<Incoming>, ForwardError> {
        // Small frames of sockets would wait for each other.
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            // How it ended, whoever waits for the answer knows.
            drop(stop.run_until_cancelled(connection.with_upgrades()).await);
        });
        let upgrade = request.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
        adapt(request.headers_mut(), upgrade.is_some());
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse::<Uri>().unwrap_or_else(|_| Uri::from_static("/"));
        let mut answer = sender.send_request(request).await?;
        if let (Some(browser), StatusCode::SWITCHING_PROTOCOLS) = (upgrade, answer.status()) {
            let (server, stop) = (hyper::upgrade::on(&mut answer), self.stop.clone());
            self.tasks.spawn(async move {
                let copying = async {
                    let (Ok(browser), Ok(server)) = (browser.await, server.await) else { return };
                    // Either side may end it in any way: the other one sees that.
                    drop(copy_bidirectional(&mut TokioIo::new(browser), &mut TokioIo::new(server)).await);
                };
                stop.run_until_cancelled(copying).await;
            });
        }
        Ok(answer)
    }
}

/// Connects to the server.
pub(crate) async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(server).await
}

/// What the server should see in place of what the browser sent. `Host` stays, so that addresses and origins agree.
fn adapt(headers: &mut HeaderMap, upgrades: bool) {
    // The script is put into plain text.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if wants_page(headers) {
        // A page that the browser has kept was made by another version, or has no script.
        headers.remove(header::IF_NONE_MATCH);
        headers.remove(header::IF_MODIFIED_SINCE);
    }
    if !upgrades {
        headers.remove(header::CONNECTION);
    }
}

/// Whether somebody goes to a page.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}
