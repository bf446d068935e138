//! The todos on as many servers as you like: PostgreSQL keeps them, NATS carries the pokes.
//!
//! ```text
//! export DATABASE_URL=postgres://localhost/todos NATS_URL=nats://localhost MIZU_SECRET=the-same-thirty-two-bytes-everywhere
//! ADDR=127.0.0.1:3001 cargo run --example cluster --features postgres,nats
//! ADDR=127.0.0.1:3002 cargo run --example cluster --features postgres,nats
//! ADDR=127.0.0.1:3003 cargo run --example cluster --features postgres,nats
//! ```
//!
//! Put any proxy in front, with or without sticky sessions: what is written on one server shows on all of them at once. Kill one, and its pages come
//! back on another. The tables are made by whoever starts first.

#[allow(dead_code, reason = "the example has a server of its own")]
#[path = "todo.rs"]
mod todo;

use std::env;

use mizu::live::NatsAdapter;
use mizu::prelude::*;
use mizu::sync::PostgresStore;

#[tokio::main]
async fn main() -> Result {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).init();
    let engine = todo::engine(PostgresStore::connect(&env::var("DATABASE_URL")?).await?);
    let nats = NatsAdapter::connect(&env::var("NATS_URL")?).await?;
    let app = todo::routes(&engine);
    Live::builder().pubsub(nats).sync(engine).offline(["/todos"]).build().serve(app).await
}
