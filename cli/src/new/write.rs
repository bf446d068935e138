//! Files onto the disk, all of them or none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::choices::check_empty;
use super::create::Rendered;
use super::error::NewError;

/// A directory beside or inside of the project's, taken away unless it became the project.
struct Aside(PathBuf);

impl Drop for Aside {
    fn drop(&mut self) {
        // It is gone when it was moved into place, and what remains of it otherwise is of no use to anybody.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Writes a project into a directory that is empty or not there yet.
pub(crate) fn write(dir: &Path, files: &[Rendered]) -> Result<(), NewError> {
    let exists = dir.exists();
    let parent = if exists { dir } else { dir.parent().unwrap_or(Path::new(".")) };
    fs::create_dir_all(parent).map_err(|source| NewError::Write { path: parent.to_owned(), source })?;
    let aside = Aside(parent.join(format!(".mizu-new-{}", std::process::id())));
    for (path, text) in files {
        let path = aside.0.join(path);
        write_file(&path, text).map_err(|source| NewError::Write { path, source })?;
    }
    if exists { move_each(&aside.0, dir, files) } else { move_whole(&aside.0, dir) }
}

fn write_file(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

fn move_whole(aside: &Path, dir: &Path) -> Result<(), NewError> {
    // Somebody may have been there meanwhile; a rename fails then, and this says it better.
    check_empty(dir)?;
    fs::rename(aside, dir).map_err(|source| NewError::Write { path: dir.to_owned(), source })
}

/// Moves what is at the top of `aside` into a directory that exists. What was moved is taken back when something fails.
fn move_each(aside: &Path, dir: &Path, files: &[Rendered]) -> Result<(), NewError> {
    let mut tops: Vec<PathBuf> = files.iter().filter_map(|(path, _)| path.iter().next().map(PathBuf::from)).collect();
    tops.dedup();
    let mut moved: Vec<&PathBuf> = Vec::new();
    for top in &tops {
        let to = dir.join(top);
        let renamed = if to.exists() {
            Err(NewError::NotEmpty { dir: dir.to_owned(), found: top.display().to_string() })
        } else {
            fs::rename(aside.join(top), &to).map_err(|source| NewError::Write { path: to, source })
        };
        if let Err(error) = renamed {
            // Back to where all of it is taken away; what can't be moved back could not have been moved here.
            moved.iter().for_each(|top| drop(fs::rename(dir.join(top), aside.join(top))));
            return Err(error);
        }
        moved.push(top);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn files() -> Vec<Rendered> {
        vec![("Cargo.toml".into(), "a".into()), ("src/lib.rs".into(), "b".into()), ("src/main.rs".into(), "c".into())]
    }

    #[test]
    fn a_project_is_written_whole() {
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("deep/shop");
        write(&dir, &files()).unwrap();
        assert_eq!(names(&dir), ["Cargo.toml", "src"]);
        assert_eq!(fs::read_to_string(dir.join("src/lib.rs")).unwrap(), "b");
        assert_eq!(names(&above.path().join("deep")), ["shop"], "nothing is left beside it");
    }

    #[test]
    fn an_empty_directory_is_filled() {
        let above = tempfile::tempdir().unwrap();
        fs::create_dir(above.path().join(".git")).unwrap();
        write(above.path(), &files()).unwrap();
        assert_eq!(names(above.path()), [".git", "Cargo.toml", "src"]);
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_half_written_is_left() {
        let above = tempfile::tempdir().unwrap();
        fs::create_dir(above.path().join("src")).unwrap();
        fs::write(above.path().join("src/lib.rs"), "mine").unwrap();
        let error = write(above.path(), &files()).unwrap_err();
        assert!(matches!(error, NewError::NotEmpty { .. }), "{error}");
        assert_eq!(names(above.path()), ["src"]);
        assert_eq!(fs::read_to_string(above.path().join("src/lib.rs")).unwrap(), "mine");
    }

    #[test]
    fn what_can_not_be_written_leaves_nothing() {
        let above = tempfile::tempdir().unwrap();
        let files = vec![("a".into(), "a file".into()), ("a/b".into(), "below a file".into())];
        let error = write(&above.path().join("shop"), &files).unwrap_err();
        assert!(matches!(error, NewError::Write { .. }), "{error}");
        assert!(names(above.path()).is_empty());
    }
}
