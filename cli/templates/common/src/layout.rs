//! The document around every page.

use maud::{DOCTYPE, Markup, html};
use mizu::Document;

use crate::partials;

/// `document` brings what a page needs; the layout says where. `path` is the page's own, for the menu.
pub fn layout(document: &Document, path: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (document.title()) }
                link rel="stylesheet" href="/static/style.css";
                link rel="stylesheet" href="/static/pages.css";
                link rel="icon" href="/static/icon.svg" type="image/svg+xml";
                (document.head())
            }
            body {
                a class="skip" href="#main" { "Skip to the content" }
                (partials::header(path))
                main id="main" { (document.body()) }
                (partials::footer())
            }
        }
    }
}
