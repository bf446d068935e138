//! What was said, a line each.

use maud::{Markup, html};

pub fn cheer_list(cheers: &[String]) -> Markup {
    html! { @for text in cheers { li { (text) } } }
}
