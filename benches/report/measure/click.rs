//! Clicks that are answered by a patch, against an echo of the same bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;

use super::round::{Round, median, round};
use super::sessions::{browsers, each, sockets};
use crate::client::{Browser, Socket};
use crate::process::{APP, MIZU, PLAIN, Server};
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

/// The counter.
pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let Clicked { with, without, bytes } = clicked(plan, MIZU, "/counter", "Inc?by=1").await?;
    table.push(Row {
        what: format!("CPU per click ({bytes})"),
        mizu: Figure::Time(with.cpu),
        baseline: Some(("echo", Figure::Time(without.cpu))),
        target: Target::AtMost(2.5),
    });
    table.push(Row {
        what: format!("clicks, {} at a time", plan.clickers),
        mizu: Figure::PerSecond(with.rate),
        baseline: Some(("echo", Figure::PerSecond(without.rate))),
        target: Target::None,
    });
    Ok(())
}

/// One row of a thousand, found by comparing them all.
pub(crate) async fn touch_list(plan: &Plan, table: &mut Table) -> Result {
    touch(plan, table, "/list", "in one region", 200).await
}

/// One row of a thousand, which is marked.
pub(crate) async fn touch_each(plan: &Plan, table: &mut Table) -> Result {
    touch(plan, table, "/each", "by `view.each`, the row marked", 10).await
}

async fn touch(plan: &Plan, table: &mut Table, url: &'static str, what: &str, most: u64) -> Result {
    let Clicked { with, without, bytes } = clicked(plan, APP, url, "touch?id=500").await?;
    table.push(Row {
        what: format!("CPU per touch of one of 1,000 rows {what} ({bytes})"),
        mizu: Figure::Time(with.cpu),
        baseline: Some(("echo", Figure::Time(without.cpu))),
        target: Target::MoreBy(Figure::Time(std::time::Duration::from_micros(most))),
    });
    Ok(())
}

/// What clicks took, and the same bytes without a page.
struct Clicked {
    with: Round,
    without: Round,
    /// How many go each way.
    bytes: String,
}

/// Has many people click the same on a page of this server.
async fn clicked(plan: &Plan, server: &str, url: &'static str, event: &'static str) -> Result<Clicked> {
    let (mizu, plain) = (Server::start(server)?, Server::start(PLAIN)?);
    let clicks = plan.clicks;
    let mut browsers = browsers(mizu.address, url, plan.clickers).await?;
    // The log of the counter is full after ten clicks; then all answers have one length, give or take a digit.
    let answered = Arc::new(AtomicUsize::new(0));
    let warm_up = |mut browser: Browser| {
        let answered = Arc::clone(&answered);
        async move {
            for _ in 0..100 {
                answered.store(browser.click(event).await?, Ordering::Relaxed);
            }
            Ok(browser)
        }
    };
    browsers = each(browsers, warm_up).await?;
    let reply = answered.load(Ordering::Relaxed);
    let request = browsers.first_mut().ok_or("nobody clicks")?.click_frame(event)?;
    let mut sockets = sockets(plain.address, &format!("/echo?reply={reply}"), plan.clickers).await?;

    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let units = plan.clickers * clicks;
        with.push(
            round(&mizu, units, async {
                let click = |mut browser: Browser| async move {
                    for _ in 0..clicks {
                        browser.click(event).await?;
                    }
                    Ok(browser)
                };
                browsers = each(std::mem::take(&mut browsers), click).await?;
                Ok(())
            })
            .await?,
        );
        without.push(
            round(&plain, units, async {
                let echo = |mut socket: Socket| {
                    let request: Bytes = request.clone();
                    async move {
                        for _ in 0..clicks {
                            socket.send(request.clone()).await?;
                            socket.receive().await?;
                        }
                        Ok(socket)
                    }
                };
                sockets = each(std::mem::take(&mut sockets), echo).await?;
                Ok(())
            })
            .await?,
        );
    }
    let bytes = format!("{} B in, {reply} B out", request.len());
    Ok(Clicked { with: median(&with), without: median(&without), bytes })
}
