//! A log and its rows, read from the beginning page by page, as a browser does that is new.

use std::path::Path;

use mizu::sync::SqliteStore;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::app::{Folder, builder, fill};
use super::serve::{FILE, ask};
use crate::http::Http;
use crate::measure::round::{Round, median, round};
use crate::process::{SYNC, SYNC_PLAIN, Server};
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

/// What a server may need for its reader and the pages on their way, however long the log is.
const MEMORY: f64 = 8.0 * 1024.0 * 1024.0;

/// The two ways to read everything.
const WAYS: [Way; 2] = [
    Way { what: "pull", things: "changes", path: "/_sync/pull", place: "cursor" },
    Way { what: "snapshot", things: "rows", path: "/_sync/snapshot", place: "page" },
];

#[derive(Clone, Copy)]
struct Way {
    what: &'static str,
    things: &'static str,
    path: &'static str,
    /// What names the next page.
    place: &'static str,
}

/// A page of either, from either server.
#[derive(Deserialize)]
struct Page {
    #[serde(alias = "rows")]
    changes: Vec<IgnoredAny>,
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    has_more: bool,
    next: Option<String>,
}

pub(super) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let folder = Folder::new()?;
    let path = folder.file("mizu.db");
    fill(&builder(SqliteStore::open(&path)?).build(), plan.rows).await?;
    for way in WAYS {
        measure_way(plan, table, &path, way).await?;
    }
    Ok(())
}

async fn measure_way(plan: &Plan, table: &mut Table, path: &Path, way: Way) -> Result {
    let Way { what, things, .. } = way;
    let environment = [(FILE, path.as_os_str())];
    let (mizu, plain) = (Server::start_with(SYNC, &environment)?, Server::start_with(SYNC_PLAIN, &environment)?);
    let (mut http, mut plain_http) = (Http::connect(mizu.address).await?, Http::connect(plain.address).await?);

    // The first time also tells how much more memory a fresh server needs to give all of it.
    let before = mizu.resident()?;
    mizu.forget_peak()?;
    let bytes = all(&mut http, way, plan.rows).await?;
    let peak = mizu.peak()?.saturating_sub(before);
    all(&mut plain_http, way, plan.rows).await?;

    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        with.push(one(&mizu, &mut http, way, plan.rows).await?);
        without.push(one(&plain, &mut plain_http, way, plan.rows).await?);
    }
    let (with, without) = (median(&with), median(&without));
    let name = format!("SQLite: {what} of {} {things} over HTTP, 1,000 a page", plan.rows);
    table.push(Row {
        what: format!("{name}: {things}"),
        mizu: Figure::PerSecond(with.rate),
        baseline: Some(("axum + rusqlite", Figure::PerSecond(without.rate))),
        target: Target::None,
    });
    table.push(Row {
        what: format!("{name}: CPU each"),
        mizu: Figure::Time(with.cpu),
        baseline: Some(("axum + rusqlite", Figure::Time(without.cpu))),
        target: Target::None,
    });
    table.push(Row {
        what: format!("{name}: peak of additional memory"),
        mizu: Figure::Bytes(peak as f64),
        baseline: Some(("all answers", Figure::Bytes(bytes as f64))),
        target: Target::Within(Figure::Bytes(MEMORY)),
    });
    Ok(())
}

async fn one(server: &Server, http: &mut Http, way: Way, rows: usize) -> Result<Round> {
    round(server, rows, async { all(http, way, rows).await.map(drop) }).await
}

/// Reads all pages, makes sure that everything was there, and gives the bytes of all answers.
async fn all(http: &mut Http, way: Way, rows: usize) -> Result<usize> {
    let (mut place, mut count, mut bytes) = (String::new(), 0, 0);
    loop {
        let answer = http.post_json(way.path, ask(way.place, &place).as_bytes()).await?;
        bytes += answer.len();
        let page: Page = serde_json::from_slice(answer)?;
        count += page.changes.len();
        match page.next.or(page.has_more.then_some(page.cursor)) {
            Some(next) => place = next,
            None if count == rows => return Ok(bytes),
            None => return Err(format!("of {rows} {} came {count}", way.things).into()),
        }
    }
}
