//! What a store's write transaction can do.

use std::any::Any;

use futures::future::{BoxFuture, Either, Ready, ready};

use super::change::{Row, Status};
use super::cursor::Epoch;
use super::entity::Scan;
use super::error::{Rejection, StoreError};
use super::ids::{Scope, Seq};

/// One step of a transaction: ready at once in an embedded store, a future in one across a network.
pub type Step<'a, T> = Either<Ready<Result<T, StoreError>>, BoxFuture<'a, Result<T, StoreError>>>;

/// A step that is done.
///
/// ```
/// let step = mizu::sync::store::done(Ok(7));
/// assert_eq!(futures::FutureExt::now_or_never(step).unwrap().unwrap(), 7);
/// ```
pub fn done<'a, T>(result: Result<T, StoreError>) -> Step<'a, T> {
    Either::Left(ready(result))
}

/// What a transaction found when it locked what it is about to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The store's epoch.
    pub epoch: Epoch,
    /// The sender: the user it is bound to and its last processed mutation. None if it is not known.
    pub client: Option<(String, Seq)>,
    /// Where each scope's log ends, in the order they were named; 0 for one that is new.
    pub heads: Vec<u64>,
}

/// One mutation's entry in the log of one scope.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Whose log.
    pub scope: &'a Scope,
    /// Where: one above the entry before.
    pub position: u64,
    /// A random value that cursors to this entry repeat. At most 63 bits.
    pub check: u64,
    /// When, in milliseconds since 1970 by the server's clock.
    pub at: i64,
    /// Who sent it: a client's id, or `=` and the key of a call within the server. None where nobody can ask for the outcome.
    pub sender: Option<&'a str>,
    /// Its number.
    pub seq: Seq,
    /// What its content hashes to. At most 63 bits.
    pub hash: u64,
    /// What came of it.
    pub status: &'a Status,
}

/// The outcome of a mutation that was processed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What its content hashed to.
    pub hash: u64,
    /// What came of it.
    pub status: Status,
    /// Its entries in logs: scope, position and check value.
    pub entries: Vec<(Scope, u64, u64)>,
}

/// How long a mutator may take in this store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It is polled once: it runs on a thread that others wait for, and must not await anything but its transaction.
    Once,
    /// It may await whatever it likes, within the engine's time limit.
    Awaits,
}

/// A write transaction of a store.
///
/// Versions of rows carry the position at which they came and the one at which they were superseded, so that a snapshot can show any
/// place of the log that is kept. A transaction that is dropped has written nothing.
pub trait Transaction: Send + Any {
    /// How long mutators may take.
    fn patience(&self) -> Patience;

    /// Locks a sender (a client's id, or `=` and a key) and these scopes, sorted and without doubles, until the transaction ends.
    /// Called at most once a transaction, unless nobody else can write in between.
    fn lock<'a>(&'a mut self, sender: Option<&'a str>, scopes: &'a [Scope]) -> Step<'a, Locked>;

    /// The stored outcome of a mutation that this sender numbered so.
    fn outcome<'a>(&'a mut self, sender: &'a str, seq: Seq) -> Step<'a, Option<Stored>>;

    /// Starts what [`rollback`](Self::rollback) undoes. They don't nest.
    fn savepoint(&mut self) -> Step<'_, ()>;

    /// Undoes everything since the savepoint, and ends it.
    fn rollback(&mut self) -> Step<'_, ()>;

    /// Keeps everything since the savepoint, and ends it; or undoes it, and says why it can't be kept: a constraint that the store checks only now does not hold.
    fn release(&mut self) -> Step<'_, Option<Rejection>>;

    /// The row as it is now.
    fn get<'a>(&'a mut self, scope: &'a Scope, entity: &'a str, id: &'a str) -> Step<'a, Option<String>>;

    /// Rows as they are now, ordered by the bytes of their ids.
    fn scan<'a>(&'a mut self, scope: &'a Scope, entity: &'a str, scan: &'a Scan) -> Step<'a, Vec<Row>>;

    /// Writes a row's version at a position, or that it is gone; one that came at the same position is overwritten. Gives whether the row was
    /// there before. Deleting a row that is not there writes nothing.
    fn put<'a>(
        &'a mut self,
        scope: &'a Scope,
        position: u64,
        entity: &'a str,
        id: &'a str,
        data: Option<&'a str>,
    ) -> Step<'a, bool>;

    /// Appends to a log.
    fn log<'a>(&'a mut self, entry: Entry<'a>) -> Step<'a, ()>;

    /// Writes how far logs have come, once, before the commit.
    fn advance_scopes<'a>(&'a mut self, heads: &'a [(Scope, u64)]) -> Step<'a, ()>;

    /// Writes how far a client has come, and whose it is, once, before the commit.
    fn advance_client<'a>(&'a mut self, client: &'a str, user: &'a str, last: Seq, at: i64) -> Step<'a, ()>;

    /// The transaction itself, for what only this store can do.
    fn raw(&mut self) -> &mut dyn Any;

    /// What is put around a store's own transaction gives that back here, before the store commits it.
    #[doc(hidden)]
    fn peel(&mut self) -> Option<Box<dyn Transaction>> {
        None
    }
}
