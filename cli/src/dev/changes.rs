//! Files that change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::error::DevError;
use super::project::{DIRECTORIES, Project, Role};

/// Files that are written together are told of together: nothing may change for this long.
const QUIET: Duration = Duration::from_millis(60);

/// What changed since it was asked last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Changed {
    pub(crate) styles: bool,
    pub(crate) served: bool,
    pub(crate) sources: bool,
    directories: bool,
    /// One of them.
    pub(crate) example: Option<PathBuf>,
}

#[derive(Default)]
struct Heard {
    /// Guards what changed; held to add or take. It is a few flags, however many files there are.
    changed: Mutex<Changed>,
    wake: Notify,
}

/// Hears of files that change, until it is dropped.
pub(crate) struct Changes {
    project: Project,
    watcher: RecommendedWatcher,
    heard: Arc<Heard>,
}

impl Changes {
    /// Watches a project, and whatever else is named.
    pub(crate) fn watch(project: &Project, besides: &[PathBuf]) -> Result<Self, DevError> {
        let heard = Arc::new(Heard::default());
        let (to, of) = (heard.clone(), project.clone());
        let watcher = notify::recommended_watcher(move |event| hear(&of, event, &to)).map_err(DevError::Watcher)?;
        let mut changes = Self { project: project.clone(), watcher, heard };
        // The top is watched without what is below: `target` is large and always busy.
        changes.add(project.root.clone(), RecursiveMode::NonRecursive)?;
        changes.add_directories()?;
        for path in besides {
            let path = path.canonicalize().unwrap_or_else(|_| path.clone());
            changes.add(path, RecursiveMode::Recursive)?;
        }
        Ok(changes)
    }

    fn add(&mut self, path: PathBuf, mode: RecursiveMode) -> Result<(), DevError> {
        self.watcher.watch(&path, mode).map_err(|source| DevError::Watch { path, source })
    }

    fn add_directories(&mut self) -> Result<(), DevError> {
        let root = self.project.root.clone();
        for dir in DIRECTORIES.map(|name| root.join(name)).into_iter().filter(|dir| dir.is_dir()) {
            self.add(dir, RecursiveMode::Recursive)?;
        }
        Ok(())
    }

    /// Waits until something has changed, and then until nothing changes any more. Dropped while it waits, it loses nothing.
    pub(crate) async fn next(&mut self) -> Changed {
        loop {
            // Something may wait since this was dropped between the two.
            if *self.heard.changed.lock() == Changed::default() {
                self.heard.wake.notified().await;
            }
            while timeout(QUIET, self.heard.wake.notified()).await.is_ok() {}
            let changed = std::mem::take(&mut *self.heard.changed.lock());
            if changed.directories {
                // One that is gone again by now is told of again when it comes back.
                drop(self.add_directories());
            }
            if changed != Changed::default() {
                return changed;
            }
        }
    }
}

fn hear(project: &Project, event: notify::Result<Event>, heard: &Heard) {
    let Ok(event) = event else { return };
    // A build reads files, which must not lead to the next build.
    if matches!(event.kind, EventKind::Access(_)) {
        return;
    }
    for path in event.paths {
        let Some(role) = project.role(&path) else { continue };
        let mut changed = heard.changed.lock();
        match role {
            Role::Style => changed.styles = true,
            Role::Served => changed.served = true,
            Role::Source => changed.sources = true,
            Role::Directory => (changed.directories, changed.sources) = (true, true),
        }
        changed.example.get_or_insert(path);
        drop(changed);
        heard.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn what_changes_is_told_and_what_is_read_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir(root.join("src")).unwrap();
        fs::write(root.join("src/main.rs"), "1").unwrap();
        let mut changes = Changes::watch(&Project { root: root.clone() }, &[]).unwrap();
        fs::read(root.join("src/main.rs")).unwrap();
        fs::write(root.join("app.db"), "noise").unwrap();
        fs::create_dir(root.join("static")).unwrap();
        let changed = changes.next().await;
        assert!(changed.directories && !changed.styles, "{changed:?}");
        fs::write(root.join("static/style.css"), "2").unwrap();
        let changed = changes.next().await;
        assert_eq!(changed.example, Some(root.join("static/style.css")), "a new directory is watched");
        assert!(changed.styles && !changed.sources);
        fs::write(root.join("src/main.rs"), "2").unwrap();
        assert!(changes.next().await.sources);
    }

    #[tokio::test]
    async fn what_changed_is_told_after_waiting_was_broken_off() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::write(root.join("Cargo.toml"), "1").unwrap();
        let mut changes = Changes::watch(&Project { root: root.clone() }, &[]).unwrap();
        fs::write(root.join("Cargo.toml"), "2").unwrap();
        let heard = changes.heard.clone();
        let first_word = async {
            while *heard.changed.lock() == Changed::default() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            changed = changes.next() => panic!("files that were just written are waited for: {changed:?}"),
            () = first_word => {}
        }
        // What was heard by now is nobody's any more, unless it is remembered.
        while timeout(QUIET, heard.wake.notified()).await.is_ok() {}
        assert!(changes.next().await.sources);
    }
}
