//! Tables, and connections that are set up for them.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::store::Durability;
use crate::sync::cursor::Epoch;
use crate::sync::error::StoreError;

/// The version of the tables, kept as `user_version`. 0 is a file without them.
const VERSION: i64 = 1;

/// What moves the tables from each version to the next.
const MIGRATIONS: [&str; VERSION as usize] = [include_str!("v1.sql")];

/// How long a statement waits for another process that writes to the same file.
const BUSY: Duration = Duration::from_secs(5);

/// How much of the file the connection that writes keeps in memory, in KiB: rows with random ids touch pages all over their trees.
const WRITER_CACHE: i64 = 16 * 1024;

/// How long the log of written pages grows until they are moved to their places, in pages: 16 MiB. Pages that are written again in the
/// meantime are moved once.
const CHECKPOINT: i64 = 4_000;

/// The connection that writes, with tables of today's version.
pub(super) fn open_writer(path: &Path, durability: Durability) -> Result<Connection, StoreError> {
    let open = || -> rusqlite::Result<(Connection, i64)> {
        let mut conn = Connection::open(path)?;
        conn.busy_timeout(BUSY)?;
        conn.set_prepared_statement_cache_capacity(100);
        keep_plans(&conn)?;
        conn.pragma_update(None, "journal_mode", "wal")?;
        conn.pragma_update(
            None,
            "synchronous",
            match durability {
                Durability::Full => "full",
                Durability::Normal => "normal",
            },
        )?;
        conn.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
        // Negative numbers are KiB, others pages.
        conn.pragma_update(None, "cache_size", -WRITER_CACHE)?;
        conn.pragma_update(None, "foreign_keys", true)?;
        let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found <= VERSION {
            for migration in MIGRATIONS.iter().skip(found as usize) {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "user_version", VERSION)?;
            let epoch = Epoch::random().bits() as i64;
            transaction.execute("insert or ignore into mizu_meta (key, value) values ('epoch', ?)", [epoch])?;
        }
        transaction.commit()?;
        Ok((conn, found))
    };
    let (conn, found) = open().map_err(|error| StoreError::new(format!("can't open {}", path.display()), error))?;
    match found <= VERSION {
        true => Ok(conn),
        false => Err(StoreError::message(format!(
            "{} was written by a newer version (tables {found}, this one knows {VERSION})",
            path.display()
        ))),
    }
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    keep_plans(&conn)?;
    Ok(conn)
}

/// Plans don't depend on what is bound. Otherwise SQLite prepares a statement anew whenever other values are bound to it, which takes longer than
/// to run it.
fn keep_plans(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// The epoch as it is in this transaction.
pub(super) fn epoch(conn: &Connection) -> rusqlite::Result<Epoch> {
    let mut statement = conn.prepare_cached("select value from mizu_meta where key = 'epoch'")?;
    let bits: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
    Ok(Epoch::from_bits(bits.unwrap_or_default() as u64))
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// SQLite prepared statements anew for each value that was bound to them: half the time of a write.
    #[test]
    fn statements_are_prepared_once_whatever_is_bound() {
        let conn = open_writer(Path::new(":memory:"), Durability::Normal).unwrap();
        let sql =
            "select data from mizu_changes where scope = ? and entity = ? and id = ? order by position desc limit 1";
        for id in ["a", "b", "c"] {
            let mut statement = conn.prepare_cached(sql).unwrap();
            let found: Option<String> = statement.query_row((1, "todo", id), |row| row.get(0)).optional().unwrap();
            assert_eq!(found, None);
        }
        assert_eq!(conn.prepare_cached(sql).unwrap().get_status(StatementStatus::RePrepare), 0);
    }
}
