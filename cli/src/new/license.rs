//! Licenses of a new project.

use clap::ValueEnum;

/// Under what a project is published.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum License {
    /// Do what you like, keep the notice
    #[value(name = "MIT")]
    Mit,
    /// As MIT, and it grants patents
    #[value(name = "Apache-2.0")]
    Apache,
    /// As the user prefers, and as most of Rust's crates
    #[value(name = "MIT OR Apache-2.0")]
    Either,
    /// All rights reserved
    #[value(name = "none")]
    None,
}

const MIT: &str = include_str!("../../templates/licenses/MIT.jinja");
const APACHE: &str = include_str!("../../templates/licenses/Apache-2.0");

impl License {
    /// The SPDX expression; nothing where all rights are reserved.
    pub(crate) fn spdx(self) -> Option<&'static str> {
        match self {
            Self::Mit => Some("MIT"),
            Self::Apache => Some("Apache-2.0"),
            Self::Either => Some("MIT OR Apache-2.0"),
            Self::None => None,
        }
    }

    /// Its files: their names and texts, which are templates.
    pub(crate) fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Mit => &[("LICENSE", MIT)],
            Self::Apache => &[("LICENSE", APACHE)],
            Self::Either => &[("LICENSE-APACHE", APACHE), ("LICENSE-MIT", MIT)],
            Self::None => &[],
        }
    }
}
