//! The memory of sessions that nobody uses at the moment, against that of bare sockets.

use std::time::Duration;

use super::sessions::{browsers, sockets};
use crate::process::{MIZU, PLAIN, Server};
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
