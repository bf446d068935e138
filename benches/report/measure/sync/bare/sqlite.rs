//! SQLite.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mizu::sync::{Push, Sent, SqliteStore};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Answered, statements};
use crate::Result;
use crate::measure::sync::latency::Latencies;
use crate::measure::sync::push::{Bare, interleaved};

/// One connection on one thread, with the store's own tables and settings: WAL, `synchronous=FULL`, prepared statements, cache, checkpoints.
///
/// For every push it runs, in the same order, what the engine runs: it reads the epoch, the client and the scopes, and for each mutation
/// sets a savepoint, reads the row twice (the mutator does, and the write), inserts the row's version, releases the savepoint, and
/// inserts the log's entry. Before the commit it writes the counters of scopes and clients. Left out is all that is no statement: reading
/// arguments, hashing them, authorisation, channels between threads, and answers.
pub(in crate::measure::sync) struct BareSqlite {
    conn: Connection,
    /// How many pushes share a transaction.
    group: usize,
}

impl Bare for BareSqlite {
    async fn write(&mut self, pushes: Vec<Vec<Push>>) -> Result<Latencies> {
        let mut answered = Answered::new();
        for group in interleaved(pushes).chunks(self.group.max(1)) {
            self.transaction(group)?;
            group.iter().for_each(|push| answered.now(&push.client));
        }
        Ok(answered.into_times())
    }
}

impl BareSqlite {
    /// Opens a file in which so many pushes share a transaction.
    pub(in crate::measure::sync) fn open(path: &Path, group: usize) -> Result<Self> {
        statements::check("src/sync/sqlite", &SOURCES, &STATEMENTS)?;
        // The store makes the tables, so that they are the same.
        drop(SqliteStore::open(path)?);
        let conn = Connection::open(path)?;
        conn.set_prepared_statement_cache_capacity(100);
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        conn.pragma_update(None, "journal_mode", "wal")?;
        conn.pragma_update(None, "synchronous", "full")?;
        conn.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        conn.pragma_update(None, "wal_autocheckpoint", 4_000)?;
        conn.pragma_update(None, "cache_size", -16 * 1024)?;
        conn.pragma_update(None, "foreign_keys", true)?;
        conn.busy_timeout(Duration::from_secs(5))?;
        Ok(Self { conn, group })
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.conn.prepare_cached(sql)?.execute(params)
    }

    /// Writes these together.
    pub(in crate::measure::sync) fn transaction(&self, pushes: &[Push]) -> Result {
        let mut heads: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        self.run(BEGIN, [])?;
        for push in pushes {
            let client = push.client.as_str();
            let mut epoch = self.conn.prepare_cached(EPOCH)?;
            epoch.query_row([], |row| row.get::<_, i64>(0))?;
            let mut known = self.conn.prepare_cached(CLIENT)?;
            known.query_row([client], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).optional()?;
            for mutation in &push.mutations {
                if !heads.contains_key(mutation.scope.as_str()) {
                    heads.insert(&mutation.scope, self.head(&mutation.scope)?);
                }
            }
            for mutation in &push.mutations {
                let Some((scope, position)) = heads.get_mut(mutation.scope.as_str()) else { continue };
                *position += 1;
                self.mutation(client, *scope, *position, mutation)?;
            }
        }
        for (scope, position) in heads.values() {
            self.run(ADVANCE_SCOPE, params![scope, position])?;
        }
        for push in pushes {
            let last = push.mutations.last().map_or(0, |mutation| mutation.seq.get() as i64);
            self.run(ADVANCE_CLIENT, params![push.client.as_str(), "", last, AT])?;
        }
        self.run(COMMIT, [])?;
        Ok(())
    }

    /// The number and the position of a scope.
    fn head(&self, scope: &str) -> rusqlite::Result<(i64, i64)> {
        let mut statement = self.conn.prepare_cached(SCOPE)?;
        let found = statement.query_row([scope], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some(found) = found {
            return Ok(found);
        }
        self.run(MAKE_SCOPE, [scope])?;
        Ok((self.conn.last_insert_rowid(), 0))
    }

    fn mutation(&self, client: &str, scope: i64, position: i64, sent: &Sent) -> rusqlite::Result<()> {
        let (entity, id) = ("todo", sent.id.as_str());
        self.run(SAVEPOINT, [])?;
        self.conn
            .prepare_cached(GET)?
            .query_row(params![scope, entity, id], |row| row.get::<_, Option<String>>(0))
            .optional()?;
        self.conn
            .prepare_cached(NEWEST)?
            .query_row(params![scope, entity, id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)))
            .optional()?;
        self.run(PUT, params![scope, entity, id, position, true, sent.args.get()])?;
        self.run(RELEASE, [])?;
        let none: Option<&str> = None;
        self.run(
            LOG,
            params![scope, position, CHECK, AT, client, sent.seq.get() as i64, CHECK ^ position, none, none],
        )?;
        Ok(())
    }
}

/// As long as a random value.
const CHECK: i64 = 0x5ca1_ab1e_0ddb_a11e;

/// A time of today, in milliseconds since 1970.
const AT: i64 = 1_795_000_000_000;

const BEGIN: &str = "begin immediate";

const EPOCH: &str = "select value from mizu_meta where key = 'epoch'";

const CLIENT: &str = "select user, last from mizu_clients where id = ?";

const ADVANCE_SCOPE: &str = "update mizu_scopes set position = ?2 where id = ?1";

const ADVANCE_CLIENT: &str = "insert into mizu_clients (id, user, last, seen_at) values (?, ?, ?, ?) \
                              on conflict (id) do update set last = excluded.last, seen_at = excluded.seen_at";

const COMMIT: &str = "commit";

const SCOPE: &str = "select id, position from mizu_scopes where name = ?";

const MAKE_SCOPE: &str = "insert into mizu_scopes (name) values (?)";

const SAVEPOINT: &str = "savepoint mizu";

const RELEASE: &str = "release mizu";

const GET: &str = "select data from mizu_changes where scope = ? and entity = ? and id = ? \
                   order by position desc limit 1";

const NEWEST: &str = "select position, data is not null from mizu_changes where scope = ? and entity = ? and id = ? \
                      order by position desc limit 1";

const PUT: &str = "insert into mizu_changes (scope, entity, id, position, created, data) \
                   values (?, ?, ?, ?, ?, ?)";

const LOG: &str = "insert into mizu_log (scope, position, check_value, at, sender, seq, hash, code, message) \
                   values (?, ?, ?, ?, ?, ?, ?, ?, ?)";

const STATEMENTS: [&str; 14] = [
    BEGIN,
    EPOCH,
    CLIENT,
    ADVANCE_SCOPE,
    ADVANCE_CLIENT,
    COMMIT,
    SCOPE,
    MAKE_SCOPE,
    SAVEPOINT,
    RELEASE,
    GET,
    NEWEST,
    PUT,
    LOG,
];

/// Where the engine has them.
const SOURCES: [&str; 3] = [
    include_str!("../../../../../src/sync/sqlite/reading.rs"),
    include_str!("../../../../../src/sync/sqlite/schema.rs"),
    include_str!("../../../../../src/sync/sqlite/transaction.rs"),
];
