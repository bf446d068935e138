//! What clients read: parts of a log, and snapshots.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::core::Engine;
use crate::edge::Who;
use crate::sync::access::Access;
use crate::sync::change::{Pulled, Snapshot};
use crate::sync::cursor::Cursor;
use crate::sync::error::StoreError;
use crate::sync::ids::{ClientId, Scope, check_entity, check_row};
use crate::sync::store::{Extent, PullAsk, RowsAsk};

/// Why a pull or a snapshot was refused.
///
/// ```
/// assert!(mizu::sync::PullError::CursorTooOld.to_string().contains("snapshot"));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The scope is not open to who asks.
    #[error("you may not read {0}")]
    Forbidden(Scope),
    /// The client belongs to another user.
    #[error("this client belongs to another user")]
    ClientForeign,
    /// The log does not reach back so far.
    #[error("the log does not reach back to this cursor: take a snapshot")]
    CursorTooOld,
    /// The cursor belongs to a history that this store does not have: it was restored from a backup, or is another one.
    #[error("the cursor belongs to another history of this store: take a snapshot")]
    EpochChanged,
    /// What names a page of a snapshot can't be read.
    #[error("a page is what the snapshot before gave as `next`, unchanged")]
    NoPage,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many of a client's acknowledgements a snapshot holds.
const ACKS: usize = 1_000;

impl Engine {
    /// Reads a part of a scope's log, behind a cursor: whole mutations, in order, and the client's own acknowledgements.
    ///
    /// # Errors
    ///
    /// - See [`PullError`].
    ///
    /// ```
    /// use mizu::sync::{Cursor, Engine, MemoryStore, Scope};
    /// use mizu::Who;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let engine = Engine::builder(MemoryStore::new()).public("notes").build();
    /// let notes = Scope::new("notes").unwrap();
    /// let pulled = engine.pull(&Who::anybody(), &notes, None, Cursor::BEGINNING, None).await.unwrap();
    /// assert!(pulled.changes.is_empty() && !pulled.has_more);
    /// # });
    /// ```
    pub async fn pull(
        &self,
        who: &Who,
        scope: &Scope,
        client: Option<&ClientId>,
        cursor: Cursor,
        limit: Option<usize>,
    ) -> Result<Pulled, PullError> {
        self.may_read(who, scope).await?;
        let limits = &self.inner.limits;
        let ask = PullAsk {
            scope: scope.clone(),
            client: client.cloned(),
            from: cursor.position(),
            limit: limit.unwrap_or(limits.changes).clamp(1, limits.changes),
            bytes: limits.page_bytes,
        };
        let part = self.inner.store.pull(ask).await?;
        belongs(part.user.as_deref(), who)?;
        verify(cursor, part.extent, part.check)?;
        let (position, check) = part.upto;
        Ok(Pulled {
            changes: part.changes,
            cursor: Cursor::new(part.extent.epoch, position, check),
            has_more: position < part.extent.head,
        })
    }

    /// Reads a page of a scope's rows as they are at one place in its log; all pages show the same place.
    ///
    /// # Errors
    ///
    /// - See [`PullError`]; `CursorTooOld` on a later page means to start over.
    ///
    /// ```
    /// use mizu::sync::{Engine, MemoryStore, Scope};
    /// use mizu::Who;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let engine = Engine::builder(MemoryStore::new()).public("notes").build();
    /// let notes = Scope::new("notes").unwrap();
    /// let page = engine.snapshot(&Who::anybody(), &notes, None, None, None).await.unwrap();
    /// assert!(page.rows.is_empty() && page.next.is_none());
    /// # });
    /// ```
    pub async fn snapshot(
        &self,
        who: &Who,
        scope: &Scope,
        client: Option<&ClientId>,
        page: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Snapshot, PullError> {
        self.may_read(who, scope).await?;
        let page = page.map(Page::read).transpose()?;
        let limits = &self.inner.limits;
        let first = page.is_none();
        let ask = RowsAsk {
            scope: scope.clone(),
            client: client.cloned(),
            at: page.as_ref().map(|page| page.cursor.position()),
            entity: None,
            prefix: String::new(),
            after: page.as_ref().map(|page| page.after.clone()),
            limit: limit.unwrap_or(limits.changes).clamp(1, limits.changes),
            bytes: limits.page_bytes,
            acks: if first { ACKS } else { 0 },
        };
        let part = self.inner.store.rows(ask).await?;
        belongs(part.client.as_ref().map(|(user, _)| user.as_str()), who)?;
        let (at, check) = part.at;
        let cursor = match page {
            Some(Page { cursor, .. }) => {
                verify(cursor, part.extent, check)?;
                if at < part.extent.compacted {
                    return Err(PullError::CursorTooOld);
                }
                cursor
            }
            None => Cursor::new(part.extent.epoch, at, check.unwrap_or(0)),
        };
        let next = part.rows.last().filter(|_| part.more);
        let next = next.map(|row| Page { cursor, after: (row.entity.clone(), row.id.clone()) }.write());
        let last = part.client.map(|(_, last)| last).filter(|_| first);
        Ok(Snapshot { rows: part.rows, acks: part.acks, last, cursor, next })
    }

    async fn may_read(&self, who: &Who, scope: &Scope) -> Result<(), PullError> {
        match self.allows(who, scope, Access::Read).await {
            true => Ok(()),
            false => Err(PullError::Forbidden(scope.clone())),
        }
    }
}

fn belongs(user: Option<&str>, who: &Who) -> Result<(), PullError> {
    match user.is_none_or(|user| who.is_server() || user == who.key()) {
        true => Ok(()),
        false => Err(PullError::ClientForeign),
    }
}

/// Whether a log can be read on from a cursor.
pub(super) fn verify(cursor: Cursor, extent: Extent, check: Option<u64>) -> Result<(), PullError> {
    let Some(epoch) = cursor.epoch() else {
        return match extent.horizon {
            0 => Ok(()),
            _ => Err(PullError::CursorTooOld),
        };
    };
    if epoch != extent.epoch || cursor.position() > extent.head {
        return Err(PullError::EpochChanged);
    }
    if cursor.position() < extent.horizon {
        return Err(PullError::CursorTooOld);
    }
    match check == Some(cursor.check()) {
        true => Ok(()),
        false => Err(PullError::EpochChanged),
    }
}

/// What names a page of a snapshot: the place it shows, and the row it starts behind.
struct Page {
    cursor: Cursor,
    after: (String, String),
}

impl Page {
    fn write(&self) -> String {
        let (entity, id) = &self.after;
        URL_SAFE_NO_PAD.encode(format!("{} {entity} {id}", self.cursor))
    }

    fn read(text: &str) -> Result<Self, PullError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| PullError::NoPage)?;
        let text = String::from_utf8(bytes).map_err(|_| PullError::NoPage)?;
        let mut parts = text.splitn(3, ' ');
        let mut part = || parts.next().ok_or(PullError::NoPage);
        let cursor: Cursor = part()?.parse().map_err(|_| PullError::NoPage)?;
        let after = (part()?.to_owned(), part()?.to_owned());
        let named = check_entity(&after.0).and(check_row(&after.1));
        match (cursor.epoch(), named) {
            (Some(_), Ok(())) => Ok(Self { cursor, after }),
            _ => Err(PullError::NoPage),
        }
    }
}
