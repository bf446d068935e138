//! How it stands: what the proxy goes by and open pages are told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::watch;

use super::ansi::{Span, spans};

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Cargo builds. A server from before goes on.
    Building,
    /// The old server ends and the new one begins: whoever asks now waits.
    Starting,
    /// The server is of the newest build.
    Running,
    /// The newest build failed. A server from before goes on.
    Failed,
    /// The server ended by itself.
    Ended,
}

/// How it stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    /// What pages are made by: a page of another version is to be loaded anew.
    pub(crate) version: String,
    /// Counts changes of style sheets alone.
    pub(crate) styles: u64,
    /// What went wrong, in a line; empty for nothing.
    pub(crate) problem: String,
    /// What there is to read about it.
    pub(crate) report: Vec<Span>,
    #[serde(skip)]
    pub(crate) server: Option<SocketAddr>,
}

/// Holds the status and tells of its changes. The channel keeps the newest only: whoever is slow misses nothing that still holds.
#[derive(Debug)]
pub(crate) struct Board {
    sender: watch::Sender<Status>,
    /// Tells the versions of this process from those of another one.
    boot: u128,
    /// Counts versions.
    generation: AtomicU64,
}

impl Board {
    pub(crate) fn new() -> Self {
        let boot = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let status = Status {
            phase: Phase::Building,
            version: format!("{boot:x}.0"),
            styles: 0,
            problem: String::new(),
            report: Vec::new(),
            server: None,
        };
        Self { sender: watch::Sender::new(status), boot, generation: AtomicU64::new(0) }
    }

    pub(crate) fn status(&self) -> Status {
        self.sender.borrow().clone()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Status> {
        self.sender.subscribe()
    }

    /// A build begins. What went wrong before is shown until it has ended.
    pub(crate) fn building(&self) {
        self.sender.send_modify(|status| status.phase = Phase::Building);
    }

    /// The server is replaced.
    pub(crate) fn starting(&self) {
        self.sender.send_modify(|status| {
            status.phase = Phase::Starting;
            status.server = None;
        });
    }

    /// A new server serves.
    pub(crate) fn running(&self, server: SocketAddr) {
        let version = self.next_version();
        self.sender.send_modify(|status| {
            status.version = version;
            status.server = Some(server);
        });
        self.unchanged();
    }

    /// The build gave what runs already.
    pub(crate) fn unchanged(&self) {
        self.sender.send_modify(|status| {
            status.phase = Phase::Running;
            status.problem.clear();
            status.report.clear();
        });
    }

    /// The build failed.
    pub(crate) fn failed(&self, problem: String, output: &str) {
        self.sender.send_modify(|status| {
            status.phase = Phase::Failed;
            status.problem = problem;
            status.report = spans(output);
        });
    }

    /// There is no server any more.
    pub(crate) fn ended(&self, problem: String, output: &str) {
        self.sender.send_modify(|status| {
            status.phase = Phase::Ended;
            status.problem = problem;
            status.report = spans(output);
            status.server = None;
        });
    }

    /// Style sheets changed, and nothing else.
    pub(crate) fn restyle(&self) {
        self.sender.send_modify(|status| status.styles += 1);
    }

    /// Pages are to be loaded anew from the server that runs.
    pub(crate) fn reload(&self) {
        let version = self.next_version();
        self.sender.send_modify(|status| status.version = version);
    }

    fn next_version(&self) -> String {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{:x}.{generation}", self.boot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_leaves_the_server_and_its_pages() {
        let board = Board::new();
        board.running(([127, 0, 0, 1], 4000).into());
        let before = board.status();
        board.building();
        board.failed("the build failed".to_owned(), "\x1b[31mno");
        let failed = board.status();
        assert_eq!((failed.phase, failed.server, &failed.version), (Phase::Failed, before.server, &before.version));
        assert_eq!(failed.report, [Span { class: "red".to_owned(), text: "no".to_owned() }]);
        board.building();
        assert_eq!(board.status().problem, "the build failed", "it is shown until the next build has ended");
        board.unchanged();
        assert_eq!((board.status().problem.as_str(), board.status().report.len()), ("", 0));
    }

    #[test]
    fn pages_are_told_to_reload_by_another_version() {
        let board = Board::new();
        let mut versions = vec![board.status().version];
        board.running(([127, 0, 0, 1], 4000).into());
        versions.push(board.status().version);
        board.reload();
        versions.push(board.status().version);
        board.restyle();
        board.unchanged();
        assert_eq!(board.status().version, versions[2]);
        versions.dedup();
        assert_eq!(versions.len(), 3);
    }
}
