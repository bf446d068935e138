//! A server that is started to be killed: this very test program, told by its environment to serve.

use std::io::Read;
use std::net::SocketAddr;
use std::process::Stdio;

use mizu::live::Shutdown;
use mizu::sync::{self, Engine, Retention, Scope, SqliteStore, Tx};
use mizu::{Anybody, sync::store::Store};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Names the file or the database to serve.
const SERVES: &str = "MIZU_TEST_SERVES";

/// What the server says when it listens, before its address.
const LISTENING: &str = "listening on ";

/// Adds a row whose content tells how many of its client's mutations were applied.
#[derive(Serialize, Deserialize)]
pub(crate) struct Add {
    pub(crate) client: String,
    pub(crate) id: String,
    /// Another scope that gets the row as well.
    pub(crate) also: Option<Scope>,
}

/// The engine that is killed, and the one that looks at what is left.
pub(crate) fn engine(store: impl Store) -> Engine {
    Engine::builder(store)
        .public("room:*")
        .public("hall")
        .retention(Retention { every: None, ..Retention::default() })
        .mutator("add", add)
        .scopes(|add: &Add| add.also.iter().cloned().collect())
        .build()
}

async fn add(tx: &mut Tx, Add { client, id, also }: Add) -> sync::Result {
    if tx.get_row("item", &id).await?.is_some() {
        return Err(tx.reject("twice", "applied before"));
    }
    let count = tx.get_row("counter", &client).await?.and_then(|count| count.as_u64()).unwrap_or(0) + 1;
    tx.put_row("counter", &client, &count).await?;
    let item = json!({ "count": count, "also": also, "client": client });
    tx.put_row("item", &id, &item).await?;
    match also {
        Some(also) => tx.within(&also)?.put_row("item", &id, &item).await,
        None => Ok(()),
    }
}

#[test]
#[ignore = "the program that the others start and kill"]
fn the_server() {
    let Ok(store) = std::env::var(SERVES) else { return };
    // It does not outlive whoever started it.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let app = open(&store).await.routes::<Anybody, ()>();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("\n{LISTENING}{}", listener.local_addr().unwrap());
        mizu::live::serve(listener, app, Shutdown::new()).await;
    });
}

async fn open(store: &str) -> Engine {
    #[cfg(feature = "postgres")]
    if store.starts_with("postgresql:") {
        return engine(sync::PostgresStore::connect(store).await.unwrap());
    }
    engine(SqliteStore::open(store).unwrap())
}

/// A process that serves a store.
pub(crate) struct Server {
    child: Child,
    /// What it says. Kept open: a test that nobody listens to ends.
    lines: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts one; it may not be listening yet.
    pub(crate) fn start(store: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "server::the_server", "--ignored", "--nocapture"]).env(SERVES, store);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until it listens.
    pub(crate) async fn address(&mut self) -> SocketAddr {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if let Some(address) = line.strip_prefix(LISTENING) {
                return address.parse().unwrap();
            }
        }
        panic!("the server ended before it listened");
    }

    /// `SIGKILL`: it does nothing more.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Stops it where it is, and lets it go on afterwards.
    pub(crate) async fn frozen<T>(&self, look: impl AsyncFnOnce() -> T) -> T {
        self.signal("STOP").await;
        let seen = look().await;
        self.signal("CONT").await;
        seen
    }

    async fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id().unwrap());
        assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
    }
}
