//! The browser's half of Mizu, embedded: scripts, each served under an address that names its content.
//!
//! This module belongs to no layer. `runtime-js/` builds the scripts, a plain and two precompressed files each, and they are committed, so
//! that building this crate needs no Node. An address holds a hash of its script: a new build has a new address, and an address
//! may be cached forever. The service worker alone has a fixed address, by which browsers know it.

mod encoding;
mod script;

use axum::Router;
use axum::routing::get;

use self::script::{INSPECTOR, LIVE, LOCAL, SYNC};

/// The path of the script that a page loads.
///
/// # Shape
///
/// `/_mizu/<hash>/mizu-live.js`, where the hash is the first 12 hexadecimal digits of the script's SHA-256.
///
/// ```
/// let path = mizu::assets::live_script_path();
/// assert!(path.starts_with("/_mizu/") && path.ends_with("/mizu-live.js"));
/// ```
pub fn live_script_path() -> &'static str {
    LIVE.path()
}

/// The path of the module that keeps a local store in the browser: `import { MizuSync } from "..."`.
///
/// # Shape
///
/// `/_mizu/<hash>/mizu-sync.js`, as [`live_script_path`].
///
/// ```
/// assert!(mizu::assets::sync_script_path().ends_with("/mizu-sync.js"));
/// ```
pub fn sync_script_path() -> &'static str {
    SYNC.path()
}

/// The path of the script that lets a page work without a network: [`LiveBuilder::offline`](crate::LiveBuilder::offline).
///
/// # Shape
///
/// `/_mizu/<hash>/mizu-local.js`, as [`live_script_path`].
///
/// ```
/// assert!(mizu::assets::local_script_path().ends_with("/mizu-local.js"));
/// ```
pub fn local_script_path() -> &'static str {
    LOCAL.path()
}

/// The path of the module that shows what a local store holds, for development.
///
/// # Shape
///
/// `/_mizu/<hash>/mizu-inspector.js`, as [`live_script_path`].
///
/// ```
/// assert!(mizu::assets::inspector_script_path().ends_with("/mizu-inspector.js"));
/// ```
pub fn inspector_script_path() -> &'static str {
    INSPECTOR.path()
}

/// Serves the scripts, and nothing else: to be merged into an application's router. [`LiveBuilder`](crate::LiveBuilder) does so by itself.
///
/// An answer is brotli or gzip as the browser accepts it, is cached forever, and repeats nothing to a browser that has it. An address
/// of another build is answered with 404, which no cache keeps: during a deploy the other build may be one that is still to come. The service worker, at
/// `/_mizu/offline.js`, is asked for again each time, and may serve the whole site.
///
/// ```
/// let app: axum::Router = axum::Router::new().merge(mizu::assets::router());
/// ```
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/_mizu/{hash}/{name}", get(script::hashed)).route(OFFLINE_PATH, get(script::offline))
}

/// Where browsers look for the service worker.
const OFFLINE_PATH: &str = "/_mizu/offline.js";
