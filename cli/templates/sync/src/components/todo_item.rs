//! A todo in a list.

use maud::{Markup, html};
use mizu::lv;

use super::button;
use crate::data::Todo;
use crate::pages::Do;

pub fn todo_item(todo: &Todo) -> Markup {
    let toggle = lv::event(Do::Toggle {
        id: todo.id.clone(),
        done: !todo.done,
    });
    let delete = lv::event(Do::Delete {
        id: todo.id.clone(),
    });
    html! {
        li id={ "todo-" (todo.id) } data-done[todo.done] {
            button class="toggle" form="lv" name="lv" value=(toggle) aria-label={ "Done: " (todo.title) } aria-pressed=(todo.done) {}
            span class="title" { (todo.title) }
            (button(&format!("delete-{}", todo.id), &delete, &format!("Delete: {}", todo.title), "\u{d7}"))
        }
    }
}
