//! What is synchronised: todos, and clients that write them.

use std::path::{Path, PathBuf};

use mizu::Who;
use mizu::sync::{self, ClientId, Engine, Entity, Push, Retention, Sent, Seq, Status, Tx};
use serde::{Deserialize, Serialize};

use crate::Result;

/// A row of some 120 bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct Todo {
    pub(super) id: String,
    title: String,
    done: bool,
}

impl Entity for Todo {
    const NAME: &'static str = "todo";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Todo {
    pub(super) fn new() -> Self {
        Self::with(uuid::Uuid::new_v4().to_string())
    }

    pub(super) fn with(id: String) -> Self {
        Self { id, title: "Something that has to be done before it is too late".to_owned(), done: false }
    }
}

/// Overwrites a row, whether it is there or not.
pub(super) async fn put(tx: &mut Tx, todo: Todo) -> sync::Result {
    tx.put(&todo).await
}

/// The scopes and mutators of all measurements, compacting only when it is asked to.
pub(super) fn builder(store: impl sync::store::Store) -> sync::EngineBuilder {
    let retention = Retention { every: None, ..Retention::default() };
    Engine::builder(store).entity::<Todo>().mutator("put", put).public("todos*").retention(retention)
}

/// The name of a scope by its number.
pub(super) fn scope(number: usize) -> String {
    format!("todos{number}")
}

/// A client that numbers what it pushes.
pub(super) struct Client {
    id: ClientId,
    next: Seq,
}

impl Client {
    pub(super) fn new() -> Self {
        Self { id: ClientId::random(), next: Seq::new(1) }
    }

    /// So many mutations of one name, each with a row of its own, each in the scope that is next.
    ///
    /// The id of a mutation, which only traces tell, is that of its row here, so that a baseline need not read the row.
    pub(super) fn push(&mut self, name: &str, rows: impl IntoIterator<Item = (String, Todo)>) -> Result<Push> {
        let mut mutations = Vec::new();
        for (scope, row) in rows {
            let args = serde_json::value::to_raw_value(&row)?;
            mutations.push(Sent { seq: self.next, id: row.id, name: name.to_owned(), scope, args });
            self.next = self.next.next();
        }
        Ok(Push { client: self.id.clone(), user: None, mutations })
    }
}

/// Pushes, and makes sure that everything was applied.
pub(super) async fn apply(engine: &Engine, push: Push) -> Result {
    let sent = push.mutations.len();
    let pushed = engine.push(Who::anybody(), push).await;
    let applied = pushed.results.iter().filter(|outcome| outcome.status == Status::Applied).count();
    match applied == sent {
        true => Ok(()),
        false => Err(format!("of {sent} mutations {applied} were applied: {pushed:?}").into()),
    }
}

/// Writes so many rows to the first scope, a mutation each.
pub(super) async fn fill(engine: &Engine, rows: usize) -> Result {
    let mut client = Client::new();
    for start in (0..rows).step_by(100) {
        let count = (rows - start).min(100);
        let push = client.push("put", (0..count).map(|_| (scope(0), Todo::new())))?;
        apply(engine, push).await?;
    }
    Ok(())
}

/// A folder for database files, gone with what is in it when it is dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Self> {
        let name = format!("mizu-report-{}-{}", std::process::id(), uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}
