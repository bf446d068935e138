//! Where rows and logs are kept.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::change::{Ack, Change, Row};
use super::cursor::Epoch;
use super::error::StoreError;
use super::ids::{ClientId, Scope, Seq};

pub use super::transaction::{Entry, Locked, Patience, Step, Stored, Transaction, done};
pub use super::work::{Done, Group, Work};

/// Where rows and logs are kept: [`MemoryStore`](crate::sync::MemoryStore), `SqliteStore`, `PostgresStore`.
///
/// A store of your own runs [`Work`] in a write transaction as the others do:
///
/// 1. begin, and make a [`Group`] of the transaction;
/// 2. [`Work::run`], for one push or for several that commit together;
/// 3. [`Group::finish`], and commit. If any of these fails, roll back: nothing happened, and nobody was told anything.
///
/// Every read is one snapshot: what it says about the log, its rows and its clients was true at one moment.
/// [`contract::verify`](crate::sync::contract::verify) (feature `testing`) is what every store has to pass.
pub trait Store: Send + Sync + 'static {
    /// What it is called in logs.
    fn name(&self) -> &'static str;

    /// Runs a push in a write transaction. The answer comes after the commit.
    fn write(&self, work: Arc<Work>) -> BoxFuture<'_, Result<Done, StoreError>>;

    /// Reads a part of a log.
    fn pull(&self, ask: PullAsk) -> BoxFuture<'_, Result<PullPart, StoreError>>;

    /// Reads rows as they were at one place of the log.
    fn rows(&self, ask: RowsAsk) -> BoxFuture<'_, Result<RowsPart, StoreError>>;

    /// Removes what nobody needs any more, a bounded step at a time.
    fn compact(&self, ask: CompactAsk) -> BoxFuture<'_, Result<Compacted, StoreError>>;

    /// Starts a new epoch: every cursor that was given out becomes invalid.
    fn bump_epoch(&self) -> BoxFuture<'_, Result<Epoch, StoreError>>;
}

/// Which part of a log to read.
#[derive(Clone, Debug)]
pub struct PullAsk {
    /// Whose log.
    pub scope: Scope,
    /// Whose acknowledgements.
    pub client: Option<ClientId>,
    /// Behind which position.
    pub from: u64,
    /// At most so many changes and acknowledgements, each; a single entry may have more.
    pub limit: usize,
    /// About so many bytes of rows; a single entry may have more.
    pub bytes: usize,
}

/// Where a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The store's epoch.
    pub epoch: Epoch,
    /// The last position.
    pub head: u64,
    /// The first position that a pull may start from.
    pub horizon: u64,
    /// The first position that rows can be shown at.
    pub compacted: u64,
}

/// A part of a log.
#[derive(Clone, Debug)]
pub struct PullPart {
    /// Where the log is.
    pub extent: Extent,
    /// The check value of the entry that was asked from; none if it is not there. 0 for position 0.
    pub check: Option<u64>,
    /// The user that the client belongs to; none if it is not known.
    pub user: Option<String>,
    /// The changes and acknowledgements in order.
    pub changes: Vec<Change>,
    /// Up to which position they are complete, and the check value of the entry there.
    pub upto: (u64, u64),
}

/// Which rows to read.
#[derive(Clone, Debug)]
pub struct RowsAsk {
    /// Of which scope.
    pub scope: Scope,
    /// Whose acknowledgements and counter.
    pub client: Option<ClientId>,
    /// As they were at this position; none for now.
    pub at: Option<u64>,
    /// Of one kind only.
    pub entity: Option<String>,
    /// Whose ids start so; only with a kind.
    pub prefix: String,
    /// Behind this kind and id.
    pub after: Option<(String, String)>,
    /// At most so many.
    pub limit: usize,
    /// About so many bytes; a single row may be larger.
    pub bytes: usize,
    /// The newest so many acknowledgements.
    pub acks: usize,
}

/// Rows as they were at one place.
#[derive(Clone, Debug)]
pub struct RowsPart {
    /// Where the log is.
    pub extent: Extent,
    /// The position that the rows show, and the check value of the entry there; no value if the entry is not there. 0 for position 0.
    pub at: (u64, Option<u64>),
    /// The client's user and its last processed mutation; none if it is not known.
    pub client: Option<(String, Seq)>,
    /// The client's newest acknowledgements up to the position, in order.
    pub acks: Vec<Ack>,
    /// The rows, ordered by the bytes of kind and id.
    pub rows: Vec<Row>,
    /// Whether there are more.
    pub more: bool,
}

/// What to remove. Entries of a log that are as old as `horizon_at`, or more than `keep` behind its head, go beyond the horizon, but none that is younger
/// than `compact_at`.
#[derive(Clone, Debug)]
pub struct CompactAsk {
    /// The scope to begin with, in the order of their names' bytes; none for the first.
    pub from: Option<Scope>,
    /// Row versions that were superseded up to this time are removed: milliseconds since 1970.
    pub compact_at: i64,
    /// Entries up to this time, and tombstones, are removed. None keeps all ages.
    pub horizon_at: Option<i64>,
    /// How many entries stay. None keeps any number.
    pub keep: Option<u64>,
    /// How many rows and entries to remove in this step, about.
    pub budget: usize,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Row versions and tombstones.
    pub changes: u64,
    /// Entries of logs.
    pub entries: u64,
    /// The scope to go on with; none when through. May be the same again, when there was more to remove than the budget.
    pub next: Option<Scope>,
}
