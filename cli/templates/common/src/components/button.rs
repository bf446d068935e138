//! A button that sends an event, with and without scripts.

use maud::{Markup, html};

/// `event` is what the page's handler decodes; `id` names the button for styles and tests.
pub fn button(id: &str, event: &str, label: &str, content: &str) -> Markup {
    html! {
        button id=(id) form="lv" name="lv" value=(event) aria-label=(label) { (content) }
    }
}
