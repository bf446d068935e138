//! Durable data: mutations in, changes out, next to the same statements on the bare database.

mod app;
mod bare;
mod compact;
mod latency;
mod poke;
#[cfg(feature = "postgres")]
mod postgres;
mod push;
mod read;
mod serve;
mod sqlite;
mod watch;

pub(crate) use self::serve::{Kind, serve};

use crate::table::Table;
use crate::{Plan, Result};

pub(super) async fn push(plan: &Plan, table: &mut Table) -> Result {
    sqlite::measure(plan, table).await
}

#[cfg(feature = "postgres")]
pub(super) async fn postgres(plan: &Plan, table: &mut Table) -> Result {
    postgres::measure(plan, table).await
}

pub(super) async fn read(plan: &Plan, table: &mut Table) -> Result {
    read::measure(plan, table).await
}

pub(super) async fn compact(plan: &Plan, table: &mut Table) -> Result {
    compact::measure(plan, table).await
}

pub(super) async fn poke(plan: &Plan, table: &mut Table) -> Result {
    poke::measure(plan, table).await
}

pub(super) async fn watch(plan: &Plan, table: &mut Table) -> Result {
    watch::measure(plan, table).await
}
