//! What a log says, and what a snapshot holds.

use serde::Serialize;
use serde_json::value::RawValue;

use super::cursor::Cursor;
use super::error::Rejection;
use super::ids::Seq;

/// One row of a scope.
///
/// ```
/// use mizu::sync::Row;
///
/// let row = Row::new("todo", "t1", &serde_json::json!({ "id": "t1", "done": false })).unwrap();
/// assert_eq!(row.data.get(), r#"{"done":false,"id":"t1"}"#);
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What kind of row it is: [`Entity::NAME`](crate::sync::Entity::NAME).
    pub entity: String,
    /// What tells it from others of its kind.
    pub id: String,
    /// The whole row as JSON.
    pub data: Box<RawValue>,
}

impl Row {
    /// A row made of anything that is JSON.
    ///
    /// # Errors
    ///
    /// - The value has no form in JSON: a map whose keys are no texts, for example.
    ///
    /// ```
    /// assert!(mizu::sync::Row::new("n", "1", &7).is_ok());
    /// ```
    pub fn new<T: Serialize + ?Sized>(entity: &str, id: &str, data: &T) -> Result<Self, serde_json::Error> {
        Ok(Self { entity: entity.to_owned(), id: id.to_owned(), data: serde_json::value::to_raw_value(data)? })
    }

    /// The row as a type.
    ///
    /// # Errors
    ///
    /// - The row is of another shape; the message names the field by its path.
    ///
    /// ```
    /// # use mizu::sync::Row;
    /// assert_eq!(Row::new("n", "1", &7).unwrap().decode::<u8>().unwrap(), 7);
    /// ```
    pub fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<T, DecodeRowError> {
        decode(&self.entity, &self.id, self.data.get())
    }
}

/// A stored row is not of the shape that was asked for.
///
/// ```
/// let row = mizu::sync::Row::new("n", "1", "seven").unwrap();
/// let error = row.decode::<u8>().unwrap_err();
/// assert!(error.to_string().starts_with("row n/1"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("row {entity}/{id} is of another shape: {source}")]
pub struct DecodeRowError {
    entity: String,
    id: String,
    source: serde_path_to_error::Error<serde_json::Error>,
}

/// Reads a stored row as a type.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(entity: &str, id: &str, data: &str) -> Result<T, DecodeRowError> {
    let mut json = serde_json::Deserializer::from_str(data);
    serde_path_to_error::deserialize(&mut json).map_err(|source| DecodeRowError {
        entity: entity.to_owned(),
        id: id.to_owned(),
        source,
    })
}

/// One thing that a log says.
///
/// # Shape
///
/// `{"op":"create"|"update","entity":..,"id":..,"data":..}`, `{"op":"delete","entity":..,"id":..}`, or
/// `{"op":"ack","seq":..,"status":"applied"|"rejected","code":..,"error":..}`. Rows are whole: create and update are both applied as
/// a put.
///
/// ```
/// use mizu::sync::Change;
///
/// let change = Change::Delete { entity: "todo".into(), id: "t1".into() };
/// assert_eq!(serde_json::to_string(&change).unwrap(), r#"{"op":"delete","entity":"todo","id":"t1"}"#);
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Change {
    /// The row was not there before.
    Create(Row),
    /// The row was there before.
    Update(Row),
    /// The row is gone.
    Delete {
        /// What kind of row it was.
        entity: String,
        /// What told it from others of its kind.
        id: String,
    },
    /// A mutation of the client that asks was processed; its changes stand before this.
    Ack(Ack),
}

/// A mutation was processed, and what came of it.
///
/// ```
/// use mizu::sync::{Ack, Seq, Status};
///
/// let ack = Ack { seq: Seq::new(4), status: Status::Applied };
/// assert_eq!(serde_json::to_string(&ack).unwrap(), r#"{"seq":4,"status":"applied"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ack {
    /// Which of the client's mutations.
    pub seq: Seq,
    /// What came of it.
    #[serde(flatten)]
    pub status: Status,
}

/// What came of a mutation.
///
/// ```
/// use mizu::sync::{Rejection, Status};
///
/// let status = Status::Rejected(Rejection::new("closed", "Too late."));
/// assert_eq!(serde_json::to_string(&status).unwrap(), r#"{"status":"rejected","code":"closed","error":"Too late."}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Status {
    /// Its effects are durable.
    Applied,
    /// It has no effects, for good.
    Rejected(Rejection),
    /// It was processed so long ago that its outcome is no longer kept.
    Expired,
}

/// A part of a scope's log.
///
/// ```
/// use mizu::sync::{Cursor, Pulled};
///
/// let pulled = Pulled { changes: vec![], cursor: Cursor::BEGINNING, has_more: false };
/// assert_eq!(serde_json::to_string(&pulled).unwrap(), r#"{"changes":[],"cursor":"","has_more":false}"#);
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Pulled {
    /// What happened, in order; mutations are never split.
    pub changes: Vec<Change>,
    /// Where to go on.
    pub cursor: Cursor,
    /// Whether more is known already.
    pub has_more: bool,
}

/// A page of a scope's rows as they were at one place in its log.
///
/// ```
/// use mizu::sync::{Cursor, Snapshot};
///
/// let page = Snapshot { rows: vec![], acks: vec![], last: None, cursor: Cursor::BEGINNING, next: None };
/// assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"rows":[],"acks":[],"cursor":""}"#);
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The rows, ordered by entity and id.
    pub rows: Vec<Row>,
    /// On the first page: the newest acknowledgements of the client that asks.
    pub acks: Vec<Ack>,
    /// On the first page: the client's last processed mutation. All up to it that touched this scope are in the snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Seq>,
    /// The place in the log that all pages show.
    pub cursor: Cursor,
    /// What to ask for the next page with; none on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
