//! What only PostgreSQL does: tables for many nodes, an app's own statements, connections that go.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use mizu::Who;
use mizu::sync::postgres::deadpool_postgres::{Manager, Pool};
use mizu::sync::postgres::tokio_postgres::{Config, NoTls};
use mizu::sync::store::{CompactAsk, Compacted, Done, PullAsk, PullPart, RowsAsk, RowsPart, Store, Work};
use mizu::sync::{
    self, ApplyError, ClientId, Cursor, Engine, EngineBuilder, Epoch, Error, Mutation, PostgresOptions, PostgresStore,
    Push, Retention, Scan, Scope, Status, StoreError, Tx,
};
use serde_json::{Value, json};

use self::postgres::Postgres;

#[path = "support/postgres.rs"]
mod postgres;

/// A way to change the database besides the store.
fn pool(server: &Postgres) -> Pool {
    let config: Config = server.url().parse().unwrap();
    Pool::builder(Manager::new(config, NoTls)).max_size(4).build().unwrap()
}

async fn sql(server: &Postgres, statements: &str) {
    pool(server).get().await.unwrap().batch_execute(statements).await.unwrap();
}

async fn count(server: &Postgres, what: &str) -> i64 {
    pool(server).get().await.unwrap().query_one(&format!("select count(*) from {what}"), &[]).await.unwrap().get(0)
}

async fn store(server: &Postgres) -> PostgresStore {
    PostgresStore::connect(&server.url()).await.unwrap()
}

fn scope() -> Scope {
    Scope::new("notes").unwrap()
}

fn basic(store: impl Store) -> EngineBuilder {
    Engine::builder(store)
        .mutator("put", async |tx: &mut Tx, (id, value): (String, Value)| tx.put_row("note", &id, &value).await)
        .public("*")
}

async fn apply(engine: &Engine, name: &str, args: impl serde::Serialize) -> Result<(), ApplyError> {
    engine.apply(Who::server(), Mutation::new(&scope(), name, &args).unwrap()).await.map(drop)
}

fn rejection(result: Result<(), ApplyError>) -> String {
    match result {
        Err(ApplyError::Rejected(rejection)) => rejection.code().to_owned(),
        other => panic!("a rejection, not {other:?}"),
    }
}

#[tokio::test]
async fn tables_are_made_once_however_many_nodes_start() {
    let server = Postgres::start_without_fsync();
    let stores = join_all((0..8).map(|_| store(&server))).await;
    for store in &stores {
        apply(&basic(store.clone()).build(), "put", ("a", 1)).await.unwrap();
    }
    let again = basic(store(&server).await).build();
    assert_eq!(again.read(&scope()).cursor().await.unwrap().position(), 8);
    assert_eq!(count(&server, "mizu_meta where key = 'schema' and value = 1").await, 1);
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused() {
    let server = Postgres::start_without_fsync();
    store(&server).await;
    sql(&server, "update mizu_meta set value = 99 where key = 'schema'").await;
    let error = PostgresStore::connect(&server.url()).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("99") && error.contains("newer"), "{error}");
}

#[tokio::test]
async fn schemas_are_apart() {
    let server = Postgres::start_without_fsync();
    let in_schema = async |schema: &str| {
        let options = PostgresOptions { schema: Some(schema.into()), connections: 2, ..PostgresOptions::default() };
        PostgresStore::connect_with(&server.url(), options).await
    };
    let (one, two) = (basic(in_schema("one").await.unwrap()).build(), basic(in_schema("two").await.unwrap()).build());
    let public = basic(store(&server).await).build();
    apply(&one, "put", ("a", 1)).await.unwrap();
    assert_eq!(one.read(&scope()).get_row("note", "a").await.unwrap(), Some(json!(1)));
    assert_eq!(two.read(&scope()).get_row("note", "a").await.unwrap(), None);
    assert_eq!(public.read(&scope()).get_row("note", "a").await.unwrap(), None);
    for bad in ["", "A", "1a", "a\"; drop schema public", "a b", &"a".repeat(64)] {
        assert!(in_schema(bad).await.is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn an_app_may_bring_its_pool() {
    let server = Postgres::start_without_fsync();
    let engine = basic(PostgresStore::with_pool(pool(&server)).await.unwrap()).build();
    apply(&engine, "put", ("a", 1)).await.unwrap();
    assert_eq!(engine.read(&scope()).get_row("note", "a").await.unwrap(), Some(json!(1)));
}

#[tokio::test]
async fn errors_say_what_happened() {
    let server = Postgres::start_without_fsync();
    let nowhere = format!("{}/nowhere", server.url().strip_suffix("/postgres").unwrap());
    let error = PostgresStore::connect(&nowhere).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("\"nowhere\" does not exist") && error.contains("3D000"), "{error}");
    assert!(PostgresStore::connect("no url").await.is_err());
}

#[tokio::test]
async fn own_tables_change_with_the_mutation() {
    let server = Postgres::start_without_fsync();
    sql(&server, "create table audit (note text primary key, price int check (price > 0))").await;
    let engine = basic(store(&server).await)
        .mutator("audit", async |tx: &mut Tx, (id, price, fail): (String, i32, bool)| {
            tx.put_row("note", &id, &price).await?;
            let mut sql = tx.postgres()?;
            assert_eq!(sql.execute("insert into audit values ($1, $2)", &[&id, &price]).await?, 1);
            let row = sql.query_one("select count(*) from audit", &[]).await?;
            let none = sql.query_opt("select 1 from audit where note = 'none'", &[]).await?;
            assert!(none.is_none() && row.get::<_, i64>(0) > 0);
            if fail { Err(tx.reject("no", "As asked.")) } else { Ok(()) }
        })
        .build();
    apply(&engine, "audit", ("a", 1, false)).await.unwrap();
    assert_eq!(rejection(apply(&engine, "audit", ("b", 2, true)).await), "no");
    assert_eq!(rejection(apply(&engine, "audit", ("c", -1, false)).await), "constraint");
    assert_eq!(rejection(apply(&engine, "audit", ("a", 2, false)).await), "constraint");
    assert_eq!(count(&server, "audit").await, 1);
    assert_eq!(engine.read(&scope()).scan_rows("note", Scan::all()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_business_of_a_mutator_is_denied() {
    let server = Postgres::start_without_fsync();
    sql(&server, "create procedure ender() language plpgsql as $$ begin commit; end $$").await;
    let engine = basic(store(&server).await)
        .mutator("run", async |tx: &mut Tx, statement: String| {
            tx.put_row("note", "n", &statement).await?;
            tx.postgres()?.execute(&statement, &[]).await.map(drop)
        })
        .build();
    for bad in [
        "commit",
        "/* select */ ROLLBACK",
        "--\rcommit /*\nselect 1 */",
        ";commit",
        "savepoint a",
        "set session statement_timeout = 0",
        "select 1; commit",
        "do $$ begin commit; end $$",
        "call ender()",
        "no statement",
        "select * from nothing",
        "",
    ] {
        assert_eq!(rejection(apply(&engine, "run", bad).await), "internal", "{bad:?}");
    }
    assert_eq!(rejection(apply(&engine, "run", "select 1/0").await), "constraint");
    assert_eq!(rejection(apply(&engine, "run", "select 'a'::int").await), "constraint");
    assert_eq!(engine.read(&scope()).get_row("note", "n").await.unwrap(), None);
    apply(&engine, "run", "select 1;").await.unwrap();
}

/// A statement that failed used to leave the transaction unusable until the mutation was undone.
#[tokio::test]
async fn a_mutator_may_go_on_after_a_statement_that_failed() {
    let server = Postgres::start_without_fsync();
    sql(&server, "create table seen (id int primary key)").await;
    let engine = basic(store(&server).await)
        .mutator("see", async |tx: &mut Tx, id: i32| {
            tx.put_row("note", "before", &id).await?;
            let mut sql = tx.postgres()?;
            let new = match sql.execute("insert into seen values ($1)", &[&id]).await {
                Ok(_) => true,
                Err(Error::Rejected(rejection)) if rejection.code() == "constraint" => false,
                Err(error) => return Err(error),
            };
            assert!(sql.query("select * from nowhere", &[]).await.is_err());
            assert!(sql.query("selec", &[]).await.is_err());
            assert_eq!(tx.get_row("note", "before").await?, Some(id.into()));
            tx.put_row("note", "after", &new).await
        })
        .build();
    let client = ClientId::random();
    let sent = |seq: u64, name: &str, args: Value| json!({ "seq": seq, "name": name, "scope": "notes", "args": args });
    let mutations = vec![sent(1, "see", json!(1)), sent(2, "see", json!(1)), sent(3, "put", json!(["c", 3]))];
    let push: Push = serde_json::from_value(json!({ "client": client, "mutations": mutations })).unwrap();
    let pushed = engine.push(Who::anybody(), push).await;
    assert!(pushed.stop.is_none(), "{:?}", pushed.stop);
    assert!(pushed.results.iter().all(|outcome| outcome.status == Status::Applied), "{:?}", pushed.results);
    let rows = engine.read(&scope()).scan_rows("note", Scan::all()).await.unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.data.get())).collect();
    assert_eq!(rows, [("after", "false"), ("before", "1"), ("c", "3")]);
    assert_eq!(count(&server, "seen").await, 1);
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_undone() {
    let server = Postgres::start_without_fsync();
    sql(&server, "create table slow (id int primary key)").await;
    let engine = basic(store(&server).await)
        .mutator("hurry", async |tx: &mut Tx, fails: bool| {
            tx.put_row("note", "before", &1).await?;
            let insert = match fails {
                true => "with wait as (select pg_sleep(0.2)) insert into slow select 1 from wait union all select 1",
                false => "with wait as (select pg_sleep(0.2)) insert into slow select 1 from wait",
            };
            let mut sql = tx.postgres()?;
            let hurried = tokio::time::timeout(Duration::from_millis(30), sql.execute(insert, &[])).await;
            assert!(hurried.is_err());
            tx.put_row("note", "after", &2).await
        })
        .mutator("leave", async |tx: &mut Tx, _: ()| {
            tx.put_row("note", "left", &1).await?;
            let mut sql = tx.postgres()?;
            let insert = "with wait as (select pg_sleep(0.2)) insert into slow select 1 from wait";
            drop(tokio::time::timeout(Duration::from_millis(30), sql.execute(insert, &[])).await);
            Ok(())
        })
        .build();
    for fails in [false, true] {
        apply(&engine, "hurry", fails).await.unwrap();
    }
    apply(&engine, "leave", ()).await.unwrap();
    assert_eq!(engine.read(&scope()).scan_rows("note", Scan::all()).await.unwrap().len(), 3);
    assert_eq!(count(&server, "slow").await, 0);
}

#[tokio::test]
async fn deferred_constraints_are_checked_with_the_mutation() {
    let server = Postgres::start_without_fsync();
    let tables = "create table parent (id int primary key); \
                  create table child (id int references parent deferrable initially deferred)";
    sql(&server, tables).await;
    let engine = basic(store(&server).await)
        .mutator("birth", async |tx: &mut Tx, (id, orphan): (i32, bool)| {
            let mut sql = tx.postgres()?;
            sql.execute("insert into child values ($1)", &[&id]).await?;
            if !orphan {
                sql.execute("insert into parent values ($1)", &[&id]).await?;
            }
            Ok(())
        })
        .build();
    let client = ClientId::random();
    let sent = |seq: u64, args: Value| json!({ "seq": seq, "name": "birth", "scope": "notes", "args": args });
    let push = |mutations: Vec<Value>| -> Push {
        serde_json::from_value(json!({ "client": client, "mutations": mutations })).unwrap()
    };
    // The second is deferred again, after the first was checked.
    let pushed = engine.push(Who::anybody(), push(vec![sent(1, json!([1, false])), sent(2, json!([2, false]))])).await;
    assert!(pushed.stop.is_none() && pushed.results.len() == 2, "{pushed:?}");
    assert!(pushed.results.iter().all(|outcome| outcome.status == Status::Applied), "{pushed:?}");

    // P12: what can never be committed is rejected, and stops nothing that comes after it.
    let pushed = engine.push(Who::anybody(), push(vec![sent(3, json!([3, true])), sent(4, json!([4, false]))])).await;
    assert!(pushed.stop.is_none(), "{pushed:?}");
    assert!(matches!(&pushed.results[0].status, Status::Rejected(why) if why.code() == "constraint"), "{pushed:?}");
    assert_eq!(pushed.results[1].status, Status::Applied);
    assert_eq!(count(&server, "child").await, 3);
    apply(&engine, "put", ("a", 1)).await.unwrap();
}

#[tokio::test]
async fn tables_may_change_under_a_prepared_statement() {
    let server = Postgres::start_without_fsync();
    sql(&server, "create table wide (a int); insert into wide values (1)").await;
    let options = PostgresOptions { connections: 1, ..PostgresOptions::default() };
    let engine = basic(PostgresStore::connect_with(&server.url(), options).await.unwrap())
        .mutator("look", async |tx: &mut Tx, _: ()| {
            let columns = tx.postgres()?.query_one("select * from wide", &[]).await?.len();
            tx.put_row("note", "columns", &columns).await
        })
        .build();
    apply(&engine, "look", ()).await.unwrap();
    sql(&server, "alter table wide add column b int").await;
    apply(&engine, "look", ()).await.unwrap();
    assert_eq!(engine.read(&scope()).get_row("note", "columns").await.unwrap(), Some(json!(2)));
}

/// A store whose writes are given up after a while.
struct Impatient(PostgresStore, Duration);

impl Store for Impatient {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn write(&self, work: Arc<Work>) -> BoxFuture<'_, Result<Done, StoreError>> {
        Box::pin(async {
            let written = tokio::time::timeout(self.1, self.0.write(work)).await;
            written.unwrap_or_else(|_| Err(StoreError::message("given up")))
        })
    }

    fn pull(&self, ask: PullAsk) -> BoxFuture<'_, Result<PullPart, StoreError>> {
        self.0.pull(ask)
    }

    fn rows(&self, ask: RowsAsk) -> BoxFuture<'_, Result<RowsPart, StoreError>> {
        self.0.rows(ask)
    }

    fn compact(&self, ask: CompactAsk) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        self.0.compact(ask)
    }

    fn bump_epoch(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        self.0.bump_epoch()
    }
}

#[tokio::test]
async fn writes_that_are_given_up_leave_the_pool_healthy() {
    let server = Postgres::start_without_fsync();
    let options = PostgresOptions { connections: 2, ..PostgresOptions::default() };
    let store = PostgresStore::connect_with(&server.url(), options).await.unwrap();
    let slow = async |tx: &mut Tx, id: String| {
        tx.put_row("note", &id, &1).await?;
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    };
    let impatient = basic(Impatient(store.clone(), Duration::from_millis(50))).mutator("slow", slow).build();
    let patient = basic(store.clone()).build();
    for round in 0..5 {
        let given_up = apply(&impatient, "slow", format!("lost{round}")).await;
        assert!(matches!(given_up, Err(ApplyError::Store(_))), "{given_up:?}");
        // The lock is free again, on whatever connection.
        for id in ["a", "b", "c"] {
            apply(&patient, "put", (id, round)).await.unwrap();
        }
    }
    // Reads that are given up as well.
    for _ in 0..20 {
        let ask = RowsAsk {
            scope: scope(),
            client: None,
            at: None,
            entity: None,
            prefix: String::new(),
            after: None,
            limit: 10,
            bytes: 10,
            acks: 0,
        };
        drop(tokio::time::timeout(Duration::from_micros(200), store.rows(ask)).await);
    }
    assert_eq!(patient.read(&scope()).scan_rows("note", Scan::all()).await.unwrap().len(), 3);
    assert_eq!(count(&server, "pg_stat_activity where state like 'idle in transaction%'").await, 0);
}

#[tokio::test]
async fn a_server_that_was_away_is_used_again() {
    let mut server = Postgres::start();
    let engine = basic(store(&server).await).build();
    join_all((0..8).map(|n| apply(&engine, "put", (format!("{n}"), n)))).await;
    for round in 0..2 {
        match round {
            0 => server.kill(),
            _ => server.stop(),
        }
        let away = apply(&engine, "put", ("away", 1)).await;
        assert!(matches!(away, Err(ApplyError::Store(_))), "{away:?}");
        assert!(engine.read(&scope()).cursor().await.is_err());
        server.start_again();
        apply(&engine, "put", ("back", round)).await.unwrap();
        assert_eq!(engine.read(&scope()).get_row("note", "back").await.unwrap(), Some(json!(round)));
        assert_eq!(engine.read(&scope()).get_row("note", "7").await.unwrap(), Some(json!(7)));
    }
    // Behind the store's back, so that its connections are gone when they are used.
    let others = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mizu'";
    for round in 0..5 {
        sql(&server, others).await;
        apply(&engine, "put", ("back", round)).await.unwrap();
        sql(&server, others).await;
        assert_eq!(engine.read(&scope()).get_row("note", "back").await.unwrap(), Some(json!(round)));
    }
}

/// Properties 5 and 6, with several nodes: who reads behind the last position that it saw misses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_leave_no_holes() {
    const WRITERS: usize = 16;
    const EACH: usize = 25;

    let server = Postgres::start_without_fsync();
    let nodes = join_all((0..4).map(|_| store(&server))).await;
    let engines: Vec<_> = nodes.into_iter().map(|store| basic(store).build()).collect();
    let writers = (0..WRITERS).map(|writer| {
        let engine = engines[writer % engines.len()].clone();
        tokio::spawn(async move {
            for n in 0..EACH {
                apply(&engine, "put", (format!("{writer}-{n}"), n)).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let reader = engines[0].clone();
    let mut cursor = Cursor::BEGINNING;
    let mut seen = Vec::new();
    while seen.len() < WRITERS * EACH {
        let pulled = reader.pull(&Who::server(), &scope(), None, cursor, Some(7)).await.unwrap();
        cursor = pulled.cursor;
        seen.extend(pulled.changes.into_iter().map(|change| serde_json::to_value(change).unwrap()["id"].clone()));
        if seen.len() == cursor.position() as usize && writers.iter().all(tokio::task::JoinHandle::is_finished) {
            let head = reader.read(&scope()).cursor().await.unwrap();
            if head.position() == cursor.position() {
                break;
            }
        }
    }
    join_all(writers).await.into_iter().for_each(Result::unwrap);
    assert_eq!(seen.len(), WRITERS * EACH);
    seen.sort_unstable_by_key(Value::to_string);
    seen.dedup();
    assert_eq!(seen.len(), WRITERS * EACH, "each was seen once");
}

#[tokio::test]
async fn compaction_looks_only_where_there_is_something_to_remove() {
    let server = Postgres::start_without_fsync();
    let store = store(&server).await;
    let retention = Retention { age: Some(Duration::ZERO), entries: None, grace: Duration::ZERO, every: None };
    let engine = basic(store.clone()).retention(retention).build();
    let put = async |scope: String, n: usize| {
        let mutation = Mutation::new(&Scope::new(&scope).unwrap(), "put", &("a", n)).unwrap();
        engine.apply(Who::server(), mutation).await.unwrap();
    };
    for n in 0..3 {
        for name in 0..5 {
            put(format!("room:{name}"), n).await;
        }
    }
    // A step does about as much as it may, and says where to go on.
    let mut ask = CompactAsk { from: None, compact_at: i64::MAX, horizon_at: Some(i64::MAX), keep: None, budget: 1 };
    let (mut changes, mut entries, mut steps) = (0, 0, 0);
    loop {
        let step = store.compact(ask.clone()).await.unwrap();
        assert!(step.changes + step.entries <= 2, "{step:?}");
        (changes, entries, steps) = (changes + step.changes, entries + step.entries, steps + 1);
        match step.next {
            Some(next) => ask.from = Some(next),
            None => break,
        }
    }
    assert_eq!((changes, entries), (10, 10), "in {steps} steps");
    assert_eq!(count(&server, "mizu_scopes where young is not null or oldest is not null").await, 0);
    assert_eq!(engine.compact().await.unwrap(), sync::Removed::default());
    put("room:3".into(), 9).await;
    assert_eq!(count(&server, "mizu_scopes where young is not null and oldest is not null").await, 1);
    let removed = engine.compact().await.unwrap();
    assert_eq!((removed.changes, removed.entries), (1, 1));
}

#[tokio::test]
async fn forged_places_are_harmless() {
    let server = Postgres::start_without_fsync();
    let store = store(&server).await;
    let engine = basic(store.clone()).build();
    for id in ["a", "ab", "b"] {
        apply(&engine, "put", (id, id)).await.unwrap();
    }
    for from in [4, i64::MAX as u64, u64::MAX] {
        let ask = PullAsk { scope: scope(), client: None, from, limit: 10, bytes: 10 };
        let part = store.pull(ask).await.unwrap();
        assert!(part.changes.is_empty() && part.check.is_none() && part.upto == (from, 0), "{part:?}");
    }
    let rows = async |entity: Option<&str>, prefix: &str, after: Option<(&str, &str)>| {
        let ask = RowsAsk {
            scope: scope(),
            client: None,
            at: None,
            entity: entity.map(Into::into),
            prefix: prefix.into(),
            after: after.map(|(entity, id)| (entity.into(), id.into())),
            limit: 10,
            bytes: 1_000,
            acks: 0,
        };
        let part = store.rows(ask).await.unwrap();
        part.rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(rows(None, "", None).await, ["a", "ab", "b"]);
    assert_eq!(rows(None, "", Some(("note", "a\0b"))).await, ["ab", "b"]);
    assert_eq!(rows(None, "", Some(("note\0", ""))).await, [""; 0]);
    assert_eq!(rows(None, "", Some(("not\0e", "zz"))).await, ["a", "ab", "b"]);
    assert_eq!(rows(Some("note"), "a", None).await, ["a", "ab"]);
    assert_eq!(rows(Some("note"), "a", Some(("note", "a\0"))).await, ["ab"]);
    assert_eq!(rows(Some("note"), "a\0", None).await, [""; 0]);
    assert_eq!(rows(Some("no\0te"), "", None).await, [""; 0]);
    assert_eq!(rows(Some("note"), "", Some(("other", ""))).await, [""; 0]);
    assert_eq!(rows(Some("note"), "", Some(("a", "z"))).await, ["a", "ab", "b"]);
}
