//! What goes over the socket from server to browser: payloads of WebSocket messages, without their 2 to 4 bytes of
//! framing.

use crate::Result;
use crate::app::inserted;
use crate::client::Browser;
use crate::http::Http;
use crate::process::{APP, MIZU, Server};
use crate::table::{Figure, Row, Table, Target};

/// A small change.
const SMALL: Target = Target::Within(Figure::Bytes(79.0));

pub(crate) async fn measure(table: &mut Table) -> Result {
    let server = Server::start(MIZU)?;
    let mut http = Http::connect(server.address).await?;
    let mut push = |what: &str, bytes: usize, target: Target| {
        let (what, mizu) = (format!("bytes: {what}"), Figure::Bytes(bytes as f64));
        table.push(Row { what, mizu, baseline: None, target });
    };

    let mut counter = Browser::open(&mut http, server.address, "/counter").await?;
    push("join of an unchanged page", counter.joined_bytes, Target::None);
    push("first click", counter.click("Inc?by=1").await?, SMALL);
    for _ in 0..20 {
        counter.click("Inc?by=1").await?;
    }
    push("click, ten lines of log", counter.click("Inc?by=1").await?, SMALL);

    for number in 0..50 {
        http.post("/publish", format!("Item {number:06} of the feed, as people write.").as_bytes()).await?;
    }
    let mut feed = Browser::open(&mut http, server.address, "/feed").await?;
    let item = "One more item of the feed, of forty bytes.";
    http.post("/publish", item.as_bytes()).await?;
    let own = format!("<li>{item}</li>").len();
    push(&format!("one more item ({own} B) in a feed of 50"), feed.pushed().await?.len(), within(own));

    let server = Server::start(APP)?;
    let mut http = Http::connect(server.address).await?;
    for (url, way) in [("/list", "in one region"), ("/each", "by `view.each`")] {
        let mut rows = Browser::open(&mut http, server.address, url).await?;
        push(&format!("join of an unchanged page of 1,000 rows {way}"), rows.joined_bytes, Target::None);
        push(&format!("one of 1,000 rows touched, {way}"), rows.click("touch?id=500").await?, SMALL);
        let reversed = Target::Within(Figure::Bytes(9_999.0));
        push(&format!("1,000 rows reversed, {way}"), rows.click("reverse").await?, reversed);
        let own = inserted().len();
        push(&format!("a row ({own} B) put above 1,000, {way}"), rows.click("insert").await?, within(own));
    }
    Ok(())
}

/// What is new, and a little around it.
fn within(own: usize) -> Target {
    Target::Within(Figure::Bytes((own + 39) as f64))
}
