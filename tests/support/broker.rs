//! Servers that carry messages between nodes: real ones, on free ports, in folders of their own.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server's program, its Debian package, and how it is told where to listen.
#[derive(Clone, Copy)]
enum Program {
    Redis,
    Nats,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
        }
    }

    fn command(self, port: u16, watch: u16, dir: &PathBuf) -> Command {
        // Debian puts one of them where only root looks.
        let places = ["/usr/sbin", "/usr/local/bin"].map(|place| PathBuf::from(place).join(self.name()));
        let program = places.into_iter().find(|path| path.exists()).unwrap_or_else(|| self.name().into());
        let mut command = Command::new(program);
        let port = port.to_string();
        match self {
            Self::Redis => {
                command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
                command.arg("--dir").arg(dir);
            }
            Self::Nats => {
                command.args(["--port", &port, "--addr", "127.0.0.1", "--http_port", &watch.to_string()]);
            }
        }
        command
    }
}

/// One server. It ends when this is dropped.
pub(crate) struct Broker {
    program: Program,
    port: u16,
    /// Where a NATS server tells what it does.
    watch: u16,
    dir: PathBuf,
    more: Vec<String>,
    child: Option<Child>,
}

impl Broker {
    pub(crate) async fn redis() -> Self {
        Self::new(Program::Redis, &[]).await
    }

    pub(crate) async fn nats(more: &[&str]) -> Self {
        Self::new(Program::Nats, more).await
    }

    async fn new(program: Program, more: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mizu-{}-{}-{}", program.name(), std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).unwrap();
        let more = more.iter().map(|&arg| arg.to_owned()).collect();
        let mut broker = Self { program, port: 0, watch: 0, dir, more, child: None };
        // Somebody else may take a port between our look and the server's.
        for _ in 0..10 {
            (broker.port, broker.watch) = (free_port(), free_port());
            if broker.try_start().await {
                return broker;
            }
        }
        panic!("{} ended right after it was started, ten times", program.name());
    }

    pub(crate) fn url(&self) -> String {
        match self.program {
            Program::Redis => format!("redis://127.0.0.1:{}", self.port),
            Program::Nats => format!("nats://127.0.0.1:{}", self.port),
        }
    }

    pub(crate) async fn start(&mut self) {
        assert!(self.try_start().await, "{} did not start again on port {}", self.program.name(), self.port);
    }

    /// Starts it, and waits until it listens; whether it does.
    async fn try_start(&mut self) -> bool {
        let mut command = self.program.command(self.port, self.watch, &self.dir);
        command.args(&self.more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                panic!("this test needs {0}: apt-get install {0}", self.program.name())
            }
            Err(error) => panic!("{} can't be started: {error}", self.program.name()),
        };
        let listening = tokio::time::timeout(PATIENCE, async {
            loop {
                if child.try_wait().unwrap().is_some() {
                    break false;
                }
                if self.greets().await {
                    break true;
                }
                tokio::task::yield_now().await;
            }
        });
        let started = listening.await.expect("a server that listens");
        if started {
            self.child = Some(child);
        }
        started
    }

    /// Whether it is our kind of server that answers on the port.
    async fn greets(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)).await else { return false };
        let (question, greeting): (&[u8], &[u8]) = match self.program {
            Program::Redis => (b"PING\r\n", b"+PONG"),
            Program::Nats => (b"", b"INFO "),
        };
        let mut answer = [0; 5];
        stream.write_all(question).await.is_ok() && stream.read_exact(&mut answer).await.is_ok() && answer == greeting
    }

    /// Ends it at once, as a crash would.
    pub(crate) async fn kill(&mut self) {
        let mut child = self.child.take().expect("a server that runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Makes it stop answering while its connections stay, as a partition would, or answer again.
    pub(crate) async fn freeze(&self, frozen: bool) {
        let id = self.child.as_ref().expect("a server that runs").id();
        let signal = if frozen { "-STOP" } else { "-CONT" };
        assert!(Command::new("kill").args([signal, &id.to_string()]).status().unwrap().success());
        // The signal is only sent; each thread stops when its turn comes.
        eventually(async || {
            let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap();
            let stopped = |thread: io::Result<fs::DirEntry>| {
                let stat = fs::read_to_string(thread.unwrap().path().join("stat")).unwrap_or_default();
                stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
            };
            threads.map(stopped).all(|stopped| stopped == frozen)
        })
        .await;
    }

    /// What a NATS server says at this path.
    pub(crate) async fn watch(&self, path: &str) -> serde_json::Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.watch)).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Below the ports that systems give to outgoing connections, so that it stays free while a server restarts.
fn free_port() -> u16 {
    loop {
        let port = rand::random_range(15_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits until something holds that has to be asked for.
pub(crate) async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("it did not come to be in time");
}
