//! Files that are served as they are: all that is in `static/`, under `/static/`.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use tower_http::services::ServeDir;

pub fn routes() -> Router {
    Router::new()
        .nest_service("/static", ServeDir::new("static"))
        .layer(map_response(ask_again))
}

/// Browsers keep the files, and ask each time whether they have changed.
async fn ask_again(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
