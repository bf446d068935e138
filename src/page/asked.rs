//! The request of a page, while there is one.

use std::any::Any;

use axum::http::request::Parts;

/// The request at hand in `mount` and `params`, and the router's state with its type forgotten.
pub(crate) struct Asked {
    pub(crate) parts: Parts,
    pub(crate) state: Box<dyn Any + Send + Sync>,
}
