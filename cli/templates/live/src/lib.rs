//! The app: its routes, and the server around them.

pub mod components;
pub mod config;
mod layout;
pub mod pages;
pub mod partials;
mod security;
mod statics;

use axum::middleware::map_response;
use mizu::prelude::*;

use crate::config::Config;

/// Every route of the app.
pub fn routes() -> Router {
    Router::new()
        .route("/", mizu::page(pages::Home))
        .route("/about", mizu::page(pages::About))
        .merge(statics::routes())
        .layer(map_response(security::headers))
}

/// Serves the app until it is told to stop. Where to listen, `serve` takes from `ADDR`, which [`Config`] has checked.
pub async fn serve(config: Config) -> Result {
    let mut live = Live::builder().dev(config.dev);
    if let Some(secret) = &config.secret {
        live = live.secret(secret);
    }
    live.build().serve(routes()).await
}
