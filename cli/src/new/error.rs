//! Why a project could not be started.

use std::io;
use std::path::PathBuf;

/// Why `mizu new` failed. Nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum NewError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("{path:?} is a path: name the project and say where with `mizu new NAME --path {path:?}`")]
    NameIsPath { path: String },
    #[error("{} is not empty (it has {found}): give a new name, or an empty directory with --path", dir.display())]
    NotEmpty { dir: PathBuf, found: String },
    #[error("{} is not empty, so a project can't be started in it: give it a name, as in `mizu new shop`", dir.display())]
    NoName { dir: PathBuf },
    #[error("{} exists and is no directory", dir.display())]
    NoDirectory { dir: PathBuf },
    #[error(
        "{given:?} is neither a version (as 0.1 or =0.1.2) nor the directory of a checkout of Mizu: \
         {} is not there, or is of another package", manifest.display()
    )]
    NoMizu { given: String, manifest: PathBuf },
    #[error("can't write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("can't read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("nothing was chosen, so nothing was written")]
    Ask(#[source] dialoguer::Error),
    #[error("the template of {file} is broken, which is a bug of mizu")]
    Template { file: String, source: minijinja::Error },
}

/// Why a name can't be a project's.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum NameError {
    #[error("a project needs a name, as in `mizu new shop`")]
    Empty,
    #[error("{name:?} can't be a crate's name: it has {found:?}. Use a to z, 0 to 9, - and _, as in {suggestion:?}")]
    Letter { name: String, found: char, suggestion: String },
    #[error("{name:?} can't be a crate's name: it has to begin with a letter, as in {suggestion:?}")]
    Start { name: String, suggestion: String },
    #[error("{name:?} can't be a crate's name: it is a keyword of Rust. Try {name}-app")]
    Keyword { name: String },
    #[error("{name:?} can't be a project's name: {reason}. Try {name}-app")]
    Taken { name: String, reason: &'static str },
    #[error("a name of {letters} letters is too long: 64 is the most")]
    Long { letters: usize },
}
