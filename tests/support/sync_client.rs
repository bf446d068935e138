//! A client of the sync layer as small as one can be: what it keeps on its disk, what it shows, and what it does with answers.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use mizu::sync::{Ack, Change, ClientId, Cursor, Error, Outcome, PullError, PushError, Pushed, Rejection, Result};
use mizu::sync::{Pulled, Row, Scope, Sent, Seq, Snapshot, Status, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rows by kind and id, as JSON.
pub(crate) type Rows = BTreeMap<(String, String), String>;

/// What a mutation does, on the server and in a client's forecast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Act {
    /// Adds to the sum and leaves a mark.
    Add { id: String, by: i64 },
    /// Writes or deletes one of a few rows that everybody writes to.
    Set { key: u8, value: Option<i64> },
    /// Takes one from the stock, if there is any, and leaves a mark.
    Take { id: String },
    /// Puts some into the stock.
    Stock { by: i64 },
    /// Adds to the sums of two scopes, and leaves a mark in both.
    Send { id: String, by: i64, to: Scope },
    /// Nothing.
    Nothing,
    /// Is refused, by the client's forecast as well.
    Refuse { id: String },
    /// Is refused by the server only.
    Surprise { id: String },
    /// Panics on the server.
    Panic { id: String },
}

/// What is known before of what will come of a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Applied,
    Rejected(&'static str),
    /// The server decides by what is there.
    Open,
}

impl Act {
    pub(crate) fn fate(&self) -> Fate {
        match self {
            Self::Add { .. } | Self::Set { .. } | Self::Stock { .. } | Self::Send { .. } | Self::Nothing => {
                Fate::Applied
            }
            Self::Take { .. } => Fate::Open,
            Self::Refuse { .. } => Fate::Rejected("refused"),
            Self::Surprise { .. } => Fate::Rejected("surprise"),
            Self::Panic { .. } => Fate::Rejected("mutator_panicked"),
        }
    }

    /// The scopes that it touches besides its own.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        match self {
            Self::Send { to, .. } => vec![to.clone()],
            _ => Vec::new(),
        }
    }

    /// What marks that it was done.
    pub(crate) fn mark(&self) -> Option<&str> {
        match self {
            Self::Add { id, .. } | Self::Take { id } | Self::Send { id, .. } => Some(id),
            Self::Refuse { id } | Self::Surprise { id } | Self::Panic { id } => Some(id),
            Self::Set { .. } | Self::Stock { .. } | Self::Nothing => None,
        }
    }

    /// How much it adds to the sum of each of its scopes.
    pub(crate) fn adds(&self) -> i64 {
        match self {
            Self::Add { by, .. } | Self::Send { by, .. } => *by,
            _ => 0,
        }
    }
}

/// Where a mutation reads and writes: a transaction of the server, or a client's forecast.
pub(crate) trait Table: Send {
    const IS_SERVER: bool;

    fn get(&mut self, scope: &Scope, kind: &str, id: &str) -> impl Future<Output = Result<Option<Value>>> + Send;

    fn put(&mut self, scope: &Scope, kind: &str, id: &str, value: Option<Value>)
    -> impl Future<Output = Result> + Send;
}

/// Does a mutation: one code for the server and for forecasts.
pub(crate) async fn act<T: Table>(table: &mut T, scope: &Scope, act: Act) -> Result {
    let rejected = |code: &'static str| Err(Error::Rejected(Rejection::new(code, code)));
    match act {
        Act::Add { id, by } => add(table, scope, &id, by).await,
        Act::Send { id, by, to } => {
            add(table, scope, &id, by).await?;
            match to == *scope {
                true => Ok(()),
                false => add(table, &to, &id, by).await,
            }
        }
        Act::Set { key, value } => table.put(scope, "set", &key.to_string(), value.map(Value::from)).await,
        Act::Take { id } => {
            let left = number(table, scope, "stock").await?;
            if left == 0 {
                return rejected("none_left");
            }
            table.put(scope, "number", "stock", Some((left - 1).into())).await?;
            table.put(scope, "mark", &id, Some(true.into())).await
        }
        Act::Stock { by } => {
            let left = number(table, scope, "stock").await?;
            table.put(scope, "number", "stock", Some((left + by).into())).await
        }
        Act::Nothing => Ok(()),
        Act::Refuse { id } => {
            table.put(scope, "mark", &id, Some(true.into())).await?;
            rejected("refused")
        }
        Act::Surprise { id } => {
            table.put(scope, "mark", &id, Some(true.into())).await?;
            if T::IS_SERVER { rejected("surprise") } else { Ok(()) }
        }
        Act::Panic { id } => {
            table.put(scope, "mark", &id, Some(true.into())).await?;
            assert!(!T::IS_SERVER, "a mutator that panics");
            Ok(())
        }
    }
}

async fn number<T: Table>(table: &mut T, scope: &Scope, id: &str) -> Result<i64> {
    Ok(table.get(scope, "number", id).await?.and_then(|value| value.as_i64()).unwrap_or(0))
}

async fn add<T: Table>(table: &mut T, scope: &Scope, id: &str, by: i64) -> Result {
    let sum = number(table, scope, "sum").await?;
    table.put(scope, "number", "sum", Some((sum + by).into())).await?;
    let list = table.get(scope, "list", "l").await?.unwrap_or_else(|| Value::Array(Vec::new()));
    let mut list = list.as_array().cloned().unwrap_or_default();
    list.push(id.into());
    table.put(scope, "list", "l", Some(list.into())).await?;
    table.put(scope, "mark", id, Some(true.into())).await
}

/// The server's side.
pub(crate) struct ServerTable<'a> {
    pub(crate) tx: &'a mut Tx,
    /// How often it gives way to others between two steps.
    pub(crate) pauses: usize,
}

impl Table for ServerTable<'_> {
    const IS_SERVER: bool = true;

    async fn get(&mut self, scope: &Scope, kind: &str, id: &str) -> Result<Option<Value>> {
        self.tx.within(scope)?.get_row(kind, id).await
    }

    async fn put(&mut self, scope: &Scope, kind: &str, id: &str, value: Option<Value>) -> Result {
        for _ in 0..self.pauses {
            tokio::task::yield_now().await;
        }
        let mut tx = self.tx.within(scope)?;
        match value {
            Some(value) => tx.put_row(kind, id, &value).await,
            None => tx.delete_row(kind, id).await.map(drop),
        }
    }
}

/// A client's forecast: only the scopes that have not acknowledged the mutation take its writes.
struct Forecast<'a> {
    views: &'a mut BTreeMap<Scope, Rows>,
    written: Vec<(Scope, (String, String), Option<String>)>,
}

impl Table for Forecast<'_> {
    const IS_SERVER: bool = false;

    async fn get(&mut self, scope: &Scope, kind: &str, id: &str) -> Result<Option<Value>> {
        let key = (kind.to_owned(), id.to_owned());
        let own = self.written.iter().rev().find(|(at, written, _)| at == scope && *written == key);
        let data = match own {
            Some((.., data)) => data.as_ref(),
            None => self.views.get(scope).and_then(|rows| rows.get(&key)),
        };
        Ok(data.and_then(|data| serde_json::from_str(data).ok()))
    }

    async fn put(&mut self, scope: &Scope, kind: &str, id: &str, value: Option<Value>) -> Result {
        let key = (kind.to_owned(), id.to_owned());
        self.written.push((scope.clone(), key, value.map(|value| value.to_string())));
        Ok(())
    }
}

/// What a client keeps where a crash does not reach it. Every change of it is one transaction.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) client: ClientId,
    pub(crate) replicas: BTreeMap<Scope, Replica>,
    pub(crate) queue: Vec<Pending>,
    pub(crate) next: u64,
    /// What was sent, ever: for checks, not for syncing.
    pub(crate) made: Vec<Pending>,
    /// What the client was told of its mutations, in the order of their numbers. None: it is done, and what came of it is not known.
    pub(crate) settled: BTreeMap<u64, Option<Status>>,
}

#[derive(Clone)]
pub(crate) struct Replica {
    pub(crate) rows: Rows,
    pub(crate) cursor: Cursor,
    /// Which acknowledgements the log gave since the last snapshot: none may come twice.
    acked: BTreeSet<u64>,
    pub(crate) needs_snapshot: bool,
    /// Whether the rows are those of one place of the server's log; not so between two pages of a log that was compacted.
    pub(crate) whole: bool,
}

/// A mutation in the queue.
#[derive(Clone)]
pub(crate) struct Pending {
    pub(crate) seq: u64,
    pub(crate) sent: Sent,
    pub(crate) act: Act,
    /// Declared, its own first.
    pub(crate) scopes: Vec<Scope>,
    acked: BTreeSet<Scope>,
    status: Option<Status>,
    /// The server said that its outcome is no longer known, when this request was the newest.
    expired: Option<u64>,
}

/// A request on its way.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Push(Vec<Sent>),
    Pull { scope: Scope, cursor: Cursor, limit: usize },
    Snapshot { scope: Scope, page: Option<String>, limit: usize },
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Pushed(Pushed),
    Pulled(Scope, Cursor, Result<Pulled, PullError>),
    Snapshot(Scope, Result<Snapshot, PullError>),
}

pub(crate) struct Client {
    pub(crate) disk: Disk,
    /// What a crash takes.
    memory: Memory,
    /// Counts requests, over crashes: two never have the same number.
    requests: u64,
    /// Counts crashes: answers to who is no more are lost.
    pub(crate) life: u64,
}

#[derive(Default)]
struct Memory {
    push: Option<Sending>,
    /// Mutations up to this one were answered.
    answered: u64,
    pulls: BTreeMap<Scope, u64>,
    snapshots: BTreeMap<Scope, Paging>,
}

/// A push on its way. Until it is answered, nothing behind it is sent.
struct Sending {
    request: u64,
    last: u64,
    /// Given up waiting for: it is sent again.
    uncertain: bool,
}

#[derive(Default)]
struct Paging {
    request: Option<u64>,
    /// The first request of it.
    since: u64,
    rows: Rows,
    first: Option<(Vec<Ack>, Option<Seq>, Cursor)>,
    page: Option<String>,
}

impl Client {
    pub(crate) fn new(client: ClientId, scopes: &[Scope]) -> Self {
        let empty = Replica {
            rows: Rows::new(),
            cursor: Cursor::BEGINNING,
            acked: BTreeSet::new(),
            needs_snapshot: false,
            whole: true,
        };
        let replicas = scopes.iter().map(|scope| (scope.clone(), empty.clone())).collect();
        let (queue, made, settled) = (Vec::new(), Vec::new(), BTreeMap::new());
        let disk = Disk { client, replicas, queue, next: 1, made, settled };
        Self { disk, memory: Memory::default(), requests: 0, life: 0 }
    }

    /// The end of its process: what is not on its disk is gone.
    pub(crate) fn crash(&mut self) {
        self.memory = Memory::default();
        self.life += 1;
    }

    /// Queues a mutation; its effect is seen at once.
    pub(crate) fn mutate(&mut self, scope: &Scope, name: &str, act: Act) -> u64 {
        let seq = self.disk.next;
        let mut scopes = vec![scope.clone()];
        scopes.extend(act.scopes().into_iter().filter(|other| other != scope));
        let sent = Sent {
            seq: Seq::new(seq),
            id: String::new(),
            name: name.to_owned(),
            scope: scope.to_string(),
            args: serde_json::value::to_raw_value(&act).unwrap(),
        };
        let pending = Pending { seq, sent, act, scopes, acked: BTreeSet::new(), status: None, expired: None };
        self.disk.made.push(pending.clone());
        self.disk.queue.push(pending);
        self.disk.next += 1;
        seq
    }

    /// What it shows of each scope: what the server said, and what is not acknowledged on top.
    pub(crate) fn views(&self) -> BTreeMap<Scope, Rows> {
        let replicas = self.disk.replicas.iter();
        let mut views: BTreeMap<_, _> =
            replicas.map(|(scope, replica)| (scope.clone(), replica.rows.clone())).collect();
        for pending in &self.disk.queue {
            if pending.sent.name != "act" {
                continue;
            }
            let mut forecast = Forecast { views: &mut views, written: Vec::new() };
            let done = act(&mut forecast, &pending.scopes[0], pending.act.clone());
            let done = done.now_or_never().expect("a forecast waits for nothing");
            let written = forecast.written;
            // One that fails in the forecast shows nothing and stays.
            if done.is_err() {
                continue;
            }
            for (scope, key, data) in written {
                if pending.acked.contains(&scope) {
                    continue;
                }
                let Some(rows) = views.get_mut(&scope) else { continue };
                match data {
                    Some(data) => drop(rows.insert(key, data)),
                    None => drop(rows.remove(&key)),
                }
            }
        }
        views
    }

    /// What it could send now, if anything.
    pub(crate) fn push(&mut self, most: usize) -> Option<(u64, Ask)> {
        let unsent = |pending: &&Pending| pending.status.is_none() && pending.expired.is_none();
        let (from, upto) = match &self.memory.push {
            None => (self.memory.answered + 1, u64::MAX),
            Some(Sending { uncertain: true, last, .. }) => (0, *last),
            Some(_) => return None,
        };
        let queue = self.disk.queue.iter().filter(unsent);
        let mut batch: Vec<_> = queue.filter(|pending| (from..=upto).contains(&pending.seq)).collect();
        if upto == u64::MAX {
            batch.truncate(most);
        }
        let Some(last) = batch.last().map(|pending| pending.seq) else {
            // A pull has settled it.
            self.memory.push = None;
            return None;
        };
        let ask = Ask::Push(batch.into_iter().map(|pending| pending.sent.clone()).collect());
        let request = self.request();
        let last = if upto == u64::MAX { last } else { upto };
        self.memory.push = Some(Sending { request, last, uncertain: false });
        Some((request, ask))
    }

    /// What it could ask about a scope now, if anything.
    pub(crate) fn pull(&mut self, scope: &Scope, limit: usize) -> Option<(u64, Ask)> {
        let replica = &self.disk.replicas[scope];
        if replica.needs_snapshot {
            if self.memory.snapshots.get(scope).is_some_and(|paging| paging.request.is_some()) {
                return None;
            }
            let request = self.request();
            let new = || Paging { since: request, ..Paging::default() };
            let paging = self.memory.snapshots.entry(scope.clone()).or_insert_with(new);
            paging.request = Some(request);
            return Some((request, Ask::Snapshot { scope: scope.clone(), page: paging.page.clone(), limit }));
        }
        if self.memory.pulls.contains_key(scope) {
            return None;
        }
        let cursor = replica.cursor;
        let request = self.request();
        self.memory.pulls.insert(scope.clone(), request);
        Some((request, Ask::Pull { scope: scope.clone(), cursor, limit }))
    }

    /// Wants a snapshot of a scope, whatever it has of it.
    pub(crate) fn start_over(&mut self, scope: &Scope) {
        self.disk.replicas.get_mut(scope).unwrap().needs_snapshot = true;
    }

    fn request(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    /// Gives up waiting for everything.
    pub(crate) fn lose_patience(&mut self) {
        if let Some(sending) = &mut self.memory.push {
            sending.uncertain = true;
        }
        self.memory.pulls.clear();
        for paging in self.memory.snapshots.values_mut() {
            paging.request = None;
        }
    }

    /// Takes an answer, which may be late, doubled, or to a question that is no longer asked.
    pub(crate) fn answer(&mut self, request: u64, answer: Answer) {
        match answer {
            Answer::Pushed(pushed) => self.pushed(request, pushed),
            Answer::Pulled(scope, from, pulled) => self.pulled(request, &scope, from, pulled),
            Answer::Snapshot(scope, snapshot) => self.snapshot(request, &scope, snapshot),
        }
    }

    /// A push's answer moves no cursor and, but for what will never be acknowledged, takes nothing from the queue.
    fn pushed(&mut self, request: u64, Pushed { results, stop }: Pushed) {
        let newest = self.requests;
        for Outcome { seq, status, cursor } in results {
            let seq = seq.get();
            if let Some(told) = self.disk.settled.get(&seq) {
                let same = status == Status::Expired || told.as_ref().is_none_or(|told| *told == status);
                assert!(same, "mutation {seq} was {told:?} and is {status:?} now");
            }
            self.memory.answered = self.memory.answered.max(seq);
            let Some(pending) = self.disk.queue.iter_mut().find(|pending| pending.seq == seq) else { continue };
            match &status {
                Status::Expired => drop(pending.expired.get_or_insert(newest)),
                Status::Rejected(_) if cursor.is_none() && pending.sent.scope.starts_with("closed") => {
                    pending.told(&status);
                    pending.acked = pending.scopes.iter().cloned().collect();
                }
                _ => pending.told(&status),
            }
        }
        self.settle();
        match &stop {
            None | Some(PushError::Unavailable(_) | PushError::Store(_)) => {}
            Some(stop) => panic!("a client that does everything right was told: {stop}"),
        }
        if let Some(sending) = &mut self.memory.push
            && sending.request == request
        {
            match stop {
                None => self.memory.push = None,
                // The same again, later.
                Some(_) => sending.uncertain = true,
            }
        }
    }

    fn pulled(&mut self, request: u64, scope: &Scope, from: Cursor, pulled: Result<Pulled, PullError>) {
        if self.memory.pulls.get(scope) == Some(&request) {
            self.memory.pulls.remove(scope);
        }
        let replica = self.disk.replicas.get_mut(scope).unwrap();
        // Only what follows on what is known.
        if replica.cursor != from || replica.needs_snapshot {
            return;
        }
        let Pulled { changes, cursor, has_more } = match pulled {
            Ok(pulled) => pulled,
            Err(PullError::CursorTooOld | PullError::EpochChanged) => {
                replica.needs_snapshot = true;
                return;
            }
            Err(PullError::Store(_)) => return,
            Err(error) => panic!("a client that does everything right was told: {error}"),
        };
        if cursor == from {
            assert!(changes.is_empty(), "a pull gave changes and no new cursor");
        }
        let mut acks = Vec::new();
        for change in changes {
            match change {
                Change::Create(row) | Change::Update(row) => insert(&mut replica.rows, row),
                Change::Delete { entity, id } => drop(replica.rows.remove(&(entity, id))),
                Change::Ack(ack) => {
                    assert!(
                        replica.acked.insert(ack.seq.get()),
                        "{scope} acknowledged mutation {} twice",
                        ack.seq.get()
                    );
                    acks.push(ack);
                }
            }
        }
        replica.cursor = cursor;
        replica.whole = !has_more;
        self.acked(scope, acks);
        if !has_more {
            self.complete(scope, request);
        }
        self.settle();
    }

    fn snapshot(&mut self, request: u64, scope: &Scope, snapshot: Result<Snapshot, PullError>) {
        let Some(paging) = self.memory.snapshots.get_mut(scope).filter(|paging| paging.request == Some(request)) else {
            return;
        };
        let Snapshot { rows, acks, last, cursor, next } = match snapshot {
            Ok(snapshot) => snapshot,
            Err(PullError::CursorTooOld | PullError::EpochChanged) => {
                // From the start.
                self.memory.snapshots.remove(scope);
                return;
            }
            Err(PullError::Store(_)) => {
                paging.request = None;
                return;
            }
            Err(error) => panic!("a client that does everything right was told: {error}"),
        };
        paging.request = None;
        for row in rows {
            insert(&mut paging.rows, row);
        }
        let first = paging.first.get_or_insert((acks, last, cursor));
        assert_eq!(first.2, cursor, "all pages of a snapshot are of one place");
        if next.is_some() {
            paging.page = next;
            return;
        }
        let Paging { since, rows, first, .. } = self.memory.snapshots.remove(scope).unwrap();
        let (acks, last, cursor) = first.unwrap();
        let replica = self.disk.replicas.get_mut(scope).unwrap();
        let acked = acks.iter().map(|ack| ack.seq.get()).collect();
        *replica = Replica { rows, cursor, acked, needs_snapshot: false, whole: true };
        self.acked(scope, acks);
        for pending in &mut self.disk.queue {
            if last.is_some_and(|last| pending.seq <= last.get()) {
                pending.acked.insert(scope.clone());
            }
        }
        self.complete(scope, since);
        self.settle();
    }

    fn acked(&mut self, scope: &Scope, acks: Vec<Ack>) {
        for Ack { seq, status } in acks {
            let seq = seq.get();
            let made = seq.checked_sub(1).and_then(|at| self.disk.made.get(at as usize));
            let made = made.unwrap_or_else(|| panic!("{scope} acknowledged mutation {seq}, which was never made"));
            assert!(made.scopes.contains(scope), "{scope} acknowledged mutation {seq}, which does not touch it");
            if let Some(Some(told)) = self.disk.settled.get(&seq) {
                assert_eq!(*told, status, "mutation {seq} was settled otherwise");
            }
            if let Some(pending) = self.disk.queue.iter_mut().find(|pending| pending.seq == seq) {
                pending.told(&status);
                pending.acked.insert(scope.clone());
            }
        }
    }

    /// All of a scope is known as of a request: what had expired before is in it.
    fn complete(&mut self, scope: &Scope, request: u64) {
        for pending in &mut self.disk.queue {
            if pending.expired.is_some_and(|at| at < request) {
                pending.acked.insert(scope.clone());
            }
        }
    }

    /// What every one of its scopes has acknowledged leaves the queue. For one that was refused a single scope is enough: it has no effect
    /// anywhere, and may have been refused before its other scopes were known. For one that expired, what can't be read is not waited for.
    fn settle(&mut self) {
        let Disk { settled, queue, replicas, .. } = &mut self.disk;
        queue.retain(|pending| {
            let readable = |scope: &Scope| pending.expired.is_none() || replicas.contains_key(scope);
            let refused = matches!(pending.status, Some(Status::Rejected(_))) && !pending.acked.is_empty();
            let done = refused
                || pending.scopes.iter().filter(|scope| readable(scope)).all(|scope| pending.acked.contains(scope));
            if done {
                settled.insert(pending.seq, pending.status.clone());
            }
            !done
        });
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.disk.queue.is_empty() && self.disk.replicas.values().all(|replica| !replica.needs_snapshot)
    }

    /// Whether the client was told that a mutation was refused.
    pub(crate) fn knows_refused(&self, seq: u64) -> bool {
        let pending = self.disk.queue.iter().find(|pending| pending.seq == seq);
        let told = match pending {
            Some(pending) => pending.status.as_ref(),
            None => self.disk.settled.get(&seq).and_then(Option::as_ref),
        };
        matches!(told, Some(Status::Rejected(_)))
    }
}

impl Pending {
    fn told(&mut self, status: &Status) {
        if let Some(before) = &self.status {
            assert_eq!(before, status, "mutation {} was told otherwise before", self.seq);
        }
        self.status = Some(status.clone());
    }
}

fn insert(rows: &mut Rows, row: Row) {
    rows.insert((row.entity, row.id), row.data.get().to_owned());
}
