//! What clients read, each in one read transaction.

use rusqlite::{Connection, OptionalExtension, params, types::ValueRef};
use serde_json::value::RawValue;

use super::schema;
use crate::sync::change::{Ack, Change, Row, Status};
use crate::sync::error::Rejection;
use crate::sync::ids::{Scope, Seq};
use crate::sync::store::{Extent, PullAsk, PullPart, RowsAsk, RowsPart};

/// For each change that a pull may give, it goes over at most so many entries that changed nothing.
const ENTRIES: usize = 10;

/// A part of a log.
pub(super) fn pull(conn: &Connection, ask: &PullAsk) -> rusqlite::Result<PullPart> {
    let (scope, extent) = extent(conn, &ask.scope)?;
    let from = i64::try_from(ask.from).unwrap_or(i64::MAX);
    let name = ask.client.as_ref().map(|client| client.as_str());
    let user = match name {
        Some(name) => client(conn, name)?.map(|(user, _)| user),
        None => None,
    };
    let start = check(conn, scope, from)?;
    let nothing = (ask.from, start.unwrap_or(0));
    let mut part = PullPart { extent, check: start, user, changes: Vec::new(), upto: nothing };
    // A cursor that can't be read on from is refused by the engine, with what is known already.
    if start.is_none() || ask.from < extent.horizon || ask.from >= extent.head {
        return Ok(part);
    }
    let most = i64::try_from(ask.limit.saturating_mul(ENTRIES)).unwrap_or(i64::MAX);
    let mut upto = from.saturating_add(most).min(extent.head as i64);
    let mut changes: Vec<(i64, Change)> = Vec::new();
    let mut statement = conn.prepare_cached(
        "select position, entity, id, created, data from mizu_changes \
         where scope = ? and position > ? and position <= ? order by position, entity, id",
    )?;
    let mut rows = statement.query(params![scope, from, upto])?;
    let (mut first, mut bytes) = (None, 0);
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(0)?;
        let (entity, id) = (row.get(1)?, row.get(2)?);
        let change = match row.get_ref(4)? {
            ValueRef::Null => Change::Delete { entity, id },
            data => {
                let data = data.as_str()?;
                bytes += data.len();
                let row_data = Row { entity, id, data: raw(data) };
                if row.get(3)? { Change::Create(row_data) } else { Change::Update(row_data) }
            }
        };
        if (changes.len() >= ask.limit || bytes > ask.bytes) && position > *first.get_or_insert(position) {
            // This entry does not fit, so the page ends before it.
            upto = position - 1;
            changes.retain(|(at, _)| *at <= upto);
            break;
        }
        first.get_or_insert(position);
        changes.push((position, change));
    }
    drop(rows);
    let mut statement = conn.prepare_cached(
        "select position, seq, code, message from mizu_log where scope = ? and position > ? and position <= ? \
         and sender = ? order by position limit ?",
    )?;
    let limit = i64::try_from(ask.limit).unwrap_or(i64::MAX);
    let acks = statement.query_map(params![scope, from, upto, name, limit], |row| {
        let ack = Ack { seq: Seq::new(row.get::<_, i64>(1)? as u64), status: status(row.get(2)?, row.get(3)?) };
        Ok((row.get(0)?, Change::Ack(ack)))
    })?;
    let acks = acks.collect::<rusqlite::Result<Vec<_>>>()?;
    if let Some((last, _)) = acks.last().filter(|_| acks.len() >= ask.limit) {
        // There may be more: the page ends at the last that fits.
        upto = *last;
        changes.retain(|(at, _)| *at <= upto);
    }
    changes.extend(acks);
    // Stable: an acknowledgement stays behind the changes of its mutation.
    changes.sort_by_key(|(position, _)| *position);
    part.changes = changes.into_iter().map(|(_, change)| change).collect();
    part.upto = (upto as u64, check(conn, scope, upto)?.unwrap_or(0));
    Ok(part)
}

/// Rows as they were at one place.
pub(super) fn rows(conn: &Connection, ask: &RowsAsk) -> rusqlite::Result<RowsPart> {
    let (scope, extent) = extent(conn, &ask.scope)?;
    let at = ask.at.unwrap_or(extent.head);
    let position = i64::try_from(at).unwrap_or(i64::MAX);
    let name = ask.client.as_ref().map(|client| client.as_str());
    let client = match name {
        Some(name) => client(conn, name)?,
        None => None,
    };
    let acks = match name {
        Some(name) if ask.acks > 0 => acks(conn, scope, name, position, ask.acks)?,
        _ => Vec::new(),
    };
    let (rows, more) = scan(conn, scope, position, ask)?;
    Ok(RowsPart { extent, at: (at, check(conn, scope, position)?), client, acks, rows, more })
}

/// The rows of a scope at a position, and whether there are more than were asked for.
pub(super) fn scan(conn: &Connection, scope: i64, position: i64, ask: &RowsAsk) -> rusqlite::Result<(Vec<Row>, bool)> {
    let alive = "position <= ?2 and (superseded is null or superseded > ?2) and data is not null";
    let sql = match ask.entity {
        Some(_) => {
            format!(
                "select entity, id, data from mizu_changes where scope = ?1 and entity = ?3 and id >= ?4 and id > ?5 \
                 and {alive} order by id"
            )
        }
        None => {
            format!(
                "select entity, id, data from mizu_changes where scope = ?1 and (entity, id) > (?3, ?4) and ?5 = '' \
                 and {alive} order by entity, id"
            )
        }
    };
    let (after_entity, after_id) = match &ask.after {
        Some((entity, id)) => (entity.as_str(), id.as_str()),
        None => ("", ""),
    };
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = match &ask.entity {
        // Ids are never empty, so that being behind the empty one is no condition.
        Some(entity) => statement.query(params![scope, position, entity, ask.prefix, after_id])?,
        None => statement.query(params![scope, position, after_entity, after_id, ""])?,
    };
    let (mut rows, mut bytes): (Vec<Row>, usize) = (Vec::new(), 0);
    while let Some(row) = found.next()? {
        let id = row.get_ref(1)?.as_str()?;
        if !id.starts_with(&ask.prefix) {
            break;
        }
        let data = row.get_ref(2)?.as_str()?;
        bytes += data.len();
        if rows.len() >= ask.limit || (!rows.is_empty() && bytes > ask.bytes) {
            return Ok((rows, true));
        }
        rows.push(Row { entity: row.get(0)?, id: id.to_owned(), data: raw(data) });
    }
    Ok((rows, false))
}

/// The newest of a client's acknowledgements in a scope, in order. Those in other scopes count too, so that the search has a bound.
fn acks(conn: &Connection, scope: i64, sender: &str, position: i64, most: usize) -> rusqlite::Result<Vec<Ack>> {
    let mut statement = conn.prepare_cached(
        "select seq, code, message from (select * from mizu_log where sender = ?1 order by seq desc limit ?4) \
         where scope = ?2 and position <= ?3 order by seq",
    )?;
    let acks = statement.query_map(params![sender, scope, position, most as i64], |row| {
        Ok(Ack { seq: Seq::new(row.get::<_, i64>(0)? as u64), status: status(row.get(1)?, row.get(2)?) })
    })?;
    acks.collect()
}

/// The user and the counter of a client.
pub(super) fn client(conn: &Connection, client: &str) -> rusqlite::Result<Option<(String, Seq)>> {
    let mut statement = conn.prepare_cached("select user, last from mizu_clients where id = ?")?;
    statement.query_row([client], |row| Ok((row.get(0)?, Seq::new(row.get::<_, i64>(1)? as u64)))).optional()
}

/// What a log says came of a mutation.
pub(super) fn status(code: Option<String>, message: Option<String>) -> Status {
    match code {
        Some(code) => Status::Rejected(Rejection::new(code, message.unwrap_or_default())),
        None => Status::Applied,
    }
}

/// A scope's number, and where its log is. One that is not there has the number 0, which no scope has.
fn extent(conn: &Connection, scope: &Scope) -> rusqlite::Result<(i64, Extent)> {
    let epoch = schema::epoch(conn)?;
    let mut statement =
        conn.prepare_cached("select id, position, horizon, compacted from mizu_scopes where name = ?")?;
    let found = statement.query_row([scope.as_str()], |row| {
        let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
        Ok((row.get(0)?, Extent { epoch, head: number(1)?, horizon: number(2)?, compacted: number(3)? }))
    });
    Ok(found.optional()?.unwrap_or((0, Extent { epoch, head: 0, horizon: 0, compacted: 0 })))
}

/// The check value of an entry.
fn check(conn: &Connection, scope: i64, position: i64) -> rusqlite::Result<Option<u64>> {
    if position == 0 {
        return Ok(Some(0));
    }
    let mut statement = conn.prepare_cached("select check_value from mizu_log where scope = ? and position = ?")?;
    statement.query_row(params![scope, position], |row| row.get::<_, i64>(0).map(|value| value as u64)).optional()
}

/// What was written came out of serde_json; anything else in its place was put there by somebody else.
fn raw(data: &str) -> Box<RawValue> {
    RawValue::from_string(data.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
