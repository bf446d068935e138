//! Entries, rows and scopes as they are kept.

use serde_json::value::RawValue;
use tokio_postgres::types::ToSql;

use super::sql::signed;
use crate::sync::change::{Row, Status};
use crate::sync::error::{Rejection, StoreError};
use crate::sync::ids::{Scope, Seq};

/// An entry that is to be written.
pub(super) struct Logged {
    pub(super) scope: Scope,
    pub(super) id: i64,
    pub(super) position: u64,
    pub(super) check: u64,
    pub(super) at: i64,
    pub(super) sender: Option<String>,
    pub(super) seq: Seq,
    pub(super) hash: u64,
    pub(super) status: Status,
}

/// Entries, column by column.
pub(super) struct Columns<'a> {
    numbers: [Vec<i64>; 6],
    texts: [Vec<Option<&'a str>>; 3],
}

impl<'a> Columns<'a> {
    pub(super) fn of(entries: &'a [Logged]) -> Self {
        let numbers: [fn(&Logged) -> i64; 6] = [
            |entry| entry.id,
            |entry| signed(entry.position),
            |entry| entry.check as i64,
            |entry| entry.at,
            |entry| signed(entry.seq.get()),
            |entry| entry.hash as i64,
        ];
        let texts: [fn(&Logged) -> Option<&str>; 3] = [
            |entry| entry.sender.as_deref(),
            |entry| rejection(&entry.status).map(Rejection::code),
            |entry| rejection(&entry.status).map(Rejection::message),
        ];
        Self {
            numbers: numbers.map(|of| entries.iter().map(of).collect()),
            texts: texts.map(|of| entries.iter().map(of).collect()),
        }
    }

    pub(super) fn params(&self) -> [&(dyn ToSql + Sync); 9] {
        let [id, position, check, at, seq, hash] = &self.numbers;
        let [sender, code, message] = &self.texts;
        [id, position, check, at, sender, seq, hash, code, message]
    }
}

fn rejection(status: &Status) -> Option<&Rejection> {
    match status {
        Status::Rejected(rejection) => Some(rejection),
        _ => None,
    }
}

/// What came of a mutation, as it is kept.
pub(super) fn status(code: Option<String>, message: Option<String>) -> Status {
    match code {
        Some(code) => Status::Rejected(Rejection::new(code, message.unwrap_or_default())),
        None => Status::Applied,
    }
}

/// A scope by the name that is kept; some are inner ones.
pub(super) fn scope_named(name: &str) -> Result<Scope, StoreError> {
    match name.strip_prefix('!') {
        Some(client) => Ok(Scope::private(client)),
        None => Scope::new(name).map_err(|error| StoreError::new("reading mizu_scopes", error)),
    }
}

/// A row as it is kept.
pub(super) fn row(entity: String, id: String, data: String) -> Result<Row, StoreError> {
    let data = RawValue::from_string(data).map_err(|error| StoreError::new(format!("the row {entity}/{id}"), error))?;
    Ok(Row { entity, id, data })
}
