//! The engine that keeps the data.

use mizu::sync::{Engine, EngineBuilder, PostgresStore, Scope, SqliteStore, StoreError};

use super::todo::Todo;
use crate::config::Database;
use crate::mutators;

/// The scope of the todos. Everybody shares it; `Scope::of_user` would give each user their own.
pub fn todos() -> Scope {
    Scope::new("todos").expect("`todos` is of a scope's shape")
}

/// Opens the data that `DATABASE_URL` names. A file that is not there is made.
pub async fn open(database: &Database) -> Result<Engine, StoreError> {
    Ok(engine(match database {
        Database::Sqlite(file) => Engine::builder(SqliteStore::open(file)?),
        Database::Postgres(url) => Engine::builder(PostgresStore::connect(url).await?),
    }))
}

/// What the app does with data, on any store: its entities, its mutators, and who may.
pub fn engine(builder: EngineBuilder) -> Engine {
    builder
        // `todo.create`, `todo.merge` and `todo.delete` for free,
        .entity::<Todo>()
        // and our own in place of the first.
        .mutator("todo.create", mutators::create)
        .mutator("todo.clear", mutators::clear)
        .public("todos")
        .build()
}
