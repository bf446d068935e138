//! Ending everything in good order.

use std::{fmt, future::Future, ops::Range, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFuture},
    task::TaskTracker,
};

/// Knows every task of a server and ends them: first by asking, then by cancelling.
///
/// Clones are handles to the same state. [`drain`](Self::drain) stops accepting, tells clients to come back after a
/// random delay, waits for what runs up to a deadline, and then cancels the rest.
///
/// ```
/// use std::time::Duration;
/// use mizu::live::Shutdown;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let shutdown = Shutdown::new().deadline(Duration::from_secs(5));
/// shutdown.spawn(async { /* some work */ });
/// assert_eq!(shutdown.drain().await, 0);
/// # }
/// ```
#[derive(Clone)]
pub struct Shutdown {
    state: Arc<State>,
    deadline: Duration,
    reconnect: (Duration, Duration),
}

struct State {
    draining: CancellationToken,
    ended: CancellationToken,
    tracker: TaskTracker,
    /// Guards what runs once when draining starts; taken out before it runs.
    on_drain: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

/// How long cancelled tasks get to be dropped, which takes until their next `.await`.
const GRACE: Duration = Duration::from_secs(2);

impl Shutdown {
    /// A deadline of 10 seconds, and reconnects within 0.2 to 5 seconds.
    ///
    /// ```
    /// # use mizu::live::Shutdown;
    /// assert!(!Shutdown::new().is_draining());
    /// ```
    pub fn new() -> Self {
        Self {
            state: Arc::new(State {
                draining: CancellationToken::new(),
                ended: CancellationToken::new(),
                tracker: TaskTracker::new(),
                on_drain: Mutex::default(),
            }),
            deadline: Duration::from_secs(10),
            reconnect: (Duration::from_millis(200), Duration::from_secs(5)),
        }
    }

    /// How long [`drain`](Self::drain) waits before it cancels what still runs.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use mizu::live::Shutdown;
    /// let shutdown = Shutdown::new().deadline(Duration::from_secs(30));
    /// # let _ = shutdown;
    /// ```
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The range from which each client gets its random delay before it reconnects, so that they don't all come at
    /// once.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use mizu::live::Shutdown;
    /// let shutdown = Shutdown::new().reconnect_within(Duration::ZERO..Duration::from_secs(60));
    /// # let _ = shutdown;
    /// ```
    #[must_use]
    pub fn reconnect_within(mut self, delays: Range<Duration>) -> Self {
        self.reconnect = (delays.start, delays.end);
        self
    }

    /// Spawns a task that is waited for, and cancelled when the server ends.
    ///
    /// ```
    /// # use mizu::live::Shutdown;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let shutdown = Shutdown::new();
    /// let task = shutdown.spawn(async { 1 + 1 });
    /// assert_eq!(task.await.unwrap(), Some(2));
    /// # }
    /// ```
    pub fn spawn<F>(&self, task: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // Its own, because looking at one that all have in common, each time that any of them runs, would have all wait for each other.
        let ended = self.state.ended.child_token();
        // Boxed, because each layer of futures around it would otherwise hold its memory once more.
        let task = Box::pin(task);
        self.state.tracker.spawn(async move { ended.run_until_cancelled(task).await })
    }

    /// Runs something once, when draining starts, or at once when it already did. It must not block.
    ///
    /// ```
    /// # use mizu::live::Shutdown;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let shutdown = Shutdown::new();
    /// shutdown.on_drain(|| println!("no more requests"));
    /// shutdown.drain().await;
    /// # }
    /// ```
    pub fn on_drain(&self, hook: impl FnOnce() + Send + 'static) {
        let mut hooks = self.state.on_drain.lock();
        if self.is_draining() {
            drop(hooks);
            return hook();
        }
        hooks.push(Box::new(hook));
    }

    /// Ends everything, and gives the number of tasks that even cancelling could not end.
    ///
    /// Calling it again, or from two places, is harmless.
    ///
    /// ```
    /// # use mizu::live::Shutdown;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// assert_eq!(Shutdown::new().drain().await, 0);
    /// # }
    /// ```
    pub async fn drain(&self) -> usize {
        let hooks = {
            let mut hooks = self.state.on_drain.lock();
            self.state.draining.cancel();
            std::mem::take(&mut *hooks)
        };
        hooks.into_iter().for_each(|hook| hook());
        self.state.tracker.close();
        if tokio::time::timeout(self.deadline, self.state.tracker.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks(), "the deadline passed: cancelling what still runs");
        }
        self.state.ended.cancel();
        let _late = tokio::time::timeout(GRACE, self.state.tracker.wait()).await;
        self.tasks()
    }

    /// Whether draining has started.
    ///
    /// ```
    /// # use mizu::live::Shutdown;
    /// assert!(!Shutdown::new().is_draining());
    /// ```
    pub fn is_draining(&self) -> bool {
        self.state.draining.is_cancelled()
    }

    /// Waits until draining starts.
    ///
    /// ```
    /// # use mizu::live::Shutdown;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let shutdown = Shutdown::new();
    /// tokio::join!(shutdown.draining(), shutdown.drain());
    /// # }
    /// ```
    pub fn draining(&self) -> WaitForCancellationFuture<'_> {
        self.state.draining.cancelled()
    }

    /// How many tasks run.
    ///
    /// ```
    /// # use mizu::live::Shutdown;
    /// assert_eq!(Shutdown::new().tasks(), 0);
    /// ```
    pub fn tasks(&self) -> usize {
        self.state.tracker.len()
    }

    /// When one client should come back.
    pub(crate) fn reconnect_after(&self) -> Duration {
        let (from, to) = self.reconnect;
        if from >= to { from } else { rand::random_range(from..to) }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("draining", &self.is_draining())
            .field("tasks", &self.tasks())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn running_tasks_finish_and_stuck_ones_are_cancelled() {
        let shutdown = Shutdown::new().deadline(Duration::from_secs(3));
        let quick = shutdown.spawn(tokio::time::sleep(Duration::from_secs(2)));
        let stuck = shutdown.spawn(std::future::pending::<()>());
        assert_eq!(shutdown.tasks(), 2);
        let start = tokio::time::Instant::now();
        assert_eq!(shutdown.drain().await, 0);
        assert_eq!(start.elapsed(), Duration::from_secs(3));
        assert_eq!((quick.await.unwrap(), stuck.await.unwrap()), (Some(()), None));
        assert_eq!(shutdown.drain().await, 0);
    }

    #[tokio::test]
    async fn hooks_run_once_even_when_late() {
        let shutdown = Shutdown::new();
        let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
        let early = tx.clone();
        shutdown.on_drain(move || early.send("early").unwrap());
        shutdown.drain().await;
        shutdown.on_drain(move || tx.send("late").unwrap());
        shutdown.drain().await;
        assert_eq!((rx.recv().await, rx.recv().await, rx.recv().await), (Some("early"), Some("late"), None));
    }

    #[test]
    fn reconnect_delays_stay_in_their_range() {
        let range = Duration::from_millis(10)..Duration::from_millis(20);
        let shutdown = Shutdown::new().reconnect_within(range.clone());
        assert!((0..1000).all(|_| range.contains(&shutdown.reconnect_after())));
        let none = Shutdown::new().reconnect_within(Duration::ZERO..Duration::ZERO);
        assert_eq!(none.reconnect_after(), Duration::ZERO);
    }
}
