//! The store: its pool, and who does what.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures::future::BoxFuture;
use tokio_postgres::{Config, NoTls};

use super::error::Fault;
use super::lease::{Lease, Tries};
use super::transaction::PostgresTransaction;
use super::{compact, reading, schema};
use crate::sync::cursor::Epoch;
use crate::sync::error::StoreError;
use crate::sync::store::{
    CompactAsk, Compacted, Done, Group, PullAsk, PullPart, RowsAsk, RowsPart, Store, Transaction, Work,
};

/// A store in PostgreSQL, which any number of nodes may share; each node's engine says what it committed through its
/// [`Notifier`](crate::sync::Notifier).
///
/// The database must be encoded as UTF8. Tables whose names begin with `mizu_` are made when it connects.
///
/// ```no_run
/// use mizu::sync::{Engine, PostgresStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let store = PostgresStore::connect("postgresql://app@localhost/app").await?;
/// let engine = Engine::builder(store).build();
/// # let _ = engine;
/// # Ok::<(), mizu::sync::StoreError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
    /// How long a statement may take.
    patience: Duration,
}

/// How a [`PostgresStore`] connects.
///
/// ```
/// use mizu::sync::PostgresOptions;
///
/// let options = PostgresOptions { schema: Some("app".into()), ..PostgresOptions::default() };
/// assert_eq!(options.connections, 16);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// How many connections are open at most. Whoever needs one more waits.
    ///
    /// # Units
    ///
    /// Connections; default 16.
    pub connections: usize,
    /// The schema that tables are in, before `public`; it is made if it is not there. None leaves it to the connection's `search_path`.
    ///
    /// # Shape
    ///
    /// A lower-case letter or `_`, and up to 62 of `a-z 0-9 _`.
    pub schema: Option<String>,
    /// How long a statement may take, waiting for locks included; and how long somebody waits for a connection.
    ///
    /// # Units
    ///
    /// Time; default 10 seconds.
    pub patience: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { connections: 16, schema: None, patience: Duration::from_secs(10) }
    }
}

impl PostgresStore {
    /// Connects without encryption, and makes the tables if they are not there.
    ///
    /// # Errors
    ///
    /// - The URL can't be read, the server can't be reached, or refuses.
    /// - The tables were made by a newer version of this crate, or the database is not encoded as UTF8.
    ///
    /// See [`PostgresStore`] for an example.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with(url, PostgresOptions::default()).await
    }

    /// As [`connect`](Self::connect), with options.
    ///
    /// # Errors
    ///
    /// - As [`connect`](Self::connect).
    /// - The schema's name is not of its shape.
    ///
    /// ```no_run
    /// use mizu::sync::{PostgresOptions, PostgresStore};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let options = PostgresOptions { connections: 4, schema: Some("app".into()), ..PostgresOptions::default() };
    /// let store = PostgresStore::connect_with("postgresql://app@localhost/app", options).await?;
    /// # let _ = store;
    /// # Ok::<(), mizu::sync::StoreError>(())
    /// # }).unwrap();
    /// ```
    pub async fn connect_with(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        let config: Config = url.parse().map_err(|error| Fault::from(error).store("reading the database's URL"))?;
        let PostgresOptions { connections, schema, patience } = options;
        let config = configured(config, schema.as_deref())?;
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, NoTls, recycle))
            .max_size(connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(patience))
            .create_timeout(Some(patience))
            .build()
            .map_err(|error| StoreError::new("making a pool of connections", error))?;
        schema::migrate(&pool, schema.as_deref()).await?;
        Ok(Self { pool, patience })
    }

    /// Takes an app's own pool: encrypted, or set up otherwise. Makes the tables, if they are not there, where its `search_path` points.
    ///
    /// # Errors
    ///
    /// - As [`connect`](Self::connect).
    ///
    /// ```no_run
    /// use mizu::sync::PostgresStore;
    /// use mizu::sync::postgres::deadpool_postgres::{Manager, Pool};
    /// use mizu::sync::postgres::tokio_postgres::{Config, NoTls};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let config: Config = "postgresql://app@localhost/app".parse()?;
    /// let pool = Pool::builder(Manager::new(config, NoTls)).max_size(8).build()?;
    /// let store = PostgresStore::with_pool(pool).await?;
    /// # let _ = store;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn with_pool(pool: Pool) -> Result<Self, StoreError> {
        schema::migrate(&pool, None).await?;
        Ok(Self { pool, patience: PostgresOptions::default().patience })
    }
}

/// Adds the schema, and bounds for what the URL says nothing about: a server that is gone without a word must be noticed.
fn configured(mut config: Config, schema: Option<&str>) -> Result<Config, StoreError> {
    if let Some(schema) = schema {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !(1..=63).contains(&schema.len()) || !schema.bytes().all(plain) || schema.as_bytes()[0].is_ascii_digit() {
            return Err(StoreError::message(format!(
                "a schema's name is a lower-case letter or `_`, and up to 62 of a-z 0-9 _, not {schema:?}"
            )));
        }
        let options = config.get_options().map_or_else(String::new, |options| format!("{options} "));
        config.options(format!("{options}-c search_path={schema},public"));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(10));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(30));
    }
    if config.get_application_name().is_none() {
        config.application_name("mizu");
    }
    Ok(config)
}

impl Store for PostgresStore {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn write(&self, work: Arc<Work>) -> BoxFuture<'_, Result<Done, StoreError>> {
        Box::pin(async move {
            let transaction = PostgresTransaction::new(self.pool.clone(), self.patience);
            let mut group = Group::new(Box::new(transaction));
            let done = match work.run(&mut group).await {
                Ok(done) => done,
                Err(error) => {
                    own(group.abandon())?.abandon().await;
                    return Err(error);
                }
            };
            own(group.finish().await?)?.commit().await?;
            Ok(done)
        })
    }

    fn pull(&self, ask: PullAsk) -> BoxFuture<'_, Result<PullPart, StoreError>> {
        Box::pin(async move {
            let mut tries = Tries::new(&self.pool);
            loop {
                let mut lease = Lease::new(&self.pool).await?;
                match reading::pull(&mut lease, &ask, self.patience).await {
                    Ok(part) => return part,
                    Err(fault) => tries.again("reading a log", fault)?,
                }
            }
        })
    }

    fn rows(&self, ask: RowsAsk) -> BoxFuture<'_, Result<RowsPart, StoreError>> {
        Box::pin(async move {
            let mut tries = Tries::new(&self.pool);
            loop {
                let mut lease = Lease::new(&self.pool).await?;
                match reading::rows(&mut lease, &ask, self.patience).await {
                    Ok(part) => return part,
                    Err(fault) => tries.again("reading rows", fault)?,
                }
            }
        })
    }

    fn compact(&self, ask: CompactAsk) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        Box::pin(async move {
            let mut tries = Tries::new(&self.pool);
            loop {
                let mut lease = Lease::new(&self.pool).await?;
                match compact::step(&mut lease, &ask).await {
                    Ok(compacted) => return compacted,
                    Err(fault) => tries.again("compacting", fault)?,
                }
            }
        })
    }

    fn bump_epoch(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        Box::pin(async move {
            let mut tries = Tries::new(&self.pool);
            loop {
                let lease = Lease::new(&self.pool).await?;
                let epoch = Epoch::random();
                let bump = "update mizu_meta set value = $1 where key = 'epoch'";
                match lease.execute(bump, &[&schema::signed_epoch(epoch)]).await {
                    Ok(_) => return Ok(epoch),
                    Err(error) => tries.again("starting an epoch", error.into())?,
                }
            }
        })
    }
}

/// The transaction that a group was made of.
fn own(transaction: Box<dyn Transaction>) -> Result<Box<PostgresTransaction>, StoreError> {
    let own = (transaction as Box<dyn Any>).downcast();
    own.map_err(|_| StoreError::message("a group gave another transaction back than it was given"))
}
