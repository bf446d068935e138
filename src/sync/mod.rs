//! Durable data with an authority: mutations in, ordered changes out, each exactly once, offline first.
//!
//! An [`Engine`] runs named, typed mutators over a [`Tx`] of its [`Store`](store::Store). What they write becomes rows and a log of changes in one
//! transaction. Clients send numbered mutations, pull the log from where they stopped, and take snapshots where they can't.
//!
//! ```
//! use mizu::sync::{self, Engine, Entity, MemoryStore, Mutation, Scope, Tx};
//! use mizu::Who;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Note { id: String, title: String, done: bool }
//!
//! impl Entity for Note {
//!     const NAME: &'static str = "note";
//!     fn id(&self) -> &str { &self.id }
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Create { id: String, title: String }
//!
//! async fn create(tx: &mut Tx, Create { id, title }: Create) -> sync::Result {
//!     if title.trim().is_empty() {
//!         return Err(tx.reject("empty", "A note needs a title."));
//!     }
//!     tx.put(&Note { id, title, done: false }).await
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let engine = Engine::builder(MemoryStore::new()).mutator("note.create", create).public("notes").build();
//! let notes = Scope::new("notes")?;
//! let args = Create { id: "n1".into(), title: "Milk".into() };
//! engine.apply(Who::server(), Mutation::new(&notes, "note.create", &args)?).await?;
//! assert_eq!(engine.read(&notes).get::<Note>("n1").await?.unwrap().title, "Milk");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What this layer does not know
//!
//! Neither `live` nor `page`: no sockets, no sessions, no HTML. After a commit it calls a [`Notifier`], and that is all.
//!
//! # Invariants
//!
//! 1. Rows, changes, acknowledgement, client counter and scope counter commit in one transaction; notifiers run after it, no lock held.
//! 2. A mutation is `(client, number)`: processed once, in order, without gaps; its outcome can be asked for again.
//! 3. Every processed mutation takes one position in the log of each scope it declared, refused ones too. Positions are in commit order.
//! 4. A read is one snapshot. What a cursor has passed never changes for whoever passed it.
//! 5. A cursor names its epoch and a random value of its entry, so that another history is told from this one.
//! 6. A mutation that can't succeed is acknowledged as refused and never blocks those behind it; one that might later is not acknowledged.
//!
//! # The way of a mutation
//!
//! In: `http` → `engine` (authorise, find the mutator) → a [`Store`](store::Store)'s transaction → `work` (once, in order) → [`Tx`] → rows and log → commit →
//! [`Notifier`]. Out: `http` → `engine` (authorise, verify the cursor) → a store's read.

mod access;
mod change;
#[cfg(feature = "testing")]
pub mod contract;
mod cursor;
mod engine;
mod entity;
mod error;
mod free;
mod http;
mod ids;
mod memory;
mod mutation;
mod mutator;
mod notify;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod store;
mod transaction;
mod tx;
mod work;

#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresOptions, PostgresStore, PostgresTx};
#[cfg(feature = "sqlite")]
pub use self::sqlite::{Durability, SqliteStore};
pub use self::{
    access::Access,
    change::{Ack, Change, DecodeRowError, Pulled, Row, Snapshot, Status},
    cursor::{Cursor, Epoch, ParseCursorError},
    engine::{Engine, EngineBuilder, PullError, ReadError, Reader, Removed, Retention, SyncLimits},
    entity::{Entity, Scan},
    error::{Error, Rejection, Result, StoreError},
    ids::{ClientId, NameError, Scope, Seq},
    memory::MemoryStore,
    mutation::{ApplyError, Mutation, Outcome, Push, PushError, Pushed, Sent},
    mutator::Mutator,
    notify::Notifier,
    tx::{Tx, TxLimits, Within},
};
