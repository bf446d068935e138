//! The bottom of every page.

use maud::{Markup, html};

pub fn footer() -> Markup {
    html! {
        footer class="bottom" { "State on the server, HTML in the browser, small patches in between." }
    }
}
