//! Servers as processes of their own, and what the system says of them.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Result;

/// The pages, served by mizu.
pub(crate) const MIZU: &str = "mizu";

/// Pages that are no examples, served by mizu.
pub(crate) const APP: &str = "app";

/// The same bytes, served by axum alone.
pub(crate) const PLAIN: &str = "plain";

/// An engine's routes over a database file.
#[cfg(feature = "sqlite")]
pub(crate) const SYNC: &str = "sync";

/// What a client reads by these routes, by hand.
#[cfg(feature = "sqlite")]
pub(crate) const SYNC_PLAIN: &str = "sync-plain";

/// A command to run the servers under, when it is set: `REPORT_UNDER="valgrind --tool=callgrind"`. It must replace
/// itself by the server, not start it as a child.
const UNDER: &str = "REPORT_UNDER";

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts this program again as a server and waits until it listens.
    pub(crate) fn start(kind: &str) -> Result<Self> {
        Self::start_with(kind, &[])
    }

    /// The same, with more in the server's environment.
    pub(crate) fn start_with(kind: &str, environment: &[(&str, &OsStr)]) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = match std::env::var(UNDER) {
            Ok(under) => {
                let mut words = under.split_whitespace();
                let mut command = Command::new(words.next().unwrap_or("env"));
                command.args(words).arg(program);
                command
            }
            Err(_) => Command::new(program),
        };
        let mut child = command
            .args(["--server", kind])
            .env("ADDR", "127.0.0.1:0")
            .env("MIZU_SECRET", "a secret for benchmarks, of thirty-two bytes and more")
            .env_remove("DEV")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let announced = child.stdout.take().map(BufReader::new).and_then(|lines| lines.lines().next());
        let line = announced.transpose()?.unwrap_or_default();
        let address = line.strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let Some(address) = address else {
            // It may still run, saying something else.
            child.kill()?;
            child.wait()?;
            return Err(format!("the server {kind:?} does not listen; it said {line:?}").into());
        };
        Ok(Self { child, address })
    }

    /// The CPU time all threads of the server have used.
    ///
    /// # Source
    ///
    /// The first number of `/proc/PID/task/TID/schedstat`, in nanoseconds: user and system time, finer than the ticks of
    /// `/proc/PID/stat`. Neither server ends threads while it is measured.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu(&self.child.id().to_string())
    }

    /// The resident memory of the server, in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most resident memory that the server had since it started, or since [`forget_peak`](Self::forget_peak), in bytes.
    #[cfg(feature = "sqlite")]
    pub(crate) fn peak(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    /// Lets the peak start again from what is resident now.
    ///
    /// # Source
    ///
    /// `proc(5)`, `/proc/PID/clear_refs`, value 5.
    #[cfg(feature = "sqlite")]
    pub(crate) fn forget_peak(&self) -> Result {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    fn memory(&self, what: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.ok_or_else(|| format!("the system does not tell {what}"))?.parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server ends when nothing is left to read, which gives a profiler time to write what it found.
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            eprintln!("a server did not end: {error}");
        }
    }
}

/// The CPU time that the threads of this process have used which are there.
#[cfg(feature = "sqlite")]
pub(crate) fn own_cpu() -> Result<Duration> {
    cpu("self")
}

fn cpu(process: &str) -> Result<Duration> {
    let mut total = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // One that has just ended has nothing to say.
        let used = std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_else(|_| "0".to_owned());
        total += used.split_whitespace().next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
}

/// Ends this server when the program that started it does, however that ends.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        // Nothing is ever sent: reading ends when the other end is gone.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

/// Raises the number of files this process and its servers may open as far as it goes, and returns it.
pub(crate) fn raise_open_files() -> Result<usize> {
    let raised = rlimit::increase_nofile_limit(u64::MAX)?;
    Ok(usize::try_from(raised).unwrap_or(usize::MAX))
}
