//! One mutation, and all pages that watch its scope: the todos of the example, in memory.

use std::time::{Duration, Instant};

use super::latency::Latencies;
use crate::app::{CHANGED, title};
use crate::client::{Browser, Socket};
use crate::http::Http;
use crate::measure::fan_out::{FannedOut, fan_out};
use crate::process::{APP, PLAIN, Server};
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

const PAGE: &str = "/todos";

/// How many of a round are not counted.
const WARM_UP: usize = 50;

pub(super) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    everybody(plan, table).await?;
    another(plan, table).await
}

/// From one mutation until every page shows it, next to bare sockets that are sent the same frames.
async fn everybody(plan: &Plan, table: &mut Table) -> Result {
    let mizu = Server::start(APP)?;
    let mut http = Http::connect(mizu.address).await?;
    let change = async |number: usize| http.post("/title", title(1_000 + number).as_bytes()).await.map(drop);
    let FannedOut { with, without, frame } = fan_out(plan, &mizu, PAGE, change).await?;
    let (sessions, bytes) = (plan.sessions, frame.len());
    table.push(Row {
        what: format!("a mutation to a scope that {sessions} pages watch ({bytes} B each)"),
        mizu: Figure::PerSecond(with.rate),
        baseline: Some(("fan-out", Figure::PerSecond(without.rate))),
        target: Target::AtLeast(0.6),
    });
    table.push(Row {
        what: "CPU for each of them".to_owned(),
        mizu: Figure::Time(with.cpu),
        baseline: Some(("fan-out", Figure::Time(without.cpu))),
        target: Target::None,
    });
    let all = |rate: f64| Figure::Time(Duration::from_secs_f64(sessions as f64 / rate));
    table.push(Row {
        what: format!("until all {sessions} have it"),
        mizu: all(with.rate),
        baseline: Some(("fan-out", all(without.rate))),
        target: Target::None,
    });
    Ok(())
}

/// From what one person does to the page of another one, next to a frame of the same size that a bare server hands on.
async fn another(plan: &Plan, table: &mut Table) -> Result {
    let (mizu, plain) = (Server::start(APP)?, Server::start(PLAIN)?);
    let mut http = Http::connect(mizu.address).await?;
    let mut here = Browser::open(&mut http, mizu.address, PAGE).await?;
    let mut there = Browser::open(&mut http, mizu.address, PAGE).await?;
    let (mut sender, mut hearer) =
        (Socket::open(plain.address, "/fan").await?, Socket::open(plain.address, "/fan").await?);
    for socket in [&mut sender, &mut hearer] {
        socket.receive().await?;
    }

    let (mut with, mut without) = (Latencies::default(), Latencies::default());
    let (mut done, mut bytes) = (false, 0);
    for _ in 0..plan.rounds {
        for number in 0..plan.pokes + WARM_UP {
            done = !done;
            let event = format!("Toggle?id={CHANGED}&done={done}");
            let start = Instant::now();
            let shown = async {
                let patch = there.pushed().await?;
                Ok((patch.len(), start.elapsed()))
            };
            let (_, (length, time)) = tokio::try_join!(here.click(&event), shown)?;
            bytes = length;
            if number >= WARM_UP {
                with.push(time);
            }
        }
        let frame = axum::body::Bytes::from(vec![0; bytes]);
        for number in 0..plan.pokes + WARM_UP {
            let start = Instant::now();
            let sent = async {
                sender.send(frame.clone()).await?;
                sender.receive().await
            };
            let heard = async {
                hearer.receive().await?;
                Ok(start.elapsed())
            };
            let (_, time) = tokio::try_join!(sent, heard)?;
            if number >= WARM_UP {
                without.push(time);
            }
        }
    }
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        table.push(Row {
            what: format!("from one person's event to another one's changed page ({bytes} B): {name}"),
            mizu: Figure::Time(with.percentile(part)),
            baseline: Some(("broadcast", Figure::Time(without.percentile(part)))),
            target: Target::None,
        });
    }
    Ok(())
}
