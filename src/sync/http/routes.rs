//! Push, pull and snapshot.

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;

use super::answer::{Refusal, answer, pushed, refuse};
use super::door::{Door, Entered, caught};
use crate::edge::{Identity, Who};
use crate::sync::cursor::Cursor;
use crate::sync::engine::Engine;
use crate::sync::ids::{ClientId, Scope};
use crate::sync::mutation::{Push, PushError};

impl Engine {
    /// The routes that browsers synchronise by: `POST /_sync/push`, `/_sync/pull` and `/_sync/snapshot`. To be merged into the app's router, so that they go
    /// through the same middleware as its pages.
    ///
    /// Who is asking comes from the app's own extractor, the one that its pages use; [`Anybody`](crate::Anybody) for an app without users. A refusal
    /// of the extractor, or its redirect to a sign-in page, is answered as 401 `unauthorized`.
    ///
    /// ```
    /// use axum::Router;
    /// use mizu::Anybody;
    /// use mizu::sync::{Engine, MemoryStore};
    ///
    /// let engine = Engine::builder(MemoryStore::new()).public("notes").build();
    /// let app: Router = Router::new().merge(engine.routes::<Anybody, _>());
    /// # let _ = app;
    /// ```
    pub fn routes<I, S>(&self) -> Router<S>
    where
        I: Identity + FromRequestParts<S>,
        S: Clone + Send + Sync + 'static,
    {
        let door = Door::new(self);
        macro_rules! on {
            ($handle:ident) => {{
                let door = door.clone();
                post(async move |State(state): State<S>, request: Request| -> Response {
                    match door.enter::<I, S>(request, &state).await {
                        Ok(entered) => $handle(&door.engine, entered).await.unwrap_or_else(refuse),
                        Err(refused) => refused,
                    }
                })
            }};
        }
        Router::new()
            .route("/_sync/push", on!(push))
            .route("/_sync/pull", on!(pull))
            .route("/_sync/snapshot", on!(snapshot))
            .layer(from_fn(caught))
    }
}

async fn push<I: Identity>(engine: &Engine, entered: Entered<I>) -> Result<Response, Refusal> {
    let push: Push = entered.json()?;
    Ok(pushed(engine.push(entered.identity, push).await))
}

#[derive(Deserialize)]
struct Pull {
    client: Option<ClientId>,
    user: Option<String>,
    scope: Scope,
    #[serde(default = "beginning")]
    cursor: Cursor,
    limit: Option<usize>,
}

fn beginning() -> Cursor {
    Cursor::BEGINNING
}

async fn pull<I: Identity>(engine: &Engine, entered: Entered<I>) -> Result<Response, Refusal> {
    let Pull { client, user, scope, cursor, limit } = entered.json()?;
    let who = entered.who();
    the_user(user, &who)?;
    let pulled = engine.pull(&who, &scope, client.as_ref(), cursor, limit).await;
    Ok(answer(StatusCode::OK, &pulled?))
}

#[derive(Deserialize)]
struct Snapshot {
    client: Option<ClientId>,
    user: Option<String>,
    scope: Scope,
    page: Option<String>,
    limit: Option<usize>,
}

async fn snapshot<I: Identity>(engine: &Engine, entered: Entered<I>) -> Result<Response, Refusal> {
    let Snapshot { client, user, scope, page, limit } = entered.json()?;
    let who = entered.who();
    the_user(user, &who)?;
    let page = engine.snapshot(&who, &scope, client.as_ref(), page.as_deref(), limit).await;
    Ok(answer(StatusCode::OK, &page?))
}

/// A store that belongs to somebody else is told so before it sees anything.
fn the_user(user: Option<String>, who: &Who) -> Result<(), Refusal> {
    match user.is_none_or(|user| user == who.key()) {
        true => Ok(()),
        false => Err(PushError::OtherUser.into()),
    }
}
