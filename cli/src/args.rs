//! What is typed after `mizu`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::new::{License, Template};

/// Rich, real-time web pages in Rust.
#[derive(Debug, Parser)]
#[command(name = "mizu", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a project: pages, a layout, styles, tests, a Makefile
    New(NewArgs),
    /// Rebuild, restart and reload the browser whenever the project changes
    Dev(DevArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The project's name, as a crate's; without it, the name of the directory, which then has to be empty
    pub(crate) name: Option<String>,
    /// What to start with; asked for in a terminal, `live` otherwise
    #[arg(long, short, value_enum, ignore_case = true)]
    pub(crate) template: Option<Template>,
    /// The license; asked for in a terminal, MIT otherwise
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) license: Option<License>,
    /// The directory to write into [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// Which Mizu the project depends on: a version, or the directory of a checkout
    #[arg(long, value_name = "VERSION|DIR")]
    pub(crate) mizu: Option<String>,
    /// List the templates and end
    #[arg(long)]
    pub(crate) list: bool,
    /// Ask nothing, even in a terminal
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Where to listen: `127.0.0.1:3000`, or `:8080` for every interface
    #[arg(long, env = "ADDR", default_value = "127.0.0.1:3000")]
    pub(crate) addr: String,
    /// Which binary to run, where the package has several
    #[arg(long, value_name = "NAME")]
    pub(crate) bin: Option<String>,
    /// Which package to build, in a workspace
    #[arg(long, short, value_name = "NAME")]
    pub(crate) package: Option<String>,
    /// Features to build with
    #[arg(long, short = 'F', value_name = "FEATURES")]
    pub(crate) features: Option<String>,
    /// Build with optimizations
    #[arg(long)]
    pub(crate) release: bool,
    /// Watch this file or directory as well; may be given several times
    #[arg(long, value_name = "PATH")]
    pub(crate) watch: Vec<PathBuf>,
    /// What the server gets as its arguments
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn licenses_are_named_as_spdx_names_them() {
        for name in ["MIT", "mit", "Apache-2.0", "MIT OR Apache-2.0", "none"] {
            let parsed = Cli::try_parse_from(["mizu", "new", "shop", "--license", name]);
            assert!(parsed.is_ok(), "{name}: {parsed:?}");
        }
        assert!(Cli::try_parse_from(["mizu", "new", "shop", "--license", "WTFPL"]).is_err());
    }
}
