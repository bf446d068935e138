//! The engine over HTTP: push, pull and snapshot for clients, and plain REST for everybody else.
//!
//! A request goes through the [`door`]: which site it comes from, who asks by the app's own extractor, how often; then its body is read and bounded.
//! Answers are JSON; errors are `{code, error}` with the right status.

mod answer;
mod door;
mod rest;
mod routes;
