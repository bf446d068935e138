//! What `simulation.test.mjs` kills: `sync_server FILE` keeps everything in SQLite, `sync_server postgresql://..` in PostgreSQL. Every mutation leaves
//! a mark, so that a test can tell how often it was applied.

use mizu::Anybody;
use mizu::sync::{self, Engine, Scope, SqliteStore, Tx};
use serde::Deserialize;
use serde_json::json;

/// Counts how often a mutation was applied.
async fn mark(tx: &mut Tx, token: &str) -> sync::Result {
    let times = tx.get_row("mark", token).await?.and_then(|mark| mark["times"].as_u64()).unwrap_or(0);
    tx.put_row("mark", token, &json!({ "times": times + 1 })).await
}

async fn add(tx: &mut Tx, id: &str, by: i64) -> sync::Result {
    let count = tx.get_row("counter", id).await?.and_then(|row| row["count"].as_i64()).unwrap_or(0);
    tx.put_row("counter", id, &json!({ "count": count + by })).await
}

#[derive(Deserialize)]
struct Count {
    token: String,
    by: i64,
}

async fn count(tx: &mut Tx, Count { token, by }: Count) -> sync::Result {
    mark(tx, &token).await?;
    add(tx, "all", by).await
}

#[derive(Deserialize)]
struct Move {
    token: String,
    by: i64,
    to: Scope,
}

/// Takes from one scope and gives to another, or neither.
async fn shift(tx: &mut Tx, Move { token, by, to }: Move) -> sync::Result {
    mark(tx, &token).await?;
    add(tx, "moved", -by).await?;
    add(&mut *tx.within(&to)?, "moved", by).await
}

#[derive(Deserialize)]
struct Append {
    token: String,
}

async fn append(tx: &mut Tx, Append { token }: Append) -> sync::Result {
    mark(tx, &token).await?;
    let mut list = tx.get_row("list", "all").await?.unwrap_or_else(|| json!({ "items": [] }));
    if let Some(items) = list["items"].as_array_mut() {
        items.push(token.into());
    }
    tx.put_row("list", "all", &list).await
}

#[derive(Deserialize)]
struct Todo {
    token: String,
    id: String,
}

async fn create(tx: &mut Tx, Todo { token, id }: Todo) -> sync::Result {
    mark(tx, &token).await?;
    match tx.get_row("todo", &id).await? {
        Some(_) => Err(tx.reject("exists", "There is one already.")),
        None => tx.put_row("todo", &id, &json!({ "done": false })).await,
    }
}

async fn toggle(tx: &mut Tx, Todo { token, id }: Todo) -> sync::Result {
    mark(tx, &token).await?;
    match tx.get_row("todo", &id).await? {
        Some(todo) => tx.put_row("todo", &id, &json!({ "done": todo["done"] != true })).await,
        None => Err(tx.reject("gone", "There is none.")),
    }
}

async fn delete(tx: &mut Tx, Todo { token, id }: Todo) -> sync::Result {
    mark(tx, &token).await?;
    tx.delete_row("todo", &id).await.map(drop)
}

/// Writes, and then thinks better of it.
async fn refuse(tx: &mut Tx, Append { token }: Append) -> sync::Result {
    mark(tx, &token).await?;
    add(tx, "all", 1_000_000).await?;
    Err(tx.reject("refused", "Never."))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).init();
    let place = std::env::args().nth(1).ok_or("say where to keep it: a file, or the URL of a PostgreSQL database")?;
    let builder = match place.starts_with("postgres") {
        #[cfg(feature = "postgres")]
        true => Engine::builder(sync::PostgresStore::connect(&place).await?),
        #[cfg(not(feature = "postgres"))]
        true => return Err("this was built without the feature `postgres`".into()),
        false => Engine::builder(SqliteStore::open(place)?),
    };
    let engine = builder
        .mutator("count", count)
        .mutator("move", shift)
        .scopes(|Move { to, .. }: &Move| vec![to.clone()])
        .mutator("append", append)
        .mutator("todo.create", create)
        .mutator("todo.toggle", toggle)
        .mutator("todo.delete", delete)
        .mutator("refuse", refuse)
        .public("*")
        .build();
    let app = axum::Router::new().merge(engine.routes::<Anybody, _>());
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".into());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
