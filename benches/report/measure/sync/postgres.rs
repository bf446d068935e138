//! Writing to PostgreSQL.

use mizu::sync::{Engine, PostgresOptions, PostgresStore};

use super::app::{Client, Todo, apply, builder, scope};
use super::bare::BarePostgres;
use super::push::{self, Load, Pair};
use crate::table::Table;
use crate::{Plan, Result};

#[path = "../../../../tests/support/postgres.rs"]
mod server;

/// Connections of either side.
const CONNECTIONS: usize = 16;

/// Which part of the pushes it is given that SQLite is: each of its statements is a journey to another process.
const SHARE: usize = 5;

pub(super) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    if !installed() {
        table.absent("PostgreSQL", "there is no server in /usr/lib/postgresql: install Debian's package `postgresql`");
        return Ok(());
    }
    let server = server::Postgres::start();
    let Plan { pushers: clients, batch, scopes, .. } = *plan;
    let (pushes, singles) = ((plan.pushes / SHARE).max(1), plan.singles * 2 / SHARE);
    for (number, scopes) in [1, scopes].into_iter().enumerate() {
        let mut pair = pair(&server.url(), number, scopes).await?;
        push::many(plan, &mut pair, Load { clients, pushes, batch, scopes }, None, table).await?;
        if scopes == 1 {
            push::one(plan, &mut pair, singles, table).await?;
        }
    }
    Ok(())
}

/// Whether there are the programs of a server.
fn installed() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path()).any(|version| version.join("bin/initdb").exists())
}

/// An engine in a schema of its own, and a baseline in another.
async fn pair(url: &str, number: usize, scopes: usize) -> Result<Pair<BarePostgres>> {
    let open = |name: String| async move {
        let options = PostgresOptions { connections: CONNECTIONS, schema: Some(name), ..PostgresOptions::default() };
        Ok::<Engine, crate::Failure>(builder(PostgresStore::connect_with(url, options).await?).build())
    };
    let engine = open(format!("mizu_{number}")).await?;
    // The store makes the tables, and an engine the scopes, so that they are the same.
    let name = format!("bare_{number}");
    let other = open(name.clone()).await?;
    for engine in [&engine, &other] {
        let mut client = Client::new();
        for start in (0..scopes).step_by(100) {
            let rows = (start..scopes.min(start + 100)).map(|number| (scope(number), Todo::new()));
            apply(engine, client.push("put", rows)?).await?;
        }
    }
    Ok(Pair { name: "PostgreSQL", engine, bare: BarePostgres::open(url, &name, CONNECTIONS).await? })
}
