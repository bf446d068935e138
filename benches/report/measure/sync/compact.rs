//! Removing versions of rows that were superseded: alone, and while somebody goes on writing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mizu::sync::{Engine, Retention, SqliteStore};

use super::app::{Client, Folder, Todo, apply, builder, fill, scope};
use super::latency::Latencies;
use crate::process::own_cpu;
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

/// How often each row was overwritten.
const VERSIONS: usize = 100;

/// The figures of all rounds.
#[derive(Default)]
struct Figures {
    alone: Side,
    bare: Side,
    busy: Side,
    /// The longest waits of a writer, with nothing to remove and meanwhile.
    quiet: Latencies,
    waits: Latencies,
}

#[derive(Default)]
struct Side {
    took: Latencies,
    cpu: Latencies,
}

impl Side {
    /// The middle of all rounds.
    fn took(&mut self) -> Figure {
        Figure::Time(self.took.percentile(0.5))
    }
}

pub(super) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let folder = Folder::new()?;
    let made = folder.file("made.db");
    overwrite(&open(&folder.file("written.db"))?, plan.superseded).await?;
    rusqlite::Connection::open(folder.file("written.db"))?.execute("vacuum into ?", [made.to_str()])?;
    let mut figures = Figures::default();
    for round in 0..plan.removals {
        // Each starts with a file of the same bytes.
        let copy = |what: &str| {
            let path = folder.file(&format!("{what}-{round}.db"));
            std::fs::copy(&made, &path).map(|_| path)
        };
        let alone = open(&copy("alone")?)?;
        timed(&mut figures.alone, compact(&alone, plan.superseded)).await?;
        let bare = copy("bare")?;
        timed(&mut figures.bare, async { at_once(&bare) }).await?;
        busy(&open(&copy("busy")?)?, plan, &mut figures).await?;
    }
    let Figures { mut alone, mut bare, mut busy, mut quiet, mut waits } = figures;
    let what = format!("SQLite: compaction of {} superseded versions", plan.superseded);
    let (one, delete) = ("one `delete`", bare.took());
    let mut row = |what, mizu, baseline| table.push(Row { what, mizu, baseline, target: Target::None });
    row(what.clone(), alone.took(), Some((one, delete)));
    let cpu = [&mut alone, &mut bare].map(|side| Figure::Time(side.cpu.percentile(0.5)));
    row(format!("{what}: CPU of this process"), cpu[0], Some((one, cpu[1])));
    row(format!("{what}, while somebody writes"), busy.took(), Some((one, delete)));
    row("longest wait of a writer meanwhile".to_owned(), Figure::Time(waits.percentile(0.5)), Some((one, delete)));
    row("the same, with nothing to remove".to_owned(), Figure::Time(quiet.percentile(0.5)), None);
    Ok(())
}

/// An engine that keeps no version longer than it must.
fn open(path: &Path) -> Result<Engine> {
    let retention = Retention { age: None, entries: None, grace: Duration::ZERO, every: None };
    Ok(builder(SqliteStore::open(path)?).retention(retention).build())
}

async fn timed(side: &mut Side, work: impl Future<Output = Result>) -> Result {
    let (cpu, start) = (own_cpu()?, Instant::now());
    work.await?;
    side.took.push(start.elapsed());
    side.cpu.push(own_cpu()?.saturating_sub(cpu));
    Ok(())
}

async fn compact(engine: &Engine, superseded: usize) -> Result {
    let removed = engine.compact().await?.changes;
    match removed >= superseded as u64 {
        true => Ok(()),
        false => Err(format!("of {superseded} versions that were superseded {removed} were removed").into()),
    }
}

/// Writes with nothing to remove, and then while versions are removed.
async fn busy(engine: &Engine, plan: &Plan, figures: &mut Figures) -> Result {
    let quiet = writing(engine.clone(), Arc::default(), plan.singles).await?;
    figures.quiet.push(quiet.longest());
    let over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(writing(engine.clone(), over.clone(), usize::MAX));
    timed(&mut figures.busy, compact(engine, plan.superseded)).await?;
    over.store(true, Ordering::Release);
    figures.waits.push(writer.await??.longest());
    Ok(())
}

/// Writes so many rows at most, one mutation after the other, until it is told to stop, and gives how long each took.
async fn writing(engine: Engine, over: Arc<AtomicBool>, most: usize) -> Result<Latencies> {
    let (mut client, mut times) = (Client::new(), Latencies::default());
    for _ in 0..most {
        if over.load(Ordering::Acquire) {
            break;
        }
        let push = client.push("put", [(scope(0), Todo::new())])?;
        let start = Instant::now();
        apply(&engine, push).await?;
        times.push(start.elapsed());
    }
    Ok(times)
}

/// Writes rows, and then each of them again and again, until so many versions are superseded.
async fn overwrite(engine: &Engine, superseded: usize) -> Result {
    let mut client = Client::new();
    let ids: Vec<String> = (0..superseded / VERSIONS).map(|_| Todo::new().id).collect();
    for _ in 0..=VERSIONS {
        for ids in ids.chunks(100) {
            let rows = ids.iter().map(|id| (scope(0), Todo::with(id.clone())));
            let push = client.push("put", rows)?;
            apply(engine, push).await?;
        }
    }
    // Other rows lie in between.
    fill(engine, superseded / 10).await
}

/// Removes all of them by one statement, for whose time nobody can write.
fn at_once(path: &Path) -> Result {
    let conn = rusqlite::Connection::open(path)?;
    conn.pragma_update(None, "journal_mode", "wal")?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.execute("delete from mizu_changes where scope = 1 and superseded is not null", [])?;
    Ok(())
}
