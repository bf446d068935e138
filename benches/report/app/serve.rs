//! The server of these pages.

use mizu::live::{Limits, Rate};
use mizu::prelude::*;

use super::lists::Lists;

/// More than a machine can do.
const MANY: Rate = Rate::per_second(1_000_000);

#[tokio::main]
pub(crate) async fn serve() -> crate::Result {
    // The load is many people at one address, and never takes a pause.
    let limits = Limits {
        messages: MANY,
        joins: MANY,
        joins_per_identity: MANY,
        upgrades: MANY,
        upgrades_per_address: MANY,
        queue_messages: 4_096,
        ..Limits::default()
    };
    let live = Live::builder().limits(limits).mailbox(4_096).dev(false);
    let lists = Router::new().route("/list", mizu::page(Lists::One)).route("/each", mizu::page(Lists::Each));
    #[cfg(feature = "sqlite")]
    let (live, lists) = {
        let engine = super::todo::engine(mizu::sync::MemoryStore::new());
        let todos = super::todos::routes(&engine).await?;
        (live.sync(engine), lists.merge(todos))
    };
    live.build().serve(lists).await.map_err(|error| error.to_string().into())
}
