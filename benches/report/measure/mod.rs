//! What is measured, one file each.

mod bytes;
mod click;
mod fan_out;
mod get;
mod heard;
mod idle;
mod reconnect;
mod round;
mod sessions;
#[cfg(feature = "sqlite")]
mod sync;

#[cfg(feature = "sqlite")]
pub(crate) use self::sync::{Kind, serve};
use crate::table::Table;
use crate::{Plan, Result};

/// The names of the measurements, in the order they run. Those of one kind start alike, up to a dash.
pub(crate) const NAMES: &[&str] = &[
    "click",
    "touch-list",
    "touch-each",
    "idle",
    "rows",
    "fan-out",
    #[cfg(feature = "sqlite")]
    "watch",
    "get",
    "bytes",
    "reconnect",
    #[cfg(feature = "sqlite")]
    "sync-push",
    #[cfg(feature = "sqlite")]
    "sync-read",
    #[cfg(feature = "sqlite")]
    "sync-compact",
    #[cfg(feature = "sqlite")]
    "sync-poke",
    "sync-postgres",
];

pub(crate) async fn run(name: &str, plan: &Plan, table: &mut Table) -> Result {
    match name {
        "click" => click::measure(plan, table).await,
        "touch-list" => click::touch_list(plan, table).await,
        "touch-each" => click::touch_each(plan, table).await,
        "idle" => idle::measure(plan, table).await,
        "rows" => idle::rows(plan, table).await,
        "fan-out" => fan_out::measure(plan, table).await,
        #[cfg(feature = "sqlite")]
        "watch" => sync::watch(plan, table).await,
        "get" => get::measure(plan, table).await,
        "bytes" => bytes::measure(table).await,
        "reconnect" => reconnect::measure(plan, table).await,
        #[cfg(feature = "sqlite")]
        "sync-push" => sync::push(plan, table).await,
        #[cfg(feature = "sqlite")]
        "sync-read" => sync::read(plan, table).await,
        #[cfg(feature = "sqlite")]
        "sync-compact" => sync::compact(plan, table).await,
        #[cfg(feature = "sqlite")]
        "sync-poke" => sync::poke(plan, table).await,
        #[cfg(all(feature = "sqlite", feature = "postgres"))]
        "sync-postgres" => sync::postgres(plan, table).await,
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        "sync-postgres" => {
            table.absent("PostgreSQL", "needs `cargo bench --features postgres --bench report`");
            Ok(())
        }
        other => Err(format!("nothing is called {other:?}").into()),
    }
}
