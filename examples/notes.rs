//! Notes that work without a network: rendered in the browser from a local store, kept in SQLite on the server.
//!
//! ```text
//! cargo run --example notes      then open http://127.0.0.1:3000/notes
//! ```
//!
//! Open it in two browsers. Turn the network off, or stop the server: adding, ticking and deleting go on, survive a reload, and arrive when
//! the server is back. Turn JavaScript off instead: the same page is plain forms, through the same mutators.

#[path = "look/mod.rs"]
mod look;

use std::{fs, io};

use axum::extract::{Form, FromRef, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum_extra::extract::cookie::{Cookie, Key, SameSite, SignedCookieJar};
use maud::{DOCTYPE, Markup, html};
use mizu::sync::{self, Access, ApplyError, Engine, Entity, Mutation, Scan, Scope, SqliteStore, Tx};
use mizu::{Identity, Live, assets};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Note {
    id: String,
    title: String,
    done: bool,
    /// Notes are shown in this order.
    place: u64,
}

impl Entity for Note {
    const NAME: &'static str = "note";

    fn id(&self) -> &str {
        &self.id
    }
}

// The mutators. `notes.js` has the same in short, so that a change shows before the server knows of it.

#[derive(Serialize, Deserialize)]
struct Create {
    id: String,
    title: String,
}

async fn create(tx: &mut Tx, Create { id, title }: Create) -> sync::Result {
    let title = title.trim().to_owned();
    if title.is_empty() || title.chars().count() > 200 {
        return Err(tx.reject("bad_title", "A note has 1 to 200 characters."));
    }
    if tx.get::<Note>(&id).await?.is_some() {
        return Err(tx.reject("exists", "There is a note with this id already."));
    }
    // No clock decides this: what was written down offline keeps its order, whenever it arrives.
    let last = tx.scan::<Note>(Scan::all()).await?.iter().map(|note| note.place).max().unwrap_or(0);
    tx.put(&Note { id, title, done: false, place: last + 1 }).await
}

#[derive(Serialize, Deserialize)]
struct Toggle {
    id: String,
    done: bool,
}

async fn toggle(tx: &mut Tx, Toggle { id, done }: Toggle) -> sync::Result {
    match tx.get::<Note>(&id).await? {
        Some(note) => tx.put(&Note { done, ..note }).await,
        None => Err(tx.reject("gone", "Somebody deleted this note.")),
    }
}

#[derive(Serialize, Deserialize)]
struct Delete {
    id: String,
}

async fn delete(tx: &mut Tx, Delete { id }: Delete) -> sync::Result {
    // Gone is gone, whoever was first.
    tx.delete::<Note>(&id).await.map(drop)
}

/// Who is asking: whoever holds the signed cookie that the page sets. Pages and sync take it from the same place.
#[derive(Clone, PartialEq)]
struct Visitor(String);

impl Identity for Visitor {
    fn key(&self) -> String {
        self.0.clone()
    }
}

const COOKIE: &str = "visitor";

impl FromRequestParts<App> for Visitor {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, StatusCode> {
        let cookies = SignedCookieJar::from_headers(&parts.headers, app.key.clone());
        cookies.get(COOKIE).map(|cookie| Self(cookie.value().to_owned())).ok_or(StatusCode::UNAUTHORIZED)
    }
}

#[derive(Clone)]
struct App {
    engine: Engine,
    key: Key,
}

impl FromRef<App> for Key {
    fn from_ref(app: &App) -> Self {
        app.key.clone()
    }
}

/// The page: the shell, and the notes as they are on the server, for browsers without scripts.
async fn page(
    State(app): State<App>,
    visitor: Result<Visitor, StatusCode>,
    cookies: SignedCookieJar,
) -> Result<Response, Failure> {
    let visitor = visitor.map_or_else(|_| Uuid::new_v4().to_string(), |Visitor(visitor)| visitor);
    let cookie = Cookie::build((COOKIE, visitor.clone())).path("/").http_only(true).same_site(SameSite::Lax);
    let cookies = cookies.add(cookie.permanent());
    let mut notes = app.engine.read(&scope()).scan::<Note>(Scan::all()).await?;
    notes.sort_by_key(|note| note.place);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Notes" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg";
                link rel="modulepreload" href=(assets::sync_script_path());
                link rel="modulepreload" href=(assets::live_script_path());
                script type="module" src="/notes.js" {}
            }
            body {
                header {
                    a href="/" { "Mizu" }
                    span id="sync-status" data-state="offline" {}
                    // For what the server may have lost: see `notes.js`.
                    button id="replay" type="button" hidden { "Send again" }
                    button id="discard" type="button" hidden { "Give up" }
                }
                main {
                    div class="card" data-sync=(assets::sync_script_path()) data-live=(assets::live_script_path()) data-user=(visitor) {
                        h1 { "Notes" }
                        form id="new-note" class="row" method="post" action="/notes" {
                            input type="hidden" name="id" value=(Uuid::new_v4());
                            input name="title" placeholder="What is to be done?" aria-label="Title" maxlength="200" required autocomplete="off";
                            button name="do" value="create" { "Add" }
                        }
                        p id="problem" role="alert" hidden {}
                        ul id="notes" { @for note in &notes { (item(note)) } }
                        template id="note" { (item(&Note { id: String::new(), title: String::new(), done: false, place: 0 })) }
                    }
                }
                footer { "Rows live in this browser. Turn the network off and go on." }
            }
        }
    };
    Ok((cookies, [(header::CACHE_CONTROL, "private, no-cache")], page).into_response())
}

/// A note. `notes.js` fills a copy of it, from the `<template>`.
fn item(note: &Note) -> Markup {
    html! {
        li data-id=(note.id) data-done[note.done] {
            form method="post" action="/notes" {
                input type="hidden" name="id" value=(note.id);
                input type="hidden" name="done" value=(!note.done);
                button class="toggle" name="do" value="toggle" aria-label="Done" aria-pressed=(note.done) {}
                span class="title" { (note.title) }
                button class="delete" name="do" value="delete" aria-label="Delete" { "×" }
            }
        }
    }
}

/// What a form without scripts says.
#[derive(Deserialize)]
struct Plain {
    #[serde(rename = "do")]
    action: String,
    id: String,
    title: Option<String>,
    done: Option<bool>,
}

/// A form without scripts: the same mutators.
async fn submit(State(app): State<App>, visitor: Visitor, Form(form): Form<Plain>) -> Result<Redirect, Failure> {
    let Plain { action, id, title, done } = form;
    let (scope, title) = (scope(), title.unwrap_or_default());
    let mutation = match action.as_str() {
        // Sent twice, by a double click for example, it is one note all the same.
        "create" => {
            let key = format!("create {id}");
            Mutation::new(&scope, "note.create", &Create { id, title: title.clone() })?.key(key)
        }
        "toggle" => Mutation::new(&scope, "note.toggle", &Toggle { id, done: done.unwrap_or(true) })?,
        _ => Mutation::new(&scope, "note.delete", &Delete { id })?,
    };
    match app.engine.apply(visitor.clone(), mutation).await {
        // Somebody went back to the form and wrote another title: that is another note.
        Err(ApplyError::KeyReused(_)) => {
            let note = Create { id: Uuid::new_v4().to_string(), title };
            app.engine.apply(visitor, Mutation::new(&scope, "note.create", &note)?).await?;
        }
        applied => drop(applied?),
    }
    Ok(Redirect::to("/notes"))
}

fn scope() -> Scope {
    Scope::new("notes").expect("`notes` is of a scope's shape")
}

/// What goes wrong without scripts.
struct Failure(StatusCode, String);

impl<E: Into<Box<dyn std::error::Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        match error.downcast::<ApplyError>().map(|error| *error) {
            Ok(ApplyError::Rejected(rejection)) => Self(StatusCode::UNPROCESSABLE_ENTITY, rejection.to_string()),
            Ok(error) => Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            Err(error) => Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let page = html! { (DOCTYPE) title { "Notes" } p { (self.1) } p { a href="/notes" { "Back to the notes" } } };
        (self.0, page).into_response()
    }
}

/// What cookies are signed with: `MIZU_SECRET`, or random and kept in a file, so that a restart leaves people who they are.
fn key() -> io::Result<Key> {
    let secret = match std::env::var("MIZU_SECRET") {
        Ok(secret) => secret.into_bytes(),
        Err(_) => match fs::read("notes.key") {
            Ok(secret) => secret,
            Err(_) => {
                let secret = Key::generate().master().to_vec();
                fs::write("notes.key", &secret)?;
                secret
            }
        },
    };
    Ok(Key::derive_from(&secret))
}

#[tokio::main]
async fn main() -> mizu::Result {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).init();
    let engine = Engine::builder(SqliteStore::open("notes.db")?)
        .mutator("note.create", create)
        .mutator("note.toggle", toggle)
        .mutator("note.delete", delete)
        .authorize(|_: &Visitor, scope, _: Access| *scope == self::scope())
        .build();
    let script = async || ([(header::CONTENT_TYPE, "text/javascript")], include_str!("notes.js"));
    let state = App { engine: engine.clone(), key: key()? };
    let app = axum::Router::new()
        .route("/notes", get(page).post(submit))
        .route("/notes.js", get(script))
        .merge(engine.routes::<Visitor, _>())
        .with_state(state.clone())
        .merge(look::routes("/notes"));
    // There is no live page here, but a socket that tells browsers which scopes have moved.
    let live = Live::builder().secret(state.key.master()).identity_with::<Visitor, App>(state).sync(engine).build();
    live.serve(app).await
}
