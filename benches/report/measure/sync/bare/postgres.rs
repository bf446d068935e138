//! PostgreSQL.

use futures::future::{join, join4, join5};
use mizu::sync::Push;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

use super::{Answered, statements};
use crate::Result;
use crate::measure::sync::latency::Latencies;
use crate::measure::sync::push::{Bare, interleaved};

/// As many connections as the engine has, each of which takes its share of the clients.
///
/// For every push it sends, in as many journeys, what the engine sends: the beginning, its time limits and its locks at once; for each mutation
/// the reading of the row and its writing, with a savepoint; the log, the counters and the commit at once. Left out is all that is no
/// statement: reading arguments, hashing them, authorisation, taking connections from a pool, and answers.
pub(in crate::measure::sync) struct BarePostgres {
    connections: Vec<Connection>,
}

impl BarePostgres {
    /// So many connections to the tables of a schema.
    pub(in crate::measure::sync) async fn open(url: &str, schema: &str, connections: usize) -> Result<Self> {
        statements::check("src/sync/postgres", &[SOURCE], &STATEMENTS)?;
        let mut all = Vec::with_capacity(connections);
        for _ in 0..connections {
            all.push(Connection::open(url, schema).await?);
        }
        Ok(Self { connections: all })
    }
}

impl Bare for BarePostgres {
    async fn write(&mut self, pushes: Vec<Vec<Push>>) -> Result<Latencies> {
        let mut shares: Vec<Vec<Vec<Push>>> = Vec::new();
        shares.resize_with(self.connections.len(), Vec::new);
        for (number, client) in pushes.into_iter().enumerate() {
            shares[number % self.connections.len()].push(client);
        }
        let tasks = std::mem::take(&mut self.connections).into_iter().zip(shares).map(|(connection, share)| {
            tokio::spawn(async move {
                let mut answered = Answered::new();
                for push in interleaved(share) {
                    connection.transaction(&push).await?;
                    answered.now(&push.client);
                }
                Ok::<_, crate::Failure>((connection, answered.into_times()))
            })
        });
        let mut times = Latencies::default();
        for task in tasks.collect::<Vec<_>>() {
            let (connection, its) = task.await??;
            self.connections.push(connection);
            times.extend(its);
        }
        Ok(times)
    }
}

struct Connection {
    client: Client,
    advise: Statement,
    who: Statement,
    lock: Statement,
    get: Statement,
    put: Statement,
    log: Statement,
    scopes: Statement,
    clients: Statement,
}

impl Connection {
    async fn open(url: &str, schema: &str) -> Result<Self> {
        let mut config: tokio_postgres::Config = url.parse()?;
        config.options(format!("-c search_path={schema},public"));
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(Self {
            advise: client.prepare(ADVISE).await?,
            who: client.prepare(WHO).await?,
            lock: client.prepare(LOCK).await?,
            get: client.prepare(GET).await?,
            put: client.prepare(PUT).await?,
            log: client.prepare(LOG).await?,
            scopes: client.prepare(SCOPES).await?,
            clients: client.prepare(CLIENTS).await?,
            client,
        })
    }

    async fn transaction(&self, push: &Push) -> Result {
        let client = push.client.as_str();
        let mut names: Vec<&str> = push.mutations.iter().map(|mutation| mutation.scope.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let key = xxhash_rust::xxh3::xxh3_64(client.as_bytes()) as i64;
        let (begun, advised, who, locked) = join4(
            self.client.batch_execute(BEGIN),
            self.client.execute(&self.advise, &[&key]),
            self.client.query_one(&self.who, &[&client]),
            self.client.query(&self.lock, &[&names]),
        )
        .await;
        begun?;
        advised?;
        who?;
        let mut heads: Vec<(String, i64, i64)> =
            locked?.iter().map(|row| (row.get(1), row.get(0), row.get(2))).collect();
        let mut log = Log::default();
        for (number, sent) in push.mutations.iter().enumerate() {
            let head = heads.iter_mut().find(|(name, ..)| *name == sent.scope).ok_or("a scope that was not locked")?;
            head.2 += 1;
            let (scope, position, entity, id, data) = (head.1, head.2, "todo", &sent.id, Some(sent.args.get()));
            let row: [&(dyn ToSql + Sync); 5] = [&scope, &entity, id, &position, &data];
            let get = self.client.query(&self.get, &row[..3]);
            match number {
                0 => get.await?,
                // What ended the mutation before travels with the first statement of this one.
                _ => self.with(RELEASE, get).await?,
            };
            self.with("savepoint mizu;", self.client.query(&self.put, &row)).await?;
            log.scope.push(scope);
            log.position.push(position);
            log.seq.push(sent.seq.get() as i64);
        }
        let rows = log.seq.len();
        let (same, senders, none) = (vec![AT; rows], vec![Some(client); rows], vec![None::<&str>; rows]);
        let log: [&(dyn ToSql + Sync); 9] =
            [&log.scope, &log.position, &same, &same, &senders, &log.seq, &same, &none, &none];
        let ids: Vec<i64> = heads.iter().map(|(_, id, _)| *id).collect();
        let positions: Vec<i64> = heads.iter().map(|(.., position)| *position).collect();
        let last = push.mutations.last().map_or(0, |mutation| mutation.seq.get() as i64);
        let (released, logged, advanced, counted, committed) = join5(
            self.client.batch_execute(RELEASE),
            self.client.execute(&self.log, &log),
            self.client.execute(&self.scopes, &[&ids, &positions]),
            self.client.execute(&self.clients, &[&vec![client], &vec![""], &vec![last], &vec![AT]]),
            self.client.batch_execute("commit"),
        )
        .await;
        released?;
        logged.and(advanced).and(counted)?;
        Ok(committed?)
    }

    /// A statement, with what travels before it.
    async fn with<T>(
        &self,
        before: &str,
        statement: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        let (before, rows) = join(self.client.batch_execute(before), statement).await;
        before?;
        Ok(rows?)
    }
}

/// Columns of the log.
#[derive(Default)]
struct Log {
    scope: Vec<i64>,
    position: Vec<i64>,
    seq: Vec<i64>,
}

/// A time of today, in milliseconds since 1970.
const AT: i64 = 1_795_000_000_000;

const ADVISE: &str = "select pg_advisory_xact_lock($1)";

const BEGIN: &str = "begin isolation level read committed; set local statement_timeout = 10000; \
                     set local idle_in_transaction_session_timeout = 60000";

const RELEASE: &str = "release savepoint mizu;";

const WHO: &str = "select (select value from mizu_meta where key = 'epoch'), client.user_key, client.last \
                   from (values (1)) one left join mizu_clients client on client.id = $1";

const LOCK: &str = "select id, name, position from mizu_scopes where name = any($1) order by name for update";

const GET: &str = "select data from mizu_changes where scope = $1 and entity = $2 and id = $3 and superseded is null \
                   order by position desc limit 1";

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

const LOG: &str = "\
insert into mizu_log (scope, position, check_value, at, sender, seq, hash, code, message)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[],
    $8::text[], $9::text[])";

const SCOPES: &str = "\
update mizu_scopes scope set position = moved.position,
    young = coalesce(scope.young, (select at from mizu_log where scope = moved.id and position = scope.position + 1)),
    oldest = coalesce(scope.oldest, (select at from mizu_log where scope = moved.id and position = scope.position + 1))
from unnest($1::bigint[], $2::bigint[]) as moved (id, position) where scope.id = moved.id";

const CLIENTS: &str = "\
insert into mizu_clients (id, user_key, last, seen_at)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
on conflict (id) do update set user_key = excluded.user_key, last = excluded.last, seen_at = excluded.seen_at";

const STATEMENTS: [&str; 8] = [ADVISE, WHO, LOCK, GET, PUT, LOG, SCOPES, CLIENTS];

/// Where the engine has them.
const SOURCE: &str = include_str!("../../../../../src/sync/postgres/transaction.rs");
