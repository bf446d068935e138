//! `mizu new`: a project from a template.
//!
//! 1. Nothing that exists is overwritten.
//! 2. A project is there whole or not at all: it is written aside and moved into place.
//! 3. Nothing is asked unless stdin and stdout are a terminal.

mod ask;
mod choices;
mod create;
mod dependency;
mod error;
mod files;
mod license;
mod name;
mod run;
mod template;
mod write;

pub(crate) use license::License;
pub(crate) use run::run;
pub(crate) use template::Template;
