//! A feed: whatever anybody posts shows on every open page at once.
//!
//! ```text
//! cargo run --example feed         then open http://127.0.0.1:3000/feed
//! curl -d 'It rains.' http://127.0.0.1:3000/publish
//! ```

#[path = "look/mod.rs"]
mod look;

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use mizu::Document;
use mizu::prelude::*;

/// What is published. In an `Arc` it is decoded once a server and shared by all who see it.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    id: uuid::Uuid,
    text: String,
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// What one visit shows, the newest first. Two that show the same items are equal.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Shown(VecDeque<Arc<Item>>);

/// What was posted last, for those who come later. A real app would have it in a database.
#[derive(Clone, Default)]
pub(crate) struct Recent(Arc<Mutex<VecDeque<Arc<Item>>>>);

impl Recent {
    fn items(&self) -> VecDeque<Arc<Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, item: Arc<Item>) {
        let mut items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        items.push_front(item);
        items.truncate(KEPT);
    }
}

pub(crate) struct Feed {
    recent: Recent,
}

/// What the server tells a session.
pub(crate) enum Msg {
    New(Arc<Item>),
}

const KEPT: usize = 50;

impl Page for Feed {
    type State = Shown;
    type Message = Msg;

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Self::State> {
        // Subscribed first, read after: what is posted in between is seen twice at worst, never missed.
        cx.subscribe("feed", Msg::New).await?;
        Ok(Shown(self.recent.items()))
    }

    fn render(&self, view: &View<Self::State>) -> Markup {
        html! {
            h1 { "Feed" }
            form data-lv-submit="post" method="post" class="row" {
                input name="text" placeholder="What is new?" aria-label="What is new?" autocomplete="off" required maxlength="500";
                button { "Post" }
            }
            // Everybody who shows the same items shares one rendering of them.
            (view.shared("feed", &**view, |Shown(items)| html! { @for item in items { li { (item.text) } } }).tag("ul"))
        }
    }

    async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<Self::State>, event: Event) -> Result {
        let text: String = event.value("text")?;
        post_item(cx.live(), &self.recent, &text).await?;
        // It comes back as a message, to this page as to all others.
        session.keep();
        Ok(())
    }

    async fn info(&self, _cx: &mut Ctx<Self>, session: &mut Session<Self::State>, message: Msg) -> Result {
        let Msg::New(item) = message;
        let Shown(items) = &mut session.state;
        if items.contains(&item) {
            session.keep();
            return Ok(());
        }
        items.push_front(item);
        items.truncate(KEPT);
        session.mark("feed");
        Ok(())
    }

    fn title(&self, _view: &View<Self::State>) -> String {
        "Feed".into()
    }

    fn layout(&self, document: Document) -> Markup {
        look::layout(&document)
    }
}

/// Keeps an item and tells every open page of it.
async fn post_item(live: &Live, recent: &Recent, text: &str) -> Result {
    let text = match text.trim() {
        "" => return Err(Error::reject("empty", "Write something first.")),
        text => text.chars().take(500).collect(),
    };
    let item = Arc::new(Item { id: uuid::Uuid::new_v4(), text });
    recent.push(item.clone());
    live.publish("feed", &item).await
}

/// `POST /publish` with a text body: the same from outside.
async fn publish(
    State((live, recent)): State<(Live, Recent)>,
    body: String,
) -> Result<StatusCode, (StatusCode, String)> {
    match post_item(&live, &recent, &body).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err((error.status(), error.public_message().to_owned())),
    }
}

pub(crate) fn routes(live: &Live) -> Router {
    let recent = Recent::default();
    Router::new()
        .route("/feed", mizu::page(Feed { recent: recent.clone() }))
        .route("/publish", post(publish))
        .with_state((live.clone(), recent))
}

#[tokio::main]
#[allow(dead_code, reason = "the gallery has this file as a module")]
async fn main() -> Result {
    let live = Live::new();
    live.serve(routes(&live).merge(look::routes("/feed"))).await
}
