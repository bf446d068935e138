//! A todo in a list.

use maud::{Markup, html};
use mizu::lv;

use serde_json::json;

use crate::data::Todo;
use crate::pages::Do;

/// Each button is an event for the page's handler, and a mutation for the store in the browser, which takes it where there is one: with or without a network.
/// What is done offline is drawn by this same function.
pub fn todo_item(todo: &Todo) -> Markup {
    let Todo { id, title, done } = todo;
    let toggle = lv::event(Do::Toggle {
        id: id.clone(),
        done: !done,
    });
    let delete = lv::event(Do::Delete { id: id.clone() });
    let toggled = lv::mutation("todo.merge", &json!({ "id": id, "done": !done }));
    let deleted = lv::mutation("todo.delete", &json!({ "id": id }));
    html! {
        li id={ "todo-" (id) } data-done[*done] {
            button class="toggle" form="lv" name="lv" value=(toggle) data-lv-mutate=(toggled) aria-label={ "Done: " (title) } aria-pressed=(done) {}
            span class="title" { (title) }
            button id={ "delete-" (id) } form="lv" name="lv" value=(delete) data-lv-mutate=(deleted) aria-label={ "Delete: " (title) } { "\u{d7}" }
        }
    }
}
