//! A counter: the smallest page that has everything.
//!
//! ```text
//! cargo run --example counter      then open http://127.0.0.1:3000/counter
//! ```
//!
//! Turn JavaScript off and click again: the buttons are a plain form then, and the same `handle` runs.

#[path = "look/mod.rs"]
mod look;

use mizu::Document;
use mizu::prelude::*;

pub(crate) struct Counter;

/// What one visit remembers. It lives on the server, for as long as the page is open.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct State {
    count: i64,
    log: Vec<String>,
}

/// What a person can do. `lv::event` writes it into an attribute, `event.decode()` reads it back.
#[derive(Serialize, Deserialize)]
enum Do {
    Inc { by: i64 },
    Dec { by: i64 },
}

impl Page for Counter {
    type State = State;
    type Message = ();

    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<State> {
        Ok(State::default())
    }

    fn render(&self, view: &View<State>) -> Markup {
        html! {
            h1 { "Counter" }
            // A button of the form `lv` is a click with and without scripts.
            p class="buttons" {
                button id="dec" form="lv" name="lv" value=(lv::event(Do::Dec { by: 1 })) { "\u{2212}" }
                button id="inc" form="lv" name="lv" value=(lv::event(Do::Inc { by: 1 })) { "+" }
            }
            // A region is rendered, compared and sent on its own.
            (view.region("stats", || html! { "Count: " (view.count) }).tag("p"))
            (view.region("log", || html! { @for line in &view.log { li { (line) } } }).tag("ol"))
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<State>, event: Event) -> Result {
        let state = &mut session.state;
        match event.decode()? {
            Do::Inc { by } => state.count += by,
            Do::Dec { by } => state.count -= by,
        }
        // The ten newest actions, the newest first.
        state.log.insert(0, format!("{} to {}", event.name().to_lowercase(), state.count));
        state.log.truncate(10);
        session.mark(["stats", "log"]);
        Ok(())
    }

    fn title(&self, view: &View<State>) -> String {
        format!("Counter: {}", view.count)
    }

    fn layout(&self, document: Document) -> Markup {
        look::layout(&document)
    }
}

pub(crate) fn routes() -> Router {
    Router::new().route("/counter", mizu::page(Counter))
}

#[tokio::main]
#[allow(dead_code, reason = "the gallery has this file as a module")]
async fn main() -> Result {
    Live::new().serve(routes().merge(look::routes("/counter"))).await
}
