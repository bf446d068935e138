//! A write transaction.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, Params, params};

use super::{raw, reading, schema};
use crate::sync::change::{Row, Status};
use crate::sync::entity::Scan;
use crate::sync::error::{Rejection, StoreError};
use crate::sync::ids::{Scope, Seq};
use crate::sync::store::{Entry, Locked, Patience, RowsAsk, Step, Stored, Transaction, done};

/// Known numbers of scopes are forgotten beyond this many.
const SCOPES: usize = 10_000;

/// The connection that writes, and what it knows.
pub(super) struct SqliteTransaction {
    conn: Connection,
    /// The numbers of scopes, which never change.
    scopes: HashMap<Scope, i64>,
    /// Whether an app's own statements are running, which may not end the transaction.
    guarded: Arc<AtomicBool>,
    /// When foreign keys are checked.
    check: Check,
    /// The mutations of this transaction so far.
    mutation: usize,
    /// An app's own statement ended the transaction: nothing may be written outside of one.
    lost: bool,
    /// Mutations that did that when the push ran before, and are rejected now.
    doomed: Vec<usize>,
}

/// SQLite checks deferred foreign keys when it commits, and can't say which mutation broke them.
#[derive(Clone, Copy, PartialEq)]
enum Check {
    /// Not before the commit.
    Late,
    /// A commit failed of it.
    Needed,
    /// After each mutation: looks through all tables with foreign keys, so only a push whose commit failed has to bear it.
    Each,
}

/// Why a mutation is rejected whose own statement ended the transaction.
pub(super) fn doom() -> Rejection {
    Rejection::new("constraint", "a statement rolled the whole transaction back; let it abort or fail instead")
}

impl SqliteTransaction {
    pub(super) fn new(mut conn: Connection) -> Self {
        let guarded = Arc::new(AtomicBool::new(false));
        raw::guard(&mut conn, guarded.clone());
        Self { conn, scopes: HashMap::new(), guarded, check: Check::Late, mutation: 0, lost: false, doomed: Vec::new() }
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.conn
    }

    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        if self.scopes.len() > SCOPES {
            self.scopes.clear();
        }
        if self.check == Check::Needed {
            self.check = Check::Late;
        }
        (self.mutation, self.lost) = (0, false);
        self.run("begin immediate -- mizu", []).map(drop).map_err(failed)
    }

    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        let committed = self.run("commit -- mizu", []);
        let broken = |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation);
        if self.check == Check::Late && committed.as_ref().is_err_and(broken) {
            self.check = Check::Needed;
        }
        committed.map(drop).map_err(failed)
    }

    /// Whether another attempt can come further, as it is known now what the last one failed of.
    pub(super) fn learn(&mut self) -> bool {
        if self.lost && !self.is_doomed() {
            self.doomed.push(self.mutation);
            return true;
        }
        let needed = self.check == Check::Needed;
        if needed {
            self.check = Check::Each;
        }
        needed
    }

    /// The next push is another one.
    pub(super) fn forget(&mut self) {
        self.check = Check::Late;
        self.doomed.clear();
    }

    /// Whether the mutation that runs ended the transaction when it ran before.
    pub(super) fn is_doomed(&self) -> bool {
        self.doomed.contains(&self.mutation)
    }

    /// Whether an app's own statement just ended the transaction.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Keeps the mutation, or undoes it and says why it can't be kept.
    fn keep(&self) -> rusqlite::Result<Option<Rejection>> {
        let broken = if self.is_doomed() {
            Some(doom())
        } else if self.check == Check::Each && self.statement("pragma foreign_key_check")?.exists([])? {
            Some(Rejection::new("constraint", "a foreign key has no row that it refers to"))
        } else {
            None
        };
        if broken.is_some() {
            self.run("rollback to mizu", [])?;
        }
        self.run("release mizu", [])?;
        Ok(broken)
    }

    /// Rolls back, and says whether the connection can be used again.
    pub(super) fn undo(&mut self) -> bool {
        self.scopes.clear();
        if !self.conn.is_autocommit() {
            let _ = self.run("rollback -- mizu", []);
        }
        self.conn.is_autocommit()
    }

    /// Runs an app's own statements.
    pub(super) fn guarded<T>(&mut self, run: impl FnOnce(&Connection) -> T) -> T {
        /// Lifts the guard, also when what is guarded panics.
        struct Lift<'a>(&'a AtomicBool);
        impl Drop for Lift<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Relaxed);
            }
        }
        self.guarded.store(true, Ordering::Relaxed);
        let ended = {
            let _lift = Lift(&self.guarded);
            run(&self.conn)
        };
        // `OR ROLLBACK` and `RAISE(ROLLBACK, ..)` are no statements that could be denied.
        self.lost |= self.conn.is_autocommit();
        ended
    }

    fn statement(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        if self.lost {
            return Err(rusqlite::Error::InvalidQuery);
        }
        self.conn.prepare_cached(sql)
    }

    fn run(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.statement(sql)?.execute(params)
    }

    /// The number of a scope that was locked.
    fn number(&self, scope: &Scope) -> rusqlite::Result<i64> {
        match self.scopes.get(scope) {
            Some(number) => Ok(*number),
            None => self
                .statement("select id from mizu_scopes where name = ?")?
                .query_row([scope.as_str()], |row| row.get(0)),
        }
    }

    fn lock_now(&mut self, sender: Option<&str>, scopes: &[Scope]) -> rusqlite::Result<Locked> {
        let epoch = schema::epoch(&self.conn)?;
        let client = match sender {
            Some(sender) => reading::client(&self.conn, sender)?,
            None => None,
        };
        let mut heads = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let found = self
                .statement("select id, position from mizu_scopes where name = ?")?
                .query_row([scope.as_str()], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
                .optional()?;
            let (number, head) = match found {
                Some(found) => found,
                None => {
                    self.run("insert into mizu_scopes (name) values (?)", [scope.as_str()])?;
                    (self.conn.last_insert_rowid(), 0)
                }
            };
            self.scopes.insert(scope.clone(), number);
            heads.push(head as u64);
        }
        Ok(Locked { epoch, client, heads })
    }

    fn outcome_now(&self, sender: &str, seq: Seq) -> rusqlite::Result<Option<Stored>> {
        let mut statement = self.statement(
            "select log.hash, log.code, log.message, scopes.name, log.position, log.check_value \
             from mizu_log log join mizu_scopes scopes on scopes.id = log.scope where log.sender = ? and log.seq = ?",
        )?;
        let mut rows = statement.query(params![sender, seq.get() as i64])?;
        let mut stored: Option<Stored> = None;
        while let Some(row) = rows.next()? {
            let status = reading::status(row.get(1)?, row.get(2)?);
            let hash = row.get::<_, i64>(0)? as u64;
            let stored = stored.get_or_insert_with(|| Stored { hash, status, entries: Vec::new() });
            // A name that is none is one that only this store gives: `!CLIENT`.
            if let Ok(scope) = row.get_ref(3)?.as_str()?.parse() {
                stored.entries.push((scope, row.get::<_, i64>(4)? as u64, row.get::<_, i64>(5)? as u64));
            }
        }
        Ok(stored)
    }

    fn put_now(
        &self,
        scope: &Scope,
        position: u64,
        entity: &str,
        id: &str,
        data: Option<&str>,
    ) -> rusqlite::Result<bool> {
        let (scope, position) = (self.number(scope)?, position as i64);
        let newest: Option<(i64, bool)> = self
            .statement(
                "select position, data is not null from mizu_changes where scope = ? and entity = ? and id = ? \
                 order by position desc limit 1",
            )?
            .query_row(params![scope, entity, id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let there = newest.is_some_and(|(_, there)| there);
        if data.is_none() && !there {
            return Ok(false);
        }
        match newest {
            Some((at, _)) if at == position => {
                self.run(
                    "update mizu_changes set data = ?5 where scope = ?1 and entity = ?2 and id = ?3 and position = ?4",
                    params![scope, entity, id, position, data],
                )?;
                return Ok(there);
            }
            Some((at, _)) => {
                self.run(
                    "update mizu_changes set superseded = ?5 where scope = ?1 and entity = ?2 and id = ?3 and position = ?4",
                    params![scope, entity, id, at, position],
                )?;
            }
            None => {}
        }
        self.run(
            "insert into mizu_changes (scope, entity, id, position, created, data) values (?, ?, ?, ?, ?, ?)",
            params![scope, entity, id, position, !there, data],
        )?;
        Ok(there)
    }

    fn log_now(&self, entry: &Entry<'_>) -> rusqlite::Result<()> {
        let (code, message) = match entry.status {
            Status::Rejected(rejection) => (Some(rejection.code()), Some(rejection.message())),
            Status::Applied | Status::Expired => (None, None),
        };
        let scope = self.number(entry.scope)?;
        self.run(
            "insert into mizu_log (scope, position, check_value, at, sender, seq, hash, code, message) \
             values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                scope,
                entry.position as i64,
                entry.check as i64,
                entry.at,
                entry.sender,
                entry.seq.get() as i64,
                entry.hash as i64,
                code,
                message,
            ],
        )?;
        Ok(())
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    StoreError::new("SQLite", error)
}

fn step<'a, T>(result: rusqlite::Result<T>) -> Step<'a, T> {
    done(result.map_err(failed))
}

impl Transaction for SqliteTransaction {
    fn patience(&self) -> Patience {
        Patience::Once
    }

    fn lock<'a>(&'a mut self, sender: Option<&'a str>, scopes: &'a [Scope]) -> Step<'a, Locked> {
        step(self.lock_now(sender, scopes))
    }

    fn outcome<'a>(&'a mut self, sender: &'a str, seq: Seq) -> Step<'a, Option<Stored>> {
        step(self.outcome_now(sender, seq))
    }

    fn savepoint(&mut self) -> Step<'_, ()> {
        self.mutation += 1;
        step(self.run("savepoint mizu", []).map(drop))
    }

    fn rollback(&mut self) -> Step<'_, ()> {
        let undone = self.run("rollback to mizu", []);
        step(undone.and_then(|_| self.run("release mizu", [])).map(drop))
    }

    fn release(&mut self) -> Step<'_, Option<Rejection>> {
        step(self.keep())
    }

    fn get<'a>(&'a mut self, scope: &'a Scope, entity: &'a str, id: &'a str) -> Step<'a, Option<String>> {
        let get = || {
            let scope = self.number(scope)?;
            let mut statement = self.statement(
                "select data from mizu_changes where scope = ? and entity = ? and id = ? order by position desc limit 1",
            )?;
            Ok(statement.query_row(params![scope, entity, id], |row| row.get(0)).optional()?.flatten())
        };
        step(get())
    }

    fn scan<'a>(&'a mut self, scope: &'a Scope, entity: &'a str, scan: &'a Scan) -> Step<'a, Vec<Row>> {
        let ask = RowsAsk {
            scope: scope.clone(),
            client: None,
            at: Some(i64::MAX as u64),
            entity: Some(entity.to_owned()),
            prefix: scan.prefix.clone(),
            after: scan.after.clone().map(|after| (entity.to_owned(), after)),
            limit: scan.limit.unwrap_or(usize::MAX),
            bytes: usize::MAX,
            acks: 0,
        };
        let scan = || reading::scan(&self.conn, self.number(scope)?, i64::MAX, &ask);
        step(scan().map(|(rows, _)| rows))
    }

    fn put<'a>(
        &'a mut self,
        scope: &'a Scope,
        position: u64,
        entity: &'a str,
        id: &'a str,
        data: Option<&'a str>,
    ) -> Step<'a, bool> {
        step(self.put_now(scope, position, entity, id, data))
    }

    fn log<'a>(&'a mut self, entry: Entry<'a>) -> Step<'a, ()> {
        step(self.log_now(&entry))
    }

    fn advance_scopes<'a>(&'a mut self, heads: &'a [(Scope, u64)]) -> Step<'a, ()> {
        let advance = || {
            for (scope, head) in heads {
                let scope = self.number(scope)?;
                self.run("update mizu_scopes set position = ?2 where id = ?1", params![scope, *head as i64])?;
            }
            Ok(())
        };
        step(advance())
    }

    fn advance_client<'a>(&'a mut self, client: &'a str, user: &'a str, last: Seq, at: i64) -> Step<'a, ()> {
        let advanced = self.run(
            "insert into mizu_clients (id, user, last, seen_at) values (?, ?, ?, ?) \
             on conflict (id) do update set last = excluded.last, seen_at = excluded.seen_at",
            params![client, user, last.get() as i64, at],
        );
        step(advanced.map(drop))
    }

    fn raw(&mut self) -> &mut dyn Any {
        self
    }
}
