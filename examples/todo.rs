//! Todos: a page over durable data, with or without a network. What anybody changes, here, offline, over REST or on another node,
//! shows on every open page.
//!
//! ```text
//! cargo run --example todo         then open http://127.0.0.1:3000/todos
//! curl -d '{"title":"From a script"}' -H 'content-type: application/json' http://127.0.0.1:3000/api/todos
//! ```
//!
//! Kill the server: the page goes on, also when it is loaded anew. Start it again: everything is in `todo.db`, and what was done meanwhile
//! joins it. Turn JavaScript off: the same page is plain forms and links.

#[path = "look/mod.rs"]
mod look;

use std::sync::Arc;

use axum::extract::Query;
use mizu::prelude::*;
use mizu::sync::store::Store;
use mizu::sync::{self, Engine, Entity, Scope, SqliteStore, Tx};
use mizu::{Anybody, Document};
use serde_json::json;

#[derive(Serialize, Deserialize)]
struct Todo {
    id: String,
    title: String,
    #[serde(default)]
    done: bool,
}

impl Entity for Todo {
    const NAME: &'static str = "todo";

    fn id(&self) -> &str {
        &self.id
    }
}

/// Every way in ends here: the page, plain forms, REST, other nodes.
async fn create(tx: &mut Tx, todo: Todo) -> sync::Result {
    let title = todo.title.trim().to_owned();
    if title.is_empty() || title.chars().count() > 200 {
        return Err(tx.reject("bad_title", "A todo has 1 to 200 characters."));
    }
    tx.put(&Todo { title, ..todo }).await
}

/// Which todos to show: `?show=open`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Show {
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

struct Todos;

#[derive(Serialize, Deserialize)]
struct State {
    /// Kept up to date by the watch.
    todos: Rows<Todo>,
    show: Show,
}

/// What a person can do.
#[derive(Serialize, Deserialize)]
enum Do {
    Add { title: String },
    Toggle { id: String, done: bool },
    Delete { id: String },
}

impl Page for Todos {
    type State = State;
    type Message = ();

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<State> {
        let Query(Filter { show }) = cx.extract().await?;
        let todos = cx.watch(&scope(), ["todos", "count"]).await?;
        Ok(State { todos, show })
    }

    fn render(&self, view: &View<State>) -> Markup {
        let filter = |show, name, query| html! { a href={ "/todos" (query) } data-lv-patch aria-current=[(view.show == show).then_some("page")] { (name) } };
        html! {
            h1 { "Todos" }
            form id="new-todo" class="row" data-lv-submit="Add" data-lv-mutate="todo.create" method="post" {
                input name="title" placeholder="What is to be done?" aria-label="Title" maxlength="200" autocomplete="off";
                button { "Add" }
            }
            p id="problem" role="alert" data-lv-sync-problem data-lv-ignore hidden {}
            // Everybody who looks at the same rows in the same way shares one rendering of them.
            (view.shared("todos", &(view.todos.snapshot(), view.show), |(todos, show)| html! {
                @for todo in todos.iter().filter(|todo| show.fits(todo)) { (item(todo)) }
            }).tag("ul").class("todos"))
            // The same function draws what is added or changed while the server is out of reach.
            (view.shared("drawn", &(), |()| lv::row_templates("todos", &scope(), item)))
            p class="choices" {
                (view.shared("count", &view.todos.snapshot(), |todos| html! {
                    span data-lv-count="todo" data-lv-count-where=r#"{"done":false}"# { (open(todos)) } " to do"
                }).tag("span"))
                (filter(Show::All, "All", "")) (filter(Show::Open, "Open", "?show=open")) (filter(Show::Done, "Done", "?show=done"))
            }
            p id="sync-status" data-lv-sync-status data-lv-ignore {}
        }
    }

    async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<State>, event: Event) -> Result {
        match event.decode()? {
            Do::Add { title } => {
                // Ids that grow with time: todos are shown in their order.
                let todo = Todo { id: uuid::Uuid::now_v7().to_string(), title, done: false };
                cx.mutate(&scope(), "todo.create", &todo).await?
            }
            Do::Toggle { id, done } => cx.mutate(&scope(), "todo.merge", &json!({ "id": id, "done": done })).await?,
            Do::Delete { id } => cx.mutate(&scope(), "todo.delete", &json!({ "id": id })).await?,
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
        format!("Todos ({})", open(&view.todos.read()))
    }

    fn layout(&self, document: Document) -> Markup {
        look::layout(&document)
    }
}

impl Show {
    fn fits(self, todo: &Todo) -> bool {
        match self {
            Self::All => true,
            Self::Open => !todo.done,
            Self::Done => todo.done,
        }
    }
}

fn open(todos: &[Arc<Todo>]) -> usize {
    todos.iter().filter(|todo| !todo.done).count()
}

fn item(todo: &Todo) -> Markup {
    let toggle = lv::event(Do::Toggle { id: todo.id.clone(), done: !todo.done });
    let delete = lv::event(Do::Delete { id: todo.id.clone() });
    // Where the browser has a store of its own these are done there, at once; elsewhere the events are handled here.
    let toggled = lv::mutation("todo.merge", &json!({ "id": todo.id, "done": !todo.done }));
    let deleted = lv::mutation("todo.delete", &json!({ "id": todo.id }));
    html! {
        li id={ "todo-" (todo.id) } data-id=(todo.id) data-done[todo.done] {
            button class="toggle" form="lv" name="lv" value=(toggle) data-lv-mutate=(toggled) aria-label="Done" aria-pressed=(todo.done) {}
            span class="title" { (todo.title) }
            button class="delete" form="lv" name="lv" value=(delete) data-lv-mutate=(deleted) aria-label="Delete" { "×" }
        }
    }
}

fn scope() -> Scope {
    Scope::new("todos").expect("`todos` is of a scope's shape")
}

/// What people may do, over any store.
pub(crate) fn engine(store: impl Store) -> Engine {
    Engine::builder(store).entity::<Todo>().mutator("todo.create", create).public("todos").build()
}

pub(crate) fn routes(engine: &Engine) -> Router {
    Router::new()
        .route("/todos", mizu::page(Todos))
        .merge(engine.rest::<Todo, Anybody, _>("/api/todos", |_| scope()))
        .merge(engine.routes::<Anybody, _>())
        .merge(look::routes("/todos"))
}

#[tokio::main]
async fn main() -> Result {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).init();
    let engine = engine(SqliteStore::open("todo.db")?);
    let app = routes(&engine);
    Live::builder().sync(engine).offline(["/todos"]).build().serve(app).await
}
