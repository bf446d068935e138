//! The app: its data, its routes, and the server around them.

pub mod components;
pub mod config;
pub mod data;
mod layout;
pub mod mutators;
pub mod pages;
pub mod partials;
mod security;
mod statics;

use axum::middleware::map_response;
use mizu::Anybody;
use mizu::prelude::*;
use mizu::sync::Engine;

use crate::config::Config;
use crate::data::Todo;

/// Every route of the app.
pub fn routes(engine: &Engine) -> Router {
    Router::new()
        .route("/", mizu::page(pages::Todos))
        .route("/about", mizu::page(pages::About))
        // Plain JSON for scripts, and what browsers' own stores sync with: through the same mutators as the pages.
        .merge(engine.rest::<Todo, Anybody, _>("/api/todos", |_| data::todos()))
        .merge(engine.routes::<Anybody, _>())
        .merge(statics::routes())
        .layer(map_response(security::headers))
}

/// Serves the app until it is told to stop. Where to listen, `serve` takes from `ADDR`, which [`Config`] has checked.
pub async fn serve(config: Config) -> Result {
    let engine = data::open(&config.database).await?;
    let routes = routes(&engine);
    // These pages open and work without a network.
    let mut live = Live::builder()
        .dev(config.dev)
        .sync(engine)
        .offline(["/", "/about"]);
    if let Some(secret) = &config.secret {
        live = live.secret(secret);
    }
    live.build().serve(routes).await
}
