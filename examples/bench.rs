//! The counter, the feed and the table in one server, for load tools: limits raised, no logs.
//!
//! ```text
//! ADDR=127.0.0.1:3000 cargo run --release --example bench
//! ```
//!
//! `/counter`, `/feed` with `POST /publish`, and `/table` are the pages of the examples of these names.
//! `cargo bench --bench report` measures this server against plain axum.

#![allow(clippy::duplicate_mod, reason = "each example brings the look along, so that it runs alone")]

use std::time::Duration;

use mizu::live::{Limits, Rate};
use mizu::prelude::*;
use mizu::{FormLimits, ParkLimits};

#[path = "counter.rs"]
mod counter;
#[path = "feed.rs"]
mod feed;
mod look;
#[path = "table.rs"]
mod table;

/// More than a machine can do.
const MANY: Rate = Rate::per_second(1_000_000);

/// The defaults suit people in public. A load tool is many people at one address, and never takes a pause.
fn live() -> Live {
    let limits = Limits {
        messages: MANY,
        joins: MANY,
        joins_per_identity: MANY,
        upgrades: MANY,
        upgrades_per_address: MANY,
        queue_messages: 4_096,
        ..Limits::default()
    };
    let mut form = FormLimits::default();
    (form.bytes, form.fields, form.values) = (16 << 20, 100_000, 10_000);
    let mut park = ParkLimits::default();
    (park.sessions, park.bytes, park.time) = (20_000, 2 << 30, Duration::from_secs(600));
    Live::builder().limits(limits).form_limits(form).park_limits(park).mailbox(4_096).dev(false).build()
}

#[tokio::main]
#[allow(dead_code, reason = "the report runs this file as its server")]
pub(crate) async fn main() -> Result {
    let live = live();
    let app = counter::routes().merge(feed::routes(&live)).merge(table::routes()).merge(look::routes("/counter"));
    live.serve(app).await
}
