//! Connections that are in use.

use std::ops::Deref;

use deadpool_postgres::{Object, Pool};
use futures::FutureExt;

use super::error::{Fault, no_connection};
use crate::sync::error::StoreError;

/// A connection out of the pool, which goes back only when it is known to be outside of any transaction.
pub(super) struct Lease {
    /// None only while it is dropped.
    object: Option<Object>,
    open: bool,
}

impl Lease {
    pub(super) async fn new(pool: &Pool) -> Result<Self, StoreError> {
        let object = pool.get().await.map_err(no_connection)?;
        Ok(Self { object: Some(object), open: false })
    }

    /// A transaction is about to begin.
    pub(super) fn begins(&mut self) {
        self.open = true;
    }

    /// The transaction has ended.
    pub(super) fn ended(&mut self) {
        self.open = false;
    }

    /// Ends a transaction that only read. Nobody waits for it: whoever has the connection next comes after it.
    pub(super) fn end_reading(&mut self) {
        // Polled once, it is on its way.
        let sent = self.batch_execute("commit").now_or_never();
        self.open = matches!(sent, Some(Err(_)));
    }

    /// Undoes a transaction, so that the connection may go back.
    pub(super) async fn roll_back(mut self) {
        if self.open && self.batch_execute("rollback").await.is_ok() {
            self.open = false;
        }
    }
}

impl Deref for Lease {
    type Target = Object;

    #[allow(clippy::expect_used, reason = "it is there until this is dropped")]
    fn deref(&self) -> &Object {
        self.object.as_ref().expect("a connection")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.object.take()
            && self.open
        {
            // Its transaction may still run: closing the connection undoes it.
            drop(Object::take(object));
        }
    }
}

/// How often something may be tried again on another connection, because idle ones turned out to be gone.
pub(super) struct Tries(usize);

impl Tries {
    pub(super) fn new(pool: &Pool) -> Self {
        Self(pool.status().max_size)
    }

    /// Takes the failure unless it is worth another try.
    pub(super) fn again(&mut self, what: &'static str, fault: Fault) -> Result<(), StoreError> {
        if !fault.lost() || self.0 == 0 {
            return Err(fault.store(what));
        }
        self.0 -= 1;
        tracing::debug!(%fault, "a connection to PostgreSQL was gone; another is taken");
        Ok(())
    }
}
