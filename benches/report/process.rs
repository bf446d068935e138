//! Servers as processes of their own, and what the system says of them.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Result;

/// The pages, served by mizu.
pub(crate) const MIZU: &str = "mizu";

/// The same bytes, served by axum alone.
pub(crate) const PLAIN: &str = "plain";

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
        let mut total = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let used = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            total += used.split_whitespace().next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// The resident memory of the server, in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()).ok_or("the system does not tell VmRSS")?;
        Ok(kilobytes.parse::<u64>()? * 1024)
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
