//! The sync engine over HTTP: every status and code, over real sockets, from clients that know nothing but HTTP.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/sync_http.rs"]
mod wire;

#[path = "sync/app.rs"]
mod app;
#[path = "sync/crowd.rs"]
mod crowd;
#[path = "sync/errors.rs"]
mod errors;
#[path = "sync/hostile.rs"]
mod hostile;
#[path = "sync/identity.rs"]
mod identity;
#[path = "sync/rest.rs"]
mod rest;
