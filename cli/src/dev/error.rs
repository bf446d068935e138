//! Why `mizu dev` can't go on.

use std::io;
use std::path::PathBuf;

/// Why `mizu dev` could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DevError {
    #[error("there is no Cargo.toml in {} or above it: start a project with `mizu new`", dir.display())]
    NoProject { dir: PathBuf },
    #[error("can't listen on {addr}: is something else there? --addr or ADDR takes another address, as 127.0.0.1:3001")]
    Listen { addr: String, source: io::Error },
    #[error("can't watch {}", path.display())]
    Watch { path: PathBuf, source: notify::Error },
    #[error("can't hear of changed files")]
    Watcher(#[source] notify::Error),
    #[error("can't start")]
    Start(#[source] io::Error),
}

/// Why there is no program to run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BuildError {
    #[error("can't run cargo: is Rust installed, and `cargo` in PATH? ({0})")]
    Cargo(#[from] io::Error),
    #[error("the build failed")]
    Failed { output: String },
    #[error("nothing was built that could be run: the package needs a binary, as src/main.rs")]
    NoBinary,
    #[error("the package has several binaries ({}): say which with --bin", names.join(", "))]
    Several { names: Vec<String> },
}

/// Why the program does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ServeError {
    #[error("can't run {}", program.display())]
    Spawn { program: PathBuf, source: io::Error },
    #[error("there is no free port")]
    Port(#[source] io::Error),
    #[error("the server ended with {status}")]
    Ended { status: String, output: String },
    #[error("the server did not listen on ADDR ({addr}) within {seconds} s")]
    Silent { addr: std::net::SocketAddr, seconds: u64 },
}

impl BuildError {
    /// What Cargo and the compiler said.
    pub(crate) fn output(&self) -> &str {
        match self {
            Self::Failed { output } => output,
            _ => "",
        }
    }
}

impl ServeError {
    /// What the server said last.
    pub(crate) fn output(&self) -> &str {
        match self {
            Self::Ended { output, .. } => output,
            _ => "",
        }
    }
}
