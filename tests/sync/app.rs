//! An app of the usual kind: users in a session cookie, found by an extractor that needs the app's state.

use std::any::Any;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use futures::future::BoxFuture;
use mizu::live::{Rate, Shutdown};
use mizu::sync::{
    self, Engine, EngineBuilder, Entity, Error, MemoryStore, Retention, Scope, SqliteStore, SyncLimits, Tx,
};
use mizu::{Identity, sync::store::Store};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::wire::{Folder, Http, listen};

/// What the app knows: who has which session, and whether its sign-in is a page.
#[derive(Clone, Default)]
pub(crate) struct Sessions {
    pub(crate) users: Arc<HashMap<String, String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct User(pub(crate) String);

impl Identity for User {
    fn key(&self) -> String {
        self.0.clone()
    }
}

impl FromRequestParts<Sessions> for User {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, sessions: &Sessions) -> Result<Self, Response> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match text("x-refuse") {
            "" => {}
            "redirect" => return Err(Redirect::to("/sign-in").into_response()),
            "page" => return Err("<form>Sign in</form>".into_response()),
            status => {
                let status = StatusCode::from_u16(status.parse().unwrap()).unwrap();
                return Err((status, [(header::RETRY_AFTER, "17")], "the app's own words").into_response());
            }
        }
        let session = text("cookie").strip_prefix("session=").unwrap_or_default();
        let user = sessions.users.get(session).cloned();
        user.map(User).ok_or_else(|| StatusCode::UNAUTHORIZED.into_response())
    }
}

/// A row of the REST interface.
#[derive(Serialize, Deserialize)]
pub(crate) struct Todo {
    id: String,
    title: String,
    #[serde(default)]
    done: bool,
}

impl Entity for Todo {
    const NAME: &'static str = "todo";

    fn id(&self) -> &str {
        &self.id
    }
}

/// Holds the mutator `held` until the test lets it go.
pub(crate) struct Gate {
    entered: mpsc::Sender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

/// The test's side of a [`Gate`].
pub(crate) struct Latch {
    pub(crate) entered: mpsc::Receiver<()>,
    pub(crate) go: mpsc::Sender<()>,
}

/// An app that is served, its engine, and what tests need of it.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    /// Whether the mutator `moody` can't do its work now.
    pub(crate) moody: Arc<AtomicBool>,
    pub(crate) latch: Latch,
    pub(crate) shutdown: Shutdown,
    /// What the store is in, removed in the end.
    _place: Box<dyn Any>,
}

/// Which store the engine is on.
#[derive(Clone, Copy)]
pub(crate) enum On {
    Memory,
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// How an app is made, without what most tests don't care for.
pub(crate) struct Plan {
    pub(crate) limits: SyncLimits,
    pub(crate) retention: Retention,
    /// What else the engine is given.
    pub(crate) engine: fn(EngineBuilder) -> EngineBuilder,
    /// What the app puts around its routes.
    pub(crate) layers: fn(Router) -> Router,
}

impl Default for Plan {
    fn default() -> Self {
        let (requests_per_user, requests_per_address) = (Rate::UNLIMITED, Rate::UNLIMITED);
        Self {
            limits: SyncLimits { requests_per_user, requests_per_address, ..SyncLimits::default() },
            retention: Retention { every: None, ..Retention::default() },
            engine: |engine| engine,
            layers: |app| app,
        }
    }
}

impl On {
    pub(crate) async fn stage(self) -> Stage {
        self.stage_with(Plan::default()).await
    }

    pub(crate) async fn stage_with(self, plan: Plan) -> Stage {
        match self {
            Self::Memory => stage(MemoryStore::new(), Box::new(()), plan).await,
            Self::Sqlite => {
                let folder = Folder::new();
                let store = SqliteStore::open(folder.join("app.db")).unwrap();
                stage(store, Box::new(folder), plan).await
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                let server = crate::postgres::Postgres::start_without_fsync();
                let store = sync::PostgresStore::connect(&server.url()).await.unwrap();
                stage(store, Box::new(server), plan).await
            }
        }
    }
}

async fn stage(store: impl Store, place: Box<dyn Any>, plan: Plan) -> Stage {
    let moody = Arc::new(AtomicBool::new(false));
    let (entered, entered_there) = mpsc::channel();
    let (go_there, go) = mpsc::channel();
    let gate = Arc::new(Gate { entered, go: Mutex::new(go) });
    let builder = Engine::builder(store).limits(plan.limits).retention(plan.retention);
    let engine = (plan.engine)(builder)
        .public("square")
        .public("room:*")
        .entity::<Todo>()
        .mutator("put", async |tx: &mut Tx, (id, value): (String, Value)| tx.put_row("thing", &id, &value).await)
        .mutator("count", count)
        .mutator("note", async |tx: &mut Tx, id: String| {
            let by = tx.who().key();
            if tx.get_row("note", &id).await?.is_some() {
                return Err(tx.reject("twice", "This note is there already."));
            }
            tx.put_row("note", &id, &json!({ "id": id, "by": by })).await
        })
        .mutator("send", async |tx: &mut Tx, (to, id): (Scope, String)| {
            tx.put_row("sent", &id, &id).await?;
            tx.within(&to)?.put_row("received", &id, &id).await
        })
        .scopes(|(to, _): &(Scope, String)| vec![to.clone()])
        .mutator("panic", async |tx: &mut Tx, id: String| {
            tx.put_row("thing", &id, &1).await?;
            panic!("as the test asked");
        })
        .mutator("moody", {
            let moody = moody.clone();
            higher_ranked(move |tx, id| moody_put(tx, moody.load(Ordering::SeqCst), id))
        })
        .mutator("held", higher_ranked(move |tx, id| held(tx, gate.clone(), id)))
        .build();
    let sessions = [("a1", "ada"), ("b1", "bob"), ("e1", "eve")];
    let users = sessions.into_iter().map(|(session, user)| (session.to_owned(), user.to_owned())).collect();
    let todos = |user: &User| Scope::of_user(&user.0, "todos").unwrap();
    let app = engine.routes::<User, Sessions>().merge(engine.rest::<Todo, User, Sessions>("/api/todos", todos));
    let hall = |_: &User| Scope::new("hall").unwrap();
    let app = app.merge(engine.rest::<Todo, User, Sessions>("/api/hall", hall));
    let app = app.with_state(Sessions { users: Arc::new(users) });
    let (address, shutdown) = listen((plan.layers)(app)).await;
    let latch = Latch { entered: entered_there, go: go_there };
    Stage { address, engine, moody, latch, shutdown, _place: place }
}

/// Tells the compiler that a closure takes any transaction, which it does not see by itself.
fn higher_ranked<F: for<'a> Fn(&'a mut Tx, String) -> BoxFuture<'a, sync::Result>>(mutator: F) -> F {
    mutator
}

fn moody_put(tx: &mut Tx, moody: bool, id: String) -> BoxFuture<'_, sync::Result> {
    Box::pin(async move {
        tx.put_row("thing", &id, &1).await?;
        match moody {
            true => Err(Error::unavailable("not in the mood")),
            false => Ok(()),
        }
    })
}

/// Blocks its thread, as a slow disk does.
fn held(tx: &mut Tx, gate: Arc<Gate>, id: String) -> BoxFuture<'_, sync::Result> {
    Box::pin(async move {
        gate.entered.send(()).unwrap();
        tokio::task::block_in_place(|| gate.go.lock().recv()).unwrap();
        count(tx, id).await
    })
}

async fn count(tx: &mut Tx, id: String) -> sync::Result {
    let before = tx.get_row("counter", &id).await?.and_then(|count| count.as_u64()).unwrap_or(0);
    tx.put_row("counter", &id, &(before + 1)).await
}

impl Stage {
    /// Somebody who is signed in.
    pub(crate) async fn user(&self, session: &str) -> Http {
        self.anybody().await.with("cookie", &format!("session={session}"))
    }

    pub(crate) async fn ada(&self) -> Http {
        self.user("a1").await
    }

    pub(crate) async fn bob(&self) -> Http {
        self.user("b1").await
    }

    pub(crate) async fn anybody(&self) -> Http {
        Http::connect(self.address).await.unwrap()
    }

    /// Where a scope's log is.
    pub(crate) async fn head(&self, scope: &str) -> u64 {
        self.engine.read(&Scope::new(scope).unwrap()).cursor().await.unwrap().position()
    }

    pub(crate) async fn row(&self, scope: &str, entity: &str, id: &str) -> Option<Value> {
        self.engine.read(&Scope::new(scope).unwrap()).get_row(entity, id).await.unwrap()
    }
}

/// Each of these, for every store.
macro_rules! on_every_store {
    ($($test:ident)*) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::app::On::Memory).await;
                }
            )*
        }

        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::app::On::Sqlite).await;
                }
            )*
        }

        #[cfg(feature = "postgres")]
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::app::On::Postgres).await;
                }
            )*
        }
    };
}
pub(crate) use on_every_store;
