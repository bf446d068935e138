//! A page that only says something.

use mizu::Document;
use mizu::prelude::*;

use crate::layout::layout;

pub struct About;

impl Page for About {
    type State = ();
    type Message = ();

    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<()> {
        Ok(())
    }

    fn render(&self, _view: &View<()>) -> Markup {
        html! {
            h1 { "About" }
            p { "Pages are in " code { "src/pages" } ", what they are made of in " code { "src/components" } ", what is around them in "
                code { "src/layout.rs" } " and " code { "src/partials" } ", and how all of it looks in " code { "static/style.css" } "." }
            p { "Turn JavaScript off and go on: buttons and forms are plain ones then, and the same handlers run." }
        }
    }

    async fn handle(
        &self,
        _cx: &mut Ctx<Self>,
        _session: &mut Session<()>,
        _event: Event,
    ) -> Result {
        Ok(())
    }

    fn title(&self, _view: &View<()>) -> String {
        "About".to_owned()
    }

    fn layout(&self, document: Document) -> Markup {
        layout(&document, "/about")
    }
}
