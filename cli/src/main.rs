//! The command line of Mizu: `mizu new` starts a project, `mizu dev` rebuilds, restarts and reloads it while it is written.

mod args;
mod dev;
mod new;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::New(args) => new::run(&args).map_err(Box::<dyn Error>::from),
        Command::Dev(args) => dev::run(args).map_err(Box::<dyn Error>::from),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// An error and what caused it, on a line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
