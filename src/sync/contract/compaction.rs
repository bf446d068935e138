//! Property 10: removing what nobody needs is seen by nobody who needs it.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::fixture::{
    Lab, Paging, Rows, Step, add, codes, delete, fold, numbers, pull, put, put_as, reject, scope, sent,
};
use crate::sync::change::Ack;
use crate::sync::cursor::Cursor;
use crate::sync::engine::{PullError, Retention};
use crate::sync::ids::{ClientId, Scope};
use crate::sync::store::{Extent, PullAsk, Store};

/// Property 10: after any history and any compactions, every kept cursor leads to the same rows and acknowledgements as without them, every
/// page of a snapshot shows its place or says that it is gone, and what is old enough is removed.
pub async fn p10_compaction_changes_nothing<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    for seed in 0..12 {
        Trial::new(seed).run(&lab).await;
    }
}

/// A history of one scope, with everything that was true at each of its places.
struct Trial {
    seed: u64,
    rng: StdRng,
    scope: Scope,
    clients: Vec<(ClientId, u64)>,
    /// At each position: cursor, rows, time, and who sent the entry.
    places: Vec<(Cursor, Rows, i64, Option<usize>)>,
    pagings: Vec<(Paging, usize)>,
    /// Up to where rows were compacted, and where the log begins, by what was asked for so far.
    oldest: (u64, u64),
}

impl Trial {
    fn new(seed: u64) -> Self {
        let clients = (0..3).map(|_| (ClientId::random(), 0)).collect();
        let scope = scope(&format!("open:{seed}"));
        let rng = StdRng::seed_from_u64(seed);
        Self { seed, rng, scope, clients, places: Vec::new(), pagings: Vec::new(), oldest: (0, 0) }
    }

    async fn run(mut self, lab: &Lab) {
        let start = lab.engine.read(&self.scope).cursor().await.expect("a cursor");
        self.places.push((start, Rows::new(), lab.clock.millis(), None));
        for _ in 0..self.rng.random_range(20..50) {
            match self.rng.random_range(0..10) {
                0 => self.compact(lab).await,
                1 => self.start_snapshot(lab).await,
                2 => self.continue_snapshots(lab).await,
                _ => self.mutate(lab).await,
            }
        }
        self.compact(lab).await;
    }

    async fn mutate(&mut self, lab: &Lab) {
        lab.clock.advance(self.rng.random_range(0..3_000));
        let mut steps = Vec::new();
        for _ in 0..self.rng.random_range(0..5) {
            let id = format!("{}", self.rng.random_range(0..6));
            steps.push(match self.rng.random_range(0..5) {
                0 | 1 => put(&id, self.rng.random_range(0..1_000)),
                2 => put_as("other", &id, self.rng.random_range(0..1_000)),
                3 => add("sum", 1),
                _ => delete(&id),
            });
        }
        if self.rng.random_range(0..8) == 0 {
            steps.push(reject("no"));
        }
        let (before, mut rows) = self.places.last().map(|place| (place.0, place.1.clone())).expect("a place");
        let sender = self.rng.random_range(0..=self.clients.len());
        match self.clients.get_mut(sender) {
            Some((client, seq)) => {
                *seq += 1;
                let pushed = lab.push(client, vec![sent(*seq, &self.scope, steps)]).await;
                assert!(pushed.stop.is_none(), "seed {}: {:?}", self.seed, pushed.stop);
            }
            None => drop(lab.apply(&self.scope, steps.into_iter().filter(Step::writes).collect()).await),
        }
        let told = lab.pull(&self.scope, None, before, 1_000).await;
        for (_, changes) in &told.pages {
            fold(&mut rows, changes);
        }
        let at = lab.clock.millis();
        self.places.push((told.cursor, rows, at, (sender < self.clients.len()).then_some(sender)));
    }

    async fn start_snapshot(&mut self, lab: &Lab) {
        let mut paging = Paging::default();
        let limit = self.rng.random_range(1..4);
        let whole = paging.turn(&lab.engine, &self.scope, None, limit).await.expect("a first page");
        if !whole {
            self.pagings.push((paging, limit));
        }
    }

    async fn continue_snapshots(&mut self, lab: &Lab) {
        let compacted = self.extent(lab).await.compacted;
        for (mut paging, limit) in std::mem::take(&mut self.pagings) {
            let position = paging.position();
            match paging.turn(&lab.engine, &self.scope, None, limit).await {
                Ok(false) => self.pagings.push((paging, limit)),
                Ok(true) => {
                    let expected = &self.places[position as usize].1;
                    assert_eq!(paging.taken().rows, *expected, "seed {}: a snapshot shows its place", self.seed);
                }
                Err(PullError::CursorTooOld) => {
                    assert!(position < compacted, "seed {}: place {position} is still shown", self.seed);
                }
                Err(error) => assert_eq!(error.to_string(), "", "seed {}: a page of a snapshot failed", self.seed),
            }
        }
    }

    async fn extent(&self, lab: &Lab) -> Extent {
        let ask = PullAsk { scope: self.scope.clone(), client: None, from: 0, limit: 1, bytes: 1 };
        lab.store.pull(ask).await.expect("a pull").extent
    }

    /// Up to which position entries are at least so old.
    fn upto(&self, at: i64) -> u64 {
        let young = self.places.iter().skip(1).position(|place| place.2 > at);
        young.unwrap_or(self.places.len() - 1) as u64
    }

    async fn compact(&mut self, lab: &Lab) {
        let seed = self.seed;
        lab.clock.advance(self.rng.random_range(0..2_000));
        let time = |rng: &mut StdRng| Duration::from_millis(rng.random_range(0..40_000));
        let retention = Retention {
            age: self.rng.random_bool(0.6).then(|| time(&mut self.rng)),
            entries: self.rng.random_bool(0.4).then(|| self.rng.random_range(0..20)),
            grace: time(&mut self.rng),
            every: None,
        };
        lab.builder().retention(retention).build().compact().await.expect("a compaction");

        // What is old enough is gone, and nothing else.
        let head = self.places.len() as u64 - 1;
        let before = |time: Duration| lab.clock.millis() - time.as_millis() as i64;
        let compacted = self.oldest.0.max(self.upto(before(retention.grace)));
        let by_age = retention.age.map_or(0, |age| self.upto(before(age)));
        let by_count = retention.entries.map_or(0, |entries| head.saturating_sub(entries));
        let horizon = self.oldest.1.max(by_age.max(by_count).min(compacted));
        self.oldest = (compacted, horizon);
        let extent = self.extent(lab).await;
        let found = (extent.head, extent.compacted, extent.horizon);
        assert_eq!(found, (head, compacted, horizon), "seed {seed}: head, compacted and horizon after {retention:?}");

        let expected = self.places.last().map(|place| place.1.clone()).expect("a place");
        let limits = [1, 2, 3, 5, 1_000];
        for at in 0..self.places.len() {
            let who = self.rng.random_range(0..=self.clients.len());
            let limit = limits[self.rng.random_range(0..limits.len())];
            self.check_from(lab, at, who, limit, &expected).await;
        }
        for (at, (client, _)) in self.clients.iter().enumerate() {
            let taken = lab.snapshot(&self.scope, Some(client), 2).await;
            assert_eq!(taken.rows, expected, "seed {seed}: a snapshot after a compaction");
            let kept = self.seqs(at, horizon.saturating_sub(1));
            assert_eq!(numbers(&taken.acks), kept, "seed {seed}: a snapshot has the acknowledgements that are kept");
        }
        self.continue_snapshots(lab).await;
    }

    async fn check_from(&self, lab: &Lab, at: usize, who: usize, limit: usize, expected: &Rows) {
        let (seed, (compacted, horizon)) = (self.seed, self.oldest);
        let (from, mut rows, ..) = self.places[at].clone();
        let client = self.clients.get(who).map(|(client, _)| client);
        let told = pull(&lab.engine, &self.scope, client, from, limit).await;
        if (at as u64) < horizon {
            assert!(matches!(told, Err(PullError::CursorTooOld)), "seed {seed}: place {at} is below the log: {told:?}");
            return;
        }
        let told = told.expect("a kept place");
        let mut acks: Vec<Ack> = Vec::new();
        for (cursor, changes) in &told.pages {
            acks.extend(fold(&mut rows, changes));
            let (here, at_page, ..) = &self.places[cursor.position() as usize];
            assert_eq!(here, cursor, "seed {seed}: places keep their check values");
            if cursor.position() >= compacted {
                let from = from.position();
                assert_eq!(rows, *at_page, "seed {seed}: from {from}, the page that ends at {}", cursor.position());
            }
        }
        assert_eq!(rows, *expected, "seed {seed}: place {at} leads to other rows after a compaction");
        let seqs = if client.is_some() { self.seqs(who, at as u64) } else { Vec::new() };
        assert_eq!(numbers(&acks), seqs, "seed {seed}: place {at} leads to other acknowledgements");
    }

    /// The numbers of a client's mutations behind a position.
    fn seqs(&self, client: usize, behind: u64) -> Vec<u64> {
        let own = self.places.iter().enumerate().filter(|(_, place)| place.3 == Some(client));
        let numbered: BTreeMap<u64, u64> = own.enumerate().map(|(n, (at, _))| (at as u64, n as u64 + 1)).collect();
        numbered.into_iter().filter(|(at, _)| *at > behind).map(|(_, seq)| seq).collect()
    }
}

/// Property 10: the outcome of a mutation of several scopes is known as long as one of its entries is kept, in replays and in snapshots.
pub async fn p10_outcomes_live_as_long_as_any_entry<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let retention = Retention { entries: Some(1), grace: Duration::ZERO, age: None, every: None };
    let engine = lab.builder().retention(retention).build();
    let (busy, quiet) = (scope("open:busy"), scope("open:quiet"));
    let client = ClientId::random();
    let refused = sent(1, &busy, vec![put("a", 1).within(&quiet), reject("no")]);
    assert_eq!(codes(&lab.push(&client, vec![refused.clone()]).await), ["no"]);
    for _ in 0..3 {
        lab.apply(&busy, vec![]).await;
    }
    lab.clock.advance(1);
    engine.compact().await.expect("a compaction");
    let taken = lab.snapshot(&busy, Some(&client), 10).await;
    assert_eq!((taken.acks.len(), taken.last.map(|last| last.get())), (0, Some(1)), "the busy scope has forgotten it");
    let taken = lab.snapshot(&quiet, Some(&client), 10).await;
    assert_eq!(numbers(&taken.acks), [1], "the quiet scope has not");
    assert_eq!(numbers(&lab.pull(&quiet, Some(&client), Cursor::BEGINNING, 10).await.acks), [1]);
    let again = lab.push(&client, vec![refused]).await;
    assert_eq!(codes(&again), ["no"], "a replay is told what came of it");
    assert_eq!(again.results[0].cursor, None, "and no place, where that is gone");
}
