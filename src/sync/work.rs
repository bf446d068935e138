//! One push on its way through a store's transaction: exactly once, in order, all or nothing for each mutation.
//!
//! Stores differ in how they begin, commit and poll. What happens in between is here, once for all of them.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::{Either, select};
use serde_json::value::RawValue;

use super::change::Status;
use super::cursor::{Cursor, Epoch};
use super::error::{Error, Rejection, Result, StoreError};
use super::ids::{Scope, Seq};
use super::mutation::{Outcome, PushError, Pushed};
use super::mutator::Run;
use super::transaction::{Entry, Patience, Transaction};
use super::tx::{Case, Tx, TxLimits};
use crate::edge::Who;

/// Where the time comes from.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A push that was authorised and read, and waits for its transaction.
pub struct Work {
    pub(crate) who: Who,
    pub(crate) sender: Sender,
    pub(crate) jobs: Vec<Job>,
    pub(crate) limits: TxLimits,
    /// How long a mutator may take that may await.
    pub(crate) patience: Duration,
    pub(crate) clock: Clock,
}

/// Who numbered the mutations.
#[derive(Clone)]
pub(crate) enum Sender {
    /// A client: in order, without gaps.
    Client(Arc<str>),
    /// The server itself, under a key: once.
    Key(Arc<str>),
    /// The server itself.
    Nobody,
}

impl Sender {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Client(name) | Self::Key(name) => Some(name),
            Self::Nobody => None,
        }
    }
}

/// One mutation.
pub(crate) struct Job {
    pub(crate) seq: Seq,
    pub(crate) name: String,
    /// Its own scope first; no doubles.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) args: Box<RawValue>,
    pub(crate) hash: u64,
    /// What to run, or why it is refused without being run.
    pub(crate) run: Result<Arc<dyn Run>, Rejection>,
    /// Whether its outcome is kept where nobody can pull it, so that it has no cursor.
    pub(crate) private: bool,
}

/// What a push came to, to be told once it is committed.
pub struct Done {
    pub(crate) pushed: Pushed,
    /// The scopes that moved, and to where.
    pub(crate) moved: Vec<(Scope, Cursor)>,
}

/// All that is done in one transaction of a store: one push, or several that commit together.
pub struct Group {
    tx: Tx,
    epoch: Option<Epoch>,
    heads: BTreeMap<Scope, Head>,
    clients: HashMap<Arc<str>, Client>,
}

#[derive(Clone, Copy)]
struct Head {
    position: u64,
    moved: bool,
}

struct Client {
    user: String,
    last: Seq,
    /// None where nothing was processed.
    moved: Option<i64>,
}

impl Group {
    /// Starts with a transaction that has begun.
    pub fn new(store: Box<dyn Transaction>) -> Self {
        let nothing = Case { who: Who::anybody(), scopes: Vec::new(), at: 0, seed: 0, limits: TxLimits::default() };
        Self { tx: Tx::new(store, nothing), epoch: None, heads: BTreeMap::new(), clients: HashMap::new() }
    }

    /// Writes the counters, and gives the transaction back to be committed.
    ///
    /// # Errors
    ///
    /// - The store fails: nothing of the group may be committed.
    pub async fn finish(mut self) -> Result<Box<dyn Transaction>, StoreError> {
        let moved = |(scope, head): (&Scope, &Head)| head.moved.then(|| (scope.clone(), head.position));
        let heads: Vec<_> = self.heads.iter().filter_map(moved).collect();
        if !heads.is_empty() {
            self.tx.store().advance_scopes(&heads).await?;
        }
        for (name, client) in &self.clients {
            if let Some(at) = client.moved {
                self.tx.store().advance_client(name, &client.user, client.last, at).await?;
            }
        }
        Ok(self.tx.into_store())
    }

    /// Gives the transaction back to be rolled back.
    pub fn abandon(self) -> Box<dyn Transaction> {
        self.tx.into_store()
    }

    /// Locks what a push touches and is not locked yet.
    async fn lock(&mut self, work: &Work) -> Result<Epoch, StoreError> {
        let mut scopes: Vec<Scope> = work.jobs.iter().flat_map(|job| &job.scopes).cloned().collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes.retain(|scope| !self.heads.contains_key(scope));
        let sender = work.sender.name().filter(|name| !self.clients.contains_key(*name));
        if let (Some(epoch), None, true) = (self.epoch, sender, scopes.is_empty()) {
            return Ok(epoch);
        }
        let locked = self.tx.store().lock(sender, &scopes).await?;
        let heads = scopes.into_iter().zip(locked.heads);
        self.heads.extend(heads.map(|(scope, position)| (scope, Head { position, moved: false })));
        if let (Sender::Client(name), Some((user, last))) = (&work.sender, locked.client) {
            self.clients.entry(name.clone()).or_insert(Client { user, last, moved: None });
        }
        self.epoch = Some(locked.epoch);
        Ok(locked.epoch)
    }

    fn last(&self, client: &str) -> Option<Seq> {
        self.clients.get(client).map(|client| client.last)
    }
}

impl Work {
    /// Does it.
    ///
    /// # Errors
    ///
    /// - The store fails: nothing of the group may be committed. Everything else that can go wrong is in the answer.
    pub async fn run(&self, group: &mut Group) -> Result<Done, StoreError> {
        let mut done = Done { pushed: Pushed { results: Vec::new(), stop: None }, moved: Vec::new() };
        let epoch = group.lock(self).await?;
        if let Sender::Client(name) = &self.sender
            && group.clients.get(name).is_some_and(|client| client.user != self.who.key())
        {
            done.pushed.stop = Some(PushError::ClientForeign);
            return Ok(done);
        }
        for job in &self.jobs {
            let step = match self.before(job, group, epoch).await? {
                Some(step) => step,
                None => self.job(job, group, epoch, &mut done.moved).await?,
            };
            match step {
                Ok(outcome) => done.pushed.results.push(outcome),
                Err(stop) => {
                    done.pushed.stop = Some(stop);
                    break;
                }
            }
        }
        Ok(done)
    }

    /// What is known before a mutation is run: that it was processed already, or can't be yet.
    async fn before(&self, job: &Job, group: &mut Group, epoch: Epoch) -> Result<Option<Step>, StoreError> {
        let Some(sender) = self.sender.name() else { return Ok(None) };
        if matches!(self.sender, Sender::Client(_)) {
            match group.last(sender) {
                None if job.seq.get() != 1 => return Ok(Some(Err(PushError::ClientUnknown))),
                None => return Ok(None),
                Some(last) if job.seq > last.next() => {
                    return Ok(Some(Err(PushError::Gap { expected: last.next() })));
                }
                Some(last) if job.seq > last => return Ok(None),
                Some(last) if job.seq.get() == 0 => return Ok(Some(Err(PushError::Gap { expected: last.next() }))),
                Some(_) => {}
            }
        }
        let stored = group.tx.store().outcome(sender, job.seq).await?;
        Ok(match stored {
            Some(stored) if stored.hash != job.hash => Some(Err(PushError::SeqReused { seq: job.seq })),
            Some(stored) => {
                let entry = stored.entries.iter().find(|(scope, ..)| Some(scope) == job.scopes.first());
                let cursor = entry.map(|(_, position, check)| Cursor::new(epoch, *position, *check));
                let cursor = cursor.filter(|_| !job.private);
                Some(Ok(Outcome { seq: job.seq, status: stored.status, cursor }))
            }
            None if matches!(self.sender, Sender::Client(_)) => {
                Some(Ok(Outcome { seq: job.seq, status: Status::Expired, cursor: None }))
            }
            None => None,
        })
    }

    /// Runs a mutation and writes what came of it.
    async fn job(
        &self,
        job: &Job,
        group: &mut Group,
        epoch: Epoch,
        moved: &mut Vec<(Scope, Cursor)>,
    ) -> Result<Step, StoreError> {
        let at = (self.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        let next = |scope: &Scope| group.heads.get(scope).map_or(0, |head| head.position) + 1;
        let scopes: Vec<_> = job.scopes.iter().map(|scope| (scope.clone(), next(scope))).collect();
        let status = match &job.run {
            Err(rejection) => Status::Rejected(rejection.clone()),
            Ok(run) => {
                let case = Case {
                    who: self.who.clone(),
                    scopes: scopes.clone(),
                    at,
                    seed: self.seed(job),
                    limits: self.limits,
                };
                match self.attempt(job, &**run, case, &mut group.tx).await? {
                    Ok(status) => status,
                    Err(stop) => return Ok(Err(stop)),
                }
            }
        };
        let mut cursor = None;
        for (scope, position) in &scopes {
            let check = rand::random::<u64>() >> 1;
            let entry = Entry {
                scope,
                position: *position,
                check,
                at,
                sender: self.sender.name(),
                seq: job.seq,
                hash: job.hash,
                status: &status,
            };
            group.tx.store().log(entry).await?;
            group.heads.insert(scope.clone(), Head { position: *position, moved: true });
            if !job.private {
                let place = Cursor::new(epoch, *position, check);
                cursor.get_or_insert(place);
                moved.retain(|(other, _)| other != scope);
                moved.push((scope.clone(), place));
            }
        }
        if let Sender::Client(name) = &self.sender {
            let new = || Client { user: self.who.key(), last: Seq::default(), moved: None };
            let client = group.clients.entry(name.clone()).or_insert_with(new);
            client.last = job.seq;
            client.moved = Some(at);
        }
        Ok(Ok(Outcome { seq: job.seq, status, cursor }))
    }

    /// Runs a mutator; whatever it does, the transaction can go on.
    async fn attempt(
        &self,
        job: &Job,
        run: &dyn Run,
        case: Case,
        tx: &mut Tx,
    ) -> Result<Result<Status, PushError>, StoreError> {
        tx.store().savepoint().await?;
        tx.begin(case);
        let patience = tx.store().patience();
        let ended = {
            // Whatever a panic leaves half done is rolled back below, and what it borrowed holds nothing of its own. Reading the arguments
            // is the app's code as well.
            let call = AssertUnwindSafe(async { run.run(tx, &job.args).await }).catch_unwind();
            match patience {
                Patience::Once => once(call).await.ok_or(Rejection::new(
                    "mutator_awaited",
                    format!("the mutator {} awaited something else than its transaction", job.name),
                )),
                Patience::Awaits => {
                    match select(std::pin::pin!(call), std::pin::pin!(tokio::time::sleep(self.patience))).await {
                        Either::Left((ended, _)) => Ok(ended),
                        Either::Right(_) => {
                            Ok(Ok(Err(Error::unavailable(format!("the mutator {} took too long", job.name)))))
                        }
                    }
                }
            }
        };
        // A mutator may have swallowed it; then it decided by what is not so.
        if let Some(error) = tx.failure() {
            return Err(error);
        }
        let failed = match ended {
            Ok(Ok(Ok(()))) => {
                return Ok(Ok(match tx.store().release().await? {
                    None => Status::Applied,
                    Some(rejection) => Status::Rejected(rejection),
                }));
            }
            Ok(Ok(Err(Error::Store(error)))) => return Err(error),
            Ok(Ok(Err(Error::Unavailable(why)))) => Err(PushError::Unavailable(why)),
            Ok(Ok(Err(Error::Rejected(rejection)))) => Ok(Status::Rejected(rejection)),
            Ok(Err(panic)) => {
                let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
                tracing::error!(mutation = job.name, panic = text.unwrap_or("not a text"), "a mutator panicked");
                let message = format!("the mutator {} failed; this is a fault of the server", job.name);
                Ok(Status::Rejected(Rejection::new("mutator_panicked", message)))
            }
            Err(rejection) => {
                tracing::error!(mutation = job.name, "{rejection}");
                Ok(Status::Rejected(rejection))
            }
        };
        tx.store().rollback().await?;
        Ok(failed)
    }

    /// What the ids of a mutation are made from: the same when it is run again.
    fn seed(&self, job: &Job) -> u64 {
        match self.sender.name() {
            Some(name) => {
                xxhash_rust::xxh3::xxh3_64_with_seed(name.as_bytes(), job.hash ^ job.seq.get().rotate_left(32))
            }
            None => rand::random(),
        }
    }
}

type Step = Result<Outcome, PushError>;

/// Polls a future once.
async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
