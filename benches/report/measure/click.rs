//! A click on the counter, answered by a patch, against an echo of the same bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;

use super::round::{median, round};
use super::sessions::{browsers, each, sockets};
use crate::process::{MIZU, PLAIN, Server};
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let (mizu, plain) = (Server::start(MIZU)?, Server::start(PLAIN)?);
    let clicks = plan.clicks;
    let mut browsers = browsers(mizu.address, "/counter", plan.clickers).await?;
    // The log of the page is full after ten clicks; then all answers have one length, give or take a digit.
    let answered = Arc::new(AtomicUsize::new(0));
    let warm_up = |mut browser: crate::client::Browser| {
        let answered = Arc::clone(&answered);
        async move {
            for _ in 0..100 {
                answered.store(browser.click("Inc?by=1").await?, Ordering::Relaxed);
            }
            Ok(browser)
        }
    };
    browsers = each(browsers, warm_up).await?;
    let reply = answered.load(Ordering::Relaxed);
    let request = browsers.first_mut().ok_or("nobody clicks")?.click_frame("Inc?by=1")?;
    let mut sockets = sockets(plain.address, &format!("/echo?reply={reply}"), plan.clickers).await?;

    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let units = plan.clickers * clicks;
        with.push(
            round(&mizu, units, async {
                let click = |mut browser: crate::client::Browser| async move {
                    for _ in 0..clicks {
                        browser.click("Inc?by=1").await?;
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
                let echo = |mut socket: crate::client::Socket| {
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
    let (with, without) = (median(&with), median(&without));
    table.push(Row {
        what: format!("CPU per click ({} B in, {reply} B out)", request.len()),
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
