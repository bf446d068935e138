//! One message to every open feed, against the same frames sent to bare sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::round::{median, round};
use super::sessions::{browsers, sockets};
use crate::http::Http;
use crate::process::{MIZU, PLAIN, Server};
use crate::table::{Figure, Row, Table, Target};
use crate::{Plan, Result};

/// Items the feed keeps, all of which it shows.
const KEPT: usize = 50;

pub(crate) async fn measure(plan: &Plan, table: &mut Table) -> Result {
    let (mizu, plain) = (Server::start(MIZU)?, Server::start(PLAIN)?);
    let mut mizu_http = Http::connect(mizu.address).await?;
    for number in 0..KEPT {
        mizu_http.post("/publish", item(number).as_bytes()).await?;
    }

    let mut frame = Bytes::new();
    let (heard, mut listeners) = (Heard::new(plan.sessions), JoinSet::<Result>::new());
    let mut browsers = browsers(mizu.address, "/feed", plan.sessions).await?;
    mizu_http.post("/publish", item(KEPT).as_bytes()).await?;
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
        let mizu_round = round(&mizu, units, async {
            for publish in 0..plan.publishes {
                let text = item(KEPT + 1 + number * plan.publishes + publish);
                mizu_http.post("/publish", text.as_bytes()).await?;
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
    let (with, without) = (median(&with), median(&without));
    table.push(Row {
        what: format!("deliveries of a message to {} feeds ({} B each)", plan.sessions, frame.len()),
        mizu: Figure::PerSecond(with.rate),
        baseline: Some(("fan-out", Figure::PerSecond(without.rate))),
        target: Target::AtLeast(0.5),
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

/// Counts who has heard of the message at hand.
#[derive(Clone)]
struct Heard(Arc<HeardInner>);

struct HeardInner {
    listeners: usize,
    heard: AtomicUsize,
    all: Notify,
}

impl Heard {
    fn new(listeners: usize) -> Self {
        Self(Arc::new(HeardInner { listeners, heard: AtomicUsize::new(0), all: Notify::new() }))
    }

    fn one(&self) {
        if self.0.heard.fetch_add(1, Ordering::AcqRel) + 1 == self.0.listeners {
            self.0.all.notify_one();
        }
    }

    /// Waits until all have heard, and starts from nobody.
    async fn all(&self, listeners: &mut JoinSet<Result>) -> Result {
        tokio::select! {
            () = self.0.all.notified() => {}
            Some(ended) = listeners.join_next() => ended??,
            // A bound, not a wait: a harness that hangs fails.
            () = tokio::time::sleep(Duration::from_secs(30)) => {
                let heard = self.0.heard.load(Ordering::Acquire);
                return Err(format!("{heard} of {} heard of a message after 30 s", self.0.listeners).into());
            }
        }
        self.0.heard.store(0, Ordering::Release);
        Ok(())
    }
}
