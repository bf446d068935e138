//! The store: what is open, and who does what.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::writer::{self, Command};
use super::{compact, reading, schema};
use crate::sync::cursor::Epoch;
use crate::sync::error::StoreError;
use crate::sync::store::{CompactAsk, Compacted, Done, PullAsk, PullPart, RowsAsk, RowsPart, Store, Work};

/// What a commit survives.
///
/// ```
/// assert_eq!(mizu::sync::Durability::default(), mizu::sync::Durability::Full);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The loss of power: every commit waits for the disk. Pushes that wait together share one commit.
    #[default]
    Full,
    /// The death of the process, but not always the loss of power, which may undo the last commits, all of each.
    Normal,
}

/// A store in one SQLite file, with rows, logs and whatever tables the app adds.
///
/// Several processes may open the same file; each writes in turn.
///
/// ```
/// use mizu::sync::{Engine, SqliteStore};
///
/// # let folder = std::env::temp_dir().join(format!("mizu-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("app.db");
/// let engine = Engine::builder(SqliteStore::open(path)?).build();
/// # drop(engine);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    /// To the writer; holds as many pushes as [`writer::QUEUE`]. Senders wait when it is full.
    writer: mpsc::Sender<Command>,
    readers: Arc<Readers>,
}

/// Connections that only read.
struct Readers {
    path: PathBuf,
    /// Guards the connections that nobody uses; held to take or give one.
    idle: Mutex<Vec<Connection>>,
    /// How many may read at once.
    places: Arc<Semaphore>,
}

/// How long a push waits for its turn to wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many reads go on at once.
const READERS: usize = 8;

impl SqliteStore {
    /// Opens a file, or makes it.
    ///
    /// # Errors
    ///
    /// - The file can't be opened or written, is no database, or was written by a newer version of this crate.
    ///
    /// See [`SqliteStore`] for an example.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, Durability::Full)
    }

    /// Opens a file, or makes it, and says what its commits survive.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// ```no_run
    /// use mizu::sync::{Durability, SqliteStore};
    /// let store = SqliteStore::open_with("cache.db", Durability::Normal)?;
    /// # Ok::<(), mizu::sync::StoreError>(())
    /// ```
    pub fn open_with(path: impl AsRef<Path>, durability: Durability) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let conn = schema::open_writer(&path, durability)?;
        let (writer, commands) = mpsc::channel(writer::QUEUE);
        let reopen = {
            let path = path.clone();
            move || schema::open_writer(&path, durability)
        };
        // It ends when the last handle of the store is gone and everything that was sent is done.
        std::thread::Builder::new()
            .name("mizu-sqlite".into())
            .spawn(move || writer::run(conn, commands, reopen))
            .map_err(|error| StoreError::new("can't start the thread that writes", error))?;
        let places = Arc::new(Semaphore::new(READERS));
        Ok(Self { writer, readers: Arc::new(Readers { path, idle: Mutex::new(Vec::new()), places }) })
    }

    /// Runs statements now, in one transaction: to make the app's own tables, beside those of the engine, whose names begin with `mizu_`.
    ///
    /// # Errors
    ///
    /// - A statement fails; then none was run.
    ///
    /// ```
    /// use mizu::sync::SqliteStore;
    ///
    /// # let folder = std::env::temp_dir().join(format!("mizu-doc-tables-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// # let path = folder.join("app.db");
    /// let store = SqliteStore::open(&path)?.tables("create table if not exists audit (note text, title text)")?;
    /// # drop(store);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tables(self, statements: &str) -> Result<Self, StoreError> {
        let failed = |error| StoreError::new("can't make the app's own tables", error);
        let mut conn = Connection::open(&self.readers.path).map_err(failed)?;
        let transaction = conn.transaction().map_err(failed)?;
        transaction.execute_batch(statements).and_then(|()| transaction.commit()).map_err(failed)?;
        Ok(self)
    }

    /// Runs something on the connection that writes, between transactions.
    async fn on_writer<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let task = Box::new(move |conn: &mut Connection| drop(reply.send(task(conn))));
        self.writer.send(Command::Task(task)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?.map_err(|error| StoreError::new("SQLite", error))
    }

    /// Runs something on a connection that reads, in one read transaction.
    async fn on_reader<T: Send + 'static>(
        &self,
        task: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = self.readers.places.clone().acquire_owned().await.map_err(|_| closed())?;
        let readers = self.readers.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            let idle = readers.idle.lock().pop();
            let mut conn = match idle {
                Some(conn) => conn,
                None => schema::open_reader(&readers.path)?,
            };
            let transaction = conn.transaction()?;
            let answer = task(&transaction)?;
            transaction.commit()?;
            readers.idle.lock().push(conn);
            Ok(answer)
        });
        let read = read.await.map_err(|error| StoreError::new("a read ended", error))?;
        read.map_err(|error: rusqlite::Error| StoreError::new("SQLite", error))
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::message("the thread that writes has ended")
}

impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn write(&self, work: Arc<Work>) -> BoxFuture<'_, Result<Done, StoreError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let push = Command::Push(work, reply, Handle::try_current().ok());
            match self.writer.send_timeout(push, PATIENCE).await {
                Ok(()) => {}
                Err(SendTimeoutError::Closed(_)) => return Err(closed()),
                Err(SendTimeoutError::Timeout(_)) => {
                    return Err(StoreError::message("too much waits for the thread that writes"));
                }
            }
            answer.await.map_err(|_| closed())?
        })
    }

    fn pull(&self, ask: PullAsk) -> BoxFuture<'_, Result<PullPart, StoreError>> {
        Box::pin(self.on_reader(move |conn| reading::pull(conn, &ask)))
    }

    fn rows(&self, ask: RowsAsk) -> BoxFuture<'_, Result<RowsPart, StoreError>> {
        Box::pin(self.on_reader(move |conn| reading::rows(conn, &ask)))
    }

    fn compact(&self, ask: CompactAsk) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        Box::pin(self.on_writer(move |conn| compact::step(conn, &ask)))
    }

    fn bump_epoch(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        Box::pin(self.on_writer(|conn| {
            let epoch = Epoch::random();
            conn.execute("update mizu_meta set value = ? where key = 'epoch'", [epoch.bits() as i64])?;
            Ok(epoch)
        }))
    }
}
