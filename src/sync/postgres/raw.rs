//! An app's own tables, in the transaction of a mutation.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::sql::denied;
use super::transaction::{Failed, PostgresTransaction};
use crate::sync::error::{Error, Rejection, Result};
use crate::sync::tx::Tx;

impl Tx {
    /// Runs statements on the app's own tables, in the transaction of this mutation: they are committed with it, or undone with it.
    ///
    /// # Errors
    ///
    /// - The engine's store is not PostgreSQL: rejected as `internal`.
    ///
    /// See [`PostgresTx`] for an example.
    pub fn postgres(&mut self) -> Result<PostgresTx<'_>> {
        match self.store().raw().is::<PostgresTransaction>() {
            true => Ok(PostgresTx { tx: self }),
            false => Err(Rejection::new("internal", "`tx.postgres` needs an engine over a `PostgresStore`").into()),
        }
    }
}

/// The transaction of one mutation, for statements on the app's own tables.
///
/// A statement that fails has done nothing, and the mutator may go on. So has one whose future is dropped before it is done. Constraints that are deferred
/// are checked when the mutator ends.
///
/// Only statements that read and write rows run here: `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `WITH`, `VALUES`, `TABLE`, `TRUNCATE`, `CALL`, `DO`, `LOCK`,
/// `NOTIFY`, `EXPLAIN`, `SHOW`. Transactions are the engine's, and so are the tables whose names begin with `mizu_`. What a session keeps (`set_config`,
/// `pg_advisory_lock`) stays with the connection: don't.
///
/// # Errors
///
/// Of every statement:
///
/// - A constraint does not hold, or a value is of the wrong type (SQLSTATE 22, 23): rejected as `constraint`.
/// - It failed for now: a deadlock, a time limit, no memory (SQLSTATE 08, 40, 53, 55, 57): [`Error::Unavailable`].
/// - It is denied, or failed in another way: rejected as `internal`, and logged.
/// - The connection is lost: [`Error::Store`].
///
/// ```no_run
/// use mizu::sync::{self, Engine, PostgresStore, Tx};
///
/// async fn rename(tx: &mut Tx, (id, title): (String, String)) -> sync::Result {
///     tx.put_row("note", &id, &title).await?;
///     let mut sql = tx.postgres()?;
///     sql.execute("insert into audit (note, title) values ($1, $2)", &[&id, &title]).await?;
///     let count: i64 = sql.query_one("select count(*) from audit where note = $1", &[&id]).await?.get(0);
///     match count > 100 {
///         true => Err(tx.reject("too_often", "It was renamed too often.")),
///         false => Ok(()),
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let store = PostgresStore::connect("postgresql://app@localhost/app").await?;
/// let engine = Engine::builder(store).mutator("rename", rename).build();
/// # let _ = engine;
/// # Ok::<(), sync::StoreError>(())
/// # }).unwrap();
/// ```
pub struct PostgresTx<'a> {
    tx: &'a mut Tx,
}

impl PostgresTx<'_> {
    /// Runs a statement, and gives its rows; all of them are kept in memory.
    ///
    /// # Errors
    ///
    /// See [`PostgresTx`].
    ///
    /// ```
    /// # use mizu::sync::{self, Tx};
    /// async fn count(tx: &mut Tx, _: ()) -> sync::Result {
    ///     let rows = tx.postgres()?.query("select title from books where price > $1", &[&10_i32]).await?;
    ///     for row in rows {
    ///         tx.put_row("book", row.get(0), &true).await?;
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = count;
    /// ```
    pub async fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        Ok(self.run(sql, params).await?.0)
    }

    /// Runs a statement that gives exactly one row.
    ///
    /// # Errors
    ///
    /// - See [`PostgresTx`].
    /// - It gave none, or several: rejected as `internal`.
    ///
    /// See [`PostgresTx`] for an example.
    pub async fn query_one(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        match self.query_opt(sql, params).await? {
            Some(row) => Ok(row),
            None => Err(count(0)),
        }
    }

    /// Runs a statement that gives at most one row.
    ///
    /// # Errors
    ///
    /// - See [`PostgresTx`].
    /// - It gave several: rejected as `internal`.
    ///
    /// ```
    /// # use mizu::sync::{self, Tx};
    /// async fn price(tx: &mut Tx, book: i64) -> sync::Result {
    ///     let row = tx.postgres()?.query_opt("select price from books where id = $1", &[&book]).await?;
    ///     let price: Option<i32> = row.map(|row| row.get(0));
    ///     tx.put_row("price", "p", &price).await
    /// }
    /// # let _ = price;
    /// ```
    pub async fn query_opt(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        let mut rows = self.query(sql, params).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            several => Err(count(several)),
        }
    }

    /// Runs a statement, and says how many rows it changed.
    ///
    /// # Errors
    ///
    /// See [`PostgresTx`], also for an example.
    pub async fn execute(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        Ok(self.run(sql, params).await?.1)
    }

    async fn run(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<(Vec<Row>, u64)> {
        if let Some(word) = denied(sql) {
            tracing::error!(sql, "a mutator ran a statement that is denied");
            let message = format!("a mutator may read and write rows, and not run `{word}` statements");
            return Err(Rejection::new("internal", message).into());
        }
        let Some(transaction) = self.tx.store().raw().downcast_mut::<PostgresTransaction>() else {
            return Err(Rejection::new("internal", "the transaction is another store's").into());
        };
        let result = match transaction.raw_statement(sql, params).await {
            Ok(result) => return Ok(result),
            Err(Failed::Statement(fault)) => fault.refusal(),
            Err(Failed::Store(error)) => Error::Store(error),
        };
        match result {
            Error::Store(error) => self.tx.keep(Err(error)),
            refusal => Err(refusal),
        }
    }
}

fn count(rows: usize) -> Error {
    tracing::error!(rows, "a statement in a mutator gave another number of rows than it should");
    Rejection::new("internal", format!("a statement that gives one row gave {rows}")).into()
}
