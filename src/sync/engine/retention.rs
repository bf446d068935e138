//! How long logs are kept, and removing what is not needed any more.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use super::core::Engine;
use crate::sync::error::StoreError;
use crate::sync::store::CompactAsk;

/// How long logs are kept. Rows are kept until they are deleted; this is about how far back a client can go on where it stopped, instead of
/// taking a snapshot, and about how long the outcomes of mutations can be asked for.
///
/// ```
/// use std::time::Duration;
/// use mizu::sync::{Engine, MemoryStore, Retention};
///
/// let retention = Retention { age: Some(Duration::from_secs(24 * 3600)), entries: Some(100_000), ..Retention::default() };
/// let engine = Engine::builder(MemoryStore::new()).retention(retention).build();
/// # let _ = engine;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Entries older than this are removed. None keeps all ages.
    ///
    /// # Units
    ///
    /// Time; default 30 days.
    pub age: Option<Duration>,
    /// How many entries of each scope stay. None keeps any number.
    ///
    /// # Units
    ///
    /// Entries; default none.
    pub entries: Option<u64>,
    /// For how long every version of a row is kept, so that a snapshot read page by page shows one place in the log. Nothing younger is removed,
    /// whatever the other two say.
    ///
    /// # Units
    ///
    /// Time; default 10 minutes.
    pub grace: Duration,
    /// How often the engine removes what is too old, after writes. None leaves it to [`Engine::compact`].
    ///
    /// # Units
    ///
    /// Time; default 1 minute.
    pub every: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            age: Some(Duration::from_secs(30 * 24 * 3600)),
            entries: None,
            grace: Duration::from_secs(600),
            every: Some(Duration::from_secs(60)),
        }
    }
}

/// What a compaction removed.
///
/// ```
/// assert_eq!(mizu::sync::Removed::default().changes, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Versions of rows that were superseded, and tombstones.
    pub changes: u64,
    /// Entries of logs.
    pub entries: u64,
}

/// When it was done last, and whether it is being done.
#[derive(Default)]
pub(super) struct Keeper {
    last: AtomicI64,
    busy: AtomicBool,
}

/// How much is removed in one transaction, so that writers don't wait for long.
const STEP: usize = 1_000;

impl Engine {
    /// Removes what [`Retention`] does not keep. The engine does it by itself after writes; this is for a time of your choosing.
    ///
    /// # Errors
    ///
    /// - The store fails; what was removed before stays so.
    ///
    /// ```
    /// # use mizu::sync::{Engine, MemoryStore, Removed};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let engine = Engine::builder(MemoryStore::new()).build();
    /// assert_eq!(engine.compact().await.unwrap(), Removed::default());
    /// # });
    /// ```
    pub async fn compact(&self) -> Result<Removed, StoreError> {
        let Retention { age, entries, grace, .. } = self.inner.retention;
        let now = self.inner.millis();
        let before = |time: Duration| now.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let mut ask = CompactAsk {
            from: None,
            compact_at: before(grace),
            horizon_at: age.map(before),
            keep: entries,
            budget: STEP,
        };
        let mut removed = Removed::default();
        loop {
            let step = self.inner.store.compact(ask.clone()).await?;
            removed.changes += step.changes;
            removed.entries += step.entries;
            match step.next {
                Some(next) => ask.from = Some(next),
                None => return Ok(removed),
            }
        }
    }

    /// After a write: compacts in the background when it is time.
    pub(super) fn maintain(&self) {
        let Some(every) = self.inner.retention.every else { return };
        let keeper = &self.inner.keeper;
        let now = self.inner.millis();
        let last = keeper.last.load(Ordering::Relaxed);
        if last == 0 {
            // The first write only starts the time.
            keeper.last.store(now, Ordering::Relaxed);
            return;
        }
        // A clock that was set back starts the time again, too.
        let due = now < last || now - last >= i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        if !due || keeper.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        keeper.last.store(now, Ordering::Relaxed);
        let engine = self.clone();
        self.inner.tasks.spawn(async move {
            let done = engine.compact().await;
            engine.inner.keeper.busy.store(false, Ordering::Release);
            match done {
                Ok(removed) => tracing::debug!(removed.changes, removed.entries, "compacted"),
                Err(error) => tracing::warn!(%error, "compaction failed; it is tried again"),
            }
        });
    }
}
