//! The templates, embedded.

use clap::ValueEnum;

use super::files::{COMMON, File, LIVE, SYNC};

/// What a project starts with.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Template {
    /// Live pages: state on the server, plain HTML first, small patches after
    Live,
    /// Live pages over durable data: a sync engine on SQLite or PostgreSQL, mutators, sync status
    Sync,
}

impl Template {
    pub(crate) const ALL: [Self; 2] = [Self::Live, Self::Sync];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Sync => "sync",
        }
    }

    /// What it is, in a line.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Live => "live pages: state on the server, plain HTML first, small patches after",
            Self::Sync => "live pages over durable data: a sync engine on SQLite or PostgreSQL, mutators, sync status",
        }
    }

    /// Its files, those that all templates have included.
    pub(crate) fn files(self) -> impl Iterator<Item = &'static File> {
        let own = match self {
            Self::Live => LIVE,
            Self::Sync => SYNC,
        };
        COMMON.iter().chain(own)
    }
}
