//! A log as a stream.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::{Stream, stream};
use tokio::sync::Notify;

use super::core::Engine;
use super::pulling::PullError;
use crate::edge::Who;
use crate::sync::change::Pulled;
use crate::sync::cursor::Cursor;
use crate::sync::ids::Scope;

/// How long a stream waits for a poke before it looks by itself.
const FAILSAFE: Duration = Duration::from_secs(30);

impl Engine {
    /// What happens in a scope, from a cursor on, without an end: for the server's own code. Nobody is asked whether it may.
    ///
    /// Parts are whole mutations in order, each once. An item is an error when the cursor can't be read on from or the store fails; the stream ends after it.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use mizu::sync::{Cursor, Engine, MemoryStore, Mutation, Scope, Tx};
    /// use mizu::Who;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let engine = Engine::builder(MemoryStore::new())
    ///     .mutator("set", async |tx: &mut Tx, value: i64| tx.put_row("value", "v", &value).await)
    ///     .build();
    /// let scope = Scope::new("values")?;
    /// let mut changes = std::pin::pin!(engine.changes(&scope, Cursor::BEGINNING));
    /// engine.apply(Who::server(), Mutation::new(&scope, "set", &7)?).await?;
    /// assert_eq!(changes.next().await.unwrap()?.changes.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn changes(
        &self,
        scope: &Scope,
        cursor: Cursor,
    ) -> impl Stream<Item = Result<Pulled, PullError>> + Send + use<> {
        struct Place {
            engine: Engine,
            scope: Scope,
            cursor: Cursor,
            moved: Arc<Notify>,
        }
        let start = Place { engine: self.clone(), scope: scope.clone(), cursor, moved: self.waiter(scope) };
        stream::unfold(Some(start), async |place| {
            let mut place = place?;
            loop {
                // Listening starts before reading, so that nothing falls between.
                let moved = place.moved.clone();
                let mut moved = std::pin::pin!(moved.notified());
                moved.as_mut().enable();
                match place.engine.pull(&Who::server(), &place.scope, None, place.cursor, None).await {
                    Err(error) => return Some((Err(error), None)),
                    Ok(pulled) if pulled.cursor.position() > place.cursor.position() => {
                        place.cursor = pulled.cursor;
                        return Some((Ok(pulled), Some(place)));
                    }
                    Ok(_) => drop(tokio::time::timeout(FAILSAFE, moved).await),
                }
            }
        })
    }

    /// What is woken when a scope moves; shared by all who wait for it.
    fn waiter(&self, scope: &Scope) -> Arc<Notify> {
        let mut waiting = self.inner.waiting.lock();
        if let Some(waiter) = waiting.get(scope).and_then(Weak::upgrade) {
            return waiter;
        }
        // Those that nobody waits for any more go when another comes.
        waiting.retain(|_, waiter| waiter.strong_count() > 0);
        let waiter = Arc::new(Notify::new());
        waiting.insert(scope.clone(), Arc::downgrade(&waiter));
        waiter
    }
}
