//! When everybody has heard of something.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::Result;

/// Counts who has heard of the message at hand.
#[derive(Clone)]
pub(super) struct Heard(Arc<HeardInner>);

struct HeardInner {
    listeners: usize,
    heard: AtomicUsize,
    all: Notify,
}

impl Heard {
    pub(super) fn new(listeners: usize) -> Self {
        Self(Arc::new(HeardInner { listeners, heard: AtomicUsize::new(0), all: Notify::new() }))
    }

    pub(super) fn one(&self) {
        if self.0.heard.fetch_add(1, Ordering::AcqRel) + 1 == self.0.listeners {
            self.0.all.notify_one();
        }
    }

    /// Waits until all have heard, and starts from nobody.
    pub(super) async fn all(&self, listeners: &mut JoinSet<Result>) -> Result {
        tokio::select! {
            () = self.0.all.notified() => {}
            Some(ended) = listeners.join_next() => ended??,
            // A bound, not a wait: a harness that hangs fails.
            () = tokio::time::sleep(Duration::from_secs(30)) => {
                let heard = self.0.heard.load(Ordering::Acquire);
                return Err(format!("{heard} of {} heard of a message after 30 s", self.0.listeners).into());
            }
        }
        self.0.heard.store(0, Ordering::Release);
        Ok(())
    }
}
