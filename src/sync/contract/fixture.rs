//! What the properties are checked with: an engine whose mutators do what their arguments say, and what a client makes of answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::edge::{Identity, Who};
use crate::sync::change::{Ack, Change, Row, Status};
use crate::sync::cursor::{Cursor, Epoch};
use crate::sync::engine::{Engine, EngineBuilder, PullError, Retention};
use crate::sync::entity::Scan;
use crate::sync::error::{Error, Result, StoreError};
use crate::sync::ids::{ClientId, Scope, Seq};
use crate::sync::mutation::{Mutation, Outcome, Push, Pushed, Sent};
use crate::sync::store::{CompactAsk, Compacted, PullAsk, PullPart, RowsAsk, RowsPart, Store};
use crate::sync::tx::Tx;
use crate::sync::work::{Done, Work};

/// How long something that must happen may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A store that several engines share, as nodes do, and that outlives them, as after a restart.
#[derive(Clone)]
pub(super) struct Shared(pub(super) Arc<dyn Store>);

impl Store for Shared {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn write(&self, work: Arc<Work>) -> BoxFuture<'_, Result<Done, StoreError>> {
        self.0.write(work)
    }

    fn pull(&self, ask: PullAsk) -> BoxFuture<'_, Result<PullPart, StoreError>> {
        self.0.pull(ask)
    }

    fn rows(&self, ask: RowsAsk) -> BoxFuture<'_, Result<RowsPart, StoreError>> {
        self.0.rows(ask)
    }

    fn compact(&self, ask: CompactAsk) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        self.0.compact(ask)
    }

    fn bump_epoch(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        self.0.bump_epoch()
    }
}

/// A person, by name.
#[derive(Clone, PartialEq)]
pub(super) struct User(pub(super) &'static str);

impl Identity for User {
    fn key(&self) -> String {
        self.0.into()
    }
}

/// A clock that is moved by hand.
#[derive(Clone)]
pub(super) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(super) fn now(&self) -> SystemTime {
        let millis = u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    pub(super) fn millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_700_000_000_000)))
    }
}

/// A store with an engine over it.
pub(super) struct Lab {
    pub(super) store: Shared,
    pub(super) engine: Engine,
    pub(super) clock: Clock,
}

impl Lab {
    pub(super) async fn open<S: Store>(open: &impl AsyncFn() -> S) -> Self {
        Self::over(Shared(Arc::new(open().await)))
    }

    pub(super) fn over(store: Shared) -> Self {
        let clock = Clock::default();
        let engine = builder(store.clone(), &clock).build();
        Self { store, engine, clock }
    }

    /// Another engine over the same store.
    pub(super) fn builder(&self) -> EngineBuilder {
        self.builder_over(self.store.clone())
    }

    /// Another engine over a store that goes through this one.
    pub(super) fn builder_over(&self, store: impl Store) -> EngineBuilder {
        builder(store, &self.clock)
    }

    pub(super) async fn push(&self, client: &ClientId, mutations: Vec<Sent>) -> Pushed {
        push(&self.engine, client, mutations).await
    }

    /// Pushes what must all be applied.
    pub(super) async fn applied(&self, client: &ClientId, mutations: Vec<Sent>) -> Vec<Outcome> {
        let (count, pushed) = (mutations.len(), self.push(client, mutations).await);
        assert!(pushed.stop.is_none(), "a push that can be processed stopped: {:?}", pushed.stop);
        assert_eq!(pushed.results.len(), count, "a push has one result for each mutation");
        for outcome in &pushed.results {
            assert_eq!(outcome.status, Status::Applied, "mutation {} was not applied", outcome.seq.get());
        }
        pushed.results
    }

    /// Applies steps within the server.
    pub(super) async fn apply(&self, scope: &Scope, steps: Vec<Step>) -> Outcome {
        let mutation = Mutation::new(scope, "run", &steps).expect("steps have a form in JSON");
        self.engine.apply(Who::server(), mutation).await.expect("a mutation that can be applied")
    }

    pub(super) async fn pull(&self, scope: &Scope, client: Option<&ClientId>, from: Cursor, limit: usize) -> Told {
        pull(&self.engine, scope, client, from, limit).await.expect("a log that can be read on from the cursor")
    }

    pub(super) async fn snapshot(&self, scope: &Scope, client: Option<&ClientId>, limit: usize) -> Taken {
        snapshot(&self.engine, scope, client, limit).await
    }

    /// A row as the server's own code sees it.
    pub(super) async fn row(&self, scope: &Scope, id: &str) -> Option<serde_json::Value> {
        self.engine.read(scope).get_row("row", id).await.expect("a row that can be read")
    }

    /// Everything that anybody could see: rows, logs, acknowledgements and counters.
    pub(super) async fn picture(&self, scopes: &[Scope], clients: &[ClientId]) -> String {
        let mut picture = String::new();
        for scope in scopes {
            let log = self.pull(scope, None, Cursor::BEGINNING, 1_000).await;
            picture += &format!("{scope}: {:?} {} {:?}\n", log.rows, log.cursor, log.pages);
            for client in clients {
                let own = self.pull(scope, Some(client), Cursor::BEGINNING, 1_000).await;
                let taken = self.snapshot(scope, Some(client), 1_000).await;
                assert_eq!(taken.rows, own.rows, "a snapshot shows what its log adds up to");
                assert_eq!(taken.acks, own.acks, "a snapshot has the acknowledgements of its log");
                picture += &format!("  {client}: {:?} {:?} {}\n", own.acks, taken.last, taken.cursor);
            }
        }
        picture
    }
}

fn builder(store: impl Store, clock: &Clock) -> EngineBuilder {
    let clock = clock.clone();
    Engine::builder(store)
        .mutator("run", run)
        .scopes(|steps: &Vec<Step>| steps.iter().filter_map(|step| step.within.clone()).collect())
        .mutator("stray", run)
        .mutator("keep", async |tx: &mut Tx, (id, data): (String, Box<RawValue>)| tx.put_row("row", &id, &data).await)
        .public("open*")
        .retention(Retention { every: None, ..Retention::default() })
        .clock(move || clock.now())
}

/// One thing for the mutator `run` to do, in this scope or in another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Step {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<Scope>,
    #[serde(flatten)]
    op: Op,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Op {
    Put { entity: String, id: String, value: serde_json::Value },
    Delete { id: String },
    Add { id: String, by: i64 },
    Hush { id: String },
    Read { id: String, prefix: String },
    Fill { prefix: String, count: usize },
    Stamp { id: String },
    Reject { code: String },
    Panic,
    Unavailable,
    Pause,
    Hang,
}

impl Step {
    /// Whether it does something rather than end the mutation.
    pub(super) fn writes(&self) -> bool {
        matches!(
            self.op,
            Op::Put { .. } | Op::Delete { .. } | Op::Add { .. } | Op::Hush { .. } | Op::Fill { .. } | Op::Stamp { .. }
        )
    }

    pub(super) fn within(mut self, scope: &Scope) -> Self {
        self.within = Some(scope.clone());
        self
    }
}

fn step(op: Op) -> Step {
    Step { within: None, op }
}

pub(super) fn put(id: &str, value: impl Into<serde_json::Value>) -> Step {
    put_as("row", id, value)
}

pub(super) fn put_as(entity: &str, id: &str, value: impl Into<serde_json::Value>) -> Step {
    step(Op::Put { entity: entity.into(), id: id.into(), value: value.into() })
}

pub(super) fn delete(id: &str) -> Step {
    step(Op::Delete { id: id.into() })
}

/// Adds to a number, by reading and writing it.
pub(super) fn add(id: &str, by: i64) -> Step {
    step(Op::Add { id: id.into(), by })
}

/// Writes a row, and does not look whether it could.
pub(super) fn hush(id: &str) -> Step {
    step(Op::Hush { id: id.into() })
}

/// Reads a row and a range of rows, and writes nothing.
pub(super) fn read(id: &str, prefix: &str) -> Step {
    step(Op::Read { id: id.into(), prefix: prefix.into() })
}

/// Writes so many rows.
pub(super) fn fill(prefix: &str, count: usize) -> Step {
    step(Op::Fill { prefix: prefix.into(), count })
}

/// Writes the time and a new id.
pub(super) fn stamp(id: &str) -> Step {
    step(Op::Stamp { id: id.into() })
}

pub(super) fn reject(code: &str) -> Step {
    step(Op::Reject { code: code.into() })
}

pub(super) fn panics() -> Step {
    step(Op::Panic)
}

pub(super) fn unavailable() -> Step {
    step(Op::Unavailable)
}

/// Awaits something that comes at once.
pub(super) fn pause() -> Step {
    step(Op::Pause)
}

/// Awaits something that never comes.
pub(super) fn hang() -> Step {
    step(Op::Hang)
}

async fn run(tx: &mut Tx, steps: Vec<Step>) -> Result {
    for Step { within, op } in steps {
        let scope = within.unwrap_or_else(|| tx.scope().clone());
        op.run(&mut *tx.within(&scope)?).await?;
    }
    Ok(())
}

impl Op {
    #[allow(clippy::panic, reason = "what a mutator may do and a store must survive")]
    async fn run(self, tx: &mut Tx) -> Result {
        match self {
            Self::Put { entity, id, value } => tx.put_row(&entity, &id, &value).await,
            Self::Delete { id } => tx.delete_row("row", &id).await.map(drop),
            Self::Add { id, by } => {
                let before = tx.get_row("row", &id).await?.and_then(|value| value.as_i64()).unwrap_or(0);
                tx.put_row("row", &id, &(before + by)).await
            }
            Self::Hush { id } => {
                let _ = tx.put_row("row", &id, "hush").await;
                Ok(())
            }
            Self::Read { id, prefix } => {
                tx.get_row("row", &id).await?;
                tx.scan_rows("row", Scan::all().prefix(&prefix)).await.map(drop)
            }
            Self::Fill { prefix, count } => {
                for n in 0..count {
                    tx.put_row("row", &format!("{prefix}{n:04}"), &n).await?;
                }
                Ok(())
            }
            Self::Stamp { id } => {
                let millis = tx.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
                let made = tx.new_id().to_string();
                tx.put_row("row", &id, &(millis, made)).await
            }
            Self::Reject { code } => Err(tx.reject(code, "as its arguments say")),
            Self::Panic => panic!("as its arguments say"),
            Self::Unavailable => Err(Error::unavailable("as its arguments say")),
            Self::Pause => {
                tokio::task::yield_now().await;
                Ok(())
            }
            Self::Hang => std::future::pending().await,
        }
    }
}

pub(super) fn scope(name: &str) -> Scope {
    Scope::new(name).expect("a scope's name")
}

/// A mutation as a client sends it.
pub(super) fn sent(seq: u64, scope: &Scope, steps: Vec<Step>) -> Sent {
    named(seq, scope.as_str(), "run", &steps)
}

pub(super) fn named<A: Serialize + ?Sized>(seq: u64, scope: &str, name: &str, args: &A) -> Sent {
    let args = to_raw_value(args).expect("arguments that have a form in JSON");
    Sent { seq: Seq::new(seq), id: String::new(), name: name.to_owned(), scope: scope.to_owned(), args }
}

pub(super) async fn push(engine: &Engine, client: &ClientId, mutations: Vec<Sent>) -> Pushed {
    engine.push(Who::anybody(), Push { client: client.clone(), user: None, mutations }).await
}

/// Rows by kind and id.
pub(super) type Rows = BTreeMap<(String, String), String>;

/// What a client knows after it pulled.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) rows: Rows,
    pub(super) acks: Vec<Ack>,
    pub(super) cursor: Cursor,
    /// Each page: where it ended, and its changes.
    pub(super) pages: Vec<(Cursor, Vec<Change>)>,
}

/// Pulls until there is no more.
pub(super) async fn pull(
    engine: &Engine,
    scope: &Scope,
    client: Option<&ClientId>,
    from: Cursor,
    limit: usize,
) -> Result<Told, PullError> {
    let mut told = Told { rows: Rows::new(), acks: Vec::new(), cursor: from, pages: Vec::new() };
    loop {
        let pulled = engine.pull(&Who::anybody(), scope, client, told.cursor, Some(limit)).await?;
        let moved = pulled.cursor.position() > told.cursor.position();
        assert!(moved || !pulled.has_more, "a pull that says there is more gets on");
        assert!(moved || pulled.changes.is_empty(), "what a pull gives is behind the cursor it came from");
        told.acks.extend(fold(&mut told.rows, &pulled.changes));
        told.cursor = pulled.cursor;
        told.pages.push((pulled.cursor, pulled.changes));
        if !pulled.has_more {
            return Ok(told);
        }
    }
}

/// Adds changes to rows, and gives the acknowledgements among them.
pub(super) fn fold(rows: &mut Rows, changes: &[Change]) -> Vec<Ack> {
    let mut acks = Vec::new();
    for change in changes {
        match change {
            Change::Create(row) | Change::Update(row) => drop(insert(rows, row)),
            Change::Delete { entity, id } => drop(rows.remove(&(entity.clone(), id.clone()))),
            Change::Ack(ack) => acks.push(ack.clone()),
        }
    }
    acks
}

fn insert(rows: &mut Rows, row: &Row) -> Option<String> {
    rows.insert((row.entity.clone(), row.id.clone()), row.data.get().to_owned())
}

/// A whole snapshot.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) rows: Rows,
    pub(super) acks: Vec<Ack>,
    pub(super) last: Option<Seq>,
    pub(super) cursor: Cursor,
    pub(super) pages: usize,
}

pub(super) async fn snapshot(engine: &Engine, scope: &Scope, client: Option<&ClientId>, limit: usize) -> Taken {
    let mut paging = Paging::default();
    while !paging.turn(engine, scope, client, limit).await.expect("a page of a snapshot") {}
    paging.taken()
}

/// A snapshot on its way.
#[derive(Default)]
pub(super) struct Paging {
    taken: Option<Taken>,
    next: Option<String>,
}

impl Paging {
    /// Reads the next page, and says whether it was the last.
    pub(super) async fn turn(
        &mut self,
        engine: &Engine,
        scope: &Scope,
        client: Option<&ClientId>,
        limit: usize,
    ) -> Result<bool, PullError> {
        let page = engine.snapshot(&Who::anybody(), scope, client, self.next.as_deref(), Some(limit)).await?;
        assert!(page.rows.len() <= limit, "a page has no more rows than were asked for");
        assert!(page.next.is_none() || !page.rows.is_empty(), "a page that is not the last has rows");
        let first = self.taken.is_none();
        assert!(first || page.acks.is_empty() && page.last.is_none(), "only the first page says what was acknowledged");
        let new = || Taken { rows: Rows::new(), acks: page.acks, last: page.last, cursor: page.cursor, pages: 0 };
        let taken = self.taken.get_or_insert_with(new);
        assert_eq!(taken.cursor, page.cursor, "all pages of a snapshot show one place");
        let mut latest = taken.rows.last_key_value().map(|(key, _)| key.clone());
        for row in &page.rows {
            let key = (row.entity.clone(), row.id.clone());
            assert!(latest.is_none_or(|latest| latest < key), "rows come in the order of their bytes, each once");
            assert!(insert(&mut taken.rows, row).is_none());
            latest = Some(key);
        }
        taken.pages += 1;
        self.next = page.next;
        Ok(self.next.is_none())
    }

    pub(super) fn position(&self) -> u64 {
        self.taken.as_ref().map_or(0, |taken| taken.cursor.position())
    }

    pub(super) fn taken(self) -> Taken {
        self.taken.expect("a snapshot has a page")
    }
}

/// Acknowledgements as numbers.
pub(super) fn numbers(acks: &[Ack]) -> Vec<u64> {
    acks.iter().map(|ack| ack.seq.get()).collect()
}

/// The code that a mutation was refused with.
pub(super) fn code(status: &Status) -> &str {
    match status {
        Status::Applied => "applied",
        Status::Rejected(rejection) => rejection.code(),
        Status::Expired => "expired",
    }
}

/// The codes of a push's results.
pub(super) fn codes(pushed: &Pushed) -> Vec<&str> {
    pushed.results.iter().map(|outcome| code(&outcome.status)).collect()
}

/// Something that must end.
#[allow(clippy::panic, reason = "a test that can't go on fails here")]
pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not end within {PATIENCE:?}"),
    }
}
