//! What is measured, one file each.

mod bytes;
mod click;
mod fan_out;
mod get;
mod idle;
mod reconnect;
mod round;
mod sessions;

use crate::table::Table;
use crate::{Plan, Result};

/// The names of the measurements, in the order they run.
pub(crate) const NAMES: [&str; 6] = ["click", "idle", "fan-out", "get", "bytes", "reconnect"];

pub(crate) async fn run(name: &str, plan: &Plan, table: &mut Table) -> Result {
    match name {
        "click" => click::measure(plan, table).await,
        "idle" => idle::measure(plan, table).await,
        "fan-out" => fan_out::measure(plan, table).await,
        "get" => get::measure(plan, table).await,
        "bytes" => bytes::measure(table).await,
        "reconnect" => reconnect::measure(plan, table).await,
        other => Err(format!("nothing is called {other:?}").into()),
    }
}
