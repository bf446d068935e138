//! A counter, and a line for whoever is here: state, events, regions, a form, messages between open pages.

use mizu::Document;
use mizu::prelude::*;

use crate::components::{button, cheer_list};
use crate::layout::layout;

pub struct Home;

/// What one visit remembers. It lives on the server, for as long as the page is open.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    count: i64,
    /// What was said while this page was open, the newest first.
    cheers: Vec<String>,
}

/// What a person can do. `lv::event` writes it into an attribute, `event.decode()` reads it back.
#[derive(Serialize, Deserialize)]
enum Do {
    Add { by: i64 },
    Reset,
    Cheer { text: String },
}

/// What other open pages tell this one.
pub enum Message {
    Cheered(String),
}

const CHEERS: &str = "cheers";

impl Page for Home {
    type State = State;
    type Message = Message;

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<State> {
        cx.subscribe(CHEERS, Message::Cheered).await?;
        Ok(State::default())
    }

    fn render(&self, view: &View<State>) -> Markup {
        html! {
            h1 { "Counter" }
            // A region is rendered, compared and sent on its own.
            (view.region("count", || html! { (view.count) }).tag("output").class("count"))
            p class="row" {
                (button("less", &lv::event(Do::Add { by: -1 }), "One less", "\u{2212}"))
                (button("more", &lv::event(Do::Add { by: 1 }), "One more", "+"))
                (button("reset", &lv::event(Do::Reset), "Back to zero", "Reset"))
            }
            h2 { "Everybody here" }
            form id="cheer" class="row" data-lv-submit="Cheer" method="post" {
                input name="text" placeholder="Say something" aria-label="What to say" maxlength="80" autocomplete="off";
                button { "Send" }
            }
            (view.region("cheers", || cheer_list(&view.cheers)).tag("ol").class("cheers"))
        }
    }

    async fn handle(
        &self,
        cx: &mut Ctx<Self>,
        session: &mut Session<State>,
        event: Event,
    ) -> Result {
        match event.decode()? {
            Do::Add { by } => {
                session.state.count += by;
                session.mark("count");
            }
            Do::Reset => {
                session.state.count = 0;
                session.mark("count");
            }
            Do::Cheer { text } => {
                let text = text.trim();
                if text.is_empty() || text.chars().count() > 80 {
                    return Err(Error::reject(
                        "bad_text",
                        "Say something of 1 to 80 characters.",
                    ));
                }
                // It comes back to this page as well, as to all that are open, and is shown then.
                cx.publish(CHEERS, text).await?;
                session.keep();
            }
        }
        Ok(())
    }

    async fn info(
        &self,
        _cx: &mut Ctx<Self>,
        session: &mut Session<State>,
        message: Message,
    ) -> Result {
        let Message::Cheered(text) = message;
        session.state.cheers.insert(0, text);
        session.state.cheers.truncate(10);
        session.mark("cheers");
        Ok(())
    }

    fn title(&self, view: &View<State>) -> String {
        format!("Counter: {}", view.count)
    }

    fn layout(&self, document: Document) -> Markup {
        layout(&document, "/")
    }
}
