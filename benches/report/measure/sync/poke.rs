//! From one client's push to another client's view: the second is poked, and pulls.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use mizu::Anybody;
use mizu::sync::{Cursor, MemoryStore, Push, Scope, SqliteStore, store::Store};
use parking_lot::Mutex;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::app::{Client, Folder, Todo, builder, scope};
use super::bare::BareSqlite;
use super::latency::Latencies;
use super::serve::{ask, plain};
use crate::http::Http;
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

/// How many of a round are not counted.
const WARM_UP: usize = 50;

pub(super) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let folder = Folder::new()?;
    let [mut memory, mut trips, mut sqlite, mut bare] = [(); 4].map(|()| Latencies::default());
    for round in 0..plan.rounds {
        let bytes = views(plan, App::engine(MemoryStore::new()), &mut memory).await?;
        there_and_back(plan, bytes, &mut trips).await?;
        let file = |what: &str| folder.file(&format!("{what}-{round}.db"));
        views(plan, App::engine(SqliteStore::open(file("mizu"))?), &mut sqlite).await?;
        views(plan, App::bare(&file("bare"))?, &mut bare).await?;
    }
    for (store, times, baseline, bare) in [
        ("memory", &mut memory, "2 round trips, axum", &mut trips),
        ("SQLite", &mut sqlite, "axum, the same statements", &mut bare),
    ] {
        for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
            table.push(Row {
                what: format!("{store}: from a push over HTTP to another client's view: {name}"),
                mizu: Figure::Time(times.percentile(part)),
                baseline: Some((baseline, Figure::Time(bare.percentile(part)))),
                target: Target::None,
            });
        }
    }
    Ok(())
}

/// What clients push to and pull from, and what pokes them after a commit.
struct App {
    routes: Router,
    poked: watch::Receiver<u64>,
}

impl App {
    fn engine(store: impl Store) -> Self {
        let (poke, poked) = watch::channel(0);
        let tell = move |_: &Scope, _: Cursor| poke.send_modify(|count| *count += 1);
        Self { routes: builder(store).notify(tell).build().routes::<Anybody, ()>(), poked }
    }

    /// By hand: a push commits by itself, as that of one client does with an engine.
    fn bare(path: &Path) -> Result<Self> {
        let bare = Arc::new(Mutex::new(BareSqlite::open(path, 1)?));
        let (poke, poked) = watch::channel(0);
        let push = async move |State(bare): State<Arc<Mutex<BareSqlite>>>, Json(push): Json<Push>| {
            let written = tokio::task::spawn_blocking(move || bare.lock().transaction(&[push]).is_ok()).await;
            poke.send_modify(|count| *count += 1);
            match written.unwrap_or(false) {
                true => StatusCode::OK,
                false => StatusCode::INTERNAL_SERVER_ERROR,
            }
        };
        Ok(Self { routes: plain(path)?.route("/_sync/push", post(push).with_state(bare)), poked })
    }
}

/// The bodies of two round trips: a push and a pull.
struct Trips {
    requests: [String; 2],
    answers: [Vec<u8>; 2],
}

/// What is looked at in an answer to a pull.
#[derive(Deserialize)]
struct Pulled {
    changes: Vec<IgnoredAny>,
    cursor: String,
}

/// A push by one connection; a commit; a poke, in this process; a pull by another connection. Until the answer is read.
async fn views(plan: &Plan, App { routes, mut poked }: App, times: &mut Latencies) -> Result<Trips> {
    let (address, server) = serve(routes).await?;
    let (mut here, mut there) = (Http::connect(address).await?, Http::connect(address).await?);
    let (mut client, mut cursor) = (Client::new(), String::new());
    let mut trips = Trips { requests: Default::default(), answers: Default::default() };
    for number in 0..plan.pokes + WARM_UP {
        let push = serde_json::to_string(&client.push("todo.create", [(scope(0), Todo::new())])?)?;
        let start = Instant::now();
        let view = async {
            poked.changed().await?;
            let request = ask("cursor", &cursor);
            let answer = there.post_json("/_sync/pull", request.as_bytes()).await?.to_vec();
            let time = start.elapsed();
            Ok::<_, crate::Failure>((request, answer, time))
        };
        let pushed = async { Ok(here.post_json("/_sync/push", push.as_bytes()).await?.to_vec()) };
        let (pushed, (request, answer, time)) = tokio::try_join!(pushed, view)?;
        let pulled: Pulled = serde_json::from_slice(&answer)?;
        if pulled.changes.len() != 1 {
            return Err(format!("a view took {} changes instead of 1", pulled.changes.len()).into());
        }
        cursor = pulled.cursor;
        if number >= WARM_UP {
            times.push(time);
        }
        trips = Trips { requests: [push, request], answers: [pushed, answer] };
    }
    server.abort();
    Ok(trips)
}

/// The same bytes there and back twice, one after the other, with nothing in between.
async fn there_and_back(plan: &Plan, bytes: Trips, times: &mut Latencies) -> Result {
    let Trips { requests: [push, pull], answers: [pushed, pulled] } = bytes;
    let app = Router::new()
        .route("/push", post(async move |_: axum::body::Bytes| pushed.clone()))
        .route("/pull", post(async move |_: axum::body::Bytes| pulled.clone()));
    let (address, server) = serve(app).await?;
    let (mut here, mut there) = (Http::connect(address).await?, Http::connect(address).await?);
    for number in 0..plan.pokes + WARM_UP {
        let start = Instant::now();
        here.post_json("/push", push.as_bytes()).await?;
        there.post_json("/pull", pull.as_bytes()).await?;
        if number >= WARM_UP {
            times.push(start.elapsed());
        }
    }
    server.abort();
    Ok(())
}

async fn serve(app: Router) -> Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            eprintln!("a server ended: {error}");
        }
    });
    Ok((address, server))
}
