//! The mutators that every typed entity has for free.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::entity::Entity;
use super::error::Result;
use super::tx::Tx;

/// Writes a row that must not be there yet.
pub(crate) async fn create<T: Entity>(tx: &mut Tx, row: T) -> Result {
    if tx.get_row(T::NAME, row.id()).await?.is_some() {
        return Err(tx.reject("exists", format!("there is already a {} with the id {}", T::NAME, row.id())));
    }
    tx.put(&row).await
}

/// An id, and fields.
#[derive(Deserialize)]
pub(crate) struct Fields {
    id: String,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// Replaces fields of a row.
pub(crate) async fn merge<T: Entity>(tx: &mut Tx, Fields { id, fields }: Fields) -> Result {
    let Some(mut row) = tx.get_row(T::NAME, &id).await? else {
        return Err(tx.reject("not_found", format!("there is no {} with the id {id}", T::NAME)));
    };
    let Some(object) = row.as_object_mut() else {
        return Err(
            tx.reject("invalid", format!("the {} {id} is no object, so nothing can be merged into it", T::NAME))
        );
    };
    object.extend(fields);
    let row: T = serde_path_to_error::deserialize(row).map_err(|error| tx.reject("invalid", error.to_string()))?;
    tx.put(&row).await
}

/// An id.
#[derive(Deserialize)]
pub(crate) struct Id {
    id: String,
}

/// Deletes a row; one that is gone stays so.
pub(crate) async fn delete<T: Entity>(tx: &mut Tx, Id { id }: Id) -> Result {
    tx.delete::<T>(&id).await.map(drop)
}
