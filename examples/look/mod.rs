//! What the examples look like: a stylesheet and a layout. Nothing in here is needed to use Mizu.

#![allow(dead_code, reason = "each example uses a part")]

use axum::http::header;
use axum::response::Redirect;
use axum::routing::get;
use mizu::Document;
use mizu::prelude::*;

/// The stylesheet, and a front page that leads to the example.
pub(crate) fn routes(front: &'static str) -> Router {
    stylesheet().route("/", get(async move || Redirect::to(front)))
}

pub(crate) fn stylesheet() -> Router {
    let css = async || ([(header::CONTENT_TYPE, "text/css")], include_str!("style.css"));
    let icon = async || ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("icon.svg"));
    Router::new().route("/style.css", get(css)).route("/icon.svg", get(icon))
}

/// A header, the page, a footer. `document` brings what a page needs; a layout only says where.
pub(crate) fn layout(document: &Document) -> Markup {
    html! {
        (maud::DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (document.title()) }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg";
                (document.head())
            }
            body {
                header { a href="/" { "Mizu" } span class="state" {} }
                main { (document.body()) }
                footer { "State on the server, HTML in the browser, small patches in between." }
            }
        }
    }
}
