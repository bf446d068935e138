//! The thread that writes: group commit.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::store::closed;
use super::transaction::SqliteTransaction;
use crate::sync::error::StoreError;
use crate::sync::store::{Done, Group, Work};

/// How many pushes wait for the writer; whoever comes then waits outside, for as long as [`super::store`] lets it.
pub(super) const QUEUE: usize = 128;

/// A commit that takes longer is told of.
const SLOW: Duration = Duration::from_secs(1);

/// How many pushes share a commit.
const GROUP: usize = 256;

/// What the writer is asked to do.
pub(super) enum Command {
    /// With the runtime that whoever pushes is in: what a mutator does by mistake is told from what it can't do.
    Push(Arc<Work>, Reply, Option<Handle>),
    Task(Box<dyn FnOnce(&mut Connection) + Send>),
}

type Reply = oneshot::Sender<Result<Done, StoreError>>;
type Push = (Arc<Work>, Reply);

/// Does what it is asked until nobody can ask any more.
pub(super) fn run(
    conn: Connection,
    mut commands: mpsc::Receiver<Command>,
    reopen: impl Fn() -> Result<Connection, StoreError>,
) {
    let mut transaction = Some(SqliteTransaction::new(conn));
    let mut pushes: Vec<Push> = Vec::with_capacity(GROUP);
    let mut runtime = None;
    while let Some(first) = commands.blocking_recv() {
        let mut next = Some(first);
        while let Some(command) = next.take() {
            match command {
                // Whoever asked went away, and will send it again.
                Command::Push(_, reply, _) if reply.is_closed() => next = commands.try_recv().ok(),
                Command::Push(work, reply, from) => {
                    runtime = from.or(runtime);
                    pushes.push((work, reply));
                    if pushes.len() < GROUP {
                        next = commands.try_recv().ok();
                    }
                }
                Command::Task(task) => {
                    transaction = timed(&runtime, transaction, &mut pushes, &reopen);
                    if let Some(transaction) = &mut transaction {
                        task(transaction.connection());
                    }
                }
            }
        }
        transaction = timed(&runtime, transaction, &mut pushes, &reopen);
    }
}

/// Runs pushes, and says when that took long: all others wait meanwhile.
fn timed(
    runtime: &Option<Handle>,
    transaction: Option<SqliteTransaction>,
    pushes: &mut Vec<Push>,
    reopen: &impl Fn() -> Result<Connection, StoreError>,
) -> Option<SqliteTransaction> {
    let _inside = runtime.as_ref().map(Handle::enter);
    let (count, began) = (pushes.len(), Instant::now());
    let left = group(transaction, pushes, reopen);
    let took = began.elapsed();
    if took > SLOW {
        tracing::warn!(?took, pushes = count, "a commit took long; a mutator must not block the thread that writes");
    }
    left
}

/// Runs pushes in one transaction and answers them. Gives the connection back, or none if it was lost.
fn group(
    transaction: Option<SqliteTransaction>,
    pushes: &mut Vec<Push>,
    reopen: &impl Fn() -> Result<Connection, StoreError>,
) -> Option<SqliteTransaction> {
    if pushes.is_empty() {
        return transaction.or_else(|| reopen().ok().map(SqliteTransaction::new));
    }
    let mut transaction = match transaction.map_or_else(|| reopen().map(SqliteTransaction::new), Ok) {
        Ok(transaction) => transaction,
        Err(error) => {
            answer(pushes.drain(..), Err(error));
            return None;
        }
    };
    let works: Vec<_> = pushes.iter().map(|(work, _)| work.clone()).collect();
    let (mut left, committed) = match &*works {
        [work] => {
            let (left, done) = alone(transaction, work);
            (left, done.map(|done| vec![done]))
        }
        works => commit(transaction, works),
    };
    match committed {
        Ok(done) => {
            for ((_, reply), done) in pushes.drain(..).zip(done) {
                // Whoever asked may be gone: the push is committed all the same.
                let _ = reply.send(Ok(done));
            }
            left
        }
        Err(error) if pushes.len() == 1 => {
            answer(pushes.drain(..), Err(error));
            left
        }
        Err(error) => {
            tracing::warn!(%error, pushes = pushes.len(), "a shared commit failed; each push is tried alone");
            let mut rest = std::mem::take(pushes).into_iter();
            while let Some((work, reply)) = rest.next() {
                transaction = match left.map_or_else(|| reopen().map(SqliteTransaction::new), Ok) {
                    Ok(transaction) => transaction,
                    Err(error) => {
                        let _ = reply.send(Err(error.clone()));
                        answer(rest, Err(error));
                        return None;
                    }
                };
                let (now_left, done) = alone(transaction, &work);
                left = now_left;
                let _ = reply.send(done);
            }
            left
        }
    }
}

fn answer(pushes: impl Iterator<Item = Push>, result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::error!(%error, "SQLite could not write");
        for (_, reply) in pushes {
            let _ = reply.send(Err(error.clone()));
        }
    }
}

/// A push by itself. When it fails of what one of its mutations did, it runs again, and that mutation is rejected.
fn alone(
    mut transaction: SqliteTransaction,
    work: &Arc<Work>,
) -> (Option<SqliteTransaction>, Result<Done, StoreError>) {
    let works = std::slice::from_ref(work);
    loop {
        let (left, done) = commit(transaction, works);
        let done = done.and_then(|mut done| done.pop().ok_or_else(closed));
        let Some(mut left) = left else { return (None, done) };
        if done.is_ok() || !left.learn() {
            left.forget();
            return (Some(left), done);
        }
        transaction = left;
    }
}

/// One transaction: all of these, or none.
fn commit(
    mut transaction: SqliteTransaction,
    works: &[Arc<Work>],
) -> (Option<SqliteTransaction>, Result<Vec<Done>, StoreError>) {
    if let Err(error) = transaction.begin() {
        return (Some(transaction), Err(error));
    }
    // A panic that is not a mutator's own takes the connection with it, and its transaction is undone; the next one opens another.
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut group = Group::new(Box::new(transaction));
        let mut done = Vec::with_capacity(works.len());
        for work in works {
            match ready(work.run(&mut group)) {
                Ok(one) => done.push(one),
                Err(error) => return (group.abandon() as Box<dyn Any>, Err(error)),
            }
        }
        match ready(group.finish()) {
            Ok(transaction) => (transaction as Box<dyn Any>, Ok(done)),
            Err(error) => (Box::new(()) as Box<dyn Any>, Err(error)),
        }
    }));
    let (transaction, done) = match run {
        Ok((transaction, done)) => (transaction.downcast::<SqliteTransaction>().ok(), done),
        Err(_) => (None, Err(StoreError::message("a push made the thread that writes panic"))),
    };
    let Some(mut transaction) = transaction else {
        return (None, done.and_then(|_| Err(StoreError::message("the transaction was lost before its commit"))));
    };
    let done = done.and_then(|done| transaction.commit().map(|()| done));
    if done.is_err() && !transaction.undo() {
        return (None, done);
    }
    (Some(*transaction), done)
}

/// The output of a future whose every step is ready.
fn ready<T>(future: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    future.now_or_never().unwrap_or_else(|| Err(StoreError::message("a step of SQLite was not ready")))
}
