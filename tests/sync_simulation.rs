//! Clients, one server and a network that does everything networks do, by one random number: whatever the seed, in the end everybody has
//! what the server has, each mutation was done once, and each client knows what came of its own.
//!
//! A seed that fails says so, and is run alone, with all its steps printed, by
//! `MIZU_SEED=123 cargo test --all-features --test sync_simulation memory::seeds_0 -- --nocapture`.
//! `MIZU_SEEDS=10000` runs so many seeds in each test.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

#[path = "support/sync_client.rs"]
mod sync_client;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use futures::future::{BoxFuture, join_all};
use mizu::Who;
use mizu::sync::store::{CompactAsk, Compacted, Done, PullAsk, PullPart, RowsAsk, RowsPart, Store, Work};
use mizu::sync::{
    ClientId, Engine, Epoch, Error, MemoryStore, Push, Result, Retention, Scan, Scope, Status, StoreError, Tx,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use self::sync_client::{Act, Answer, Ask, Client, Fate, Rows, ServerTable, act};

/// Seeds that once failed, and what was wrong.
const REGRESSIONS: &[(u64, &str)] = &[
    (391, "refused in a scope that nobody may read, and expired there: a client waited for it for ever"),
    (679, "refused before its second scope was known: a client waited for the second acknowledgement for ever"),
];

/// A store that a server opens, loses and opens again.
trait Backend {
    /// Whether mutators may await.
    const AWAITS: bool;

    fn open(&mut self) -> Arc<dyn Store>;

    /// The server's process ends: what was committed is there when it is opened again.
    fn crash(&mut self, rng: &mut StdRng);
}

struct Memory(MemoryStore);

impl Backend for Memory {
    const AWAITS: bool = true;

    fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }

    fn crash(&mut self, _: &mut StdRng) {}
}

/// A file, which a crash leaves as it is: with what was written and not yet tidied up.
#[cfg(feature = "sqlite")]
struct File {
    folder: std::path::PathBuf,
    crashes: usize,
    store: Option<mizu::sync::SqliteStore>,
}

#[cfg(feature = "sqlite")]
impl File {
    fn new(seed: u64) -> Self {
        let name = format!("simulation-{}-{seed}", std::process::id());
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, crashes: 0, store: None }
    }

    fn path(&self, suffix: &str) -> std::path::PathBuf {
        self.folder.join(format!("{}.db{suffix}", self.crashes))
    }
}

#[cfg(feature = "sqlite")]
impl Backend for File {
    const AWAITS: bool = false;

    fn open(&mut self) -> Arc<dyn Store> {
        use mizu::sync::{Durability, SqliteStore};
        let path = self.path("");
        let store = self.store.get_or_insert_with(|| SqliteStore::open_with(path, Durability::Normal).unwrap());
        Arc::new(store.clone())
    }

    /// Half of the time the file is taken as it lies on the disk while the dead process still had it open.
    fn crash(&mut self, rng: &mut StdRng) {
        if self.store.is_some() && rng.random_bool(0.5) {
            let before = [self.path(""), self.path("-wal")];
            self.crashes += 1;
            for (from, to) in before.iter().zip([self.path(""), self.path("-wal")]) {
                std::fs::copy(from, to).unwrap();
            }
        }
        self.store = None;
    }
}

#[cfg(feature = "sqlite")]
impl Drop for File {
    fn drop(&mut self) {
        self.store = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// How writes end early.
#[derive(Default)]
struct Cuts {
    /// After so many polls the next write is dropped; 0 for none.
    polls: AtomicUsize,
    /// How many mutations can't be done now.
    down: AtomicUsize,
}

/// A store whose writes are dropped where it is told so.
struct Cut {
    store: Arc<dyn Store>,
    cuts: Arc<Cuts>,
}

impl Store for Cut {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn write(&self, work: Arc<Work>) -> BoxFuture<'_, Result<Done, StoreError>> {
        let polls = self.cuts.polls.swap(0, Ordering::Relaxed);
        let mut write = self.store.write(work);
        if polls == 0 {
            return write;
        }
        let mut left = polls;
        Box::pin(async move {
            let cut = std::future::poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                write.as_mut().poll(cx).map(Some)
            })
            .await;
            drop(write);
            if let Some(done) = cut {
                return done;
            }
            // Where a write goes on in a thread of its own, this waits behind it.
            let nothing = CompactAsk { from: None, compact_at: 0, horizon_at: None, keep: None, budget: 1 };
            self.store.compact(nothing).await?;
            Err(StoreError::message("the server died while it wrote"))
        })
    }

    fn pull(&self, ask: PullAsk) -> BoxFuture<'_, Result<PullPart, StoreError>> {
        self.store.pull(ask)
    }

    fn rows(&self, ask: RowsAsk) -> BoxFuture<'_, Result<RowsPart, StoreError>> {
        self.store.rows(ask)
    }

    fn compact(&self, ask: CompactAsk) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        self.store.compact(ask)
    }

    fn bump_epoch(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        self.store.bump_epoch()
    }
}

/// Something in the network.
#[derive(Clone)]
enum Packet {
    Request { client: usize, life: u64, request: u64, ask: Ask },
    Answer { client: usize, life: u64, request: u64, answer: Answer },
}

/// How often what happens, of 100.
struct Weather {
    drops: u32,
    doubles: u32,
    client_crashes: u32,
    server_crashes: u32,
    cuts: u32,
    compactions: u32,
    downs: u32,
    bumps: u32,
    snapshots: u32,
    skews: u32,
}

struct World<B> {
    seed: u64,
    trace: bool,
    rng: StdRng,
    backend: B,
    engine: Option<Engine>,
    clients: Vec<Client>,
    scopes: Vec<Scope>,
    network: Vec<Packet>,
    heard: usize,
    weather: Weather,
    cuts: Arc<Cuts>,
    clock: Arc<AtomicI64>,
    retention: Retention,
}

macro_rules! trace {
    ($world:expr, $($text:tt)*) => {
        if $world.trace {
            println!($($text)*);
        }
    };
}

impl<B: Backend> World<B> {
    fn new(seed: u64, backend: B, trace: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let scopes: Vec<_> = (0..rng.random_range(1..=3)).map(|n| Scope::new(&format!("open:{n}")).unwrap()).collect();
        let clients = (0..rng.random_range(1..=4)).map(|_| Client::new(random_id(&mut rng), &scopes)).collect();
        // Some seeds have good weather in one thing or another.
        let mut often = |most: u32| if rng.random_bool(0.4) { 0 } else { rng.random_range(0..=most) };
        let weather = Weather {
            drops: often(40),
            doubles: often(40),
            client_crashes: often(8),
            server_crashes: often(5),
            cuts: often(30),
            compactions: often(20),
            downs: often(8),
            bumps: often(1),
            snapshots: often(6),
            skews: often(5),
        };
        let millis = Duration::from_millis;
        let retention = Retention {
            age: rng.random_bool(0.5).then(|| millis(rng.random_range(0..5_000))),
            entries: rng.random_bool(0.6).then(|| rng.random_range(0..8)),
            grace: millis(if rng.random_bool(0.5) { 0 } else { rng.random_range(0..3_000) }),
            every: None,
        };
        Self {
            seed,
            trace,
            rng,
            backend,
            engine: None,
            clients,
            scopes,
            network: Vec::new(),
            heard: 0,
            weather,
            cuts: Arc::default(),
            clock: Arc::new(AtomicI64::new(1_700_000_000_000)),
            retention,
        }
    }

    fn engine(&mut self) -> Engine {
        if self.engine.is_none() {
            let (clock, cuts) = (self.clock.clone(), self.cuts.clone());
            let pauses = if B::AWAITS { self.seed as usize % 3 } else { 0 };
            let store = Cut { store: self.backend.open(), cuts: cuts.clone() };
            let mutator = mutator(move |tx: &mut Tx, what: Act| {
                let down = cuts.down.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |down| down.checked_sub(1));
                Box::pin(async move {
                    if down.is_ok() {
                        return Err(Error::unavailable("not now"));
                    }
                    let scope = tx.scope().clone();
                    act(&mut ServerTable { tx, pauses }, &scope, what).await
                })
            });
            let engine = Engine::builder(store)
                .mutator("act", mutator)
                .scopes(|what: &Act| what.scopes())
                .public("open:*")
                .retention(self.retention)
                .clock(move || SystemTime::UNIX_EPOCH + Duration::from_millis(clock.load(Ordering::Relaxed) as u64))
                .build();
            self.engine = Some(engine);
        }
        self.engine.clone().unwrap()
    }

    fn happens(&mut self, of_100: u32) -> bool {
        self.rng.random_range(0..100) < of_100
    }

    async fn run(mut self) -> usize {
        let most = self.rng.random_range(2..12);
        let steps = self.rng.random_range(50..250);
        for _ in 0..steps {
            self.step(most).await;
        }
        self.calm().await;
        self.check().await;
        steps
    }

    async fn step(&mut self, most: usize) {
        self.clock.fetch_add(self.rng.random_range(0..200), Ordering::Relaxed);
        let (client_crashes, server_crashes) = (self.weather.client_crashes, self.weather.server_crashes);
        if self.happens(client_crashes) {
            let client = self.rng.random_range(0..self.clients.len());
            trace!(self, "client {client} crashes");
            self.clients[client].crash();
        }
        if self.happens(server_crashes) {
            trace!(self, "the server crashes");
            self.engine = None;
            self.backend.crash(&mut self.rng);
        }
        if self.happens(self.weather.compactions) {
            let removed = self.engine().compact().await.unwrap();
            trace!(self, "compacted: {removed:?}");
        }
        if self.happens(self.weather.bumps) {
            trace!(self, "a new epoch");
            self.engine().bump_epoch().await.unwrap();
        }
        if self.happens(self.weather.snapshots) {
            let client = self.rng.random_range(0..self.clients.len());
            let scope = self.scopes.choose(&mut self.rng).unwrap().clone();
            trace!(self, "client {client} starts over in {scope}");
            self.clients[client].start_over(&scope);
        }
        if self.happens(self.weather.skews) {
            let by = [3_600_000, -3_600_000, 30_000, -30_000][self.rng.random_range(0..4)];
            trace!(self, "the clock is set by {by} ms");
            self.clock.fetch_add(by, Ordering::Relaxed);
        }
        if self.happens(self.weather.downs) {
            self.cuts.down.store(self.rng.random_range(0..4), Ordering::Relaxed);
        }
        match self.rng.random_range(0..10) {
            0..2 => self.mutate(most),
            2..4 => self.send(),
            4 if self.rng.random_bool(0.3) => {
                let client = self.rng.random_range(0..self.clients.len());
                trace!(self, "client {client} loses patience");
                self.clients[client].lose_patience();
            }
            _ => self.deliver().await,
        }
    }

    /// A client does something; its view shows it at once.
    fn mutate(&mut self, most: usize) {
        let client = self.rng.random_range(0..self.clients.len());
        if self.clients[client].disk.made.len() >= most {
            return;
        }
        let scope = self.scopes.choose(&mut self.rng).unwrap().clone();
        let id = format!("{client}:{}", self.clients[client].disk.next);
        let by = self.rng.random_range(1..1_000);
        let act = match self.rng.random_range(0..16) {
            0..4 => Act::Add { id, by },
            4..6 => Act::Set {
                key: self.rng.random_range(0..3),
                value: self.rng.random_bool(0.7).then(|| self.rng.random_range(0..100)),
            },
            6 => Act::Take { id },
            7 => Act::Stock { by: by % 3 + 1 },
            8..12 => Act::Send { id, by, to: self.scopes.choose(&mut self.rng).unwrap().clone() },
            12 => Act::Nothing,
            13 => Act::Refuse { id },
            14 => Act::Surprise { id },
            _ => Act::Panic { id },
        };
        // Now and then one that the server knows nothing of, or that this client may not do.
        let (name, scope) = match self.rng.random_range(0..25) {
            0 => ("absent", scope),
            1 => ("act", Scope::new("closed").unwrap()),
            _ => ("act", scope),
        };
        trace!(self, "client {client} makes {}: {name} {act:?} in {scope}", self.clients[client].disk.next);
        self.clients[client].mutate(&scope, name, act);
        self.check_views(client);
    }

    /// A client asks for something.
    fn send(&mut self) {
        let client = self.rng.random_range(0..self.clients.len());
        let limit = [1, 2, 5, 1_000][self.rng.random_range(0..4)];
        let scope = self.scopes.choose(&mut self.rng).unwrap().clone();
        let (batch, pushes) = (self.rng.random_range(1..6), self.rng.random_bool(0.5));
        let asked = match pushes {
            true => self.clients[client].push(batch),
            false => self.clients[client].pull(&scope, limit),
        };
        if let Some((request, ask)) = asked {
            trace!(self, "client {client} sends {request}: {}", brief(&ask));
            let life = self.clients[client].life;
            self.network.push(Packet::Request { client, life, request, ask });
        }
    }

    /// Something in the network arrives, in any order; or is lost, or doubled. Requests may arrive at once.
    async fn deliver(&mut self) {
        let mut asked = Vec::new();
        for _ in 0..self.rng.random_range(1..4) {
            if self.network.is_empty() {
                break;
            }
            let packet = self.network.swap_remove(self.rng.random_range(0..self.network.len()));
            if self.happens(self.weather.drops) {
                continue;
            }
            if self.happens(self.weather.doubles) {
                self.network.push(packet.clone());
            }
            match packet {
                Packet::Request { client, life, request, ask } => asked.push((client, life, request, ask)),
                Packet::Answer { client, life, request, answer } => self.receive(client, life, request, answer),
            }
        }
        if asked.is_empty() {
            return;
        }
        if self.happens(self.weather.cuts) {
            self.cuts.polls.store(self.rng.random_range(1..12), Ordering::Relaxed);
        }
        let engine = self.engine();
        // Writes at once, then reads at once: what a read sees does not depend on how threads run.
        let (pushes, reads): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(.., ask)| matches!(ask, Ask::Push(_)));
        for asked in [pushes, reads] {
            let answers = asked.into_iter().map(|(client, life, request, ask)| {
                let id = self.clients[client].disk.client.clone();
                let engine = engine.clone();
                async move { (client, life, request, serve(&engine, &id, ask).await) }
            });
            for (client, life, request, answer) in join_all(answers).await {
                trace!(self, "the server answers {request} of client {client}: {}", told(&answer));
                self.network.push(Packet::Answer { client, life, request, answer });
            }
        }
        self.cuts.polls.store(0, Ordering::Relaxed);
    }

    fn receive(&mut self, client: usize, life: u64, request: u64, answer: Answer) {
        if self.clients[client].life != life {
            return;
        }
        trace!(self, "client {client} hears {request}: {}", told(&answer));
        self.clients[client].answer(request, answer);
        // It costs most of the time: of many seeds it is looked at now and then, of one always.
        self.heard += 1;
        if self.trace || self.heard.is_multiple_of(3) {
            self.check_views(client);
            self.check_whole(client);
        }
    }

    /// Whatever happens, a client sees what it did until it is told that it was refused.
    fn check_views(&self, client: usize) {
        let client = &self.clients[client];
        let views = client.views();
        for made in &client.disk.made {
            let Some(mark) = made.act.mark() else { continue };
            let sees = |scope: &Scope| views.get(scope).is_some_and(|rows| rows.contains_key(&key("mark", mark)));
            if made.sent.name != "act" || made.sent.scope == "closed" || client.knows_refused(made.seq) {
                continue;
            }
            match made.act {
                Act::Add { .. } | Act::Send { .. } => {
                    for scope in made.scopes.iter().filter(|scope| views.contains_key(scope)) {
                        assert!(sees(scope), "mutation {} of a client is out of its sight in {scope}", made.seq);
                    }
                }
                Act::Refuse { .. } => assert!(!sees(&made.scopes[0]), "a mutation that fails in the forecast is shown"),
                _ => {}
            }
        }
    }

    /// What a client has of one place of the server's log is what a whole number of mutations left.
    fn check_whole(&self, client: usize) {
        for (scope, replica) in self.clients[client].disk.replicas.iter().filter(|(_, replica)| replica.whole) {
            let rows = &replica.rows;
            let mut sum = 0;
            for id in listed(rows) {
                let (client, seq) = id.split_once(':').unwrap();
                let made = &self.clients[client.parse::<usize>().unwrap()].disk.made;
                sum += made[seq.parse::<usize>().unwrap() - 1].act.adds();
                assert!(rows.contains_key(&key("mark", &id)), "half of the mutation {id} is seen in {scope}");
            }
            assert_eq!(number(rows, "sum"), sum, "the sum of {scope} is not that of what was added");
        }
    }

    /// Everything works from here on: everybody comes to an end.
    async fn calm(&mut self) {
        trace!(self, "everything works from here on");
        self.cuts.down.store(0, Ordering::Relaxed);
        let engine = self.engine();
        // What is still in the network arrives late.
        for packet in std::mem::take(&mut self.network) {
            match packet {
                Packet::Request { client, life, request, ask } => {
                    let answer = serve(&engine, &self.clients[client].disk.client.clone(), ask).await;
                    self.receive(client, life, request, answer);
                }
                Packet::Answer { client, life, request, answer } => self.receive(client, life, request, answer),
            }
        }
        for client in 0..self.clients.len() {
            self.clients[client].lose_patience();
            let id = self.clients[client].disk.client.clone();
            let mut rounds = 0;
            loop {
                rounds += 1;
                assert!(
                    rounds < 200,
                    "client {client} does not come to an end: {} left",
                    self.clients[client].disk.queue.len()
                );
                while let Some((request, ask)) = self.clients[client].push(100) {
                    let life = self.clients[client].life;
                    let answer = serve(&engine, &id, ask).await;
                    self.receive(client, life, request, answer);
                }
                let mut moved = false;
                for scope in self.scopes.clone() {
                    let before = self.clients[client].disk.replicas[&scope].cursor;
                    let life = self.clients[client].life;
                    let (request, ask) = self.clients[client].pull(&scope, 3).unwrap();
                    let answer = serve(&engine, &id, ask).await;
                    self.receive(client, life, request, answer);
                    moved |= self.clients[client].disk.replicas[&scope].cursor != before;
                }
                if !moved && self.clients[client].is_idle() {
                    break;
                }
            }
        }
        // Those who were done first hear of the others.
        for client in 0..self.clients.len() {
            for scope in self.scopes.clone() {
                let head = engine.read(&scope).cursor().await.unwrap();
                while self.clients[client].disk.replicas[&scope].cursor.position() < head.position() {
                    let (request, ask) = self.clients[client].pull(&scope, 1_000).unwrap();
                    let life = self.clients[client].life;
                    let answer = serve(&engine, &self.clients[client].disk.client.clone(), ask).await;
                    self.receive(client, life, request, answer);
                }
            }
        }
    }

    /// Everybody has what the server has, everything was done once, and everybody knows what came of their own.
    async fn check(&mut self) {
        let engine = self.engine();
        let mut truth = BTreeMap::<Scope, Rows>::new();
        for scope in &self.scopes {
            let mut rows = Rows::new();
            for kind in ["mark", "number", "set", "list"] {
                for row in engine.read(scope).scan_rows(kind, Scan::all()).await.unwrap() {
                    rows.insert((row.entity, row.id), row.data.get().to_owned());
                }
            }
            truth.insert(scope.clone(), rows);
        }
        let mut expected: BTreeMap<_, _> = self.scopes.iter().map(|scope| (scope.clone(), Sums::default())).collect();
        for (n, client) in self.clients.iter().enumerate() {
            assert!(client.disk.queue.is_empty(), "client {n} has something pending in the end");
            assert_eq!(client.views(), truth, "client {n} shows something else than the server has");
            for made in &client.disk.made {
                let Some(told) = client.disk.settled.get(&made.seq) else {
                    panic!("client {n} was told nothing of its mutation {}", made.seq);
                };
                let fate = match (made.sent.name.as_str(), made.sent.scope.as_str()) {
                    (_, "closed") => Fate::Rejected("scope_forbidden"),
                    ("absent", _) => Fate::Rejected("unknown_mutator"),
                    _ => made.act.fate(),
                };
                let marked = |scope: &Scope| {
                    truth
                        .get(scope)
                        .is_some_and(|rows| made.act.mark().is_some_and(|mark| rows.contains_key(&key("mark", mark))))
                };
                let applied = match (fate, told) {
                    (Fate::Rejected(code), Some(Status::Rejected(rejection))) => {
                        assert_eq!(rejection.code(), code, "mutation {} of client {n}", made.seq);
                        false
                    }
                    (Fate::Rejected(_), None) => false,
                    (Fate::Applied, Some(Status::Applied) | None) => true,
                    (Fate::Open, Some(Status::Applied)) => true,
                    (Fate::Open, Some(Status::Rejected(rejection))) if rejection.code() == "none_left" => false,
                    (Fate::Open, None) => marked(&made.scopes[0]),
                    _ => panic!("mutation {} of client {n} should be {fate:?} and is {told:?}", made.seq),
                };
                for scope in &made.scopes {
                    let Some(sums) = expected.get_mut(scope) else { continue };
                    if made.act.mark().is_some() {
                        assert_eq!(
                            marked(scope),
                            applied,
                            "the mark of mutation {} of client {n} in {scope}",
                            made.seq
                        );
                    }
                    if applied {
                        sums.add(&made.act);
                    }
                }
            }
        }
        for (scope, sums) in expected {
            sums.check(&scope, &truth[&scope]);
        }
    }
}

/// Gives a closure the type of a mutator.
fn mutator<F: for<'a> Fn(&'a mut Tx, Act) -> BoxFuture<'a, Result>>(mutator: F) -> F {
    mutator
}

/// What the rows of a scope must add up to.
#[derive(Default)]
struct Sums {
    sum: i64,
    stock: i64,
    ids: BTreeSet<String>,
}

impl Sums {
    fn add(&mut self, act: &Act) {
        self.sum += act.adds();
        match act {
            Act::Add { id, .. } | Act::Send { id, .. } => drop(self.ids.insert(id.clone())),
            Act::Stock { by } => self.stock += by,
            Act::Take { .. } => self.stock -= 1,
            _ => {}
        }
    }

    fn check(&self, scope: &Scope, rows: &Rows) {
        assert_eq!(number(rows, "sum"), self.sum, "every mutation of {scope} was added once");
        assert_eq!(number(rows, "stock"), self.stock, "every mutation of {scope} took from the stock once");
        let list = listed(rows);
        let ids: BTreeSet<_> = list.iter().cloned().collect();
        assert_eq!(ids.len(), list.len(), "a mutation of {scope} was done twice");
        assert_eq!(ids, self.ids, "the list of {scope} has what was applied");
        // Each client's mutations are in its order.
        let mut latest = BTreeMap::<String, u64>::new();
        for (client, seq) in list.iter().map(|id| id.split_once(':').unwrap()) {
            let seq = seq.parse().unwrap();
            let before = latest.insert(client.to_owned(), seq).unwrap_or(0);
            assert!(before < seq, "mutation {before} of client {client} came after its {seq}");
        }
    }
}

/// The ids of all that was added, in order.
fn listed(rows: &Rows) -> Vec<String> {
    rows.get(&key("list", "l")).map_or_else(Vec::new, |data| serde_json::from_str(data).unwrap())
}

fn number(rows: &Rows, id: &str) -> i64 {
    rows.get(&key("number", id)).map_or(0, |data| data.parse().unwrap())
}

fn key(kind: &str, id: &str) -> (String, String) {
    (kind.to_owned(), id.to_owned())
}

fn random_id(rng: &mut StdRng) -> ClientId {
    ClientId::new(&format!("{:032x}", rng.random::<u128>())).unwrap()
}

async fn serve(engine: &Engine, client: &ClientId, ask: Ask) -> Answer {
    let who = Who::anybody();
    match ask {
        Ask::Push(mutations) => {
            Answer::Pushed(engine.push(who, Push { client: client.clone(), user: None, mutations }).await)
        }
        Ask::Pull { scope, cursor, limit } => {
            let pulled = engine.pull(&who, &scope, Some(client), cursor, Some(limit)).await;
            Answer::Pulled(scope, cursor, pulled)
        }
        Ask::Snapshot { scope, page, limit } => {
            let snapshot = engine.snapshot(&who, &scope, Some(client), page.as_deref(), Some(limit)).await;
            Answer::Snapshot(scope, snapshot)
        }
    }
}

fn brief(ask: &Ask) -> String {
    match ask {
        Ask::Push(mutations) => format!("push {:?}", mutations.iter().map(|sent| sent.seq.get()).collect::<Vec<_>>()),
        Ask::Pull { scope, cursor, limit } => format!("pull {scope} from {} ({limit})", cursor.position()),
        Ask::Snapshot { scope, page, limit } => {
            format!("snapshot of {scope}, {} ({limit})", if page.is_some() { "next" } else { "first" })
        }
    }
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Pushed(pushed) => {
            let of = |status: &Status| match status {
                Status::Applied => "applied".to_owned(),
                Status::Rejected(rejection) => rejection.code().to_owned(),
                Status::Expired => "expired".to_owned(),
            };
            let results = pushed.results.iter().map(|outcome| format!("{} {}", outcome.seq.get(), of(&outcome.status)));
            format!("{:?}, stop: {:?}", results.collect::<Vec<_>>(), pushed.stop)
        }
        Answer::Pulled(scope, from, Ok(pulled)) => {
            format!("{scope} from {} to {}: {:?}", from.position(), pulled.cursor.position(), pulled.changes)
        }
        Answer::Pulled(scope, from, Err(error)) => format!("{scope} from {}: {error}", from.position()),
        Answer::Snapshot(scope, Ok(snapshot)) => format!(
            "{scope} at {}: {} rows, {:?}, last {:?}, {}",
            snapshot.cursor.position(),
            snapshot.rows.len(),
            snapshot.acks,
            snapshot.last,
            if snapshot.next.is_some() { "more" } else { "all" }
        ),
        Answer::Snapshot(scope, Err(error)) => format!("snapshot of {scope}: {error}"),
    }
}

/// Runs one seed, without real time.
fn run<B: Backend>(seed: u64, backend: B, trace: bool) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(World::new(seed, backend, trace).run())
}

/// Runs seeds; or the one that the environment names.
fn simulate<B: Backend>(store: &str, seeds: impl Iterator<Item = u64>, open: impl Fn(u64) -> B) {
    // Mutators panic on purpose, and say nothing new.
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        if !text.contains("a mutator that panics") {
            eprintln!("{text}");
        }
    }));
    if let Some(seed) = std::env::var("MIZU_SEED").ok().and_then(|seed| seed.parse().ok()) {
        run(seed, open(seed), true);
        return;
    }
    let start = std::time::Instant::now();
    let (mut count, mut steps) = (0, 0);
    for seed in seeds {
        let ran = catch_unwind(AssertUnwindSafe(|| run(seed, open(seed), false)));
        match ran {
            Ok(ran) => steps += ran,
            Err(panic) => {
                eprintln!(
                    "seed {seed} failed; alone: MIZU_SEED={seed} cargo test --all-features --test sync_simulation {store}::seeds_0 -- --nocapture"
                );
                resume_unwind(panic);
            }
        }
        count += 1;
    }
    println!(
        "{store}: {count} seeds, {steps} steps, {:.0} seeds a second",
        f64::from(count) / start.elapsed().as_secs_f64()
    );
}

/// How many seeds a test runs: more by `MIZU_SEEDS=10000`, to let it run for a night.
fn part(number: u64, each: u64) -> std::ops::Range<u64> {
    let each = std::env::var("MIZU_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(each);
    number * each..(number + 1) * each
}

/// A test for each part of the seeds, so that they run side by side and none takes long.
macro_rules! every_seed_converges {
    ($store:literal, $each:literal, $open:expr; $($name:ident $number:literal)*) => {
        $(
            #[test]
            fn $name() {
                simulate($store, part($number, $each), $open);
            }
        )*

        #[test]
        fn seeds_that_once_failed_converge() {
            simulate($store, REGRESSIONS.iter().map(|(seed, _)| *seed), $open);
        }
    };
}

mod memory {
    use super::*;

    every_seed_converges! { "memory", 400, |_| Memory(MemoryStore::new());
        seeds_0 0 seeds_1 1 seeds_2 2 seeds_3 3 seeds_4 4 seeds_5 5 seeds_6 6 seeds_7 7 seeds_8 8 seeds_9 9
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;

    every_seed_converges! { "sqlite", 50, File::new;
        seeds_0 0 seeds_1 1 seeds_2 2 seeds_3 3 seeds_4 4 seeds_5 5 seeds_6 6 seeds_7 7
    }
}
