//! The mutators: every change of data, whoever asks for it (a page, a form, REST, a browser's queue), is one of these.
//!
//! A mutator is a function over a transaction: all that it writes is kept, or nothing. It decides by what is in the transaction and in
//! its arguments, and awaits nothing else.

use mizu::sync::{self, Scan, Tx};
use serde::Deserialize;

use crate::data::Todo;

/// The longest title, in characters.
pub const LONGEST: usize = 200;

/// `todo.create`: a todo with a title.
pub async fn create(tx: &mut Tx, todo: Todo) -> sync::Result {
    let title = todo.title.trim().to_owned();
    if title.is_empty() || title.chars().count() > LONGEST {
        return Err(tx.reject(
            "bad_title",
            format!("A todo has 1 to {LONGEST} characters."),
        ));
    }
    if tx.get::<Todo>(&todo.id).await?.is_some() {
        return Err(tx.reject("exists", "There is a todo with this id already."));
    }
    tx.put(&Todo { title, ..todo }).await
}

/// `todo.clear` takes no arguments.
#[derive(Deserialize)]
pub struct Clear {}

/// `todo.clear`: takes away what is done.
pub async fn clear(tx: &mut Tx, Clear {}: Clear) -> sync::Result {
    for todo in tx.scan::<Todo>(Scan::all()).await? {
        if todo.done {
            tx.delete::<Todo>(&todo.id).await?;
        }
    }
    Ok(())
}
