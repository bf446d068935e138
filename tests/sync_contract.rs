//! Every property of the sync contract, for every store: one test each, named `STORE::PROPERTY`.

#![cfg(feature = "testing")]

/// `$server` is what the stores of one test need and lives as long as it; `$open` opens a fresh store by it.
macro_rules! every_property {
    ($server:expr, $open:path; $($property:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $property() {
                let server = $server;
                mizu::sync::contract::$property(async || $open(&server).await).await;
            }
        )*

        #[test]
        fn no_property_is_forgotten() {
            assert_eq!(mizu::sync::contract::PROPERTIES, [$(stringify!($property)),*]);
        }
    };
    ($server:expr, $open:path) => {
        every_property! { $server, $open;
            p01_atomic_at_every_step p01_atomic_when_dropped p01_atomic_when_left_at_every_step
            p02_exactly_once p02_keys_apply_once p02_outcomes_expire
            p03_another_content_is_refused p03_clients_belong_to_their_users p04_acknowledgements_are_private
            p04_every_mutation_moves_the_cursor p05_cursor_order_is_commit_order p06_no_holes_in_many_scopes
            p07_pages_never_split_a_mutation p08_pages_show_one_place p08_rows_come_in_the_order_of_bytes
            p08_snapshots_are_the_sum_of_the_log p09_cursors_below_the_log p10_compaction_changes_nothing
            p10_outcomes_live_as_long_as_any_entry p11_another_history_is_noticed p12_free_mutators p12_limits_refuse
            p12_no_text_is_special p12_poison_blocks_nothing p13_batches_stop_where_they_must p13_calls_may_be_given_up
            p14_nothing_deadlocks p14_several_scopes_are_one_mutation p15_authorizers_are_asked p15_closed_unless_opened
            p16_clocks_do_not_matter p17_notifications_are_hints
        }
    };
}

mod memory {
    use std::time::Duration;

    use futures::StreamExt;
    use mizu::Who;
    use mizu::sync::{Cursor, Engine, MemoryStore, Mutation, Scope, Tx};

    every_property!((), open);

    async fn open((): &()) -> MemoryStore {
        MemoryStore::new()
    }

    /// A stream that hears nothing, because the write was done by another node and the hint was lost, looks by itself after half a minute.
    #[tokio::test(start_paused = true)]
    async fn p17_streams_look_by_themselves() {
        let store = MemoryStore::new();
        let engine = || {
            Engine::builder(store.clone())
                .mutator("set", async |tx: &mut Tx, value: i64| tx.put_row("value", "v", &value).await)
                .build()
        };
        let (here, elsewhere) = (engine(), engine());
        let scope = Scope::new("values").expect("a scope");
        let mut stream = std::pin::pin!(here.changes(&scope, Cursor::BEGINNING));
        let start = tokio::time::Instant::now();
        let write = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let mutation = Mutation::new(&scope, "set", &7).expect("arguments");
            elsewhere.apply(Who::server(), mutation).await.expect("a write");
        };
        let (pulled, ()) = tokio::join!(stream.next(), write);
        assert_eq!(pulled.expect("a stream has no end").expect("a part of the log").changes.len(), 1);
        let waited = start.elapsed();
        assert!((Duration::from_secs(1)..=Duration::from_secs(31)).contains(&waited), "it took {waited:?}");
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mizu::sync::SqliteStore;

    every_property!(Folder::new(), open);

    async fn open(folder: &Folder) -> SqliteStore {
        let name = format!("{}.db", folder.opened.fetch_add(1, Ordering::Relaxed));
        SqliteStore::open(folder.path.join(name)).expect("a new file")
    }

    /// A folder of a test's own, removed in the end.
    struct Folder {
        path: PathBuf,
        opened: AtomicUsize,
    }

    impl Folder {
        fn new() -> Self {
            static MADE: AtomicUsize = AtomicUsize::new(0);
            let name = format!("contract-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).expect("a folder");
            Self { path, opened: AtomicUsize::new(0) }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(feature = "postgres")]
#[path = "support/postgres.rs"]
mod server;

#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mizu::sync::{PostgresOptions, PostgresStore};

    use super::server::Postgres;

    // A server for each test: tests are processes of their own. The stores of one test are schemas of it.
    every_property!(Postgres::start_without_fsync(), open);

    async fn open(server: &Postgres) -> PostgresStore {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let schema = format!("store{}", OPENED.fetch_add(1, Ordering::Relaxed));
        let options = PostgresOptions { schema: Some(schema), ..PostgresOptions::default() };
        PostgresStore::connect_with(&server.url(), options).await.expect("a connection")
    }
}
