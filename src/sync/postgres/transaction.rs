//! A write transaction.

use std::any::Any;
use std::collections::HashMap;
use std::time::Duration;

use deadpool_postgres::Pool;
use futures::TryStreamExt;
use futures::future::{Either, join, join4, join5};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row as Found, Statement};
use xxhash_rust::xxh3::xxh3_64;

use super::error::{Fault, odd};
use super::kept::{Columns, Logged, row, scope_named, status};
use super::lease::{Lease, Tries};
use super::schema;
use super::sql::{behind_prefix, most, signed};
use crate::sync::change::Row;
use crate::sync::entity::Scan;
use crate::sync::error::{Rejection, StoreError};
use crate::sync::ids::{Scope, Seq};
use crate::sync::transaction::{Entry, Locked, Patience, Step, Stored, Transaction, done};

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Around a mutation, and around each of an app's statements within it.
const MUTATION: &str = "mizu_mutation";
const STATEMENT: &str = "mizu_statement";

/// How many statements of an app stay prepared on a connection, with this crate's own.
const PREPARED: usize = 256;

pub(super) struct PostgresTransaction {
    pool: Pool,
    patience: Duration,
    /// None before the locks and after the end.
    lease: Option<Lease>,
    /// What is to be done before the next statement, and gives nothing back: it travels with that.
    queue: String,
    mutation: Savepoint,
    /// Whether the savepoint of an app's statement is there.
    statement: bool,
    /// Whether such a statement was sent whose answer nobody has waited for: then nobody knows what became of it.
    afloat: bool,
    /// Whether the mutation had such statements.
    raw: bool,
    scopes: HashMap<Scope, i64>,
    /// What is written at the end, in one statement each.
    entries: Vec<Logged>,
    heads: Vec<(i64, i64)>,
    clients: Vec<(String, String, i64, i64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Savepoint {
    None,
    /// It is made with the first write.
    Wanted,
    Made,
}

/// How an app's statement failed.
pub(super) enum Failed {
    /// It did nothing.
    Statement(Fault),
    /// The transaction is lost.
    Store(StoreError),
}

impl PostgresTransaction {
    pub(super) fn new(pool: Pool, patience: Duration) -> Self {
        Self {
            pool,
            patience,
            lease: None,
            queue: String::new(),
            mutation: Savepoint::None,
            statement: false,
            afloat: false,
            raw: false,
            scopes: HashMap::new(),
            entries: Vec::new(),
            heads: Vec::new(),
            clients: Vec::new(),
        }
    }

    /// Undoes everything.
    pub(super) async fn abandon(mut self) {
        if let Some(lease) = self.lease.take() {
            lease.roll_back().await;
        }
    }

    /// Writes what waits for the end, and commits: all of it travels at once.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        let failed = |error| Fault::from(error).store("committing");
        self.settle();
        let Some(mut lease) = self.lease.take() else { return Ok(()) };
        let [log, scopes, clients] = finishing(&lease).await.map_err(failed)?;
        let (ids, positions): (Vec<i64>, Vec<i64>) = self.heads.iter().copied().unzip();
        let names: Vec<&str> = self.clients.iter().map(|(name, ..)| name.as_str()).collect();
        let users: Vec<&str> = self.clients.iter().map(|(_, user, ..)| user.as_str()).collect();
        let (lasts, seen): (Vec<i64>, Vec<i64>) = self.clients.iter().map(|(.., last, at)| (*last, *at)).unzip();
        let logged = Columns::of(&self.entries);
        let (before, logged, advanced, counted, committed) = join5(
            lease.batch_execute(&self.queue),
            some(&lease, &log, &logged.params(), self.entries.is_empty()),
            some(&lease, &scopes, &[&ids, &positions], ids.is_empty()),
            some(&lease, &clients, &[&names, &users, &lasts, &seen], names.is_empty()),
            lease.batch_execute("commit"),
        )
        .await;
        // A commit after a statement that failed is none, and says nothing about it.
        before.and(logged).and(advanced).and(counted).and(committed.map(|()| 0)).map_err(failed)?;
        lease.ended();
        Ok(())
    }

    /// Runs an app's statement. One that fails has done nothing.
    pub(super) async fn raw_statement(&mut self, sql: &str, params: Params<'_>) -> Result<(Vec<Found>, u64), Failed> {
        self.settle();
        let mut outdated = false;
        loop {
            self.make_savepoint();
            self.drop_statement();
            self.queue_savepoint(STATEMENT);
            (self.statement, self.raw) = (true, true);
            let Some(lease) = &self.lease else { return Err(Failed::Store(ended())) };
            self.afloat = true;
            let queue = std::mem::take(&mut self.queue);
            let (before, result) = join(lease.batch_execute(&queue), run(lease, sql, params)).await;
            self.afloat = false;
            before.map_err(|error| Failed::Store(Fault::from(error).store("PostgreSQL")))?;
            let fault = match result {
                Ok(result) => return Ok(result),
                Err(error) => Fault::from(error),
            };
            if fault.lost() {
                return Err(Failed::Store(fault.store("PostgreSQL")));
            }
            self.undo_statement();
            if !fault.outdated() || outdated {
                return Err(Failed::Statement(fault));
            }
            outdated = true;
            if let Some(lease) = &self.lease {
                drop(lease.statement_cache.remove(sql, &[]));
            }
        }
    }

    /// Runs one of this crate's statements, with what is queued before it.
    async fn query(&mut self, sql: &str, params: Params<'_>, writes: bool) -> Result<Vec<Found>, StoreError> {
        self.settle();
        if writes {
            self.make_savepoint();
        }
        self.drop_statement();
        let queue = std::mem::take(&mut self.queue);
        let lease = self.lease()?;
        // What is queued leads: without it, the transaction may be one in which nothing can be prepared.
        let query = async { lease.query(&lease.prepare_cached(sql).await?, params).await };
        let done = match queue.is_empty() {
            true => query.await,
            false => {
                let (before, rows) = join(lease.batch_execute(&queue), query).await;
                before.and(rows)
            }
        };
        done.map_err(|error| Fault::from(error).store("PostgreSQL"))
    }

    /// Undoes an app's statement whose answer nobody waited for.
    fn settle(&mut self) {
        if std::mem::take(&mut self.afloat) {
            self.undo_statement();
        }
    }

    fn undo_statement(&mut self) {
        self.queue_rollback(STATEMENT);
        self.statement = false;
    }

    fn drop_statement(&mut self) {
        if std::mem::take(&mut self.statement) {
            self.queue.push_str("release savepoint ");
            self.queue.push_str(STATEMENT);
            self.queue.push(';');
        }
    }

    fn make_savepoint(&mut self) {
        if self.mutation == Savepoint::Wanted {
            self.queue_savepoint(MUTATION);
            self.mutation = Savepoint::Made;
        }
    }

    fn queue_savepoint(&mut self, name: &str) {
        self.queue.push_str("savepoint ");
        self.queue.push_str(name);
        self.queue.push(';');
    }

    fn queue_rollback(&mut self, name: &str) {
        for command in ["rollback to savepoint ", "release savepoint "] {
            self.queue.push_str(command);
            self.queue.push_str(name);
            self.queue.push(';');
        }
    }

    /// Keeps the mutation, or undoes it and says why it can't be kept: constraints that wait for the commit are checked here, so that they
    /// refuse this mutation instead of the whole push.
    async fn keep(&mut self) -> Result<Option<Rejection>, StoreError> {
        self.settle();
        if std::mem::take(&mut self.raw) && self.mutation == Savepoint::Made {
            self.drop_statement();
            self.queue_savepoint(STATEMENT);
            self.queue.push_str("set constraints all immediate;");
            // What the check changed is put back: when constraints are checked is as it was.
            self.queue_rollback(STATEMENT);
            let queue = std::mem::take(&mut self.queue);
            if let Err(error) = self.lease()?.batch_execute(&queue).await {
                let fault = Fault::from(error);
                if fault.lost() {
                    return Err(fault.store("PostgreSQL"));
                }
                self.undo();
                return match fault.refusal() {
                    crate::sync::error::Error::Rejected(rejection) => Ok(Some(rejection)),
                    other => Err(StoreError::new("checking constraints", other)),
                };
            }
        }
        self.let_go();
        Ok(None)
    }

    fn let_go(&mut self) {
        if self.mutation == Savepoint::Made {
            self.queue.push_str("release savepoint ");
            self.queue.push_str(MUTATION);
            self.queue.push(';');
        }
        (self.mutation, self.statement) = (Savepoint::None, false);
    }

    fn undo(&mut self) {
        if self.mutation == Savepoint::Made {
            self.queue_rollback(MUTATION);
        }
        (self.mutation, self.statement, self.afloat, self.raw) = (Savepoint::None, false, false, false);
    }

    fn lease(&self) -> Result<&Lease, StoreError> {
        self.lease.as_ref().ok_or_else(ended)
    }

    fn scope(&self, scope: &Scope) -> Result<i64, StoreError> {
        let id = self.scopes.get(scope).copied();
        id.ok_or_else(|| StoreError::message(format!("the transaction did not lock the scope {scope}")))
    }

    /// Begins, and locks everything in one journey: the sender, then the scopes in the order of their names. Connections that turn out to be gone
    /// are replaced, as nothing has happened yet.
    async fn begin(&mut self, sender: Option<&str>, names: &[&str]) -> Result<(Vec<Found>, Found), StoreError> {
        let what = "locking scopes";
        let millis = self.patience.as_millis().clamp(1, 100_000_000);
        let begin = format!(
            "begin isolation level read committed; set local statement_timeout = {millis}; \
             set local idle_in_transaction_session_timeout = {}",
            millis * 6
        );
        let key = sender.map(|sender| xxh3_64(sender.as_bytes()) as i64);
        let mut tries = Tries::new(&self.pool);
        loop {
            let mut lease = Lease::new(&self.pool).await?;
            lease.begins();
            match lock(&lease, &begin, key, sender, names).await {
                Ok((found, _)) if found.len() < names.len() => {
                    lease.roll_back().await;
                    self.make_scopes(names).await?;
                }
                Ok(locked) => {
                    self.lease = Some(lease);
                    return Ok(locked);
                }
                Err(error) => {
                    let fault = Fault::from(error);
                    if !fault.lost() {
                        lease.roll_back().await;
                    }
                    tries.again(what, fault)?;
                }
            }
        }
    }

    /// Makes scopes that are not there, in a transaction of its own and in their order: made while others are locked, they could wait in a circle.
    async fn make_scopes(&self, names: &[&str]) -> Result<(), StoreError> {
        let make = "insert into mizu_scopes (name) select name from unnest($1::text[]) as new (name) \
                    where not exists (select from mizu_scopes there where there.name = new.name) \
                    order by name collate \"C\" on conflict (name) do nothing";
        let lease = Lease::new(&self.pool).await?;
        let made = lease.execute(make, &[&names]).await;
        made.map(drop).map_err(|error| Fault::from(error).store("making scopes"))
    }
}

/// Runs a statement, unless there is nothing to do.
async fn some(
    lease: &Lease,
    statement: &Statement,
    params: Params<'_>,
    nothing: bool,
) -> Result<u64, tokio_postgres::Error> {
    match nothing {
        true => Ok(0),
        false => lease.execute(statement, params).await,
    }
}

async fn run(lease: &Lease, sql: &str, params: Params<'_>) -> Result<(Vec<Found>, u64), tokio_postgres::Error> {
    let statement = match lease.statement_cache.size() < PREPARED {
        true => lease.prepare_cached(sql).await?,
        false => lease.prepare(sql).await?,
    };
    let mut stream = std::pin::pin!(lease.query_raw(&statement, params.iter().copied()).await?);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
    }
    Ok((rows, stream.rows_affected().unwrap_or(0)))
}

async fn lock(
    lease: &Lease,
    begin: &str,
    key: Option<i64>,
    sender: Option<&str>,
    names: &[&str],
) -> Result<(Vec<Found>, Found), tokio_postgres::Error> {
    let [advise, who, scopes] = [LOCK_SENDER, WHO, LOCK_SCOPES].map(|sql| lease.prepare_cached(sql));
    let (advise, who, scopes) = (advise.await?, who.await?, scopes.await?);
    // In time, before anything can be in the way.
    finishing(lease).await?;
    let (begun, advised, who, scopes) = join4(
        lease.batch_execute(begin),
        some(lease, &advise, &[&key], key.is_none()),
        lease.query_one(&who, &[&sender]),
        lease.query(&scopes, &[&names]),
    )
    .await;
    begun?;
    advised?;
    Ok((scopes?, who?))
}

/// What is run at the end, prepared.
async fn finishing(lease: &Lease) -> Result<[Statement; 3], tokio_postgres::Error> {
    let [log, scopes, clients] = [WRITE_LOG, ADVANCE_SCOPES, ADVANCE_CLIENTS].map(|sql| lease.prepare_cached(sql));
    Ok([log.await?, scopes.await?, clients.await?])
}

fn ended() -> StoreError {
    StoreError::message("the transaction has not begun, or has ended")
}

const LOCK_SENDER: &str = "select pg_advisory_xact_lock($1)";

/// Read when the sender is locked: what another of its transactions wrote is seen.
const WHO: &str = "select (select value from mizu_meta where key = 'epoch'), client.user_key, client.last \
                   from (values (1)) one left join mizu_clients client on client.id = $1";

const LOCK_SCOPES: &str = "select id, name, position from mizu_scopes where name = any($1) order by name for update";

const OUTCOME: &str = "select log.hash, log.code, log.message, scope.name, log.position, log.check_value \
                       from mizu_log log join mizu_scopes scope on scope.id = log.scope \
                       where log.sender = $1 and log.seq = $2";

const GET: &str = "select data from mizu_changes where scope = $1 and entity = $2 and id = $3 and superseded is null \
                   order by position desc limit 1";

const SCAN: &str = "select id, data from mizu_changes where scope = $1 and entity = $2 \
                    and id >= $3 and id > $4 and id < $5 and superseded is null and data is not null \
                    order by id limit $6";

/// Supersedes the version that is there, unless it came at the same position, and writes the new one. The version is found once: as the
/// scope is locked, nobody else moves it.
const PUT: &str = "\
with there as materialized (
    select ctid as place, position, data is not null as alive from mizu_changes
    where scope = $1 and entity = $2 and id = $3 and superseded is null order by position desc limit 1
), old as (
    update mizu_changes set superseded = $4
    where ctid = (select place from there where position < $4 and (alive or $5::text is not null))
), new as (
    insert into mizu_changes as change (scope, entity, id, position, created, data)
    select $1, $2, $3, $4, not exists (select from there where alive), $5
    where $5::text is not null or exists (select from there where alive)
    on conflict (scope, entity, id, position) do update set data = excluded.data
)
select exists (select from there where alive)";

const WRITE_LOG: &str = "\
insert into mizu_log (scope, position, check_value, at, sender, seq, hash, code, message)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[],
    $8::text[], $9::text[])";

/// With when the first entry was written that is not compacted, if there was none before.
const ADVANCE_SCOPES: &str = "\
update mizu_scopes scope set position = moved.position,
    young = coalesce(scope.young, (select at from mizu_log where scope = moved.id and position = scope.position + 1)),
    oldest = coalesce(scope.oldest, (select at from mizu_log where scope = moved.id and position = scope.position + 1))
from unnest($1::bigint[], $2::bigint[]) as moved (id, position) where scope.id = moved.id";

const ADVANCE_CLIENTS: &str = "\
insert into mizu_clients (id, user_key, last, seen_at)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
on conflict (id) do update set user_key = excluded.user_key, last = excluded.last, seen_at = excluded.seen_at";

fn later<'a, T>(future: impl Future<Output = Result<T, StoreError>> + Send + 'a) -> Step<'a, T> {
    Either::Right(Box::pin(future))
}

impl Transaction for PostgresTransaction {
    fn patience(&self) -> Patience {
        Patience::Awaits
    }

    fn lock<'a>(&'a mut self, sender: Option<&'a str>, scopes: &'a [Scope]) -> Step<'a, Locked> {
        later(async move {
            if self.lease.is_some() {
                return Err(StoreError::message("a transaction locks once"));
            }
            let names: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
            let (found, who) = self.begin(sender, &names).await?;
            let mut heads = HashMap::with_capacity(found.len());
            for row in found {
                let scope = scope_named(row.get(1))?;
                heads.insert(scope.clone(), row.get::<_, i64>(2) as u64);
                self.scopes.insert(scope, row.get(0));
            }
            let client = who.get::<_, Option<String>>(1).zip(who.get::<_, Option<i64>>(2));
            Ok(Locked {
                epoch: schema::epoch(who.get(0))?,
                client: client.map(|(user, last)| (user, Seq::new(last as u64))),
                heads: scopes.iter().map(|scope| heads.get(scope).copied().unwrap_or(0)).collect(),
            })
        })
    }

    fn outcome<'a>(&'a mut self, sender: &'a str, seq: Seq) -> Step<'a, Option<Stored>> {
        later(async move {
            let mut stored: Option<Stored> = None;
            let waits = |entry: &&Logged| entry.seq == seq && entry.sender.as_deref() == Some(sender);
            for entry in self.entries.iter().filter(waits) {
                let new = || Stored { hash: entry.hash, status: entry.status.clone(), entries: Vec::new() };
                let place = (entry.scope.clone(), entry.position, entry.check);
                stored.get_or_insert_with(new).entries.push(place);
            }
            if stored.is_some() {
                return Ok(stored);
            }
            for row in self.query(OUTCOME, &[&sender, &signed(seq.get())], false).await? {
                let new = || Stored {
                    hash: row.get::<_, i64>(0) as u64,
                    status: status(row.get(1), row.get(2)),
                    entries: Vec::new(),
                };
                let place = (scope_named(row.get(3))?, row.get::<_, i64>(4) as u64, row.get::<_, i64>(5) as u64);
                stored.get_or_insert_with(new).entries.push(place);
            }
            Ok(stored)
        })
    }

    fn savepoint(&mut self) -> Step<'_, ()> {
        self.mutation = Savepoint::Wanted;
        done(Ok(()))
    }

    fn rollback(&mut self) -> Step<'_, ()> {
        self.undo();
        done(Ok(()))
    }

    fn release(&mut self) -> Step<'_, Option<Rejection>> {
        if !self.raw && !self.afloat {
            self.let_go();
            return done(Ok(None));
        }
        later(self.keep())
    }

    fn get<'a>(&'a mut self, scope: &'a Scope, entity: &'a str, id: &'a str) -> Step<'a, Option<String>> {
        later(async move {
            let scope = self.scope(scope)?;
            let rows = self.query(GET, &[&scope, &entity, &id], false).await?;
            Ok(rows.first().and_then(|row| row.get(0)))
        })
    }

    fn scan<'a>(&'a mut self, scope: &'a Scope, entity: &'a str, scan: &'a Scan) -> Step<'a, Vec<Row>> {
        later(async move {
            let scope = self.scope(scope)?;
            let Some(scan) = scan.clone().readable() else { return Ok(Vec::new()) };
            let after = scan.after.unwrap_or_default();
            let limit = most(scan.limit.unwrap_or(usize::MAX));
            let end = behind_prefix(&scan.prefix);
            let rows = self.query(SCAN, &[&scope, &entity, &scan.prefix, &after, &end, &limit], false).await?;
            rows.into_iter().map(|found| row(entity.to_owned(), found.get(0), found.get(1))).collect()
        })
    }

    fn put<'a>(
        &'a mut self,
        scope: &'a Scope,
        position: u64,
        entity: &'a str,
        id: &'a str,
        data: Option<&'a str>,
    ) -> Step<'a, bool> {
        later(async move {
            let scope = self.scope(scope)?;
            let rows = self.query(PUT, &[&scope, &entity, &id, &signed(position), &data], true).await?;
            rows.first().map(|row| row.get(0)).ok_or_else(|| odd("a write gave no answer"))
        })
    }

    fn log<'a>(&'a mut self, entry: Entry<'a>) -> Step<'a, ()> {
        let id = match self.scope(entry.scope) {
            Ok(id) => id,
            Err(error) => return done(Err(error)),
        };
        self.entries.push(Logged {
            scope: entry.scope.clone(),
            id,
            position: entry.position,
            check: entry.check,
            at: entry.at,
            sender: entry.sender.map(str::to_owned),
            seq: entry.seq,
            hash: entry.hash,
            status: entry.status.clone(),
        });
        done(Ok(()))
    }

    fn advance_scopes<'a>(&'a mut self, heads: &'a [(Scope, u64)]) -> Step<'a, ()> {
        for (scope, head) in heads {
            match self.scope(scope) {
                Ok(id) => self.heads.push((id, signed(*head))),
                Err(error) => return done(Err(error)),
            }
        }
        done(Ok(()))
    }

    fn advance_client<'a>(&'a mut self, client: &'a str, user: &'a str, last: Seq, at: i64) -> Step<'a, ()> {
        self.clients.push((client.to_owned(), user.to_owned(), signed(last.get()), at));
        done(Ok(()))
    }

    fn raw(&mut self) -> &mut dyn Any {
        self
    }
}
