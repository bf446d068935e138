//! The example's todos, of which the report changes one from outside.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use mizu::Who;
use mizu::prelude::*;
use mizu::sync::{Engine, Mutation, Scope};
use serde_json::{Value, json};

use super::todo;

/// How many there are, all of which show.
const KEPT: usize = 50;

/// The one that changes, in the middle.
pub(crate) const CHANGED: &str = "t25";

/// The pages, filled, and `POST /title`, which gives one todo another title.
pub(super) async fn routes(engine: &Engine) -> crate::Result<Router> {
    for number in 0..KEPT {
        let todo = json!({ "id": format!("t{number:02}"), "title": title(number) });
        apply(engine, "todo.create", &todo).await?;
    }
    Ok(Router::new().route("/title", post(change)).with_state(engine.clone()).merge(todo::routes(engine)))
}

async fn change(State(engine): State<Engine>, title: String) -> StatusCode {
    match apply(&engine, "todo.merge", &json!({ "id": CHANGED, "title": title })).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(failure) => {
            eprintln!("a mutation failed: {failure}");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// Some forty bytes, and never the same.
pub(crate) fn title(number: usize) -> String {
    format!("Something to do, number {number:06} of many.")
}

async fn apply(engine: &Engine, name: &str, args: &Value) -> crate::Result {
    engine.apply(Who::server(), Mutation::new(&Scope::new("todos")?, name, args)?).await?;
    Ok(())
}
