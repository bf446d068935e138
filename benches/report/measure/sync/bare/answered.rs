//! When clients would be answered that push the next when the last is committed.

use std::collections::HashMap;
use std::time::Instant;

use mizu::sync::ClientId;

use crate::measure::sync::latency::Latencies;

/// What each client waits for, from its last answer to the next: its turn, and its commit.
pub(in crate::measure::sync) struct Answered {
    start: Instant,
    last: HashMap<ClientId, Instant>,
    times: Latencies,
}

impl Answered {
    /// All clients push now.
    pub(in crate::measure::sync) fn new() -> Self {
        Self { start: Instant::now(), last: HashMap::new(), times: Latencies::default() }
    }

    /// A push of this client is committed.
    pub(in crate::measure::sync) fn now(&mut self, client: &ClientId) {
        let now = Instant::now();
        let pushed = self.last.insert(client.clone(), now).unwrap_or(self.start);
        self.times.push(now - pushed);
    }

    pub(in crate::measure::sync) fn into_times(self) -> Latencies {
        self.times
    }
}
