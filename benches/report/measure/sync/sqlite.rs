//! Writing to SQLite.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use mizu::sync::{self, Engine, SqliteStore, Tx};

use super::app::{self, Folder, Todo, builder};
use super::bare::BareSqlite;
use super::push::{self, Clients, Load, Pair};
use crate::table::Table;
use crate::{Plan, Result};

/// What is written in a second at least, when pushes are batched.
const BATCHED: f64 = 20_000.0;

pub(super) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let Plan { pushers: clients, pushes, batch, scopes, .. } = *plan;
    let loads = [
        (Load { clients, pushes, batch, scopes: 1 }, Some(BATCHED)),
        (Load { clients, pushes, batch, scopes }, Some(BATCHED)),
        (Load { clients, pushes: pushes * 4, batch: 1, scopes: 1 }, None),
    ];
    for (load, absolute) in loads {
        let folder = Folder::new()?;
        let mut pair = pair(&folder, load).await?;
        push::many(plan, &mut pair, load, absolute, table).await?;
    }
    let folder = Folder::new()?;
    let mut pair = pair(&folder, Load { clients: 1, pushes: 1, batch: 1, scopes: 1 }).await?;
    push::one(plan, &mut pair, plan.singles, table).await
}

/// An engine and a baseline that puts as many pushes in a transaction as the engine does under this load.
async fn pair(folder: &Folder, load: Load) -> Result<Pair<BareSqlite>> {
    let (engine, groups) = engine(SqliteStore::open(folder.file("mizu.db"))?);
    push::round(&engine, Clients::new(load).pushes("counted")?).await?;
    let transactions = groups.lock().unwrap_or_else(PoisonError::into_inner).len();
    let group = (load.clients * load.pushes).div_ceil(transactions.max(1));
    eprintln!("  {} clients, {} a push: {group} pushes share a commit", load.clients, load.batch);
    let bare = BareSqlite::open(&folder.file("bare.db"), group)?;
    Ok(Pair { name: "SQLite", engine, bare })
}

/// Tells transactions apart: counters of clients are written once in each.
type Groups = Arc<Mutex<HashSet<i64>>>;

/// An engine whose mutator `counted` notes which transaction it runs in.
fn engine(store: SqliteStore) -> (Engine, Groups) {
    let groups = Groups::default();
    let seen = groups.clone();
    let counted = stateful(move |tx, todo| {
        let seen = seen.clone();
        Box::pin(async move {
            let sql = "select coalesce(sum(last), 0) from mizu_clients";
            let group = tx.sqlite(|conn| conn.prepare_cached(sql)?.query_row([], |row| row.get(0)))?;
            seen.lock().unwrap_or_else(PoisonError::into_inner).insert(group);
            app::put(tx, todo).await
        })
    });
    (builder(store).mutator("counted", counted).build(), groups)
}

/// Lets the compiler see that a closure with state is a mutator.
fn stateful<F: for<'a> Fn(&'a mut Tx, Todo) -> BoxFuture<'a, sync::Result>>(mutator: F) -> F {
    mutator
}
