//! A store for many nodes: PostgreSQL.
//!
//! Each push is a transaction of its own, at READ COMMITTED. It locks its sender by an advisory lock, then the rows of its scopes in the
//! order of their names, until the commit: so numbers in a log are in the order of commits, and nothing waits in a circle. Statements
//! that don't wait for each other's results travel together.
//!
//! 1. A connection goes back to the pool outside of any transaction, or not at all.
//! 2. Each mutation has a savepoint, made with its first write. Each statement of an app's own has one inside that, so that a statement
//!    that fails has done nothing and spoils nothing.
//! 3. A read is one transaction at REPEATABLE READ: one snapshot.
//! 4. A row's versions hold from a position until they are superseded. Exactly one version of a row is not superseded.

mod compact;
mod error;
mod kept;
mod lease;
mod raw;
mod reading;
mod schema;
mod sql;
mod store;
mod transaction;

pub use self::raw::PostgresTx;
pub use self::store::{PostgresOptions, PostgresStore};
/// The pool that [`PostgresStore::with_pool`] takes, of the version that it takes.
pub use deadpool_postgres;
/// Parameters and rows of [`PostgresTx`], of the version that it takes.
pub use tokio_postgres;
