//! A store that forgets everything with its process: for tests, and for data that may be lost.

use std::any::Any;
use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::value::RawValue;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::change::{Ack, Change, Row, Status};
use super::cursor::Epoch;
use super::entity::Scan;
use super::error::{Rejection, StoreError};
use super::ids::{Scope, Seq};
use super::store::{CompactAsk, Compacted, Extent, Group, PullAsk, PullPart, RowsAsk, RowsPart, Store};
use super::transaction::{Entry, Locked, Patience, Step, Stored, Transaction, done};
use super::work::{Done, Work};

/// A store in memory.
///
/// ```
/// use mizu::sync::{Engine, MemoryStore};
/// let engine = Engine::builder(MemoryStore::new()).build();
/// # let _ = engine;
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    /// Guards everything; held for a whole transaction or read, across the mutator's awaits.
    state: Arc<Mutex<State>>,
}

struct State {
    epoch: Epoch,
    scopes: BTreeMap<Scope, Log>,
    clients: HashMap<String, (String, Seq)>,
    /// Where a sender's outcomes are: by number, the scopes and positions.
    outcomes: HashMap<String, BTreeMap<Seq, Vec<(Scope, u64)>>>,
}

#[derive(Default)]
struct Log {
    head: u64,
    horizon: u64,
    compacted: u64,
    entries: BTreeMap<u64, LogEntry>,
    /// The versions of each row, by the position at which they came.
    rows: BTreeMap<Key, BTreeMap<u64, Version>>,
    /// Which rows changed at a position.
    changed: BTreeSet<(u64, Key)>,
}

type Key = (String, String);

struct LogEntry {
    check: u64,
    at: i64,
    sender: Option<String>,
    seq: Seq,
    hash: u64,
    status: Status,
}

#[derive(Clone)]
struct Version {
    created: bool,
    data: Option<Arc<str>>,
}

/// What undoes a write.
enum Undo {
    Version(Scope, Key, u64, Option<Version>),
    Entry(Scope, u64),
    Head(Scope, u64),
    Client(String, Option<(String, Seq)>),
}

impl MemoryStore {
    /// An empty store.
    ///
    /// ```
    /// let store = mizu::sync::MemoryStore::new();
    /// # let _ = store;
    /// ```
    pub fn new() -> Self {
        let state = State {
            epoch: Epoch::random(),
            scopes: BTreeMap::new(),
            clients: HashMap::new(),
            outcomes: HashMap::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn write(&self, work: Arc<Work>) -> BoxFuture<'_, Result<Done, StoreError>> {
        Box::pin(async move {
            let state = self.state.clone().lock_owned().await;
            // Dropped before the commit, it undoes what it did.
            let mut group = Group::new(Box::new(MemoryTransaction { state, undo: Vec::new(), savepoint: 0 }));
            let done = work.run(&mut group).await?;
            let mut transaction = group.finish().await?;
            if let Some(transaction) = transaction.raw().downcast_mut::<MemoryTransaction>() {
                transaction.undo.clear();
            }
            Ok(done)
        })
    }

    fn pull(&self, ask: PullAsk) -> BoxFuture<'_, Result<PullPart, StoreError>> {
        Box::pin(async move { Ok(self.state.lock().await.pull(&ask)) })
    }

    fn rows(&self, ask: RowsAsk) -> BoxFuture<'_, Result<RowsPart, StoreError>> {
        Box::pin(async move { Ok(self.state.lock().await.rows(&ask)) })
    }

    fn compact(&self, ask: CompactAsk) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        Box::pin(async move { Ok(self.state.lock().await.compact(&ask)) })
    }

    fn bump_epoch(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        Box::pin(async move {
            let mut state = self.state.lock().await;
            state.epoch = Epoch::random();
            Ok(state.epoch)
        })
    }
}

impl State {
    fn extent(&self, scope: &Scope) -> Extent {
        let log = self.scopes.get(scope);
        let of = |read: fn(&Log) -> u64| log.map_or(0, read);
        Extent {
            epoch: self.epoch,
            head: of(|log| log.head),
            horizon: of(|log| log.horizon),
            compacted: of(|log| log.compacted),
        }
    }

    fn check(&self, scope: &Scope, position: u64) -> Option<u64> {
        match position {
            0 => Some(0),
            _ => self.scopes.get(scope)?.entries.get(&position).map(|entry| entry.check),
        }
    }

    fn pull(&self, ask: &PullAsk) -> PullPart {
        let extent = self.extent(&ask.scope);
        let client = ask.client.as_ref().map(|client| client.as_str());
        let user = client.and_then(|client| self.clients.get(client)).map(|(user, _)| user.clone());
        let check = self.check(&ask.scope, ask.from);
        let mut part = PullPart { extent, check, user, changes: Vec::new(), upto: (ask.from, check.unwrap_or(0)) };
        let Some(log) = self.scopes.get(&ask.scope) else { return part };
        let (mut rows, mut acks, mut bytes) = (0, 0, 0);
        for (position, entry) in log.entries.range((Bound::Excluded(ask.from), Bound::Unbounded)) {
            let keys = log.changed.range((*position, Key::default())..(*position + 1, Key::default()));
            let changes: Vec<_> = keys.map(|(_, key)| change(key, &log.rows[key][position])).collect();
            let own = entry.sender.is_some() && entry.sender.as_deref() == client;
            rows += changes.len();
            acks += usize::from(own);
            bytes += changes.iter().map(size).sum::<usize>();
            if part.upto.0 > ask.from && (rows > ask.limit || acks > ask.limit || bytes > ask.bytes) {
                break;
            }
            part.changes.extend(changes);
            if own {
                part.changes.push(Change::Ack(Ack { seq: entry.seq, status: entry.status.clone() }));
            }
            part.upto = (*position, entry.check);
        }
        part
    }

    fn rows(&self, ask: &RowsAsk) -> RowsPart {
        let extent = self.extent(&ask.scope);
        let at = ask.at.unwrap_or(extent.head);
        let name = ask.client.as_ref().map(|client| client.as_str());
        let client = name.and_then(|client| self.clients.get(client)).cloned();
        let at_check = (at, self.check(&ask.scope, at));
        let mut part = RowsPart { extent, at: at_check, client, acks: Vec::new(), rows: Vec::new(), more: false };
        let Some(log) = self.scopes.get(&ask.scope) else { return part };
        if let (Some(outcomes), 1..) = (name.and_then(|name| self.outcomes.get(name)), ask.acks) {
            let position = |places: &[(Scope, u64)]| {
                places
                    .iter()
                    .find(|(scope, position)| *scope == ask.scope && *position <= at)
                    .map(|(_, position)| *position)
            };
            let acks = outcomes.iter().rev().filter_map(|(_, places)| log.entries.get(&position(places)?));
            part.acks = acks.take(ask.acks).map(|entry| Ack { seq: entry.seq, status: entry.status.clone() }).collect();
            part.acks.reverse();
        }
        let entity = ask.entity.as_deref();
        let start = match &ask.after {
            Some(after) => Bound::Excluded(after.clone()),
            None => Bound::Included((entity.unwrap_or_default().to_owned(), ask.prefix.clone())),
        };
        let mut bytes = 0;
        for (key, versions) in log.rows.range((start, Bound::Unbounded)) {
            if entity.is_some_and(|entity| entity != key.0) {
                break;
            }
            if !key.1.starts_with(&ask.prefix) {
                if key.1.as_str() > ask.prefix.as_str() {
                    break;
                }
                continue;
            }
            let Some(Version { data: Some(data), .. }) = versions.range(..=at).next_back().map(|(_, version)| version)
            else {
                continue;
            };
            bytes += data.len();
            if part.rows.len() >= ask.limit || (!part.rows.is_empty() && bytes > ask.bytes) {
                part.more = true;
                break;
            }
            part.rows.push(row(key, data));
        }
        part
    }

    fn compact(&mut self, ask: &CompactAsk) -> Compacted {
        let mut done = Compacted::default();
        let from = ask.from.clone().map_or(Bound::Unbounded, Bound::Included);
        for (scope, log) in self.scopes.range_mut((from, Bound::Unbounded)) {
            if done.changes + done.entries >= ask.budget as u64 {
                done.next = Some(scope.clone());
                return done;
            }
            let upto = |log: &Log, at: i64| {
                let young = log.entries.iter().find(|(_, entry)| entry.at > at);
                young.map_or(log.head, |(position, _)| position - 1)
            };
            log.compacted = log.compacted.max(upto(log, ask.compact_at));
            let by_age = ask.horizon_at.map_or(0, |at| upto(log, at));
            let by_count = ask.keep.map_or(0, |keep| log.head.saturating_sub(keep));
            log.horizon = log.horizon.max(by_age.max(by_count).min(log.compacted));
            let (compacted, horizon) = (log.compacted, log.horizon);
            log.rows.retain(|key, versions| {
                let mut gone: Vec<u64> = versions.keys().copied().collect();
                // A version goes when the next one is compacted; a tombstone also when it is beyond the horizon.
                let newest = gone.pop();
                let nexts = gone.iter().skip(1).chain(&newest).copied().collect::<Vec<_>>();
                let mut gone: Vec<u64> =
                    gone.into_iter().zip(nexts).filter(|(_, next)| *next <= compacted).map(|(at, _)| at).collect();
                let dead = |at: &u64| *at <= horizon && versions.get(at).is_some_and(|version| version.data.is_none());
                gone.extend(newest.filter(dead));
                for at in gone {
                    versions.remove(&at);
                    log.changed.remove(&(at, key.clone()));
                    done.changes += 1;
                }
                !versions.is_empty()
            });
            let kept = log.entries.split_off(&horizon);
            for (_, entry) in std::mem::replace(&mut log.entries, kept) {
                done.entries += 1;
                if let Some(outcomes) = entry.sender.as_ref().and_then(|sender| self.outcomes.get_mut(sender))
                    && let MapEntry::Occupied(mut places) = outcomes.entry(entry.seq)
                {
                    // The entries in other scopes still tell what came of it.
                    places.get_mut().retain(|(other, _)| other != scope);
                    if places.get().is_empty() {
                        places.remove();
                    }
                }
            }
        }
        self.outcomes.retain(|_, outcomes| !outcomes.is_empty());
        done
    }
}

fn row((entity, id): &Key, data: &str) -> Row {
    // What was written came out of serde_json.
    let data = RawValue::from_string(data.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned());
    Row { entity: entity.clone(), id: id.clone(), data }
}

fn change(key: &Key, version: &Version) -> Change {
    match &version.data {
        Some(data) if version.created => Change::Create(row(key, data)),
        Some(data) => Change::Update(row(key, data)),
        None => Change::Delete { entity: key.0.clone(), id: key.1.clone() },
    }
}

fn size(change: &Change) -> usize {
    match change {
        Change::Create(row) | Change::Update(row) => row.data.get().len(),
        Change::Delete { .. } | Change::Ack(_) => 0,
    }
}

struct MemoryTransaction {
    state: OwnedMutexGuard<State>,
    undo: Vec<Undo>,
    savepoint: usize,
}

impl MemoryTransaction {
    fn undo_to(&mut self, mark: usize) {
        for undo in self.undo.drain(mark..).rev() {
            match undo {
                Undo::Version(scope, key, position, before) => {
                    let Some(log) = self.state.scopes.get_mut(&scope) else { continue };
                    let MapEntry::Occupied(mut versions) = log.rows.entry(key.clone()) else { continue };
                    match before {
                        Some(version) => drop(versions.get_mut().insert(position, version)),
                        None => {
                            versions.get_mut().remove(&position);
                            log.changed.remove(&(position, key));
                        }
                    }
                    if versions.get().is_empty() {
                        versions.remove();
                    }
                }
                Undo::Entry(scope, position) => {
                    let entry = self.state.scopes.get_mut(&scope).and_then(|log| log.entries.remove(&position));
                    if let Some((sender, seq)) = entry.and_then(|entry| Some((entry.sender?, entry.seq)))
                        && let Some(outcomes) = self.state.outcomes.get_mut(&sender)
                    {
                        outcomes.remove(&seq);
                    }
                }
                Undo::Head(scope, head) => {
                    if let Some(log) = self.state.scopes.get_mut(&scope) {
                        log.head = head;
                    }
                }
                Undo::Client(client, before) => match before {
                    Some(before) => drop(self.state.clients.insert(client, before)),
                    None => drop(self.state.clients.remove(&client)),
                },
            }
        }
    }
}

impl Drop for MemoryTransaction {
    fn drop(&mut self) {
        self.undo_to(0);
    }
}

impl Transaction for MemoryTransaction {
    fn patience(&self) -> Patience {
        Patience::Awaits
    }

    fn lock<'a>(&'a mut self, sender: Option<&'a str>, scopes: &'a [Scope]) -> Step<'a, Locked> {
        let client = sender.and_then(|sender| self.state.clients.get(sender)).cloned();
        let heads = scopes.iter().map(|scope| self.state.extent(scope).head).collect();
        done(Ok(Locked { epoch: self.state.epoch, client, heads }))
    }

    fn outcome<'a>(&'a mut self, sender: &'a str, seq: Seq) -> Step<'a, Option<Stored>> {
        let state = &*self.state;
        let places = state.outcomes.get(sender).and_then(|outcomes| outcomes.get(&seq));
        let mut stored: Option<Stored> = None;
        for (scope, position) in places.into_iter().flatten() {
            let Some(entry) = state.scopes.get(scope).and_then(|log| log.entries.get(position)) else { continue };
            let place = (scope.clone(), *position, entry.check);
            let new = || Stored { hash: entry.hash, status: entry.status.clone(), entries: Vec::new() };
            stored.get_or_insert_with(new).entries.push(place);
        }
        done(Ok(stored))
    }

    fn savepoint(&mut self) -> Step<'_, ()> {
        self.savepoint = self.undo.len();
        done(Ok(()))
    }

    fn rollback(&mut self) -> Step<'_, ()> {
        self.undo_to(self.savepoint);
        done(Ok(()))
    }

    fn release(&mut self) -> Step<'_, Option<Rejection>> {
        done(Ok(None))
    }

    fn get<'a>(&'a mut self, scope: &'a Scope, entity: &'a str, id: &'a str) -> Step<'a, Option<String>> {
        let key = (entity.to_owned(), id.to_owned());
        let versions = self.state.scopes.get(scope).and_then(|log| log.rows.get(&key));
        let newest = versions.and_then(|versions| versions.values().next_back());
        done(Ok(newest.and_then(|version| version.data.as_deref()).map(str::to_owned)))
    }

    fn scan<'a>(&'a mut self, scope: &'a Scope, entity: &'a str, scan: &'a Scan) -> Step<'a, Vec<Row>> {
        let ask = RowsAsk {
            scope: scope.clone(),
            client: None,
            at: Some(u64::MAX),
            entity: Some(entity.to_owned()),
            prefix: scan.prefix.clone(),
            after: scan.after.clone().map(|after| (entity.to_owned(), after)),
            limit: scan.limit.unwrap_or(usize::MAX),
            bytes: usize::MAX,
            acks: 0,
        };
        done(Ok(self.state.rows(&ask).rows))
    }

    fn put<'a>(
        &'a mut self,
        scope: &'a Scope,
        position: u64,
        entity: &'a str,
        id: &'a str,
        data: Option<&'a str>,
    ) -> Step<'a, bool> {
        let key = (entity.to_owned(), id.to_owned());
        let log = self.state.scopes.entry(scope.clone()).or_default();
        let versions = log.rows.entry(key.clone()).or_default();
        let newest = versions.iter().next_back().map(|(at, version)| (*at, version.clone()));
        let there = newest.as_ref().is_some_and(|(_, version)| version.data.is_some());
        let same = newest.filter(|(at, _)| *at == position).map(|(_, version)| version);
        if data.is_none() && !there {
            if versions.is_empty() {
                log.rows.remove(&key);
            }
            return done(Ok(false));
        }
        let created = same.as_ref().map_or(!there, |version| version.created);
        versions.insert(position, Version { created, data: data.map(Into::into) });
        log.changed.insert((position, key.clone()));
        self.undo.push(Undo::Version(scope.clone(), key, position, same));
        done(Ok(there))
    }

    fn log<'a>(&'a mut self, entry: Entry<'a>) -> Step<'a, ()> {
        let log = self.state.scopes.entry(entry.scope.clone()).or_default();
        let kept = LogEntry {
            check: entry.check,
            at: entry.at,
            sender: entry.sender.map(str::to_owned),
            seq: entry.seq,
            hash: entry.hash,
            status: entry.status.clone(),
        };
        log.entries.insert(entry.position, kept);
        if let Some(sender) = entry.sender {
            let outcomes = self.state.outcomes.entry(sender.to_owned()).or_default();
            outcomes.entry(entry.seq).or_default().push((entry.scope.clone(), entry.position));
        }
        self.undo.push(Undo::Entry(entry.scope.clone(), entry.position));
        done(Ok(()))
    }

    fn advance_scopes<'a>(&'a mut self, heads: &'a [(Scope, u64)]) -> Step<'a, ()> {
        for (scope, head) in heads {
            let log = self.state.scopes.entry(scope.clone()).or_default();
            let before = std::mem::replace(&mut log.head, *head);
            self.undo.push(Undo::Head(scope.clone(), before));
        }
        done(Ok(()))
    }

    fn advance_client<'a>(&'a mut self, client: &'a str, user: &'a str, last: Seq, _at: i64) -> Step<'a, ()> {
        let before = self.state.clients.insert(client.to_owned(), (user.to_owned(), last));
        self.undo.push(Undo::Client(client.to_owned(), before));
        done(Ok(()))
    }

    fn raw(&mut self) -> &mut dyn Any {
        self
    }
}
