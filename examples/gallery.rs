//! All examples in one server, and a page that leads to them.
//!
//! ```text
//! cargo run --example gallery      then open http://127.0.0.1:3000
//! ```

#![allow(clippy::duplicate_mod, reason = "each example brings the look along, so that it runs alone")]

#[path = "counter.rs"]
mod counter;
#[path = "feed.rs"]
mod feed;
mod look;
#[path = "table.rs"]
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mizu::Document;
use mizu::prelude::*;

/// The front page. It is live as well: it says how many others look at it.
struct Gallery {
    visitors: Arc<AtomicUsize>,
}

const EXAMPLES: [(&str, &str, &str); 3] = [
    ("/counter", "Counter", "Server-held state, two buttons. Works with JavaScript turned off."),
    ("/feed", "Feed", "Post something: it shows on every open page at once."),
    ("/table", "Table", "A thousand rows. A click renders and sends only one."),
];

impl Page for Gallery {
    type State = usize;
    type Message = usize;

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<usize> {
        cx.subscribe("visitors", |count: usize| count).await?;
        // Starts when a browser with scripts has connected: a crawler is no visitor.
        let (visitors, live) = (self.visitors.clone(), cx.live().clone());
        cx.spawn(async move {
            let count = visitors.fetch_add(1, Ordering::Relaxed) + 1;
            if let Err(error) = live.publish("visitors", &count).await {
                tracing::warn!(%error, "the others don't know of a visitor");
            }
            count
        });
        Ok(self.visitors.load(Ordering::Relaxed))
    }

    fn render(&self, view: &View<usize>) -> Markup {
        html! {
            h1 { "Web pages, alive" }
            p class="lead" { "Every page here is a Rust type. Its state lives on the server; the browser gets HTML, and small patches after." }
            ul class="cards" {
                @for (path, name, about) in EXAMPLES { li { a href=(path) { b { (name) } span { (about) } } } }
            }
            (view.region("visits", || html! { "Visits since the server started: " (**view) }).tag("p").class("visits"))
        }
    }

    async fn info(&self, _cx: &mut Ctx<Self>, session: &mut Session<usize>, count: usize) -> Result {
        session.state = session.state.max(count);
        session.mark("visits");
        Ok(())
    }

    fn title(&self, _view: &View<usize>) -> String {
        "Mizu".into()
    }

    fn layout(&self, document: Document) -> Markup {
        look::layout(&document)
    }
}

#[tokio::main]
async fn main() -> Result {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).init();
    let live = Live::new();
    let app = Router::new()
        .route("/", mizu::page(Gallery { visitors: Arc::default() }))
        .merge(counter::routes())
        .merge(feed::routes(&live))
        .merge(table::routes())
        .merge(look::stylesheet());
    live.serve(app).await
}
