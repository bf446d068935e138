//! Files as a loss of power may leave them: copied in the middle of everything, or without the end of their write-ahead log.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Instant;

use mizu::Anybody;
use mizu::Who;
use mizu::sync::{ClientId, Cursor, Engine, Epoch, PullError, Push, PushError, Scope, SqliteStore, Status};
use rand::prelude::*;
use rusqlite::Connection;
use serde_json::Value;

use crate::load::{ALSO, WRITERS, add, room, scopes};
use crate::server::{Server, engine};
use crate::wire::{Folder, client_id, push, within};
use crate::{busy_server, is_intact, moment, number};

/// How often the files are taken.
const TAKEN: u32 = 8;

/// How often the end of what was taken is torn off.
const TORN: u32 = 2;

/// What a file says: for each scope the entries of its log, as place, check value, sender and number.
type Logs = BTreeMap<String, Vec<(u64, u64, String, u64)>>;

/// A copy of the files, how much of its log can't be lost, and how many mutations had been acknowledged before.
struct Taken {
    whole: PathBuf,
    kept: u64,
    acknowledged: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_its_end_is_an_earlier_one() {
    let folder = Folder::new();
    let file = folder.join("app.db");
    let store = file.to_str().unwrap();
    let (mut server, load, mut clients) = busy_server(store).await;
    let started = Instant::now();
    let mut copies = Vec::new();
    for taken in 0..TAKEN {
        within(load.progress(rand::rng().random_range(80..300))).await;
        clients.are_well();
        moment(3).await;
        let whole = folder.join(format!("whole-{taken}.db"));
        // In the middle of whatever it does, or dead.
        let acknowledged = load.acknowledged();
        let kept = match taken % 2 {
            0 => server.frozen(async || take(&file, &whole)).await,
            _ => {
                server.kill().await;
                let kept = take(&file, &whole);
                server = Server::start(store);
                load.moved(within(server.address()).await);
                kept
            }
        };
        copies.push(Taken { whole, kept, acknowledged });
    }
    let spent = started.elapsed();
    within(clients.finish(&load)).await;
    server.kill().await;

    let (mut before, mut shorter, mut lost) = (Logs::new(), 0, 0);
    for (taken, Taken { whole, kept, acknowledged }) in copies.into_iter().enumerate() {
        // Before the copy is opened, which carries its log over.
        let torn = (0..TORN).map(|torn| tear(&whole, &folder.join(format!("torn-{taken}-{torn}.db")), kept));
        let torn: Vec<_> = torn.collect();
        let logs = check(&whole).await;
        assert!(mutations(&logs) >= acknowledged, "what was acknowledged before is in the copy");
        is_prefix(&before, &logs);
        for torn in torn {
            let left = check(&torn).await;
            is_prefix(&left, &logs);
            shorter += u32::from(left != logs);
            lost += mutations(&logs) - mutations(&left);
            history_is_told(&torn, &left, &logs).await;
        }
        before = logs;
    }
    is_prefix(&before, &check(&file).await);
    load.tell(
        spent,
        &format!("{TAKEN} copies, {shorter} of {} torn ones are shorter, by {lost} mutations", TAKEN * TORN),
    );
    assert!(shorter > TAKEN / 2, "hardly anything was torn off: {shorter}");
}

/// How many mutations are in logs, each of which is in a room's.
fn mutations(logs: &Logs) -> u64 {
    logs.iter().filter(|(scope, _)| *scope != "hall").map(|(_, log)| log.len() as u64).sum()
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// Copies a database and its write-ahead log. Gives how many bytes of that log were carried over to the database already: a loss of power can't take
/// them, because they were synced before.
fn take(file: &Path, to: &Path) -> u64 {
    fs::copy(file, to).unwrap();
    fs::copy(beside(file, "-wal"), beside(to, "-wal")).unwrap();
    let wal = fs::read(beside(to, "-wal")).unwrap();
    // The index in shared memory says how many frames: behind two copies of its head, 48 bytes each.
    let index = fs::read(beside(file, "-shm")).unwrap();
    let carried = u32::from_ne_bytes(index[96..100].try_into().unwrap());
    let page = wal.get(8..12).map_or(0, |size| u32::from_be_bytes(size.try_into().unwrap()));
    (32 + u64::from(carried) * (24 + u64::from(page))).min(wal.len() as u64)
}

/// A copy whose log ends somewhere, or is rubbish from there on.
fn tear(whole: &Path, to: &Path, kept: u64) -> PathBuf {
    fs::copy(whole, to).unwrap();
    let mut wal = fs::read(beside(whole, "-wal")).unwrap();
    let at = rand::rng().random_range(kept..=wal.len() as u64) as usize;
    match rand::rng().random_range(0..3) {
        0 => wal.truncate(at),
        1 => rand::rng().fill(&mut wal[at..]),
        _ => wal[at..].fill(0),
    }
    fs::write(beside(to, "-wal"), wal).unwrap();
    OpenOptions::new().append(true).open(to).unwrap().sync_all().unwrap();
    to.to_owned()
}

/// Opens a file as a server does, and checks that it is sound in itself: the sum of its logs, whole mutations, counters and all.
async fn check(file: &Path) -> Logs {
    let engine = engine(SqliteStore::open(file).unwrap());
    let conn = Connection::open(file).unwrap();
    is_intact(&conn);
    let logs = logs(&conn);
    let mut all: BTreeMap<String, BTreeMap<(String, String), Value>> = BTreeMap::new();
    for (scope, _) in scopes() {
        let rows = all.entry(scope.clone()).or_default();
        let scope = Scope::new(&scope).unwrap();
        let mut cursor = Cursor::BEGINNING;
        loop {
            let pulled = engine.pull(&Who::anybody(), &scope, None, cursor, None).await.unwrap();
            for change in serde_json::to_value(&pulled.changes).unwrap().as_array().unwrap() {
                let text = |field: &str| change[field].as_str().unwrap().to_owned();
                let before = rows.insert((text("entity"), text("id")), change["data"].clone());
                assert_eq!(before.is_some(), change["op"] == "update", "{change}");
            }
            cursor = pulled.cursor;
            if !pulled.has_more {
                break;
            }
        }
        let mut page = None::<String>;
        let mut shown = BTreeMap::new();
        loop {
            let snapshot = engine.snapshot(&Who::anybody(), &scope, None, page.as_deref(), None).await.unwrap();
            assert_eq!(snapshot.cursor.position(), cursor.position());
            shown.extend(snapshot.rows.into_iter().map(|row| {
                let data: Value = row.decode().unwrap();
                ((row.entity, row.id), data)
            }));
            page = snapshot.next;
            if page.is_none() {
                break;
            }
        }
        assert_eq!(shown, *rows, "{scope}");
    }
    for writer in 0..WRITERS {
        let client = client_id(writer);
        let rows = &all[&room(writer)];
        let known = conn.query_row("select last from mizu_clients where id = ?", [&client], |row| number(row, 0));
        let last = known.unwrap_or(0);
        let logged =
            logs.get(&room(writer)).into_iter().flatten().filter(|entry| entry.2 == client).map(|entry| entry.3);
        assert_eq!(logged.collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>(), "{client}");
        for seq in 1..=last {
            let item = ("item".to_owned(), format!("{client}/{seq:06}"));
            assert_eq!(rows[&item]["count"], seq);
            assert_eq!(
                all["hall"].get(&item),
                seq.is_multiple_of(ALSO).then_some(&rows[&item]),
                "in both scopes, or in none"
            );
        }
    }
    engine.drain().await;
    logs
}

fn logs(conn: &Connection) -> Logs {
    let mut statement = conn
        .prepare(
            "select name, log.position, check_value, sender, seq from mizu_log log join mizu_scopes on id = scope \
             order by name, log.position",
        )
        .unwrap();
    let entries = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, (number(row, 1)?, number(row, 2)?, row.get(3)?, number(row, 4)?)))
    });
    let mut logs = Logs::new();
    for entry in entries.unwrap() {
        let (scope, entry) = entry.unwrap();
        logs.entry(scope).or_default().push(entry);
    }
    logs
}

#[track_caller]
fn is_prefix(earlier: &Logs, later: &Logs) {
    for (scope, log) in earlier {
        assert!(later[scope].starts_with(log), "{scope}: another history");
    }
}

/// A client that has heard more than the file knows is told so, also when other entries have taken the place of those that it heard of.
async fn history_is_told(file: &Path, left: &Logs, whole: &Logs) {
    let epoch = {
        let conn = Connection::open(file).unwrap();
        let bits: i64 =
            conn.query_row("select value from mizu_meta where key = 'epoch'", [], |row| row.get(0)).unwrap();
        Epoch::from_bits(bits as u64)
    };
    let engine: Engine = engine(SqliteStore::open(file).unwrap());
    let last = |logs: &Logs, client: &str| {
        let seqs = logs.values().flatten().filter(|entry| entry.2 == client).map(|entry| entry.3);
        seqs.max().unwrap_or(0)
    };
    let pull = async |scope: &str| {
        let (position, check, ..) = whole[scope].last().unwrap();
        let cursor = Cursor::new(epoch, *position, *check);
        engine.pull(&Who::anybody(), &Scope::new(scope).unwrap(), None, cursor, None).await
    };
    for writer in 0..WRITERS {
        let client = client_id(writer);
        let (known, sent) = (last(left, &client), last(whole, &client));
        // It goes on where it thinks it is.
        let next: Push = serde_json::from_value(push(&client, vec![add(writer, sent + 1)])).unwrap();
        let pushed = engine.push(Anybody, next).await;
        match (known, pushed.stop) {
            (0, Some(PushError::ClientUnknown)) => assert!(sent > 0),
            (_, Some(PushError::Gap { expected })) => assert_eq!((expected.get(), known < sent), (known + 1, true)),
            (_, stop) => assert!(stop.is_none() && known == sent, "{stop:?}: {known} of {sent}"),
        }
    }
    for (scope, _) in scopes().filter(|(scope, _)| whole.contains_key(scope)) {
        let (kept, all) = (left.get(&scope).map_or(0, Vec::len), whole[&scope].len());
        match pull(&scope).await {
            Ok(_) => assert_eq!(kept, all, "{scope}"),
            Err(error) => {
                assert!(matches!(error, PullError::EpochChanged) && kept < all, "{scope}: {error}");
                // Others write until the log is longer than it was.
                let stranger = ClientId::random();
                for first in (kept..all + 1).step_by(100) {
                    let mutations = (first..(first + 100).min(all + 1)).map(|at| {
                        let mut mutation = add(0, (at - kept + 1) as u64);
                        mutation["scope"] = scope.clone().into();
                        mutation["args"]["id"] = format!("{stranger}/{at}").into();
                        mutation["args"]["also"] = Value::Null;
                        mutation
                    });
                    let push: Push = serde_json::from_value(push(stranger.as_str(), mutations.collect())).unwrap();
                    let pushed = engine.push(Anybody, push).await;
                    assert!(
                        pushed.stop.is_none() && pushed.results.iter().all(|result| result.status == Status::Applied)
                    );
                }
                let error = pull(&scope).await.unwrap_err();
                assert!(matches!(error, PullError::EpochChanged), "{scope}: {error}");
            }
        }
    }
    engine.drain().await;
}
