//! A store whose transactions fail where they are told to.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use futures::future::{BoxFuture, Either, select};
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::fixture::Shared;
use crate::sync::change::Row;
use crate::sync::cursor::Epoch;
use crate::sync::entity::Scan;
use crate::sync::error::{Rejection, Result, StoreError};
use crate::sync::ids::{Scope, Seq};
use crate::sync::mutator::Run;
use crate::sync::store::{CompactAsk, Compacted, PullAsk, PullPart, RowsAsk, RowsPart, Store};
use crate::sync::transaction::{Entry, Locked, Patience, Step, Stored, Transaction, done};
use crate::sync::tx::Tx;
use crate::sync::work::{Done, Job, Work};

/// What happens at a step of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not done, and says so.
    Before,
    /// It is done, and says that it is not.
    After,
    /// It is done, and whoever waits for the transaction goes away. Where nobody can, as `After`.
    Gone,
}

/// Which step of the next transactions fails, counted from the first mutation's first.
pub(super) struct Plan {
    fault: Fault,
    /// How many steps are left until the one that fails.
    left: AtomicUsize,
    struck: AtomicBool,
    /// Whether the transaction that runs is planned already.
    planned: AtomicBool,
    gone: Notify,
}

impl Plan {
    pub(super) fn new(fault: Fault, step: usize) -> Arc<Self> {
        let no = || AtomicBool::new(false);
        Arc::new(Self { fault, left: AtomicUsize::new(step), struck: no(), planned: no(), gone: Notify::new() })
    }

    /// Whether there was such a step.
    pub(super) fn struck(&self) -> bool {
        self.struck.load(Ordering::Acquire)
    }

    /// Whether this step is the one; there is one only.
    fn strikes(&self) -> bool {
        let before = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        before.is_err() && !self.struck.swap(true, Ordering::AcqRel)
    }
}

/// A store that fails as planned.
pub(super) struct Faulty {
    pub(super) store: Shared,
    pub(super) plan: Arc<Plan>,
}

impl Store for Faulty {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn write(&self, work: Arc<Work>) -> BoxFuture<'_, Result<Done, StoreError>> {
        let jobs = work.jobs.iter().map(|job| Job {
            seq: job.seq,
            name: job.name.clone(),
            scopes: job.scopes.clone(),
            args: job.args.clone(),
            hash: job.hash,
            run: job.run.clone().map(|run| Arc::new(Wrapping { run, plan: self.plan.clone() }) as Arc<dyn Run>),
            private: job.private,
        });
        let work = Work {
            who: work.who.clone(),
            sender: work.sender.clone(),
            jobs: jobs.collect(),
            limits: work.limits,
            patience: work.patience,
            clock: work.clock.clone(),
        };
        self.plan.planned.store(false, Ordering::Release);
        Box::pin(async move {
            match select(self.store.write(Arc::new(work)), Box::pin(self.plan.gone.notified())).await {
                Either::Left((done, _)) => done,
                Either::Right(_) => Err(StoreError::message("nobody waits for it any more")),
            }
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

/// A store whose writes are given up after they were polled so often.
pub(super) struct Impatient {
    pub(super) store: Shared,
    pub(super) most: usize,
    /// How often writes were polled.
    pub(super) polls: Arc<AtomicUsize>,
}

impl Store for Impatient {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn write(&self, work: Arc<Work>) -> BoxFuture<'_, Result<Done, StoreError>> {
        let mut write = self.store.write(work);
        let mut left = self.most;
        Box::pin(std::future::poll_fn(move |cx| {
            if left == 0 {
                return Poll::Ready(Err(StoreError::message("nobody waits for it any more")));
            }
            left -= 1;
            self.polls.fetch_add(1, Ordering::Relaxed);
            write.as_mut().poll(cx)
        }))
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

/// A mutator that puts the plan between its transaction and the store's: from the first one on, for the rest of the transaction.
struct Wrapping {
    run: Arc<dyn Run>,
    plan: Arc<Plan>,
}

impl Run for Wrapping {
    fn run<'a>(&'a self, tx: &'a mut Tx, args: &'a RawValue) -> BoxFuture<'a, Result> {
        if !self.plan.planned.swap(true, Ordering::AcqRel) {
            let mut store: Box<dyn Transaction> = Box::new(Planned { inner: None, plan: self.plan.clone() });
            tx.swap_store(&mut store);
            if let Some(planned) = tx.store().raw().downcast_mut::<Planned>() {
                planned.inner = Some(store);
            }
        }
        self.run.run(tx, args)
    }
}

struct Planned {
    /// The store's own transaction. None only while it is put here.
    inner: Option<Box<dyn Transaction>>,
    plan: Arc<Plan>,
}

impl Planned {
    #[allow(clippy::expect_used, reason = "it is there as soon as anybody else can see this")]
    fn inner(&mut self) -> &mut dyn Transaction {
        &mut **self.inner.as_mut().expect("a transaction to go through")
    }

    fn step<'a, T: Send + 'a>(&'a mut self, step: impl FnOnce(&'a mut dyn Transaction) -> Step<'a, T>) -> Step<'a, T> {
        let failure = || StoreError::message("this step fails by plan");
        if !self.plan.strikes() {
            return step(self.inner());
        }
        let plan = self.plan.clone();
        let waits = self.inner().patience() == Patience::Awaits;
        match plan.fault {
            Fault::Before => done(Err(failure())),
            Fault::Gone if waits => {
                let step = step(self.inner());
                Either::Right(Box::pin(async move {
                    drop(step.await);
                    plan.gone.notify_one();
                    std::future::pending().await
                }))
            }
            Fault::After | Fault::Gone => {
                let step = step(self.inner());
                Either::Right(Box::pin(async move {
                    drop(step.await);
                    Err(failure())
                }))
            }
        }
    }
}

impl Transaction for Planned {
    fn patience(&self) -> Patience {
        self.inner.as_ref().map_or(Patience::Once, |inner| inner.patience())
    }

    fn lock<'a>(&'a mut self, sender: Option<&'a str>, scopes: &'a [Scope]) -> Step<'a, Locked> {
        self.step(move |inner| inner.lock(sender, scopes))
    }

    fn outcome<'a>(&'a mut self, sender: &'a str, seq: Seq) -> Step<'a, Option<Stored>> {
        self.step(move |inner| inner.outcome(sender, seq))
    }

    fn savepoint(&mut self) -> Step<'_, ()> {
        self.step(|inner| inner.savepoint())
    }

    fn rollback(&mut self) -> Step<'_, ()> {
        self.step(|inner| inner.rollback())
    }

    fn release(&mut self) -> Step<'_, Option<Rejection>> {
        self.step(|inner| inner.release())
    }

    fn get<'a>(&'a mut self, scope: &'a Scope, entity: &'a str, id: &'a str) -> Step<'a, Option<String>> {
        self.step(move |inner| inner.get(scope, entity, id))
    }

    fn scan<'a>(&'a mut self, scope: &'a Scope, entity: &'a str, scan: &'a Scan) -> Step<'a, Vec<Row>> {
        self.step(move |inner| inner.scan(scope, entity, scan))
    }

    fn put<'a>(
        &'a mut self,
        scope: &'a Scope,
        position: u64,
        entity: &'a str,
        id: &'a str,
        data: Option<&'a str>,
    ) -> Step<'a, bool> {
        self.step(move |inner| inner.put(scope, position, entity, id, data))
    }

    fn log<'a>(&'a mut self, entry: Entry<'a>) -> Step<'a, ()> {
        self.step(move |inner| inner.log(entry))
    }

    fn advance_scopes<'a>(&'a mut self, heads: &'a [(Scope, u64)]) -> Step<'a, ()> {
        self.step(move |inner| inner.advance_scopes(heads))
    }

    fn advance_client<'a>(&'a mut self, client: &'a str, user: &'a str, last: Seq, at: i64) -> Step<'a, ()> {
        self.step(move |inner| inner.advance_client(client, user, last, at))
    }

    /// While the inner one is not there yet it is this; afterwards mutators find the store's own.
    fn raw(&mut self) -> &mut dyn Any {
        match self.inner.is_some() {
            true => self.inner().raw(),
            false => self,
        }
    }

    fn peel(&mut self) -> Option<Box<dyn Transaction>> {
        self.inner.take()
    }
}
