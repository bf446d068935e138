//! Servers that clients read from, as processes of their own: the engine's routes, and the same by hand.

use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use mizu::Anybody;
use mizu::sync::{Change, SqliteStore};
use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::net::TcpListener;

use super::app::{builder, scope};
use crate::Result;

/// Where a server finds its database file.
pub(super) const FILE: &str = "REPORT_FILE";

/// Which of the servers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Mizu,
    Plain,
}

#[tokio::main]
pub(crate) async fn serve(kind: Kind) -> Result {
    let path = std::env::var(FILE)?;
    let app = match kind {
        Kind::Mizu => builder(SqliteStore::open(path)?).build().routes::<Anybody, ()>(),
        Kind::Plain => plain(path.as_ref())?,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, app).await?;
    Ok(())
}

/// Pages by the statements that matter, in the same JSON; nobody is asked who they are, and cursors are plain numbers.
pub(super) fn plain(path: &Path) -> Result<Router> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let routes = Router::new().route("/_sync/pull", post(pull)).route("/_sync/snapshot", post(snapshot));
    Ok(routes.with_state(Arc::new(parking_lot::Mutex::new(conn))))
}

type Shared = Arc<parking_lot::Mutex<Connection>>;

/// What went wrong, as an answer.
struct Failed(String);

type Answer<T> = std::result::Result<T, Failed>;

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0).into_response()
    }
}

#[derive(Deserialize)]
struct Pull {
    #[serde(default)]
    cursor: String,
    limit: usize,
}

#[derive(Serialize)]
struct Pulled {
    changes: Vec<Change>,
    cursor: String,
    has_more: bool,
}

async fn pull(State(conn): State<Shared>, Json(Pull { cursor, limit }): Json<Pull>) -> Answer<Response> {
    let read = move || -> Answer<Pulled> {
        let conn = conn.lock();
        let from: i64 = cursor.parse().unwrap_or(0);
        let mut changes = Vec::new();
        let mut last = from;
        let mut statement = conn.prepare_cached(
            "select position, entity, id, created, data from mizu_changes where scope = 1 and position > ? \
             order by position, entity, id limit ?",
        )?;
        let mut rows = statement.query(params![from, limit as i64])?;
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            changes.push(change(row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)?);
        }
        let has_more = changes.len() == limit;
        Ok(Pulled { changes, cursor: last.to_string(), has_more })
    };
    json(tokio::task::spawn_blocking(read).await??)
}

fn change(entity: String, id: String, created: bool, data: Option<String>) -> Answer<Change> {
    Ok(match data {
        None => Change::Delete { entity, id },
        Some(data) => {
            let row = mizu::sync::Row { entity, id, data: RawValue::from_string(data)? };
            if created { Change::Create(row) } else { Change::Update(row) }
        }
    })
}

#[derive(Deserialize)]
struct Snapshot {
    page: Option<String>,
    limit: usize,
}

#[derive(Serialize)]
struct Page {
    rows: Vec<mizu::sync::Row>,
    next: Option<String>,
}

async fn snapshot(State(conn): State<Shared>, Json(Snapshot { page, limit }): Json<Snapshot>) -> Answer<Response> {
    let read = move || -> Answer<Page> {
        let conn = conn.lock();
        let mut statement = conn.prepare_cached(
            "select entity, id, data from mizu_changes where scope = 1 and (entity, id) > ('todo', ?) \
             and superseded is null and data is not null order by entity, id limit ?",
        )?;
        let mut found = statement.query(params![page.unwrap_or_default(), limit as i64])?;
        let mut rows: Vec<mizu::sync::Row> = Vec::new();
        while let Some(row) = found.next()? {
            let data = RawValue::from_string(row.get(2)?)?;
            rows.push(mizu::sync::Row { entity: row.get(0)?, id: row.get(1)?, data });
        }
        let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.id.clone());
        Ok(Page { rows, next })
    };
    json(tokio::task::spawn_blocking(read).await??)
}

fn json(body: impl Serialize) -> Answer<Response> {
    let body = Bytes::from(serde_json::to_vec(&body)?);
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The body of a request for a page.
pub(super) fn ask(place: &str, value: &str) -> String {
    let scope = scope(0);
    match value.is_empty() {
        true => format!(r#"{{"scope":"{scope}","limit":1000}}"#),
        false => format!(r#"{{"scope":"{scope}","limit":1000,"{place}":"{value}"}}"#),
    }
}
