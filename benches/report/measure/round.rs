//! Rounds: some work, and the time and CPU time a server spent on it.

use std::time::{Duration, Instant};

use crate::Result;
use crate::process::Server;

/// What a round took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// CPU time of the server for one unit of work.
    pub(crate) cpu: Duration,
    /// Units of work in a second.
    pub(crate) rate: f64,
}

/// Measures work of so many units.
pub(crate) async fn round(server: &Server, units: usize, work: impl Future<Output = Result>) -> Result<Round> {
    let (cpu, start) = (server.cpu()?, Instant::now());
    work.await?;
    let (cpu, wall) = (server.cpu()? - cpu, start.elapsed());
    Ok(Round { cpu: cpu.div_f64(units as f64), rate: units as f64 / wall.as_secs_f64() })
}

/// The median of each figure.
pub(crate) fn median(rounds: &[Round]) -> Round {
    let mut cpu: Vec<_> = rounds.iter().map(|round| round.cpu).collect();
    let mut rate: Vec<_> = rounds.iter().map(|round| round.rate).collect();
    cpu.sort_unstable();
    rate.sort_unstable_by(f64::total_cmp);
    let middle = rounds.len() / 2;
    Round { cpu: cpu.get(middle).copied().unwrap_or_default(), rate: rate.get(middle).copied().unwrap_or_default() }
}
