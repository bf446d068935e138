//! Many clients that push at the same time, and one that waits for each of its mutations.

use std::time::{Duration, Instant};

use mizu::sync::{Engine, Push};

use super::app::{Client, Todo, apply, scope};
use super::latency::{Latencies, median};
use crate::process::own_cpu;
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

/// A database that is written to without an engine, by the same statements.
pub(super) trait Bare {
    /// Writes what each client has to push, the next when the last is committed, and gives how long each push took.
    fn write(&mut self, pushes: Vec<Vec<Push>>) -> impl Future<Output = Result<Latencies>>;
}

/// An engine over a database, and the same database without it.
pub(super) struct Pair<B> {
    /// What the database is called in the table.
    pub(super) name: &'static str,
    pub(super) engine: Engine,
    pub(super) bare: B,
}

/// What the clients of a round do.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) clients: usize,
    /// Pushes of each client.
    pub(super) pushes: usize,
    /// Mutations in a push.
    pub(super) batch: usize,
    /// Scopes that mutations are spread over.
    pub(super) scopes: usize,
}

/// Clients that go on where they stopped.
pub(super) struct Clients {
    load: Load,
    clients: Vec<Client>,
    /// Rows so far.
    turn: usize,
}

impl Clients {
    pub(super) fn new(load: Load) -> Self {
        Self { load, clients: (0..load.clients).map(|_| Client::new()).collect(), turn: 0 }
    }

    /// What each client pushes in a round, made before the time starts.
    pub(super) fn pushes(&mut self, mutator: &str) -> Result<Vec<Vec<Push>>> {
        let Load { pushes, batch, scopes, .. } = self.load;
        let turn = &mut self.turn;
        let mut row = || {
            *turn += 1;
            // A prime, so that neighbours in a push are no neighbours among scopes.
            (scope(*turn * 7919 % scopes), Todo::new())
        };
        let mut push = |client: &mut Client| client.push(mutator, (0..batch).map(|_| row()).collect::<Vec<_>>());
        self.clients.iter_mut().map(|client| (0..pushes).map(|_| push(client)).collect()).collect()
    }
}

/// All clients push at the same time, each the next when the last one is answered. Gives how long each push took.
pub(super) async fn round(engine: &Engine, pushes: Vec<Vec<Push>>) -> Result<Latencies> {
    let client = |pushes: Vec<Push>| {
        let engine = engine.clone();
        tokio::spawn(async move {
            let mut times = Latencies::default();
            for push in pushes {
                let start = Instant::now();
                apply(&engine, push).await?;
                times.push(start.elapsed());
            }
            Ok::<_, crate::Failure>(times)
        })
    };
    let clients: Vec<_> = pushes.into_iter().map(client).collect();
    let mut times = Latencies::default();
    for client in clients {
        times.extend(client.await??);
    }
    Ok(times)
}

/// The pushes of all clients in the order in which they come when all are equally fast.
pub(super) fn interleaved(pushes: Vec<Vec<Push>>) -> Vec<Push> {
    let mut clients: Vec<_> = pushes.into_iter().map(Vec::into_iter).collect();
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(clients.iter_mut().filter_map(Iterator::next));
        if all.len() == before {
            return all;
        }
    }
}

/// The figures of one side, over all rounds.
#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    cpu: Vec<f64>,
    latencies: Latencies,
}

impl Side {
    async fn round(&mut self, mutations: f64, work: impl Future<Output = Result<Latencies>>) -> Result {
        let (cpu, start) = (own_cpu()?, Instant::now());
        let times = work.await?;
        let (cpu, wall) = (own_cpu()?.saturating_sub(cpu), start.elapsed());
        self.rates.push(mutations / wall.as_secs_f64());
        self.cpu.push(cpu.as_secs_f64() / mutations);
        self.latencies.extend(times);
        Ok(())
    }

    fn rate(&self) -> Figure {
        Figure::PerSecond(median(&self.rates))
    }

    fn cpu(&self) -> Figure {
        Figure::Time(Duration::from_secs_f64(median(&self.cpu)))
    }

    fn percentile(&mut self, part: f64) -> Figure {
        Figure::Time(self.latencies.percentile(part))
    }
}

/// Rounds of both, in turn. The first round of each warms up.
async fn sides<B: Bare>(plan: &Plan, pair: &mut Pair<B>, load: Load) -> Result<(Side, Side)> {
    let mutations = (load.clients * load.pushes * load.batch) as f64;
    let (mut clients, mut others) = (Clients::new(load), Clients::new(load));
    let (mut with, mut without) = (Side::default(), Side::default());
    for number in 0..=plan.rounds {
        let (mine, theirs) = (clients.pushes("todo.create")?, others.pushes("todo.create")?);
        with.round(mutations, round(&pair.engine, mine)).await?;
        without.round(mutations, pair.bare.write(theirs)).await?;
        if number == 0 {
            (with, without) = (Side::default(), Side::default());
        }
    }
    Ok((with, without))
}

const BASELINE: &str = "the same statements";

/// The percentiles that are told.
const PERCENTILES: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];

/// Compares how much many clients get done. `absolute` is what is wanted in a second, whatever the bare database does.
pub(super) async fn many<B: Bare>(
    plan: &Plan,
    pair: &mut Pair<B>,
    load: Load,
    absolute: Option<f64>,
    table: &mut Table,
) -> Result {
    let (mut with, mut without) = sides(plan, pair, load).await?;
    let over = if load.scopes == 1 { "1 scope".to_owned() } else { format!("{} scopes", load.scopes) };
    let what = format!("{}, {} clients, {} a push, {over}", pair.name, load.clients, load.batch);
    let mut row = |what, mizu, baseline, target| {
        table.push(Row { what, mizu, baseline: Some((BASELINE, baseline)), target });
    };
    row(format!("{what}: mutations"), with.rate(), without.rate(), Target::AtLeast(0.5));
    if let Some(wanted) = absolute {
        let target = Target::Reaches(Figure::PerSecond(wanted));
        row(format!("{what}: mutations, whatever the baseline"), with.rate(), without.rate(), target);
    }
    row(format!("{what}: CPU of this process per mutation"), with.cpu(), without.cpu(), Target::None);
    for (name, part) in PERCENTILES {
        let (mizu, baseline) = (with.percentile(part), without.percentile(part));
        row(format!("{what}: {name} of a push"), mizu, baseline, Target::AtMost(2.0));
    }
    Ok(())
}

/// Compares how long one client waits that pushes one mutation after the other.
pub(super) async fn one<B: Bare>(plan: &Plan, pair: &mut Pair<B>, pushes: usize, table: &mut Table) -> Result {
    let load = Load { clients: 1, pushes, batch: 1, scopes: 1 };
    let (mut with, mut without) = sides(plan, pair, load).await?;
    for (name, part) in PERCENTILES {
        table.push(Row {
            what: format!("{}, 1 client, 1 a push: {name} of a push", pair.name),
            mizu: with.percentile(part),
            baseline: Some((BASELINE, without.percentile(part))),
            target: Target::AtMost(2.0),
        });
    }
    Ok(())
}
