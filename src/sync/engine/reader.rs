//! Rows for the server's own code.

use serde_json::Value;

use super::core::Engine;
use crate::sync::change::{DecodeRowError, Row};
use crate::sync::cursor::Cursor;
use crate::sync::entity::{Entity, Scan};
use crate::sync::error::StoreError;
use crate::sync::ids::{Scope, check_entity, check_row};
use crate::sync::store::{RowsAsk, RowsPart};

/// Why rows could not be read.
///
/// ```
/// use mizu::sync::{ReadError, StoreError};
/// assert_eq!(ReadError::from(StoreError::message("closed")).to_string(), "closed");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A row is of another shape than its type.
    #[error(transparent)]
    Row(#[from] DecodeRowError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the rows of a scope, for the server's own code: nobody is asked whether it may. Each call is one snapshot.
///
/// ```
/// use mizu::sync::{Engine, MemoryStore, Mutation, Scan, Scope, Tx};
/// use mizu::Who;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let engine = Engine::builder(MemoryStore::new())
///     .mutator("set", async |tx: &mut Tx, (id, value): (String, i64)| tx.put_row("value", &id, &value).await)
///     .build();
/// let scope = Scope::new("values")?;
/// for (id, value) in [("a", 1), ("b", 2)] {
///     engine.apply(Who::server(), Mutation::new(&scope, "set", &(id, value))?).await?;
/// }
/// let values = engine.read(&scope);
/// assert_eq!(values.get_row("value", "b").await?, Some(2.into()));
/// assert_eq!(values.scan_rows("value", Scan::all()).await?.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Reader {
    engine: Engine,
    scope: Scope,
}

impl Engine {
    /// Reads a scope.
    ///
    /// See [`Reader`] for an example.
    pub fn read(&self, scope: &Scope) -> Reader {
        Reader { engine: self.clone(), scope: scope.clone() }
    }
}

impl Reader {
    /// The row of this type and id.
    ///
    /// # Errors
    ///
    /// - See [`ReadError`].
    ///
    /// See [`EngineBuilder::entity`](crate::sync::EngineBuilder::entity) for an example.
    pub async fn get<T: Entity>(&self, id: &str) -> Result<Option<T>, ReadError> {
        Ok(self.row(T::NAME, id).await?.map(|row| row.decode()).transpose()?)
    }

    /// Rows of this type, ordered by the bytes of their ids; all of them are kept in memory.
    ///
    /// # Errors
    ///
    /// - See [`ReadError`].
    ///
    /// ```
    /// # use mizu::sync::{Entity, ReadError, Reader, Scan};
    /// async fn first<T: Entity>(reader: &Reader) -> Result<Option<T>, ReadError> {
    ///     Ok(reader.scan::<T>(Scan::all().limit(1)).await?.pop())
    /// }
    /// ```
    pub async fn scan<T: Entity>(&self, scan: Scan) -> Result<Vec<T>, ReadError> {
        let rows = self.scan_rows(T::NAME, scan).await?;
        Ok(rows.iter().map(Row::decode).collect::<Result<_, _>>()?)
    }

    /// All rows of this type, ordered by the bytes of their ids, and the place in the log that they show: where [`Engine::changes`] goes on.
    ///
    /// # Errors
    ///
    /// - See [`ReadError`].
    ///
    /// ```
    /// # use mizu::sync::{Entity, Engine, ReadError, Scope};
    /// async fn follow<T: Entity>(engine: &Engine, scope: &Scope) -> Result<(), ReadError> {
    ///     let (rows, cursor) = engine.read(scope).all::<T>().await?;
    ///     let changes = engine.changes(scope, cursor);
    /// #   let _ = (rows, changes);
    ///     Ok(())
    /// }
    /// ```
    pub async fn all<T: Entity>(&self) -> Result<(Vec<T>, Cursor), ReadError> {
        let ask = RowsAsk { entity: Some(T::NAME.to_owned()), ..self.ask(usize::MAX) };
        let RowsPart { extent, at: (position, check), rows, .. } = self.engine.inner.store.rows(ask).await?;
        let cursor = Cursor::new(extent.epoch, position, check.unwrap_or(0));
        Ok((rows.iter().map(Row::decode).collect::<Result<_, _>>()?, cursor))
    }

    /// The row of this kind and id as JSON.
    ///
    /// # Errors
    ///
    /// - See [`ReadError`].
    ///
    /// See [`Reader`] for an example.
    pub async fn get_row(&self, entity: &str, id: &str) -> Result<Option<Value>, ReadError> {
        Ok(self.row(entity, id).await?.map(|row| row.decode()).transpose()?)
    }

    /// Rows of a kind as JSON.
    ///
    /// # Errors
    ///
    /// - The store fails.
    ///
    /// See [`Reader`] for an example.
    pub async fn scan_rows(&self, entity: &str, scan: Scan) -> Result<Vec<Row>, StoreError> {
        let Some(scan) = scan.readable().filter(|_| check_entity(entity).is_ok()) else { return Ok(Vec::new()) };
        let limit = scan.limit.unwrap_or(usize::MAX);
        let ask = RowsAsk {
            entity: Some(entity.to_owned()),
            prefix: scan.prefix,
            after: scan.after.map(|after| (entity.to_owned(), after)),
            ..self.ask(limit)
        };
        Ok(self.engine.inner.store.rows(ask).await?.rows)
    }

    /// Where the scope's log is.
    ///
    /// # Errors
    ///
    /// - The store fails.
    ///
    /// ```
    /// # use mizu::sync::{Engine, MemoryStore, Scope};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let engine = Engine::builder(MemoryStore::new()).build();
    /// assert_eq!(engine.read(&Scope::new("notes").unwrap()).cursor().await.unwrap().position(), 0);
    /// # });
    /// ```
    pub async fn cursor(&self) -> Result<Cursor, StoreError> {
        let RowsPart { extent, at: (position, check), .. } = self.engine.inner.store.rows(self.ask(1)).await?;
        Ok(Cursor::new(extent.epoch, position, check.unwrap_or(0)))
    }

    pub(in crate::sync) async fn row(&self, entity: &str, id: &str) -> Result<Option<Row>, StoreError> {
        if check_entity(entity).and(check_row(id)).is_err() {
            return Ok(None);
        }
        let ask = RowsAsk { entity: Some(entity.to_owned()), prefix: id.to_owned(), ..self.ask(1) };
        let rows = self.engine.inner.store.rows(ask).await?.rows;
        // The first id that starts with this one is this one, if it is there.
        Ok(rows.into_iter().next().filter(|row| row.id == id))
    }

    fn ask(&self, limit: usize) -> RowsAsk {
        RowsAsk {
            scope: self.scope.clone(),
            client: None,
            at: None,
            entity: None,
            prefix: String::new(),
            after: None,
            limit,
            bytes: usize::MAX,
            acks: 0,
        }
    }
}
