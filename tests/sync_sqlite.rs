//! What only SQLite does: an app's own tables in the transaction of a mutation.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

use std::path::{Path, PathBuf};

use futures::future::join_all;
use mizu::Who;
use mizu::sync::{ApplyError, ClientId, Engine, Mutation, Push, Scope, SqliteStore, Status, Tx};
use rusqlite::Connection;
use serde_json::{Value, json};

/// A database of a test's own, gone with it.
struct File(PathBuf);

impl File {
    fn with(tables: &str) -> Self {
        let file = Self(std::env::temp_dir().join(format!("mizu-{}.db", ClientId::random())));
        Connection::open(&file.0).unwrap().execute_batch(tables).unwrap();
        file
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn count(&self, table: &str) -> i64 {
        let count = format!("select count(*) from {table}");
        Connection::open(&self.0).unwrap().query_row(&count, [], |row| row.get(0)).unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.0.display()));
        }
    }
}

const FAMILY: &str = "create table parent (id int primary key); \
                      create table child (id int references parent deferrable initially deferred)";

/// Takes statements as they come, and a row of the engine's beside them.
async fn run(tx: &mut Tx, sql: String) -> mizu::sync::Result {
    let id = tx.new_id();
    tx.put_row("note", &id.to_string(), &sql).await?;
    tx.sqlite(|conn| conn.execute_batch(&sql))
}

fn engine(file: &File) -> Engine {
    Engine::builder(SqliteStore::open(file.path()).unwrap()).mutator("run", run).public("*").build()
}

fn scope() -> Scope {
    Scope::new("notes").unwrap()
}

async fn apply(engine: &Engine, sql: &str) -> Result<(), String> {
    match engine.apply(Who::server(), Mutation::new(&scope(), "run", sql).unwrap()).await {
        Ok(_) => Ok(()),
        Err(ApplyError::Rejected(rejection)) => Err(rejection.code().to_owned()),
        Err(error) => panic!("neither done nor rejected: {error}"),
    }
}

async fn notes(engine: &Engine) -> usize {
    engine.read(&scope()).scan_rows("note", Default::default()).await.unwrap().len()
}

#[tokio::test]
async fn statements_are_committed_with_the_mutation_or_undone_with_it() {
    let file = File::with("create table audit (text text not null)");
    let engine = engine(&file);
    assert_eq!(apply(&engine, "insert into audit values ('a')").await, Ok(()));
    assert_eq!((file.count("audit"), notes(&engine).await), (1, 1));
    let twice = "insert into audit values ('b'); insert into audit values (null)";
    assert_eq!(apply(&engine, twice).await, Err("constraint".into()));
    assert_eq!(apply(&engine, "insert into nowhere values (1)").await, Err("internal".into()));
    assert_eq!((file.count("audit"), notes(&engine).await), (1, 1));
}

#[tokio::test]
async fn the_transaction_and_its_tables_are_the_engines() {
    let file = File::with("create table audit (text text)");
    let engine = engine(&file);
    for denied in [
        "commit",
        "rollback",
        "begin",
        "savepoint a",
        "release mizu",
        "attach ':memory:' as other",
        "pragma synchronous = off",
        "delete from mizu_changes",
        "create trigger audited after insert on mizu_changes begin delete from audit; end",
        "drop table MIZU_SCOPES",
    ] {
        let sql = format!("insert into audit values ('x'); {denied}");
        assert_eq!(apply(&engine, &sql).await, Err("internal".into()), "{denied}");
    }
    assert_eq!((file.count("audit"), notes(&engine).await), (0, 0));
    assert_eq!(apply(&engine, "insert into audit values ('y')").await, Ok(()));
}

/// P12: SQLite notices a broken deferred key only when it commits, for whatever shares the commit. Such a push was
/// answered with "try again" for ever.
#[tokio::test]
async fn a_deferred_key_that_is_broken_rejects_its_mutation_alone() {
    let file = File::with(FAMILY);
    let engine = engine(&file);
    let birth = |id: i32, orphan: bool| match orphan {
        true => format!("insert into child values ({id})"),
        false => format!("insert into child values ({id}); insert into parent values ({id})"),
    };
    let mutations: Vec<Value> = [(1, false), (2, true), (3, false)]
        .into_iter()
        .map(|(id, orphan)| json!({ "seq": id, "name": "run", "scope": "notes", "args": birth(id, orphan) }))
        .collect();
    let push: Push = serde_json::from_value(json!({ "client": ClientId::random(), "mutations": mutations })).unwrap();
    let pushed = engine.push(Who::anybody(), push).await;
    assert!(pushed.stop.is_none() && pushed.results.len() == 3, "{pushed:?}");
    for (at, outcome) in pushed.results.iter().enumerate() {
        match &outcome.status {
            Status::Rejected(why) if at == 1 => assert_eq!(why.code(), "constraint"),
            status => assert!(at != 1 && *status == Status::Applied, "{pushed:?}"),
        }
    }
    assert_eq!((file.count("child"), file.count("parent"), notes(&engine).await), (2, 2, 2));

    // Among others that share its commit.
    let births: Vec<_> = (10..50).map(|id| birth(id, id % 8 == 0)).collect();
    let done = join_all(births.iter().map(|sql| apply(&engine, sql))).await;
    for (id, done) in (10..50).zip(done) {
        assert_eq!(done, if id % 8 == 0 { Err("constraint".into()) } else { Ok(()) }, "{id}");
    }
    assert_eq!((file.count("child"), file.count("parent"), notes(&engine).await), (37, 37, 37));
}

/// What SQLite offers besides the statement ROLLBACK ended the engine's transaction: the push was never settled, and what the mutator did after that was
/// written outside of any.
#[tokio::test]
async fn a_statement_that_rolls_back_rejects_its_mutation_alone() {
    let file = File::with(
        "create table own (id int primary key); insert into own values (1); \
         create table strict (id int unique on conflict rollback); insert into strict values (1); \
         create trigger refused before insert on own when new.id = 9 begin select raise(rollback, 'no nines'); end",
    );
    let engine = Engine::builder(SqliteStore::open(file.path()).unwrap())
        .mutator("run", run)
        .mutator("swallow", async |tx: &mut Tx, sql: String| {
            let _ = tx.sqlite(|conn| conn.execute_batch(&sql));
            let _ = tx.sqlite(|conn| conn.execute_batch("insert into own values (77)"));
            let _ = tx.put_row("note", "swallowed", &1).await;
            Ok(())
        })
        .public("*")
        .build();
    for sql in ["insert or rollback into own values (1)", "insert into strict values (1)", "insert into own values (9)"]
    {
        let mutations: Vec<Value> =
            [("run", "insert into strict values (null)"), ("run", sql), ("swallow", sql), ("run", "select 1")]
                .into_iter()
                .zip(1..)
                .map(|((name, sql), seq)| json!({ "seq": seq, "name": name, "scope": "notes", "args": sql }))
                .collect();
        let push = json!({ "client": ClientId::random(), "mutations": mutations });
        let before = notes(&engine).await;
        for _ in 0..2 {
            let pushed = engine.push(Who::anybody(), serde_json::from_value(push.clone()).unwrap()).await;
            assert!(pushed.stop.is_none() && pushed.results.len() == 4, "{sql}: {pushed:?}");
            for (at, outcome) in pushed.results.iter().enumerate() {
                match &outcome.status {
                    Status::Rejected(why) => {
                        assert!(matches!(at, 1 | 2) && why.code() == "constraint", "{sql}: {pushed:?}")
                    }
                    status => assert!(matches!(at, 0 | 3) && *status == Status::Applied, "{sql}: {pushed:?}"),
                }
            }
        }
        assert_eq!((file.count("own"), notes(&engine).await), (1, before + 2), "{sql}");
    }
    // Those that share its commit are none the wiser.
    let all = (0..60).map(|id| match id % 5 {
        0 => "insert or rollback into own values (1)".to_owned(),
        _ => format!("insert into own values ({})", 1_000 + id),
    });
    let all: Vec<_> = all.collect();
    let done = join_all(all.iter().map(|sql| apply(&engine, sql))).await;
    for (id, done) in done.into_iter().enumerate() {
        assert_eq!(done, if id % 5 == 0 { Err("constraint".into()) } else { Ok(()) }, "{id}");
    }
    assert_eq!(file.count("own"), 49);
}

#[tokio::test]
async fn nothing_takes_the_place_of_the_engines_tables() {
    let file = File::with("create table audit (text text)");
    let engine = engine(&file);
    for denied in [
        "create temp table mizu_clients (id)",
        "create view mizu_v as select 1",
        "create temp view Mizu_v as select 1",
        "create temp trigger audited after insert on mizu_log begin delete from audit; end",
        "create virtual table mizu_f using fts5(a)",
    ] {
        assert_eq!(apply(&engine, denied).await, Err("internal".into()), "{denied}");
    }
    assert_eq!(apply(&engine, "create temp table mine (id); create view v as select 1").await, Ok(()));
}

#[tokio::test]
async fn what_a_mutator_may_not_wait_for_is_named_so() {
    let file = File::with("select 1");
    let engine = Engine::builder(SqliteStore::open(file.path()).unwrap())
        .mutator("run", async |_: &mut Tx, _: String| {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            Ok(())
        })
        .public("*")
        .build();
    assert_eq!(apply(&engine, "").await, Err("mutator_awaited".into()));
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Weight {
    id: String,
    value: f64,
    note: Option<f64>,
}

impl mizu::sync::Entity for Weight {
    const NAME: &'static str = "weight";

    fn id(&self) -> &str {
        &self.id
    }
}

/// A float that is no number was stored as nothing, and no row of its kind could be read from then on.
#[tokio::test]
async fn a_row_that_could_not_be_read_again_is_not_written() {
    let file = File::with("select 1");
    let engine = Engine::builder(SqliteStore::open(file.path()).unwrap())
        .mutator("run", async |tx: &mut Tx, what: String| {
            let value = if what == "odd" { f64::NAN } else { 1.5 };
            tx.put(&Weight { id: what, value, note: None }).await
        })
        .public("*")
        .build();
    assert_eq!(apply(&engine, "odd").await, Err("invalid".into()));
    assert_eq!(apply(&engine, "fine").await, Ok(()));
    assert_eq!(engine.read(&scope()).scan::<Weight>(Default::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_apps_own_tables_are_made_at_the_start() {
    let file = File::with("select 1");
    let tables = "create table if not exists audit (text text not null)";
    for _ in 0..2 {
        let store = SqliteStore::open(file.path()).unwrap().tables(tables).unwrap();
        let engine = Engine::builder(store).mutator("run", run).public("*").build();
        assert_eq!(apply(&engine, "insert into audit values ('a')").await, Ok(()));
    }
    assert_eq!(file.count("audit"), 2);
    assert!(SqliteStore::open(file.path()).unwrap().tables("create table b (a); create tble c").is_err());
    assert_eq!(file.count("sqlite_schema where name = 'b'"), 0);
}

/// A panic in the app's own authoriser cut the connection, which browsers take for a network that is away.
#[tokio::test]
async fn a_panic_in_an_authoriser_is_answered() {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    let file = File::with("select 1");
    let engine = Engine::builder(SqliteStore::open(file.path()).unwrap())
        .mutator("run", run)
        .authorize(|_: &mizu::Anybody, scope: &Scope, _| {
            assert_ne!(scope.as_str(), "panic");
            true
        })
        .build();
    let app: axum::Router = engine.routes::<mizu::Anybody, _>();
    let ask = async |scope: &str| {
        let body = json!({ "client": ClientId::random(), "scope": scope, "cursor": "" }).to_string();
        let request = Request::post("/_sync/pull").header("content-type", "application/json");
        let request = request.header("sec-fetch-site", "same-origin").body(Body::from(body)).unwrap();
        app.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(ask("panic").await, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(ask("fine").await, StatusCode::OK);
}
