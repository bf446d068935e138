//! What is to be written, and where: from the command line, from answers, from defaults.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::ask::Ask;
use super::dependency::Dependency;
use super::error::NewError;
use super::license::License;
use super::name::Name;
use super::template::Template;
use crate::args::NewArgs;

/// All that decides what a project looks like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Choices {
    pub(crate) name: Name,
    pub(crate) dir: PathBuf,
    pub(crate) template: Template,
    pub(crate) license: License,
    pub(crate) mizu: Dependency,
}

impl Choices {
    /// Nothing is asked where nobody is there to answer. `here` is the current directory.
    pub(crate) fn make(args: &NewArgs, here: &Path, ask: Option<&dyn Ask>) -> Result<Self, NewError> {
        // What needs no answer is checked first, so that nobody answers in vain.
        let mizu = args.mizu.as_deref().map(Dependency::parse).transpose()?.unwrap_or_default();
        let (name, dir) = place(args, here, ask)?;
        check_empty(&dir)?;
        let template = match (args.template, ask) {
            (Some(template), _) => template,
            (None, Some(ask)) => ask.template()?,
            (None, None) => Template::Live,
        };
        let license = match (args.license, ask) {
            (Some(license), _) => license,
            (None, Some(ask)) => ask.license()?,
            (None, None) => License::Mit,
        };
        Ok(Self { name, dir, template, license, mizu })
    }
}

/// The project's name and directory.
fn place(args: &NewArgs, here: &Path, ask: Option<&dyn Ask>) -> Result<(Name, PathBuf), NewError> {
    let dir = args.path.as_ref().map(|path| here.join(path));
    if let Some(name) = &args.name {
        if name.contains(['/', '\\']) {
            return Err(NewError::NameIsPath { path: name.clone() });
        }
        let name = Name::new(name)?;
        let dir = dir.unwrap_or_else(|| here.join(name.as_str()));
        return Ok((name, dir));
    }
    if let Some(dir) = dir {
        return Ok((Name::of_directory(&dir)?, dir));
    }
    match (check_empty(here), ask) {
        (Ok(()), _) => Ok((Name::of_directory(here)?, here.to_owned())),
        (Err(_), Some(ask)) => {
            let name = Name::new(&ask.name()?)?;
            let dir = here.join(name.as_str());
            Ok((name, dir))
        }
        (Err(_), None) => Err(NewError::NoName { dir: here.to_owned() }),
    }
}

/// Nothing is there, or an empty directory. A repository that was just made is empty too.
pub(crate) fn check_empty(dir: &Path) -> Result<(), NewError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(NewError::NoDirectory { dir: dir.to_owned() });
        }
        Err(source) => return Err(NewError::Read { path: dir.to_owned(), source }),
    };
    for entry in entries {
        let entry = entry.map_err(|source| NewError::Read { path: dir.to_owned(), source })?;
        if entry.file_name() != ".git" {
            let found = entry.file_name().to_string_lossy().into_owned();
            return Err(NewError::NotEmpty { dir: dir.to_owned(), found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Answers;

    impl Ask for Answers {
        fn name(&self) -> Result<String, NewError> {
            Ok("asked".to_owned())
        }

        fn template(&self) -> Result<Template, NewError> {
            Ok(Template::Sync)
        }

        fn license(&self) -> Result<License, NewError> {
            Ok(License::None)
        }
    }

    fn args(name: Option<&str>) -> NewArgs {
        let name = name.map(str::to_owned);
        NewArgs { name, template: None, license: None, path: None, mizu: None, list: false, yes: false }
    }

    #[test]
    fn nothing_is_asked_where_nobody_answers() {
        let here = tempfile::tempdir().unwrap();
        let made = Choices::make(&args(Some("shop")), here.path(), None).unwrap();
        assert_eq!((made.template, made.license, made.dir), (Template::Live, License::Mit, here.path().join("shop")));
    }

    #[test]
    fn what_was_not_said_is_asked() {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("notes.txt"), "").unwrap();
        let made = Choices::make(&args(None), here.path(), Some(&Answers)).unwrap();
        assert_eq!((made.name.as_str(), made.template, made.license), ("asked", Template::Sync, License::None));
        let said = NewArgs { template: Some(Template::Live), license: Some(License::Mit), ..args(Some("shop")) };
        let made = Choices::make(&said, here.path(), Some(&Answers)).unwrap();
        assert_eq!((made.name.as_str(), made.template, made.license), ("shop", Template::Live, License::Mit));
    }

    #[test]
    fn without_a_name_an_empty_directory_gives_it() {
        let above = tempfile::tempdir().unwrap();
        let here = above.path().join("My Shop");
        fs::create_dir_all(here.join(".git")).unwrap();
        let made = Choices::make(&args(None), &here, None).unwrap();
        assert_eq!((made.name.as_str(), &made.dir), ("my-shop", &here));
        fs::write(here.join("notes.txt"), "").unwrap();
        assert!(matches!(Choices::make(&args(None), &here, None), Err(NewError::NoName { .. })));
    }

    #[test]
    fn a_path_is_no_name() {
        let here = tempfile::tempdir().unwrap();
        let made = Choices::make(&args(Some("apps/shop")), here.path(), None);
        assert!(matches!(made, Err(NewError::NameIsPath { .. })));
    }
}
