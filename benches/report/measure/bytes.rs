//! What goes over the socket from server to browser: payloads of WebSocket messages, without their 2 to 4 bytes of
//! framing.

use crate::Result;
use crate::client::Browser;
use crate::http::Http;
use crate::process::{MIZU, Server};
use crate::table::{Figure, Row, Table, Target};

pub(crate) async fn measure(table: &mut Table) -> Result {
    let server = Server::start(MIZU)?;
    let mut http = Http::connect(server.address).await?;
    let mut push = |what: &str, bytes: usize| {
        let (what, mizu) = (format!("bytes: {what}"), Figure::Bytes(bytes as f64));
        table.push(Row { what, mizu, baseline: None, target: Target::None });
    };

    let mut counter = Browser::open(&mut http, server.address, "/counter").await?;
    push("join of an unchanged page", counter.joined_bytes);
    push("first click", counter.click("Inc?by=1").await?);
    for _ in 0..20 {
        counter.click("Inc?by=1").await?;
    }
    push("click, ten lines of log", counter.click("Inc?by=1").await?);

    for number in 0..50 {
        http.post("/publish", format!("Item {number:06} of the feed, as people write.").as_bytes()).await?;
    }
    let mut feed = Browser::open(&mut http, server.address, "/feed").await?;
    http.post("/publish", b"One more item of the feed, of forty bytes.").await?;
    push("one more item in a feed of 50", feed.pushed().await?.len());

    let mut rows = Browser::open(&mut http, server.address, "/table").await?;
    push("join of an unchanged table of 1,000 rows", rows.joined_bytes);
    push("one of 1,000 rows touched", rows.click("touch?id=500").await?);
    Ok(())
}
