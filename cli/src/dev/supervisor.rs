//! What is done when: build, replace the server, take note of its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::build::Build;
use super::changes::{Changed, Changes};
use super::error::{BuildError, ServeError};
use super::project::Project;
use super::server::{Program, Server, Settings};

/// Keeps the newest build running.
pub(crate) struct Supervisor {
    pub(crate) project: Project,
    pub(crate) build: Build,
    pub(crate) settings: Settings,
    pub(crate) changes: Changes,
    pub(crate) board: Arc<Board>,
    pub(crate) server: Option<Server>,
    pub(crate) stop: CancellationToken,
}

impl Supervisor {
    /// Goes on until it is told to stop, and ends what runs then.
    pub(crate) async fn run(mut self) {
        let stop = self.stop.clone();
        // It holds one build at most.
        let mut builds = JoinSet::new();
        let mut began = Instant::now();
        let mut wanted = true;
        loop {
            if wanted && builds.is_empty() {
                wanted = false;
                began = Instant::now();
                self.board.building();
                builds.spawn(self.build.clone().run());
            }
            tokio::select! {
                () = stop.cancelled() => break,
                changed = self.changes.next() => {
                    self.take_in(&changed);
                    wanted = true;
                }
                Some(built) = builds.join_next() => {
                    // Should more have changed meanwhile, the next build says whether this one's errors are still there.
                    match built {
                        Ok(Ok(program)) => self.serve(program, began).await,
                        Ok(Err(error)) => self.fail(&error),
                        Err(error) => self.board.failed(error.to_string(), ""),
                    }
                }
                error = ended(&mut self.server) => {
                    self.server = None;
                    self.lament(&error);
                }
            }
        }
        builds.shutdown().await;
        if let Some(server) = self.server {
            server.stop().await;
        }
    }

    /// Tells pages of what needs no build. The build that follows shows whether that is all: files may be embedded as well as served.
    fn take_in(&self, changed: &Changed) {
        if let Some(path) = &changed.example {
            eprintln!("mizu: {} changed", self.project.name(path));
        }
        if changed.served {
            self.board.reload();
        } else if changed.styles {
            self.board.restyle();
        }
    }

    async fn serve(&mut self, program: PathBuf, began: Instant) {
        let program = match Program::at(&program) {
            Ok(program) => program,
            Err(source) => return self.lament(&ServeError::Spawn { program, source }),
        };
        if self.server.as_ref().is_some_and(|server| server.program == program) {
            return self.board.unchanged();
        }
        self.board.starting();
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        match self.stop.run_until_cancelled(Server::start(program, &self.settings)).await {
            // All ends, and the server with it.
            None => {}
            Some(Ok(server)) => {
                eprintln!("mizu: http://{} is ready, after {:.1?}", self.settings.public, began.elapsed());
                self.board.running(server.address);
                self.server = Some(server);
            }
            Some(Err(error)) => self.lament(&error),
        }
    }

    fn fail(&self, error: &BuildError) {
        eprintln!(
            "mizu: {error}{}",
            if self.server.is_some() { "; the server of the build before goes on" } else { "" }
        );
        self.board.failed(error.to_string(), error.output());
    }

    /// There is no server.
    fn lament(&self, error: &ServeError) {
        eprintln!("mizu: {error}; it is started again when something changes");
        self.board.ended(error.to_string(), error.output());
    }
}

/// Waits for the end of a server, for ever when there is none.
async fn ended(server: &mut Option<Server>) -> ServeError {
    match server {
        Some(server) => server.ended().await,
        None => std::future::pending().await,
    }
}
