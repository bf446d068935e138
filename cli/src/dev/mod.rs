//! `mizu dev`: builds, runs and reloads a project while it is written.
//!
//! `run` puts the parts together. `changes` hears of files; `supervisor` builds with Cargo (`build`) and runs what came of it
//! (`server`); the `board` holds how it stands. `proxy` is what browsers talk to: it forwards to the server (`forward`) and answers by
//! itself (`answers`) where there is none, and for the script that it puts into pages (`inject`, `client.js`).
//!
//! 1. The public address answers from the first moment to the last, whatever the server does.
//! 2. One build at a time. What changes during a build is built after it.
//! 3. A build that fails changes nothing but what is shown: the server before it goes on.
//! 4. Nothing is left running when the command ends.

mod ansi;
mod answers;
mod board;
mod build;
mod changes;
mod error;
mod forward;
mod inject;
mod project;
mod proxy;
mod run;
mod server;
mod supervisor;
mod tail;

pub(crate) use run::run;
