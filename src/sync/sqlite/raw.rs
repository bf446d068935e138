//! An app's own tables, in the transaction of a mutation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, ErrorCode};

use super::transaction::{SqliteTransaction, doom};
use crate::sync::error::{Error, Rejection, Result, StoreError};
use crate::sync::tx::Tx;

impl Tx {
    /// Runs statements on the app's own tables, in the transaction of this mutation: they are committed with it, or undone with it.
    ///
    /// Transactions are the engine's: `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT`, `ATTACH`, `PRAGMA` and writes to the tables whose names begin with `mizu_` are
    /// denied.
    ///
    /// # Errors
    ///
    /// - The engine's store is not SQLite: rejected as `internal`.
    /// - A constraint does not hold, or a value is of the wrong type: rejected as `constraint`.
    /// - A statement is wrong or denied: rejected as `internal`, and logged.
    /// - The disk is full, or the file can't be read: [`Error::Store`].
    ///
    /// ```
    /// use mizu::sync::{self, Tx};
    ///
    /// async fn rename(tx: &mut Tx, (id, title): (String, String)) -> sync::Result {
    ///     tx.put_row("note", &id, &title).await?;
    ///     tx.sqlite(|conn| conn.execute("insert into audit (note, title) values (?, ?)", (&id, &title)))?;
    ///     Ok(())
    /// }
    /// # let _ = rename;
    /// ```
    pub fn sqlite<T>(&mut self, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let raw = self.store().raw().downcast_mut::<SqliteTransaction>();
        let Some(transaction) = raw else {
            return Err(Rejection::new("internal", "`tx.sqlite` needs an engine over a `SqliteStore`").into());
        };
        if transaction.is_lost() {
            return self.keep(Err(StoreError::message("the transaction is over")));
        }
        if transaction.is_doomed() {
            return Err(doom().into());
        }
        let ended = transaction.guarded(run).map_err(refusal);
        if transaction.is_lost() {
            return self.keep(Err(StoreError::message("a statement of a mutator rolled the transaction back")));
        }
        match ended {
            Err(Error::Store(error)) => self.keep(Err(error)),
            result => result,
        }
    }
}

fn refusal(error: rusqlite::Error) -> Error {
    let (code, log) = match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => ("constraint", false),
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::OutOfMemory
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen,
        ) => return Error::Store(StoreError::new("SQLite", error)),
        Some(ErrorCode::AuthorizationForStatementDenied) => {
            tracing::error!(%error, "a mutator ran a statement that the engine denies: transactions, pragmas and its own tables");
            let message = "this statement is denied: transactions, pragmas and tables `mizu_…` are the engine's";
            return Rejection::new("internal", message).into();
        }
        _ => ("internal", true),
    };
    if log {
        tracing::error!(%error, "a statement in a mutator failed");
    }
    Error::Rejected(Rejection::new(code, error.to_string()))
}

/// Denies what would tear the engine's transaction apart, while an app's own statements run.
pub(super) fn guard(conn: &mut Connection, guarded: Arc<AtomicBool>) {
    let set = conn.authorizer(Some(move |context: AuthContext<'_>| {
        if !guarded.load(Ordering::Relaxed) || allowed(&context.action) {
            Authorization::Allow
        } else {
            Authorization::Deny
        }
    }));
    if let Err(error) = set {
        tracing::error!(%error, "statements of mutators are not guarded");
    }
}

fn allowed(action: &AuthAction<'_>) -> bool {
    let own = |name: &str| !name.to_ascii_lowercase().starts_with("mizu_");
    match action {
        AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::Pragma { .. } => false,
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::DropIndex { table_name, .. }
        | AuthAction::CreateTempTable { table_name }
        | AuthAction::CreateTempIndex { table_name, .. }
        | AuthAction::CreateVtable { table_name, .. } => own(table_name),
        AuthAction::CreateTrigger { table_name, trigger_name }
        | AuthAction::CreateTempTrigger { table_name, trigger_name }
        | AuthAction::DropTrigger { table_name, trigger_name } => own(table_name) && own(trigger_name),
        AuthAction::CreateView { view_name } | AuthAction::CreateTempView { view_name } => own(view_name),
        _ => true,
    }
}
