//! Todos: a page over durable data. What anybody changes, here, over REST or in a browser's queue, shows on every open page.

use std::sync::Arc;

use axum::extract::Query;
use mizu::Document;
use mizu::prelude::*;
use serde_json::json;

use crate::components::todo_item;
use crate::data::{self, Todo};
use crate::layout::layout;
use crate::mutators::LONGEST;

pub struct Todos;

/// What one visit remembers. It lives on the server, for as long as the page is open.
#[derive(Serialize, Deserialize)]
pub struct State {
    /// Kept up to date by the watch.
    todos: Rows<Todo>,
    show: Show,
}

/// Which todos to show: `?show=open`.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Show {
    #[default]
    All,
    Open,
    Done,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filter {
    show: Show,
}

/// What a person can do. `lv::event` writes it into an attribute, `event.decode()` reads it back.
#[derive(Serialize, Deserialize)]
pub enum Do {
    Add { title: String },
    Toggle { id: String, done: bool },
    Delete { id: String },
    Clear,
}

impl Page for Todos {
    type State = State;
    type Message = ();

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<State> {
        let Query(Filter { show }) = cx.extract().await?;
        // The page follows the scope; these regions show it.
        let todos = cx.watch(&data::todos(), ["todos", "count"]).await?;
        Ok(State { todos, show })
    }

    fn render(&self, view: &View<State>) -> Markup {
        let filter = |show, name, to| html! { a href=(to) data-lv-patch aria-current=[(view.show == show).then_some("true")] { (name) } };
        html! {
            h1 { "Todos" }
            form id="new-todo" class="row" data-lv-submit="Add" data-lv-mutate="todo.create" method="post" {
                input name="title" placeholder="What is to be done?" aria-label="Title" maxlength=(LONGEST) autocomplete="off";
                button { "Add" }
            }
            p id="problem" role="alert" data-lv-sync-problem data-lv-ignore hidden {}
            (view.region("todos", || html! { @for todo in view.shown() { (todo_item(&todo)) } }).tag("ul").class("todos"))
            // For what is added or changed while the server is out of reach.
            (lv::row_templates("todos", &data::todos(), todo_item))
            div class="row quiet" {
                (view.region("count", || count(view.open())).tag("span"))
                nav aria-label="Which todos" { (filter(Show::All, "All", "/")) (filter(Show::Open, "Open", "/?show=open")) (filter(Show::Done, "Done", "/?show=done")) }
                button id="clear" class="plain" form="lv" name="lv" value=(lv::event(Do::Clear)) { "Clear what is done" }
            }
        }
    }

    async fn handle(
        &self,
        cx: &mut Ctx<Self>,
        session: &mut Session<State>,
        event: Event,
    ) -> Result {
        let todos = data::todos();
        match event.decode()? {
            Do::Add { title } => cx.mutate(&todos, "todo.create", &Todo::new(title)).await?,
            Do::Toggle { id, done } => {
                cx.mutate(&todos, "todo.merge", &json!({ "id": id, "done": done }))
                    .await?
            }
            Do::Delete { id } => {
                cx.mutate(&todos, "todo.delete", &json!({ "id": id }))
                    .await?
            }
            Do::Clear => cx.mutate(&todos, "todo.clear", &json!({})).await?,
        };
        // The watch marks what shows the rows.
        session.keep();
        Ok(())
    }

    async fn params(&self, cx: &mut Ctx<Self>, session: &mut Session<State>) -> Result {
        let Query(Filter { show }) = cx.extract().await?;
        session.state.show = show;
        Ok(())
    }

    fn title(&self, view: &View<State>) -> String {
        format!("Todos ({})", view.open())
    }

    fn layout(&self, document: Document) -> Markup {
        layout(&document, "/")
    }
}

impl State {
    fn shown(&self) -> impl Iterator<Item = Arc<Todo>> {
        let show = self.show;
        self.todos.iter().filter(move |todo| match show {
            Show::All => true,
            Show::Open => !todo.done,
            Show::Done => todo.done,
        })
    }

    fn open(&self) -> usize {
        self.todos.iter().filter(|todo| !todo.done).count()
    }
}

fn count(open: usize) -> Markup {
    html! { (open) @if open == 1 { " thing" } @else { " things" } " to do" }
}
