//! Pages over durable data: handlers mutate, sessions watch, sockets are poked.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use futures::future::BoxFuture;
use mizu::live::{Kind, Ref, Topic};
use mizu::prelude::*;
use mizu::sync::store::{CompactAsk, Compacted, Done, PullAsk, PullPart, RowsAsk, RowsPart, Store, Work};
use mizu::sync::{self, Access, Engine, Entity, Epoch, MemoryStore, Mutation, Scope, StoreError, Tx};
use mizu::testing::TestApp;
use mizu::{LiveApp, Who};

use self::support::{Raw, User};

#[derive(Serialize, Deserialize)]
struct Todo {
    id: String,
    title: String,
    done: bool,
}

impl Entity for Todo {
    const NAME: &'static str = "todo";

    fn id(&self) -> &str {
        &self.id
    }
}

async fn add(tx: &mut Tx, title: String) -> sync::Result {
    if title.is_empty() {
        return Err(tx.reject("empty", "A title is needed."));
    }
    let id = tx.new_id().to_string();
    tx.put(&Todo { id, title, done: false }).await
}

struct Todos;

#[derive(Serialize, Deserialize)]
struct State {
    scope: Scope,
    todos: Rows<Todo>,
    open: usize,
    refreshed: usize,
}

fn open(todos: &Rows<Todo>) -> usize {
    todos.iter().filter(|todo| !todo.done).count()
}

impl Page for Todos {
    type State = State;
    type Message = ();

    async fn mount(&self, cx: &mut Ctx<Self>) -> mizu::Result<State> {
        let axum::extract::Path(scope) = cx.extract::<axum::extract::Path<String>>().await?;
        let scope = Scope::new(&scope)?;
        let todos = cx.watch(&scope, ["list"]).await?;
        Ok(State { open: open(&todos), scope, todos, refreshed: 0 })
    }

    fn render(&self, view: &View<State>) -> Markup {
        html! {
            form data-lv-submit="add" method="post" { input name="title"; button { "Add" } }
            button id="two" form="lv" name="lv" value="two" { "Two" }
            button id="unwatch" form="lv" name="lv" value="unwatch" { "Stop" }
            (view.region("list", || html! { @for todo in &view.todos { li { (todo.title) } } }).tag("ul"))
            (view.region("open", || html! { (view.open) " open" }))
        }
    }

    async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<State>, event: Event) -> mizu::Result {
        session.keep();
        let scope = session.state.scope.clone();
        match event.name() {
            "add" => drop(cx.mutate(&scope, "add", event.get("title").unwrap_or_default()).await?),
            "two" => {
                cx.mutate(&scope, "add", "one").await?;
                cx.mutate(&scope, "add", "one").await?;
            }
            _ => cx.unwatch(&scope),
        }
        Ok(())
    }

    async fn refresh(&self, _cx: &mut Ctx<Self>, session: &mut Session<State>) -> mizu::Result {
        session.state.open = open(&session.state.todos);
        session.state.refreshed += 1;
        session.mark("open");
        Ok(())
    }
}

/// Counts what is read, and can be away.
struct Counting {
    store: MemoryStore,
    reads: Arc<AtomicUsize>,
    away: Arc<AtomicBool>,
}

impl Counting {
    fn or_away<T: Send + 'static>(&self) -> Option<BoxFuture<'_, Result<T, StoreError>>> {
        let away = self.away.load(Ordering::Relaxed);
        away.then(|| Box::pin(async { Err(StoreError::message("nobody answers")) }) as BoxFuture<'_, _>)
    }
}

impl Store for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn write(&self, work: Arc<Work>) -> BoxFuture<'_, Result<Done, StoreError>> {
        self.or_away().unwrap_or_else(|| self.store.write(work))
    }

    fn pull(&self, ask: PullAsk) -> BoxFuture<'_, Result<PullPart, StoreError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.or_away().unwrap_or_else(|| self.store.pull(ask))
    }

    fn rows(&self, ask: RowsAsk) -> BoxFuture<'_, Result<RowsPart, StoreError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.or_away().unwrap_or_else(|| self.store.rows(ask))
    }

    fn compact(&self, ask: CompactAsk) -> BoxFuture<'_, Result<Compacted, StoreError>> {
        self.store.compact(ask)
    }

    fn bump_epoch(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        self.store.bump_epoch()
    }
}

struct Fixture {
    engine: Engine,
    live: LiveApp,
    reads: Arc<AtomicUsize>,
    away: Arc<AtomicBool>,
}

fn fixture() -> Fixture {
    let (reads, away) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let engine = Engine::builder(Counting { store: MemoryStore::new(), reads: reads.clone(), away: away.clone() })
        .mutator("add", add)
        .authorize(|user: &User, scope, _: Access| {
            !scope.as_str().starts_with("of-") || scope.as_str() == format!("of-{}", user.0)
        })
        .build();
    let live = Live::builder().secret([7; 32]).identity::<User>().sync(engine.clone()).build();
    let live = live.attach(Router::new().route("/todos/{scope}", mizu::page(Todos)));
    Fixture { engine, live, reads, away }
}

impl Fixture {
    fn app(&self, user: &str) -> TestApp {
        TestApp::attached(self.live.clone()).with_header("x-user", user)
    }

    async fn add(&self, title: &str) {
        let mutation = Mutation::new(&Scope::new("all").unwrap(), "add", title).unwrap();
        self.engine.apply(Who::server(), mutation).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_mutation_in_one_session_is_in_its_answer_and_patched_into_others() {
    let fixture = fixture();
    let (ann, bob) = (fixture.app("ann"), fixture.app("bob"));
    let mut one = ann.connect("/todos/all").await;
    let mut other = bob.connect("/todos/all").await;
    one.submit("form", [("title", "Tea")]).await;
    assert_eq!(one.text("#list"), "Tea");
    other.until(|page| page.text("#list") == "Tea" && page.text("#open") == "1 open").await;
    one.until(|page| page.text("#open") == "1 open").await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_mutation_is_told_and_changes_nothing() {
    let fixture = fixture();
    let app = fixture.app("ann");
    let mut page = app.connect("/todos/all").await;
    page.submit("form", [("title", "")]).await;
    assert_eq!(page.refused(), Some(("empty", "A title is needed.")));
    assert_eq!(page.text("#lv-flash"), "A title is needed.");
    assert_eq!(page.text("#list"), "");
}

#[tokio::test(start_paused = true)]
async fn two_mutations_of_one_event_are_two() {
    let fixture = fixture();
    let app = fixture.app("ann");
    let mut page = app.connect("/todos/all").await;
    page.click("#two").await;
    assert_eq!(page.count("#list li"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_scope_is_watched_only_by_who_may_read_it() {
    let fixture = fixture();
    assert_eq!(fixture.app("ann").get("/todos/of-ann").await.status(), 200);
    assert_eq!(fixture.app("bob").get("/todos/of-ann").await.status(), 403);
}

#[tokio::test(start_paused = true)]
async fn without_scripts_the_page_after_the_post_shows_the_change() {
    let fixture = fixture();
    let app = fixture.app("ann");
    let first = app.get("/todos/all").await;
    let token = first.token();
    let posted = app.post("/todos/all", [("lv-token", token.as_str()), ("lv", "two")]).await;
    assert_eq!((posted.status().as_u16(), posted.text("#list").as_str()), (200, "oneone"));
    assert_eq!(
        fixture.engine.read(&Scope::new("all").unwrap()).scan_rows("todo", sync::Scan::all()).await.unwrap().len(),
        2
    );
    assert_eq!(app.get("/todos/all").await.text("#list"), "oneone");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_away_shows_what_happened_meanwhile() {
    let fixture = fixture();
    let app = fixture.app("ann");
    let mut page = app.connect("/todos/all").await;
    page.reconnect_after(async {
        for title in ["a", "b", "c"] {
            fixture.add(title).await;
        }
    })
    .await;
    page.until(|page| page.count("#list li") == 3 && page.text("#open") == "3 open").await;
}

#[tokio::test(start_paused = true)]
async fn a_change_is_read_once_for_all_sessions_of_a_node() {
    let fixture = fixture();
    let app = fixture.app("ann");
    let mut pages = Vec::new();
    for _ in 0..50 {
        pages.push(app.connect("/todos/all").await);
    }
    let before = fixture.reads.load(Ordering::Relaxed);
    fixture.add("Tea").await;
    for page in &mut pages {
        page.until(|page| page.text("#list") == "Tea").await;
    }
    assert_eq!(fixture.reads.load(Ordering::Relaxed) - before, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_watched_any_more_stays_as_it_is() {
    let fixture = fixture();
    let app = fixture.app("ann");
    let mut page = app.connect("/todos/all").await;
    let mut watching = app.connect("/todos/all").await;
    page.click("#unwatch").await;
    fixture.add("Tea").await;
    watching.until(|page| page.text("#list") == "Tea").await;
    page.click("#unwatch").await;
    assert_eq!(page.text("#list"), "");
}

#[tokio::test(start_paused = true)]
async fn an_epoch_that_changed_is_read_anew() {
    let fixture = fixture();
    let app = fixture.app("ann");
    fixture.add("Tea").await;
    let mut page = app.connect("/todos/all").await;
    fixture.engine.bump_epoch().await.unwrap();
    fixture.add("Milk").await;
    page.until(|page| page.count("#list li") == 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_hears_of_scopes_without_a_page() {
    let fixture = fixture();
    let mut raw = Raw::connect(&fixture.live, &[("x-user", "ann")]).await;
    let scopes = serde_json::json!([["all", "of-bob", "!odd", "of-ann"]]);
    raw.send(Kind::SUBSCRIBE, Topic::connection(), Ref::new(1), &scopes).await;
    let (kind, body) = raw.receive().await;
    assert_eq!(kind, Kind::REPLY);
    assert_eq!(
        format!("{:?}", body[2]),
        format!(
            "{:?}",
            rmpv::Value::Array(vec![
                rmpv::Value::Array(vec!["all".into(), "of-ann".into()]),
                rmpv::Value::Array(vec!["of-bob".into(), "!odd".into()]),
            ])
        )
    );

    fixture.add("Tea").await;
    let (kind, body) = raw.receive().await;
    assert_eq!((kind, body[0].as_str()), (Kind::POKE, Some("all")));
    let cursor = fixture.engine.read(&Scope::new("all").unwrap()).cursor().await.unwrap();
    assert_eq!(body[1].as_str(), Some(cursor.to_string().as_str()));

    raw.send(Kind::UNSUBSCRIBE, Topic::connection(), Ref::PUSH, &serde_json::json!([["all"]])).await;
    // Answered in order: from here on the unsubscription has been seen.
    raw.send(Kind::SUBSCRIBE, Topic::connection(), Ref::new(2), &serde_json::json!([["of-ann"]])).await;
    assert_eq!(raw.receive().await.0, Kind::REPLY);
    fixture.add("Milk").await;
    let own = Mutation::new(&Scope::new("of-ann").unwrap(), "add", "Own").unwrap();
    fixture.engine.apply(User("ann".into()), own).await.unwrap();
    let (kind, body) = raw.receive().await;
    assert_eq!((kind, body[0].as_str()), (Kind::POKE, Some("of-ann")));
}

#[tokio::test(start_paused = true)]
async fn a_socket_without_an_identity_hears_nothing() {
    let fixture = fixture();
    let mut raw = Raw::connect(&fixture.live, &[]).await;
    raw.send(Kind::SUBSCRIBE, Topic::connection(), Ref::new(1), &serde_json::json!([["all"]])).await;
    let (kind, body) = raw.receive().await;
    assert_eq!((kind, body[0].as_str()), (Kind::ERROR, Some("unauthorized")));
}

#[tokio::test(start_paused = true)]
async fn a_browser_with_a_store_hears_of_what_its_page_watches() {
    let fixture = fixture();
    let mut raw = Raw::connect(&fixture.live, &[("x-user", "ann")]).await;
    let join = serde_json::json!(["", "/todos/all", { "pokes": "1" }, null, []]);
    raw.send(Kind::JOIN, Topic::connection(), Ref::new(1), &join).await;
    assert_eq!(raw.receive().await.0, Kind::REPLY);
    let (kind, body) = raw.receive().await;
    assert_eq!(
        (kind, body[0].as_str(), body[1].as_str()),
        (Kind::POKE, Some("all"), Some("")),
        "look whether it moved"
    );
    fixture.add("Tea").await;
    let cursor = fixture.engine.read(&Scope::new("all").unwrap()).cursor().await.unwrap().to_string();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let (kind, body) = raw.receive().await;
        if kind == Kind::POKE {
            assert_eq!((body[0].as_str(), body[1].as_str()), (Some("all"), Some(&*cursor)));
        }
        kinds.push(kind);
    }
    assert!(kinds.contains(&Kind::POKE) && kinds.contains(&Kind::PATCH), "{kinds:?}");
}

#[tokio::test]
async fn regions_come_alone_over_http() {
    let fixture = fixture();
    fixture.add("Tea").await;
    let ann = fixture.app("ann");
    let parked = fixture.live.live().parked();
    let ask = async |regions: &str| {
        let request =
            axum::http::Request::get("/todos/all").header("mizu-regions", regions).body(axum::body::Body::empty());
        ann.send(request.unwrap()).await
    };
    let answer = ask("list, open").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let regions =
        r#"<template data-lv-region="list"><li>Tea</li></template><template data-lv-region="open">1 open</template>"#;
    assert_eq!(answer.body(), regions);
    assert_eq!(answer.header("vary"), Some("mizu-regions"));
    assert_eq!(ask("list,nowhere<b>").await.status(), StatusCode::NOT_FOUND);
    assert!(ask("nowhere<b>").await.body().contains("nowhere&lt;b&gt;"));
    assert_eq!(ask(" , ").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(fixture.live.live().parked(), parked, "no session waits for anybody");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_said_to_be_away() {
    let fixture = fixture();
    let mut page = fixture.app("ann").connect("/todos/all").await;
    fixture.away.store(true, Ordering::Relaxed);
    // Another scope: nobody on this node has read it.
    let answer = fixture.app("ann").get("/todos/of-ann").await;
    assert_eq!((answer.status(), answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, Some("5")));
    page.submit("form", [("title", "Tea")]).await;
    assert_eq!(page.refused().map(|(code, _)| code), Some("unavailable"));
    fixture.away.store(false, Ordering::Relaxed);
    page.submit("form", [("title", "Tea")]).await;
    assert_eq!(page.text("#list"), "Tea");
}

/// A page that was one person's was mounted for another in place, with the first one's local rows and queue.
#[tokio::test]
async fn a_page_that_holds_somebody_elses_rows_is_loaded_anew() {
    let fixture = fixture();
    for (user, expected) in [("ann", Kind::REPLY), ("bob", Kind::REDIRECT)] {
        let mut raw = Raw::connect(&fixture.live, &[("x-user", "ann")]).await;
        let join = serde_json::json!(["", "/todos/all", { "user": user }, null, []]);
        raw.send(Kind::JOIN, Topic::connection(), Ref::new(1), &join).await;
        let (kind, body) = raw.receive().await;
        assert_eq!(kind, expected, "{body:?}");
        if kind == Kind::REDIRECT {
            assert_eq!(body[0].as_str(), Some("/todos/all"));
        }
    }
}
