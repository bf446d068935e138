//! The memory of sessions that nobody uses at the moment, against that of bare sockets.

use std::time::Duration;

use super::sessions::{browsers, sockets};
use crate::process::{APP, MIZU, PLAIN, Server};
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

/// Connections opened before the first look, so that what is loaded once is there.
const WARM_UP: usize = 100;

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let with = {
        let server = Server::start(MIZU)?;
        drop(browsers(server.address, "/counter", WARM_UP).await?);
        let before = settled(&server).await?;
        let mut browsers = browsers(server.address, "/counter", plan.sessions).await?;
        let after = settled(&server).await?;
        // Idle, not gone.
        for browser in browsers.iter_mut().step_by(plan.sessions.div_ceil(10)) {
            browser.click("Inc?by=1").await?;
        }
        after.saturating_sub(before)
    };
    let without = {
        let server = Server::start(PLAIN)?;
        drop(sockets(server.address, "/echo?reply=100", WARM_UP).await?);
        let before = settled(&server).await?;
        let _sockets = sockets(server.address, "/echo?reply=100", plan.sessions).await?;
        settled(&server).await?.saturating_sub(before)
    };
    let each = |bytes: u64| Figure::Bytes(bytes as f64 / plan.sessions as f64);
    table.push(Row {
        what: format!("memory per idle session, of {}", plan.sessions),
        mizu: each(with),
        baseline: Some(("socket", each(without))),
        target: Target::Within(Figure::Bytes(10.0 * 1024.0)),
    });
    Ok(())
}

/// A thousand rows, which a session shows alone and with many others. What a session on the counter takes is the baseline.
pub(crate) async fn rows(plan: &Plan, table: &mut Table) -> Result {
    let many = plan.sessions.min(500);
    for (url, what) in [("/list", "in one region"), ("/each", "by `view.each`")] {
        // Each alone shows rows of its own.
        let (alone, without) = (
            held(APP, if url == "/list" { "/list?own" } else { "/each?own" }, many).await?,
            held(MIZU, "/counter", many).await?,
        );
        let shared = held(APP, url, many).await?;
        for (shows, memory, most) in [("alone", alone, 200.0), (&*format!("as {many} do"), shared, 12.0)] {
            table.push(Row {
                what: format!("memory of a session that shows 1,000 rows {what}, {shows}"),
                mizu: Figure::Bytes(memory),
                baseline: Some(("counter", Figure::Bytes(without))),
                target: Target::Within(Figure::Bytes(most * 1024.0)),
            });
        }
    }
    Ok(())
}

/// What each of some sessions on a page takes.
async fn held(server: &str, url: &'static str, sessions: usize) -> Result<f64> {
    let server = Server::start(server)?;
    drop(browsers(server.address, url, WARM_UP).await?);
    let before = settled(&server).await?;
    let _browsers = browsers(server.address, url, sessions).await?;
    Ok(settled(&server).await?.saturating_sub(before) as f64 / sessions as f64)
}

/// The resident memory once it has stayed the same for a while.
async fn settled(server: &Server) -> Result<u64> {
    let mut last = server.resident()?;
    for _ in 0..20 {
        // Memory gives no word when it is done changing; it is read until two readings agree.
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = server.resident()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}
