//! One rendering, without an app.

use maud::Markup;

use crate::edge::Who;
use crate::page::flash::Flash;
use crate::page::record::Plan;
use crate::page::view::View;

/// Renders a state once, as [`Page::render`](crate::Page::render) would: to test a render function on its own.
///
/// ```
/// use mizu::prelude::*;
///
/// let html = mizu::testing::render_once(&7, |view: &View<i32>| html! { p { (**view) } });
/// assert_eq!(html, "<p>7</p>");
/// ```
pub fn render_once<S>(state: &S, render: impl FnOnce(&View<S>) -> Markup) -> String {
    let (flash, who) = (Flash::default(), Who::anybody());
    let plan = Plan::All(None);
    let view = View::new(state, &flash, &who, &plan).without_flash();
    view.record(render).html()
}
