//! What a mutator is given: rows to read and write, and everything else that may decide what it does.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::change::{DecodeRowError, Row, decode};
use super::entity::{Entity, Scan};
use super::error::{Error, Rejection, Result, StoreError};
use super::ids::{Scope, check_entity, check_row};
use super::transaction::Transaction;
use crate::edge::{Identity, UserError, Who};

/// The transaction of one mutation.
///
/// What is written here *is* what the log will say: rows, changes, acknowledgement and counters commit together, or nothing does. Reads see
/// the mutation's own writes. A mutator must decide by its arguments, by what it reads here, and by [`now`](Self::now),
/// [`new_id`](Self::new_id) and the identity alone, so that it comes to the same when it is run again.
///
/// ```
/// use mizu::sync::{self, Engine, Entity, MemoryStore, Mutation, Scope, Tx};
/// use mizu::Who;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Counter { id: String, count: u64 }
///
/// impl Entity for Counter {
///     const NAME: &'static str = "counter";
///     fn id(&self) -> &str { &self.id }
/// }
///
/// async fn add(tx: &mut Tx, by: u64) -> sync::Result {
///     let mut counter = tx.get::<Counter>("c").await?.unwrap_or(Counter { id: "c".into(), count: 0 });
///     counter.count += by;
///     if counter.count > 100 {
///         return Err(tx.reject("too_many", "It counts to 100."));
///     }
///     tx.put(&counter).await
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let engine = Engine::builder(MemoryStore::new()).mutator("add", add).build();
/// let scope = Scope::new("counters").unwrap();
/// engine.apply(Who::server(), Mutation::new(&scope, "add", &40).unwrap()).await.unwrap();
/// let counter: Counter = engine.read(&scope).get("c").await.unwrap().unwrap();
/// assert_eq!(counter.count, 40);
/// assert!(engine.apply(Who::server(), Mutation::new(&scope, "add", &70).unwrap()).await.is_err());
/// # });
/// ```
pub struct Tx {
    store: Box<dyn Transaction>,
    case: Case,
    /// Which of the case's scopes reads and writes go to.
    current: usize,
    written: usize,
    made: u64,
    failed: Option<StoreError>,
}

/// The mutation at hand.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) who: Who,
    /// The declared scopes and the position that each will have; the mutation's own first.
    pub(crate) scopes: Vec<(Scope, u64)>,
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    /// What ids are made from.
    pub(crate) seed: u64,
    pub(crate) limits: TxLimits,
}

/// What one mutation may write.
///
/// ```
/// let limits = mizu::sync::TxLimits { changes: 100, ..Default::default() };
/// assert_eq!(limits.row_bytes, 262_144);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxLimits {
    /// How many writes.
    ///
    /// # Units
    ///
    /// Puts and deletes; default 1,000.
    pub changes: usize,
    /// How large a row.
    ///
    /// # Units
    ///
    /// Bytes of JSON; default 256 KiB.
    pub row_bytes: usize,
}

impl Default for TxLimits {
    fn default() -> Self {
        Self { changes: 1_000, row_bytes: 256 * 1024 }
    }
}

impl Tx {
    pub(crate) fn new(store: Box<dyn Transaction>, case: Case) -> Self {
        Self { store, case, current: 0, written: 0, made: 0, failed: None }
    }

    /// Turns to the next mutation.
    pub(crate) fn begin(&mut self, case: Case) {
        self.case = case;
        (self.current, self.written, self.made, self.failed) = (0, 0, 0, None);
    }

    /// How the store failed in this mutation, if it did.
    pub(crate) fn failure(&mut self) -> Option<StoreError> {
        self.failed.take()
    }

    /// Remembers a failure of the store, in case that the mutator does not pass it on.
    pub(crate) fn keep<T>(&mut self, result: Result<T, StoreError>) -> Result<T> {
        result.map_err(|error| {
            self.failed.get_or_insert_with(|| error.clone());
            Error::Store(error)
        })
    }

    pub(crate) fn into_store(mut self) -> Box<dyn Transaction> {
        self.store.peel().unwrap_or(self.store)
    }

    /// Puts another transaction in the place of this one's: one that goes through it, and gives it back when it is peeled.
    #[cfg(feature = "testing")]
    pub(crate) fn swap_store(&mut self, store: &mut Box<dyn Transaction>) {
        std::mem::swap(&mut self.store, store);
    }

    pub(crate) fn store(&mut self) -> &mut dyn Transaction {
        &mut *self.store
    }

    /// The row of this type and id, as it is now.
    ///
    /// # Errors
    ///
    /// - The row is of another shape: rejected as `invalid`.
    /// - The id is not of its shape: rejected as `invalid`.
    /// - The store fails: [`Error::Store`].
    ///
    /// See [`Tx`] for an example.
    pub async fn get<T: Entity>(&mut self, id: &str) -> Result<Option<T>> {
        match self.read(T::NAME, id).await? {
            Some(data) => Ok(Some(decode(T::NAME, id, &data).map_err(odd_row)?)),
            None => Ok(None),
        }
    }

    /// Writes a whole row, new or not.
    ///
    /// # Errors
    ///
    /// - The id or the entity's name is not of its shape: rejected as `invalid`.
    /// - The row is too large, or the mutation writes too much: rejected as `too_large`.
    /// - The store fails: [`Error::Store`].
    ///
    /// See [`Tx`] for an example.
    pub async fn put<T: Entity>(&mut self, row: &T) -> Result {
        let data = self.json(row)?;
        // A float that is no number becomes `null`, which could not be read again.
        if data.contains("null") {
            serde_json::from_str::<T>(&data)
                .map_err(|error| self.reject("invalid", format!("the row could not be read again: {error}")))?;
        }
        self.put_json(T::NAME, row.id(), &data).await
    }

    /// Deletes a row, and says whether it was there.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    ///
    /// ```
    /// # use mizu::sync::{self, Entity, Tx};
    /// async fn delete<T: Entity>(tx: &mut Tx, id: String) -> sync::Result {
    ///     match tx.delete::<T>(&id).await? {
    ///         true => Ok(()),
    ///         false => Err(tx.reject("not_found", "It is gone already.")),
    ///     }
    /// }
    /// ```
    pub async fn delete<T: Entity>(&mut self, id: &str) -> Result<bool> {
        self.delete_row(T::NAME, id).await
    }

    /// Rows of this type, ordered by the bytes of their ids.
    ///
    /// # Errors
    ///
    /// - A row is of another shape: rejected as `invalid`.
    /// - The store fails: [`Error::Store`].
    ///
    /// ```
    /// # use mizu::sync::{self, Entity, Scan, Tx};
    /// async fn clear<T: Entity>(tx: &mut Tx, _: ()) -> sync::Result {
    ///     for row in tx.scan::<T>(Scan::all().limit(100)).await? {
    ///         tx.delete::<T>(row.id()).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn scan<T: Entity>(&mut self, scan: Scan) -> Result<Vec<T>> {
        let rows = self.scan_rows(T::NAME, scan).await?;
        rows.iter().map(|row| decode(T::NAME, &row.id, row.data.get()).map_err(odd_row)).collect()
    }

    /// The row of this kind and id as JSON: for rows without a type.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// ```
    /// # use mizu::sync::{self, Tx};
    /// async fn touch(tx: &mut Tx, id: String) -> sync::Result {
    ///     let Some(mut row) = tx.get_row("thing", &id).await? else { return Ok(()) };
    ///     row["touched"] = true.into();
    ///     tx.put_row("thing", &id, &row).await
    /// }
    /// # let _ = touch;
    /// ```
    pub async fn get_row(&mut self, entity: &str, id: &str) -> Result<Option<Value>> {
        match self.read(entity, id).await? {
            Some(data) => Ok(Some(decode(entity, id, &data).map_err(odd_row)?)),
            None => Ok(None),
        }
    }

    /// Writes a whole row of any kind, from anything that is JSON.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    ///
    /// See [`get_row`](Self::get_row) for an example.
    pub async fn put_row<T: Serialize + Sync + ?Sized>(&mut self, entity: &str, id: &str, row: &T) -> Result {
        let data = self.json(row)?;
        self.put_json(entity, id, &data).await
    }

    fn json<T: Serialize + ?Sized>(&self, row: &T) -> Result<String> {
        serde_json::to_string(row).map_err(|error| self.reject("invalid", format!("the row is no JSON: {error}")))
    }

    async fn put_json(&mut self, entity: &str, id: &str, data: &str) -> Result {
        let most = self.case.limits.row_bytes;
        if data.len() > most {
            return Err(self.reject("too_large", format!("a row has at most {most} bytes, not {}", data.len())));
        }
        self.write(entity, id, Some(data)).await?;
        Ok(())
    }

    /// Deletes a row of any kind, and says whether it was there.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    ///
    /// ```
    /// # use mizu::sync::{self, Tx};
    /// async fn remove(tx: &mut Tx, id: String) -> sync::Result {
    ///     tx.delete_row("thing", &id).await?;
    ///     Ok(())
    /// }
    /// # let _ = remove;
    /// ```
    pub async fn delete_row(&mut self, entity: &str, id: &str) -> Result<bool> {
        self.write(entity, id, None).await
    }

    /// Rows of any kind, ordered by the bytes of their ids.
    ///
    /// # Errors
    ///
    /// As [`scan`](Self::scan).
    ///
    /// ```
    /// # use mizu::sync::{self, Scan, Tx};
    /// async fn count(tx: &mut Tx, _: ()) -> sync::Result {
    ///     let things = tx.scan_rows("thing", Scan::all()).await?.len();
    ///     tx.put_row("count", "things", &things).await
    /// }
    /// # let _ = count;
    /// ```
    pub async fn scan_rows(&mut self, entity: &str, scan: Scan) -> Result<Vec<Row>> {
        check_entity(entity)?;
        let Some(scan) = scan.readable() else { return Ok(Vec::new()) };
        let (scope, _) = &self.case.scopes[self.current];
        let rows = self.store.scan(scope, entity, &scan).await;
        self.keep(rows)
    }

    /// The same transaction, reading and writing in another of the scopes that the mutator declared.
    ///
    /// # Errors
    ///
    /// - The mutator did not declare the scope: rejected as `undeclared_scope`.
    ///
    /// ```
    /// use mizu::sync::{self, Engine, MemoryStore, Scope, Tx};
    ///
    /// async fn send(tx: &mut Tx, (to, text): (Scope, String)) -> sync::Result {
    ///     let id = tx.new_id().to_string();
    ///     tx.put_row("sent", &id, &text).await?;
    ///     tx.within(&to)?.put_row("received", &id, &text).await
    /// }
    ///
    /// let engine = Engine::builder(MemoryStore::new())
    ///     .mutator("send", send)
    ///     .scopes(|(to, _): &(Scope, String)| vec![to.clone()])
    ///     .build();
    /// # let _ = engine;
    /// ```
    pub fn within(&mut self, scope: &Scope) -> Result<Within<'_>> {
        match self.case.scopes.iter().position(|(declared, _)| declared == scope) {
            Some(at) => {
                let before = std::mem::replace(&mut self.current, at);
                Ok(Within { tx: self, before })
            }
            None => Err(self.reject("undeclared_scope", format!("the mutator did not declare the scope {scope}"))),
        }
    }

    /// An error that refuses the mutation for good, with a code for the program and a message for the person.
    ///
    /// See [`Tx`] for an example.
    pub fn reject(&self, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Error {
        Error::Rejected(Rejection::new(code, message))
    }

    /// The scope that reads and writes go to.
    ///
    /// ```
    /// # use mizu::sync::{self, Tx};
    /// async fn whereabouts(tx: &mut Tx, _: ()) -> sync::Result {
    ///     let scope = tx.scope().clone();
    ///     tx.put_row("here", "here", &scope).await
    /// }
    /// # let _ = whereabouts;
    /// ```
    pub fn scope(&self) -> &Scope {
        &self.case.scopes[self.current].0
    }

    /// Who sent the mutation.
    ///
    /// ```
    /// # use mizu::sync::{self, Tx};
    /// async fn sign(tx: &mut Tx, text: String) -> sync::Result {
    ///     let author = tx.who().key();
    ///     tx.put_row("note", "n", &(author, text)).await
    /// }
    /// # let _ = sign;
    /// ```
    pub fn who(&self) -> &Who {
        &self.case.who
    }

    /// Who sent the mutation, as the app's own type.
    ///
    /// # Errors
    ///
    /// - The server itself sent it, or an identity of another type: rejected as `scope_forbidden`.
    ///
    /// ```
    /// # use mizu::{Identity, sync::{self, Tx}};
    /// #[derive(Clone, PartialEq)]
    /// struct User { name: String, admin: bool }
    /// # impl Identity for User { fn key(&self) -> String { self.name.clone() } }
    ///
    /// async fn reset(tx: &mut Tx, _: ()) -> sync::Result {
    ///     match tx.user::<User>()?.admin {
    ///         true => Ok(()),
    ///         false => Err(tx.reject("admins_only", "Ask an administrator.")),
    ///     }
    /// }
    /// # let _ = reset;
    /// ```
    pub fn user<I: Identity>(&self) -> Result<&I> {
        let odd = |error: UserError| self.reject("scope_forbidden", error.to_string());
        self.case.who.require().map_err(odd)
    }

    /// When the server took the mutation up: the same however often it asks.
    ///
    /// ```
    /// # use mizu::sync::{self, Tx};
    /// async fn stamp(tx: &mut Tx, _: ()) -> sync::Result {
    ///     let now = tx.now();
    ///     tx.put_row("stamp", "s", &now).await
    /// }
    /// # let _ = stamp;
    /// ```
    pub fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.case.at.try_into().unwrap_or(0))
    }

    /// A new id, made from the mutation and how many it made before, so that running it again gives the same.
    ///
    /// # Shape
    ///
    /// A UUID of version 8.
    ///
    /// See [`within`](Self::within) for an example.
    pub fn new_id(&mut self) -> Uuid {
        self.made += 1;
        let bytes = xxh3_128_with_seed(&self.made.to_le_bytes(), self.case.seed).to_le_bytes();
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    async fn read(&mut self, entity: &str, id: &str) -> Result<Option<String>> {
        check_entity(entity)?;
        check_row(id)?;
        let (scope, _) = &self.case.scopes[self.current];
        let row = self.store.get(scope, entity, id).await;
        self.keep(row)
    }

    async fn write(&mut self, entity: &str, id: &str, data: Option<&str>) -> Result<bool> {
        check_entity(entity)?;
        check_row(id)?;
        self.written += 1;
        let most = self.case.limits.changes;
        if self.written > most {
            return Err(self.reject("too_large", format!("a mutation writes at most {most} times")));
        }
        let (scope, position) = &self.case.scopes[self.current];
        let there = self.store.put(scope, *position, entity, id, data).await;
        self.keep(there)
    }
}

fn odd_row(error: DecodeRowError) -> Error {
    Error::Rejected(Rejection::new("invalid", error.to_string()))
}

/// A transaction within another of its scopes, until it is dropped: see [`Tx::within`].
pub struct Within<'a> {
    tx: &'a mut Tx,
    before: usize,
}

impl Deref for Within<'_> {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        self.tx
    }
}

impl DerefMut for Within<'_> {
    fn deref_mut(&mut self) -> &mut Tx {
        self.tx
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        self.tx.current = self.before;
    }
}
