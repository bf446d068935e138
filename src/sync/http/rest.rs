//! Plain JSON for everybody else: scripts, other services, people with curl.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Refusal, answer, refuse};
use super::door::{Door, Entered, caught};
use crate::edge::{Identity, Who};
use crate::sync::access::Access;
use crate::sync::change::Row;
use crate::sync::engine::{Engine, PullError};
use crate::sync::entity::{Entity, Scan};
use crate::sync::ids::Scope;
use crate::sync::mutation::Mutation;

/// How many rows a list gives without a limit, and at most.
const ROWS: usize = 1_000;

#[derive(Deserialize)]
struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

impl Engine {
    /// REST for one kind of rows at `path`, through the same mutators: `NAME.create`, `NAME.merge` and `NAME.delete`.
    ///
    /// | request | does | answer |
    /// |---|---|---|
    /// | `GET path?after=ID&limit=N` | lists rows | 200 with an array, ordered by id |
    /// | `GET path/{id}` | reads one | 200 or 404 |
    /// | `POST path` | creates; without an `id` one is made | 201 with the row, and its `Location` |
    /// | `PUT path/{id}` | replaces the fields that are given | 200 with the row, or 404 |
    /// | `DELETE path/{id}` | deletes | 204 |
    ///
    /// An `Idempotency-Key` header makes a write happen once however often it is sent. `scope` says which scope a person's rows are in.
    ///
    /// ```
    /// use axum::Router;
    /// use mizu::Anybody;
    /// use mizu::sync::{Engine, Entity, MemoryStore, Scope};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Todo { id: String, title: String }
    /// # impl Entity for Todo {
    /// #     const NAME: &'static str = "todo";
    /// #     fn id(&self) -> &str { &self.id }
    /// # }
    ///
    /// let todos = Scope::new("todos").unwrap();
    /// let engine = Engine::builder(MemoryStore::new()).entity::<Todo>().public("todos").build();
    /// let app: Router = Router::new().merge(engine.rest::<Todo, Anybody, _>("/api/todos", move |_| todos.clone()));
    /// # let _ = app;
    /// ```
    pub fn rest<T, I, S>(&self, path: &str, scope: impl Fn(&I) -> Scope + Send + Sync + 'static) -> Router<S>
    where
        T: Entity,
        I: Identity + FromRequestParts<S>,
        S: Clone + Send + Sync + 'static,
    {
        let rest = Arc::new(Rest { door: Door::new(self), scope, path: path.to_owned(), entity: T::NAME });
        macro_rules! on {
            ($method:ident, $($extra:ident : $extractor:ty),*) => {{
                let rest = rest.clone();
                async move |State(state): State<S>, $($extra: Result<$extractor, <$extractor as FromRequestParts<S>>::Rejection>,)* request: Request| -> Response {
                    let entered = match rest.door.enter::<I, S>(request, &state).await {
                        Ok(entered) => entered,
                        Err(refused) => return refused,
                    };
                    $(let $extra = match $extra {
                        Ok(extra) => extra.0,
                        Err(error) => return refuse(Refusal::invalid(error.to_string())),
                    };)*
                    rest.$method(entered, $($extra),*).await.unwrap_or_else(refuse)
                }
            }};
        }
        let one = format!("{path}/{{id}}");
        Router::new()
            .route(path, get(on!(list, page: Query<Page>)).post(on!(create,)))
            .route(
                &one,
                get(on!(read, id: Path<String>))
                    .put(on!(merge, id: Path<String>))
                    .delete(on!(delete, id: Path<String>)),
            )
            .layer(from_fn(caught))
    }
}

struct Rest<F> {
    door: Arc<Door>,
    scope: F,
    path: String,
    entity: &'static str,
}

impl<F> Rest<F> {
    async fn list<I: Identity>(&self, entered: Entered<I>, page: Page) -> Result<Response, Refusal>
    where
        F: Fn(&I) -> Scope,
    {
        let scope = self.readable(&entered).await?;
        let mut scan = Scan::all().limit(page.limit.unwrap_or(ROWS).clamp(1, ROWS));
        if let Some(after) = page.after {
            scan = scan.after(&after);
        }
        let rows = self.door.engine.read(&scope).scan_rows(self.entity, scan).await?;
        let rows: Vec<_> = rows.into_iter().map(|row| row.data).collect();
        Ok(answer(StatusCode::OK, &rows))
    }

    async fn read<I: Identity>(&self, entered: Entered<I>, id: String) -> Result<Response, Refusal>
    where
        F: Fn(&I) -> Scope,
    {
        let scope = self.readable(&entered).await?;
        Ok(answer(StatusCode::OK, &self.row(&scope, &id).await?.data))
    }

    async fn create<I: Identity>(&self, entered: Entered<I>) -> Result<Response, Refusal>
    where
        F: Fn(&I) -> Scope,
    {
        let mut row = fields(&entered)?;
        let new = || Value::String(self.new_id(&entered));
        let id = row.entry("id").or_insert_with(new).as_str().map(str::to_owned);
        let id = id.ok_or_else(|| Refusal::invalid("`id` must be a text"))?;
        let scope = self.write(&entered, "create", row).await?;
        let mut response = match self.may_read(&entered, &scope).await {
            true => answer(StatusCode::CREATED, &self.row(&scope, &id).await?.data),
            false => answer(StatusCode::CREATED, &json!({ "id": id })),
        };
        let name: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        if let Ok(location) = HeaderValue::from_str(&format!("{}/{}", self.path, name.replace('+', "%20"))) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        Ok(response)
    }

    async fn merge<I: Identity>(&self, entered: Entered<I>, id: String) -> Result<Response, Refusal>
    where
        F: Fn(&I) -> Scope,
    {
        let mut row = fields(&entered)?;
        if row.get("id").is_some_and(|given| given.as_str() != Some(&id)) {
            return Err(Refusal::invalid("`id` is another one than in the path"));
        }
        row.insert("id".into(), Value::String(id.clone()));
        let scope = self.write(&entered, "merge", row).await?;
        match self.may_read(&entered, &scope).await {
            true => Ok(answer(StatusCode::OK, &self.row(&scope, &id).await?.data)),
            false => Ok(answer(StatusCode::OK, &json!({ "id": id }))),
        }
    }

    async fn delete<I: Identity>(&self, entered: Entered<I>, id: String) -> Result<Response, Refusal>
    where
        F: Fn(&I) -> Scope,
    {
        let args = Map::from_iter([("id".to_owned(), Value::String(id))]);
        self.write(&entered, "delete", args).await?;
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    /// An id for a new row: the same when the request is sent again under the same key.
    fn new_id<I: Identity>(&self, entered: &Entered<I>) -> String {
        match key(entered) {
            Some(key) => {
                let hash = xxhash_rust::xxh3::xxh3_128(key.as_bytes()).to_le_bytes();
                uuid::Builder::from_custom_bytes(hash).into_uuid().to_string()
            }
            None => uuid::Uuid::now_v7().to_string(),
        }
    }

    async fn write<I: Identity>(
        &self,
        entered: &Entered<I>,
        what: &str,
        args: Map<String, Value>,
    ) -> Result<Scope, Refusal>
    where
        F: Fn(&I) -> Scope,
    {
        let scope = (self.scope)(&entered.identity);
        let mutation = Mutation::new(&scope, &format!("{}.{what}", self.entity), &args);
        let mut mutation = mutation.map_err(|error| Refusal::invalid(error.to_string()))?;
        if let Some(key) = key(entered) {
            mutation = mutation.key(key);
        }
        self.door.engine.apply(entered.who(), mutation).await?;
        Ok(scope)
    }

    async fn readable<I: Identity>(&self, entered: &Entered<I>) -> Result<Scope, Refusal>
    where
        F: Fn(&I) -> Scope,
    {
        let scope = (self.scope)(&entered.identity);
        match self.may_read(entered, &scope).await {
            true => Ok(scope),
            false => Err(PullError::Forbidden(scope).into()),
        }
    }

    async fn may_read<I: Identity>(&self, entered: &Entered<I>, scope: &Scope) -> bool {
        self.door.engine.allows(&entered.who(), scope, Access::Read).await
    }

    async fn row(&self, scope: &Scope, id: &str) -> Result<Row, Refusal> {
        let row = self.door.engine.read(scope).row(self.entity, id).await?;
        let missing = || Refusal::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {} {id}", self.entity));
        row.ok_or_else(missing)
    }
}

/// What names a request that may be sent again: within the person who sends it.
fn key<I: Identity>(entered: &Entered<I>) -> Option<String> {
    let key = entered.headers.get("idempotency-key")?.to_str().ok().filter(|key| !key.is_empty())?;
    let person = xxhash_rust::xxh3::xxh3_128(Who::new(entered.identity.clone()).key().as_bytes());
    let key = xxhash_rust::xxh3::xxh3_128(key.as_bytes());
    Some(format!("rest {person:032x} {key:032x}"))
}

fn fields<I: Identity>(entered: &Entered<I>) -> Result<Map<String, Value>, Refusal> {
    entered.json()
}
