//! What an application does with connections.

use std::future::{Future, ready};

use axum::{http::request::Parts, response::Response};

use crate::live::{CloseCause, Connection, Message, Meta};

/// Reacts to what clients do.
///
/// One connection's callbacks never overlap; those of different connections do.
///
/// ```
/// use axum::{http::{StatusCode, request::Parts}, response::{IntoResponse, Response}};
/// use mizu::live::{CloseCause, Connection, Handler, Message, Meta};
///
/// struct Lobby;
///
/// struct Player(String);
///
/// impl Handler for Lobby {
///     async fn on_auth(&self, request: &mut Parts) -> Result<Meta, Response> {
///         let name = request.uri.query().ok_or(StatusCode::UNAUTHORIZED.into_response())?;
///         let mut meta = Meta::new();
///         meta.insert(Player(name.to_owned()));
///         Ok(meta)
///     }
///
///     async fn on_message(&self, connection: &Connection, message: Message) {
///         let player = connection.meta().get::<Player>().map_or("", |player| &player.0);
///         println!("{player} sent {message:?}");
///     }
///
///     fn on_close(&self, connection: &Connection, cause: &CloseCause) {
///         println!("{} left: {cause}", connection.id());
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Decides about a handshake, after everything else has agreed to it. What it attaches to the [`Meta`] is
    /// available for as long as the connection lives. By default everyone may come in.
    ///
    /// # Errors
    ///
    /// * The response that refuses the handshake.
    fn on_auth(&self, request: &mut Parts) -> impl Future<Output = Result<Meta, Response>> + Send {
        let _ = request;
        ready(Ok(Meta::new()))
    }

    /// Takes one message of a kind that has a meaning. The next one is read when the future is ready, so a long job
    /// holds up this client alone; what is sent to the client goes out meanwhile.
    ///
    /// The future is not dropped when the client goes away; only the deadline of a shutdown ends it. If it panics,
    /// the connection closes with [`CloseCode::INTERNAL`](crate::live::CloseCode::INTERNAL).
    fn on_message(&self, connection: &Connection, message: Message) -> impl Future<Output = ()> + Send;

    /// Called once when a connection has ended, whatever the cause. It must not block.
    fn on_close(&self, connection: &Connection, cause: &CloseCause) {
        let _ = (connection, cause);
    }
}
