//! A store in one file, embedded: SQLite.
//!
//! One thread owns the connection that writes. It takes all the pushes that wait, runs them in one transaction with a savepoint for each
//! mutation, commits once, and answers. Reads go to other connections, each in one read transaction.

mod compact;
mod raw;
mod reading;
mod schema;
mod store;
mod transaction;
mod writer;

pub use self::store::{Durability, SqliteStore};
