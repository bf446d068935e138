//! Everybody comes back at once, as after a network failed: each session is taken up where it was.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::round::round;
use super::sessions::{browsers, each, many, sockets};
use crate::client::{Browser, Return};
use crate::process::{MIZU, PLAIN, Server};
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let (mizu, plain) = (Server::start(MIZU)?, Server::start(PLAIN)?);
    let browsers = browsers(mizu.address, "/counter", plan.returning).await?;
    let clicked = each(browsers, |mut browser| async move {
        browser.click("Inc?by=1").await?;
        Ok(browser)
    });
    let gone: Arc<[Return]> = clicked.await?.into_iter().map(Browser::vanish).collect();
    quiet(&mizu).await?;
    let with = round(&mizu, plan.returning, async {
        let back = many(plan.returning, |share: Range<usize>| {
            let gone = Arc::clone(&gone);
            async move {
                let mut back = Vec::with_capacity(share.len());
                for before in &gone[share] {
                    back.push(Browser::resume(mizu.address, before).await?);
                }
                Ok(back)
            }
        });
        back.await.map(drop)
    });
    let with = with.await?;
    let without = round(&plain, plan.returning, async {
        let open = sockets(plain.address, "/echo?reply=100", plan.returning).await?;
        let greet = |mut socket: crate::client::Socket| async move {
            socket.send(vec![0; 150].into()).await?;
            socket.receive().await?;
            Ok(socket)
        };
        each(open, greet).await.map(drop)
    });
    let without = without.await?;
    table.push(Row {
        what: format!("CPU per reconnect, of {}", plan.returning),
        mizu: Figure::Time(with.cpu),
        baseline: Some(("socket, one message", Figure::Time(without.cpu))),
        target: Target::None,
    });
    Ok(())
}

/// Waits until the server has done what the sockets that dropped gave it to do.
async fn quiet(server: &Server) -> Result {
    let mut last = server.cpu()?;
    for _ in 0..40 {
        // Another process gives no word when it rests; its clock is read until it stands still.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = server.cpu()?;
        if now - last < Duration::from_millis(1) {
            break;
        }
        last = now;
    }
    Ok(())
}
