//! Databases that are written to without an engine: the statements that it runs, by themselves.
//!
//! 1. Settings, tables, durability and what shares a commit are those of the engine's store.
//! 2. Statements are the engine's, in its order and as many: [`statements::check`] fails where its source has others by now.
//! 3. Left out is all that is no statement.

mod answered;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
mod statements;

pub(super) use self::answered::Answered;
#[cfg(feature = "postgres")]
pub(super) use self::postgres::BarePostgres;
pub(super) use self::sqlite::BareSqlite;
