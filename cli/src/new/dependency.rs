//! Which Mizu a project depends on.

use std::fs;
use std::path::PathBuf;

use super::error::NewError;

/// Where a project has Mizu from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Dependency {
    Version(String),
    /// The absolute path of a checkout.
    Path(PathBuf),
}

impl Default for Dependency {
    /// The release that this command line came with.
    fn default() -> Self {
        Self::Version(env!("CARGO_PKG_VERSION").to_owned())
    }
}

impl Dependency {
    /// Takes what is typed: a version, or the directory of a checkout.
    pub(crate) fn parse(given: &str) -> Result<Self, NewError> {
        let number = given.trim_start_matches(['^', '~', '=']);
        let is_version = number.starts_with(|char: char| char.is_ascii_digit())
            && number.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '+'));
        let manifest = PathBuf::from(given).join("Cargo.toml");
        if is_version && !manifest.exists() {
            return Ok(Self::Version(given.to_owned()));
        }
        let is_mizu = fs::read_to_string(&manifest).is_ok_and(|text| text.contains("name = \"mizu-live\""));
        match fs::canonicalize(given) {
            Ok(dir) if is_mizu => Ok(Self::Path(dir)),
            _ => Err(NewError::NoMizu { given: given.to_owned(), manifest }),
        }
    }

    /// The start of the dependency's table in `Cargo.toml`: `version = "0.1"`.
    pub(crate) fn toml(&self) -> String {
        match self {
            Self::Version(version) => format!("version = {version:?}"),
            // A literal string, since Windows has backslashes in its paths.
            Self::Path(dir) => format!("path = '{}'", dir.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_checkouts_are_told_apart() {
        for version in ["0.1", "=0.1.2", "^1", "0.2.0-rc.1"] {
            assert_eq!(Dependency::parse(version).unwrap(), Dependency::Version(version.to_owned()));
        }
        let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let Dependency::Path(dir) = Dependency::parse(checkout).unwrap() else { panic!("it is a path") };
        assert!(dir.is_absolute() && dir.join("src/lib.rs").exists());
        for wrong in ["nowhere", env!("CARGO_MANIFEST_DIR"), "", "latest"] {
            assert!(matches!(Dependency::parse(wrong), Err(NewError::NoMizu { .. })), "{wrong}");
        }
    }
}
