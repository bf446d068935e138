//! What a browser draws while the server is out of reach: rows from templates, and mutations in attributes.

use maud::{Markup, html};
use serde::Serialize;

use super::placeholder::{mark, placeholders};
use crate::sync::{Entity, Scope};

/// Templates of a row, for rows that are made or changed while the server is out of reach: the row's own function, run once on
/// placeholders for each combination of the entity's booleans and enumerations.
///
/// `into` is the id of the element that holds the rows, and the row's element has an id of its own. A page that
/// [`LiveBuilder::offline`](crate::LiveBuilder::offline) names draws them; elsewhere they are of no use, and do no harm.
///
/// # Shape
///
/// `<template data-lv-row="todo" data-lv-into="todos" data-lv-scope="todos" data-lv-slots="id title" data-lv-flags='{"done":false}'>`, one
/// for each combination, 32 at most. A slot is the character U+F0000 + its place in `data-lv-slots`, where the row shows the field as it is. What
/// the row computes from a field, other than whether it is true or which variant it is, the browser can't know. Lists are empty.
///
/// # Panics
///
/// When the type has no placeholders: it has integers of 8 bits, tuples, or text that is more than text, such as dates. The message names the field.
///
/// # Example
///
/// ```
/// use maud::{Markup, html};
/// use mizu::lv;
/// use mizu::sync::{Entity, Scope};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Todo { id: String, title: String, done: bool }
///
/// impl Entity for Todo {
///     const NAME: &'static str = "todo";
///     fn id(&self) -> &str { &self.id }
/// }
///
/// fn row(todo: &Todo) -> Markup {
///     html! { li id={ "todo-" (todo.id) } data-done[todo.done] { (todo.title) } }
/// }
///
/// let templates = lv::row_templates("todos", &Scope::new("todos").unwrap(), row).into_string();
/// assert_eq!(templates.matches("<template").count(), 2);
/// assert!(templates.contains("<li id=\"todo-\u{F0000}\" data-done>\u{F0001}</li>"));
/// ```
pub fn row_templates<T: Entity>(into: &str, scope: &Scope, row: impl Fn(&T) -> Markup) -> Markup {
    let (fields, made) = placeholders::<T>().unwrap_or_else(|why| {
        panic!("{} can't be drawn without the server: {why}", std::any::type_name::<T>());
    });
    let slots = fields.slots.join(" ");
    html! {
        @for (chosen, value) in &made {
            @let names = fields.flags.iter().map(|(name, _)| name.clone());
            @let flags: serde_json::Map<_, _> = names.zip(chosen.iter().cloned()).collect();
            template data-lv-row=(T::NAME) data-lv-into=(into) data-lv-scope=(scope) data-lv-slots=(slots)
                data-lv-flags=(serde_json::Value::Object(flags)) {
                (maud::PreEscaped(mark(&row(value).into_string(), fields.slots.len())))
            }
        }
    }
}

/// Writes a mutation as the value of `data-lv-mutate`: what the element does where the browser has a local store, with or without a network.
///
/// # Shape
///
/// The mutator's name, a space, its arguments as JSON: `todo.merge {"done":true,"id":"7"}`. Arguments that can't be JSON
/// are logged as an error and left out.
///
/// # Example
///
/// ```
/// use mizu::lv;
///
/// let toggle = lv::mutation("todo.merge", &serde_json::json!({ "id": "7", "done": true }));
/// assert_eq!(toggle, r#"todo.merge {"done":true,"id":"7"}"#);
/// ```
pub fn mutation<A: Serialize + ?Sized>(name: &str, args: &A) -> String {
    match serde_json::to_string(args) {
        Ok(args) => format!("{name} {args}"),
        Err(error) => {
            tracing::error!(%error, mutation = name, "these arguments can't be written");
            name.to_owned()
        }
    }
}
