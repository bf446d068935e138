//! The project's server, as a process.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::build::echo;
use super::error::ServeError;
use super::tail::Tail;

/// How long a server may take to listen: it may have to migrate its data first.
const TO_LISTEN: Duration = Duration::from_secs(60);

/// How long a server may take to end before it is killed.
const TO_END: Duration = Duration::from_secs(3);

/// How often a server that begins is looked at.
const LOOK: Duration = Duration::from_millis(15);

/// How long what a server said last is waited for, after its end.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// What servers are started with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) root: PathBuf,
    pub(crate) args: Vec<String>,
    /// Where browsers reach it.
    pub(crate) public: SocketAddr,
    pub(crate) variables: Vec<(&'static str, OsString)>,
}

/// A program on the disk, as it was: a build that changes nothing leaves it the same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Program {
    path: PathBuf,
    written: Option<SystemTime>,
    bytes: u64,
}

impl Program {
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        Ok(Self { path: path.to_owned(), written: file.modified().ok(), bytes: file.len() })
    }
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
    process: Child,
    said: Tail,
    /// What shows its output; ended with it.
    echoes: JoinSet<()>,
}

impl Server {
    /// Starts a program and waits until it listens.
    pub(crate) async fn start(program: Program, settings: &Settings) -> Result<Self, ServeError> {
        let address = free_address().await.map_err(ServeError::Port)?;
        let mut command = Command::new(&program.path);
        command.args(&settings.args).current_dir(&settings.root).envs(settings.variables.iter().cloned());
        command.env("ADDR", address.to_string()).env("DEV", "true").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process =
            command.spawn().map_err(|source| ServeError::Spawn { program: program.path.clone(), source })?;
        let (said, mut echoes) = (Tail::default(), JoinSet::new());
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let tail = said.clone();
        echoes.spawn(async move { echo(stderr, &tail).await });
        if let Some(stdout) = stdout {
            // Nobody should open the inner address: a page there is not reloaded.
            let (inner, public) = (address.to_string(), settings.public.to_string());
            let mut lines = BufReader::new(stdout).lines();
            echoes.spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    println!("{}", line.replace(&inner, &public));
                }
            });
        }
        let mut server = Self { program, address, process, said, echoes };
        tokio::select! {
            error = server.ended() => Err(error),
            listens = timeout(TO_LISTEN, listens(address)) => match listens {
                Ok(()) => Ok(server),
                Err(_) => Err(ServeError::Silent { addr: address, seconds: TO_LISTEN.as_secs() }),
            },
        }
    }

    /// Waits until the server ends by itself. Dropped while it waits, it loses nothing.
    pub(crate) async fn ended(&mut self) -> ServeError {
        let status = self.process.wait().await;
        // What it said last may still be on its way; who inherited its output may hold it open for long.
        drop(timeout(LAST_WORDS, async { while self.echoes.join_next().await.is_some() {} }).await);
        let status = status.map_or_else(|error| error.to_string(), describe);
        ServeError::Ended { status, output: self.said.text() }
    }

    /// Ends the server: asks it to, and kills it when it does not.
    pub(crate) async fn stop(mut self) {
        self.ask_to_end();
        if timeout(TO_END, self.process.wait()).await.is_err() {
            // It fails when the process is gone already, which is what is wanted.
            drop(self.process.kill().await);
        }
        drop(timeout(LAST_WORDS, async { while self.echoes.join_next().await.is_some() {} }).await);
    }

    #[cfg(unix)]
    fn ask_to_end(&self) {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            // It fails when the process is gone already, which is what is wanted.
            rustix::process::kill_process(id, rustix::process::Signal::TERM).ok();
        }
    }

    /// There is nothing to ask with.
    #[cfg(not(unix))]
    fn ask_to_end(&mut self) {
        drop(self.process.start_kill());
    }
}

/// An address of this machine that nobody listens on.
async fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").await?.local_addr()
}

async fn listens(address: SocketAddr) {
    while TcpStream::connect(address).await.is_err() {
        sleep(LOOK).await;
    }
}

#[cfg(unix)]
fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => format!("code {}", status.code().unwrap_or_default()),
    }
}

#[cfg(not(unix))]
fn describe(status: ExitStatus) -> String {
    format!("code {}", status.code().unwrap_or_default())
}
