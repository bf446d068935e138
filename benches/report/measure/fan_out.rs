//! One message to every open feed, against the same frames sent to bare sockets.

use axum::body::Bytes;
use tokio::task::JoinSet;

use super::heard::Heard;
use super::round::{Round, median, round};
use super::sessions::{browsers, sockets};
use crate::http::Http;
use crate::process::{MIZU, PLAIN, Server};
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

/// Items the feed keeps, all of which it shows.
const KEPT: usize = 50;

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let mizu = Server::start(MIZU)?;
    let mut http = Http::connect(mizu.address).await?;
    for number in 0..KEPT {
        http.post("/publish", item(number).as_bytes()).await?;
    }
    let publish = async |number: usize| http.post("/publish", item(KEPT + number).as_bytes()).await.map(drop);
    let FannedOut { with, without, frame } = fan_out(plan, &mizu, "/feed", publish).await?;
    table.push(Row {
        what: format!("deliveries of a message to {} feeds ({} B each)", plan.sessions, frame.len()),
        mizu: Figure::PerSecond(with.rate),
        baseline: Some(("fan-out", Figure::PerSecond(without.rate))),
        target: Target::AtLeast(0.7),
    });
    table.push(Row {
        what: "CPU per delivery".to_owned(),
        mizu: Figure::Time(with.cpu),
        baseline: Some(("fan-out", Figure::Time(without.cpu))),
        target: Target::None,
    });
    Ok(())
}

/// Some forty bytes, and never the same.
fn item(number: usize) -> String {
    format!("Item {number:06} of the feed, as people write.")
}

/// What it took until everybody had the news, for each of them.
pub(super) struct FannedOut {
    pub(super) with: Round,
    pub(super) without: Round,
    /// What a page was sent.
    pub(super) frame: Bytes,
}

/// Opens a page many times over and has news published to all of them, by their number, one after the other. Bare sockets
/// are sent the frames that the pages were sent.
pub(super) async fn fan_out(
    plan: &Plan,
    mizu: &Server,
    url: &'static str,
    mut publish: impl AsyncFnMut(usize) -> Result,
) -> Result<FannedOut> {
    let plain = Server::start(PLAIN)?;
    let mut frame = Bytes::new();
    let (heard, mut listeners) = (Heard::new(plan.sessions), JoinSet::<Result>::new());
    let mut browsers = browsers(mizu.address, url, plan.sessions).await?;
    publish(0).await?;
    for browser in &mut browsers {
        frame = browser.pushed().await?;
    }
    for mut browser in browsers {
        let heard = heard.clone();
        listeners.spawn(async move {
            loop {
                browser.pushed().await?;
                heard.one();
            }
        });
    }

    let raw_heard = Heard::new(plan.sessions);
    for mut socket in sockets(plain.address, "/fan", plan.sessions).await? {
        let heard = raw_heard.clone();
        socket.receive().await?;
        listeners.spawn(async move {
            loop {
                socket.receive().await?;
                heard.one();
            }
        });
    }
    let mut plain_http = Http::connect(plain.address).await?;

    let units = plan.publishes * plan.sessions;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    // The first round of each warms up.
    for number in 0..=plan.rounds {
        let mizu_round = round(mizu, units, async {
            for news in 0..plan.publishes {
                publish(1 + number * plan.publishes + news).await?;
                heard.all(&mut listeners).await?;
            }
            Ok(())
        })
        .await?;
        let plain_round = round(&plain, units, async {
            for _ in 0..plan.publishes {
                plain_http.post("/publish", &frame).await?;
                raw_heard.all(&mut listeners).await?;
            }
            Ok(())
        })
        .await?;
        if number > 0 {
            with.push(mizu_round);
            without.push(plain_round);
        }
    }
    Ok(FannedOut { with: median(&with), without: median(&without), frame })
}
