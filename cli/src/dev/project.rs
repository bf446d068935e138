//! Where the project is, and which of its files matter.

use std::path::{Path, PathBuf};

use super::error::DevError;

/// Directories of a project that are watched, with all that is in them.
pub(crate) const DIRECTORIES: [&str; 6] = ["src", "static", "templates", "assets", "migrations", "crates"];

/// Files at the top of a project that are watched.
const FILES: [&str; 5] = ["Cargo.toml", "Cargo.lock", "build.rs", "rust-toolchain.toml", ".env"];

/// Directories whose files the server reads by itself.
const SERVED: [&str; 2] = ["static", "assets"];

/// What a changed file is to a project.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    /// A style sheet that the server reads by itself.
    Style,
    /// Another file that the server reads by itself.
    Served,
    /// A directory that may have to be watched.
    Directory,
    /// Something that goes into the build, or that the server reads when it starts.
    Source,
}

/// A project on the disk.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) root: PathBuf,
}

impl Project {
    /// The nearest directory with a `Cargo.toml`.
    pub(crate) fn find(here: &Path) -> Result<Self, DevError> {
        // Whoever tells of changed files tells their real paths.
        let real = here.canonicalize().unwrap_or_else(|_| here.to_owned());
        let root = real.ancestors().find(|dir| dir.join("Cargo.toml").is_file());
        let root = root.ok_or_else(|| DevError::NoProject { dir: here.to_owned() })?;
        Ok(Self { root: root.to_owned() })
    }

    /// What a file is to the project; nothing for files that don't matter. What is outside of the project was asked for.
    pub(crate) fn role(&self, path: &Path) -> Option<Role> {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        let names: Vec<_> = inside.iter().map(|name| name.to_string_lossy()).collect();
        let [first, .., last] = &names[..] else {
            let only = names.first()?;
            if DIRECTORIES.contains(&only.as_ref()) {
                return Some(Role::Directory);
            }
            return FILES.contains(&only.as_ref()).then_some(Role::Source);
        };
        let is_left_out = |name: &str| name == "target" || name == "node_modules" || name.starts_with('.');
        // Editors write copies beside the file and move them over it.
        let is_temporary = last.ends_with('~')
            || last.ends_with(".swp")
            || last.ends_with(".tmp")
            || last == "4913"
            || last.starts_with('#');
        if names.iter().any(|name| is_left_out(name)) || is_temporary {
            return None;
        }
        Some(match (SERVED.contains(&first.as_ref()), last.ends_with(".css")) {
            (true, true) => Role::Style,
            (true, false) => Role::Served,
            (false, _) => Role::Source,
        })
    }

    /// A path as people know it.
    pub(crate) fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_role() {
        let project = Project { root: "/shop".into() };
        for (path, role) in [
            ("src/main.rs", Some(Role::Source)),
            ("src/pages/style.css", Some(Role::Source)),
            ("templates/home.html", Some(Role::Source)),
            ("Cargo.toml", Some(Role::Source)),
            ("static/style.css", Some(Role::Style)),
            ("static/deep/icon.svg", Some(Role::Served)),
            ("static", Some(Role::Directory)),
            ("app.db", None),
            ("app.db-wal", None),
            ("README.md", None),
            ("src/.main.rs.swp", None),
            ("src/main.rs~", None),
            ("src/4913", None),
            ("src/#main.rs#", None),
            ("static/node_modules/a.css", None),
            ("crates/a/target/debug/a", None),
            (".git/index", None),
            ("target/debug/shop", None),
        ] {
            assert_eq!(project.role(&Path::new("/shop").join(path)), role, "{path}");
        }
        assert_eq!(project.role(Path::new("/")), None);
    }

    #[test]
    fn a_project_is_found_from_inside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("src/pages")).unwrap();
        assert!(matches!(Project::find(&root.join("src")), Err(DevError::NoProject { .. })));
        std::fs::write(root.join("Cargo.toml"), "").unwrap();
        assert_eq!(Project::find(&root.join("src/pages")).unwrap().root, root);
    }
}
