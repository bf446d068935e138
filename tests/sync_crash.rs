//! Servers that are killed while they write: what was acknowledged stays, nothing is applied twice, and nobody's log has a hole.

#![cfg(all(feature = "sqlite", unix))]
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

#[path = "support/sync_http.rs"]
mod wire;

#[path = "sync/load.rs"]
mod load;
#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod postgres;
#[path = "sync/server.rs"]
mod server;
#[path = "sync/torn.rs"]
mod torn;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use load::{ALSO, Clients, Load, Seen, WRITERS, position, room, scopes};
use rand::prelude::*;
use rusqlite::Connection;
use server::Server;
use wire::{Copy, Folder, Http, client_id, within};

/// How often the server is killed.
const KILLS: u32 = 50;

/// How often the database itself is killed.
#[cfg(feature = "postgres")]
const DATABASE_KILLS: u32 = 8;

/// How many mutations are acknowledged between two kills, at most.
const BETWEEN: u64 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let folder = Folder::new();
    let file = folder.join("app.db");
    let (server, seen) = kill_again_and_again(file.to_str().unwrap(), KILLS, BETWEEN).await;
    server.kill().await;
    the_file_is_sound(&file, &seen);
}

/// Kills the server of this store so often, while it is busy. Gives the last one, and what its clients saw.
async fn kill_again_and_again(store: &str, most: u32, between: u64) -> (Server, Seen) {
    let (mut server, load, mut clients) = busy_server(store).await;
    let started = Instant::now();
    let (mut kills, mut at_start) = (0, 0);
    while kills < most {
        within(load.progress(rand::rng().random_range(0..between))).await;
        clients.are_well();
        moment(3).await;
        server.kill().await;
        kills += 1;
        server = Server::start(store);
        // Some die before they have begun.
        while kills < most && rand::rng().random_ratio(1, 8) {
            moment(30).await;
            server.kill().await;
            (kills, at_start) = (kills + 1, at_start + 1);
            server = Server::start(store);
        }
        load.moved(within(server.address()).await);
    }
    within(load.progress(1)).await;
    let spent = started.elapsed();
    let seen = within(clients.finish(&load)).await;
    load.tell(spent, &format!("{kills} kills, {at_start} of them while starting"));
    everything_was_applied_once(Http::connect(load.address()).await.unwrap(), &seen).await;
    (server, seen)
}

/// A moment that nothing decides, so that a process dies anywhere.
async fn moment(most: u64) {
    tokio::time::sleep(Duration::from_micros(rand::rng().random_range(0..most * 1_000))).await;
}

#[cfg(feature = "postgres")]
mod on_postgres {
    use super::*;
    use crate::postgres::Postgres;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_is_killed_again_and_again_loses_and_doubles_nothing() {
        let postgres = Postgres::start_without_fsync();
        let (server, _) = kill_again_and_again(&postgres.url(), KILLS / 2, BETWEEN / 5).await;
        server.kill().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_database_that_is_killed_loses_and_doubles_nothing() {
        let mut postgres = Postgres::start();
        let (server, load, mut clients) = busy_server(&postgres.url()).await;
        let started = Instant::now();
        for _ in 0..DATABASE_KILLS {
            within(load.progress(rand::rng().random_range(20..BETWEEN / 5))).await;
            clients.are_well();
            moment(3).await;
            tokio::task::block_in_place(|| {
                postgres.kill();
                postgres.start_again();
            });
        }
        within(load.progress(1)).await;
        let spent = started.elapsed();
        let seen = within(clients.finish(&load)).await;
        load.tell(spent, &format!("{DATABASE_KILLS} kills of the database"));
        everything_was_applied_once(Http::connect(load.address()).await.unwrap(), &seen).await;
        server.kill().await;
    }
}

/// What the server says now is what the clients have heard.
async fn everything_was_applied_once(mut http: Http, seen: &Seen) {
    let mut rows = BTreeMap::new();
    for (scope, client) in scopes() {
        let incremental = &seen.copies[&scope];
        for limit in [130, 1_000] {
            let mut whole = Copy::default();
            whole.pull_all(&mut http, &scope, &client, limit).await;
            assert!(
                whole == *incremental,
                "{scope}: {} changes from the beginning, {} bit by bit",
                whole.changes,
                incremental.changes
            );
        }
        let snapshot = Copy::snapshot(&mut http, &scope, &client, 300).await;
        assert!(
            snapshot.rows == incremental.rows && snapshot.cursor == incremental.cursor,
            "{scope}: another snapshot"
        );
        if scope != "hall" {
            let own = seen.places.iter().filter(|(writer, _)| room(**writer) == scope);
            let mut places: Vec<_> = own.flat_map(|(_, places)| places).copied().collect();
            places.sort_unstable();
            assert!(
                places.into_iter().eq(1..=position(&snapshot.cursor)),
                "{scope}: a place is empty, or was given twice"
            );
        }
        rows.insert(scope, snapshot.rows);
    }
    for writer in 0..WRITERS {
        let (client, last) = (client_id(writer), seen.places[&writer].len() as u64);
        let mut own = Copy::default();
        own.pull_all(&mut http, &room(writer), &client, 1_000).await;
        assert!(own.acks.into_iter().eq(1..=last), "{client}");
        let rows_here = &rows[&room(writer)];
        let key = |entity: &str, id: String| (entity.to_owned(), id);
        assert_eq!(rows_here[&key("counter", client.clone())], last, "{client}");
        for seq in 1..=last {
            let item = key("item", format!("{client}/{seq:06}"));
            assert_eq!(rows_here[&item]["count"], seq, "applied as the {seq}th of its client");
            assert_eq!(rows["hall"].get(&item), seq.is_multiple_of(ALSO).then_some(&rows_here[&item]));
        }
    }
    let written: usize = seen.places.values().map(Vec::len).sum();
    let items: usize = rows.iter().filter(|(scope, _)| *scope != "hall").map(|(_, rows)| rows.len()).sum();
    assert_eq!(items, written + WRITERS as usize, "and nothing that nobody wrote");
}

/// What is in the file: logs without gaps, and every mutation at the place that was said.
fn the_file_is_sound(file: &Path, seen: &Seen) {
    let conn = Connection::open(file).unwrap();
    is_intact(&conn);
    for (writer, places) in &seen.places {
        let mut statement = conn
            .prepare(
                "select log.position from mizu_log log join mizu_scopes on id = scope where sender = ? and name = ? order by seq",
            )
            .unwrap();
        let kept = statement.query_map((client_id(*writer), room(*writer)), |row| number(row, 0)).unwrap();
        assert_eq!(kept.map(Result::unwrap).collect::<Vec<_>>(), *places, "writer {writer}");
    }
}

/// A number that is never negative, which SQLite has no type for.
fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|number| number as u64)
}

/// Sound as a database, and no log has a gap.
fn is_intact(conn: &Connection) {
    let integrity: String = conn.query_row("pragma integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    let mut statement = conn
        .prepare(
            "select name, mizu_scopes.position, count(*), min(log.position), max(log.position) \
             from mizu_scopes left join mizu_log log on log.scope = id group by id",
        )
        .unwrap();
    let logs = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, number(row, 1)?, number(row, 2)?, row.get(3)?, row.get(4)?)))
        .unwrap();
    for log in logs {
        let (name, head, entries, first, last): (_, _, _, Option<i64>, Option<i64>) = log.unwrap();
        assert_eq!((entries, first.unwrap_or(1), last.unwrap_or(0)), (head, 1, head as i64), "{name}");
    }
}

/// A server, and clients that write to it until they are told to stop.
async fn busy_server(store: &str) -> (Server, Load, Clients) {
    let mut server = Server::start(store);
    let address = within(server.address()).await;
    let (load, clients) = Load::start(address);
    (server, load, clients)
}
