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
