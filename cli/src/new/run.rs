//! The command itself.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::ask::{Ask, Terminal};
use super::choices::Choices;
use super::create::render;
use super::error::NewError;
use super::template::Template;
use super::write::write;
use crate::args::NewArgs;

/// Starts a project, or lists what it could start with.
pub(crate) fn run(args: &NewArgs) -> Result<(), NewError> {
    if args.list {
        for template in Template::ALL {
            println!("{:6} {}", template.name(), template.about());
        }
        return Ok(());
    }
    let here = env::current_dir().map_err(|source| NewError::Read { path: ".".into(), source })?;
    let terminal = Terminal::attached().filter(|_| !args.yes);
    let choices = Choices::make(args, &here, terminal.as_ref().map(|terminal| terminal as &dyn Ask))?;
    write(&choices.dir, &render(&choices)?)?;
    tell(&choices, &here);
    Ok(())
}

fn tell(choices: &Choices, here: &Path) {
    let Choices { name, dir, template, license, .. } = choices;
    let license = license.spdx().unwrap_or("no license");
    println!("{} is in {} (template {}, {license})", name.as_str(), dir.display(), template.name());
    println!();
    if dir != here {
        println!("    cd {}", dir.strip_prefix(here).unwrap_or(dir).display());
    }
    println!("    mizu dev     build, run, and reload while you write: http://127.0.0.1:3000");
    println!("    make         what else there is");
    if let Some(workspace) = workspace_above(dir) {
        println!();
        println!("{} is a workspace: add the project to its members, or exclude it", workspace.display());
    }
}

/// The manifest of a workspace that a project is inside of: Cargo wants to know there what it is to the workspace.
fn workspace_above(dir: &Path) -> Option<PathBuf> {
    let manifests = dir.ancestors().skip(1).map(|above| above.join("Cargo.toml"));
    let is_workspace = |text: String| text.lines().any(|line| line.trim() == "[workspace]");
    manifests.into_iter().find(|manifest| fs::read_to_string(manifest).is_ok_and(is_workspace))
}
