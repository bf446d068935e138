//! The command itself.

use std::env;
use std::ffi::OsString;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::build::Build;
use super::changes::Changes;
use super::error::DevError;
use super::project::Project;
use super::proxy::{Proxy, listen};
use super::server::Settings;
use super::supervisor::Supervisor;
use crate::args::DevArgs;

/// Builds, runs and reloads until it is interrupted.
pub(crate) fn run(args: DevArgs) -> Result<(), DevError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(DevError::Start)?;
    runtime.block_on(develop(args))
}

async fn develop(args: DevArgs) -> Result<(), DevError> {
    let here = env::current_dir().map_err(DevError::Start)?;
    let project = Project::find(&here)?;
    let changes = Changes::watch(&project, &args.watch)?;
    let listener = listen(&args.addr).await.map_err(|source| DevError::Listen { addr: args.addr.clone(), source })?;
    let public = listener.local_addr().map_err(DevError::Start)?;
    eprintln!("mizu: http://{public} shows {}", project.root.display());

    let (board, stop) = (Arc::new(Board::new()), CancellationToken::new());
    let supervisor = Supervisor {
        build: Build::new(&project.root, &args),
        settings: Settings { root: project.root.clone(), args: args.args, public, variables: variables() },
        project,
        changes,
        board: board.clone(),
        server: None,
        stop: stop.clone(),
    };
    let proxy = Proxy::new(board, stop.clone());
    let interrupted = async {
        let signal = interrupt().await;
        stop.cancel();
        signal
    };
    let (signal, (), ()) = tokio::join!(interrupted, supervisor.run(), proxy.run(listener));
    signal.map_err(DevError::Start)
}

/// One secret for all servers of this run: what the browser holds of one is good for the next.
fn variables() -> Vec<(&'static str, OsString)> {
    const SECRET: &str = "MIZU_SECRET";
    if env::var_os(SECRET).is_some_and(|secret| !secret.is_empty()) {
        return Vec::new();
    }
    let secret: String = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
    vec![(SECRET, secret.into())]
}

/// Waits until somebody wants an end.
#[cfg(unix)]
async fn interrupt() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let [mut interrupt, mut terminate, mut hangup] =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn interrupt() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
