//! One door: what guards the GET of a page guards its join, its resume and its plain POST.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use mizu::live::{Kind, Ref, Topic};
use mizu::prelude::*;
use mizu::testing::TestApp;
use mizu::{Identity, ParkLimits};
use support::Raw;

/// Shows what its request was like.
struct Mirror;

#[derive(Clone, Default, Serialize, Deserialize)]
struct Seen {
    path: String,
    name: String,
    query: String,
    state: String,
    headers: Vec<String>,
    peer: String,
    clicks: u32,
}

impl Page for Mirror {
    type State = Seen;
    type Message = ();

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Seen> {
        let axum::extract::OriginalUri(uri) = cx.extract().await?;
        let axum::extract::Path(name) = cx.extract::<axum::extract::Path<String>>().await?;
        let axum::extract::RawQuery(query) = cx.extract().await?;
        let State(state) = cx.extract_with::<State<String>, String>().await?;
        let headers: HeaderMap = cx.extract().await?;
        let peer = cx.extract::<ConnectInfo<SocketAddr>>().await.map(|peer| peer.0.to_string());
        let peer = peer.ok().filter(|_| query.as_deref() == Some("peer")).unwrap_or_default();
        let shown = query.as_deref().is_some_and(|query| query.contains("green"));
        let headers = headers.keys().map(ToString::to_string).filter(|_| shown).collect();
        let path = uri.path().to_owned();
        Ok(Seen { path, name, query: query.unwrap_or_default(), state, headers, peer, clicks: 0 })
    }

    fn render(&self, view: &View<Seen>) -> Markup {
        html! {
            p id="path" { (view.path) } p id="name" { (view.name) } p id="query" { (view.query) } p id="state" { (view.state) }
            p id="headers" { (view.headers.join(" ")) } p id="peer" { (view.peer) }
            button id="click" data-lv-click="click" {}
            (view.region("clicks", || html! { (view.clicks) }))
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<Seen>, _event: Event) -> Result {
        session.state.clicks += 1;
        Ok(())
    }
}

fn mirror() -> Router<String> {
    Router::new().route("/rooms/{name}", mizu::page(Mirror))
}

#[tokio::test]
async fn a_join_sees_what_the_get_saw() {
    // A nested router, state, path and query, mounted by the join itself: the GET's session is gone by then.
    let app = Router::new().nest("/app", mirror()).with_state("the state".to_owned());
    let mut limits = ParkLimits::default();
    limits.sessions = 0;
    let app = TestApp::attached(Live::builder().secret("s").park_limits(limits).build().attach(app));
    let app = app.with_header("x-custom", "1").with_header("te", "trailers").with_header("sec-websocket-key", "k");
    let mut page = app.connect("/app/rooms/tea?kind=green").await;
    page.click("#click").await;
    assert_eq!(page.text("#path"), "/app/rooms/tea");
    assert_eq!(
        (page.text("#name"), page.text("#query"), page.text("#state")),
        ("tea".into(), "kind=green".into(), "the state".into())
    );
    assert_eq!(page.text("#clicks"), "1");

    // Mounted anew by the join, the page differs from the GET's in what belongs to the hop: these headers are gone.
    let seen = page.text("#headers");
    let seen: Vec<_> = seen.split(' ').collect();
    assert_eq!(seen, ["host", "sec-fetch-site", "x-custom"]);
}

/// Lets only requests with the cookie through.
async fn demand_cookie(headers: HeaderMap, request: Request, next: Next) -> Response {
    let cookie = headers.get(header::COOKIE).and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
    match cookie {
        cookie if cookie.contains("pass=yes") => next.run(request).await,
        "pass=no" => StatusCode::FORBIDDEN.into_response(),
        "pass=who" => StatusCode::UNAUTHORIZED.into_response(),
        _ => Redirect::to("/sign-in").into_response(),
    }
}

fn rooms() -> Router {
    mirror().with_state(String::new()).route("/plain", get(async || "no page"))
}

async fn check_guarded(app: mizu::LiveApp) {
    let allowed = TestApp::attached(app.clone()).with_header("cookie", "pass=yes");
    assert_eq!(allowed.get("/rooms/a").await.status(), 200);
    let token = allowed.get("/rooms/a").await.token();
    allowed.connect("/rooms/a").await.click("#click").await;

    let expect = async |cookie: &str, kind: Kind, first: &str| {
        let mut raw = Raw::connect(&app, &[("cookie", cookie)]).await;
        let (answered, body) = raw.join(&token, "/rooms/a").await;
        assert_eq!((answered, body[0].as_str()), (kind, Some(first)), "{cookie}");
    };
    expect("pass=no", Kind::ERROR, "forbidden").await;
    expect("pass=who", Kind::ERROR, "unauthorized").await;
    expect("", Kind::REDIRECT, "/sign-in").await;

    let stranger = TestApp::attached(app.clone());
    assert_eq!(stranger.get("/rooms/a").await.status(), 303);
    let posted = stranger.post("/rooms/a", [("lv", "click"), ("lv-token", &token)]).await;
    assert_eq!(posted.status(), 303, "and the page it leads to is guarded too");
}

#[tokio::test]
async fn a_layer_that_demands_a_cookie_guards_joins() {
    check_guarded(Live::builder().secret("s").build().attach(rooms().layer(from_fn(demand_cookie)))).await;
}

#[tokio::test]
async fn a_layer_put_outside_guards_joins_as_well() {
    check_guarded(Live::builder().secret("s").build().attach(rooms()).outer(from_fn(demand_cookie))).await;
}

#[tokio::test]
async fn what_is_no_page_is_said_to_be_none() {
    let app = Live::builder().secret("s").build().attach(
        rooms()
            .route(
                "/cookie",
                mizu::page::<_, ()>(Blank).layer(from_fn(async |request: Request, next: Next| {
                    let mut response = next.run(request).await;
                    response.headers_mut().insert(header::SET_COOKIE, "a=1".parse().unwrap());
                    response
                })),
            )
            .route("/broken", get(async || StatusCode::BAD_GATEWAY))
            .route("/failing", mizu::page(Failing)),
    );
    for (url, kind, first) in [
        ("/plain", Kind::ERROR, "not_a_page"),
        ("/nowhere", Kind::ERROR, "not_a_page"),
        ("/_live", Kind::ERROR, "not_a_page"),
        ("/broken", Kind::ERROR, "internal"),
        ("/failing?kind=gone", Kind::ERROR, "not_a_page"),
        ("/failing?kind=panic", Kind::ERROR, "internal"),
        ("/failing?kind=secret", Kind::ERROR, "internal"),
        ("/failing?kind=away", Kind::REDIRECT, "/elsewhere"),
        ("/cookie", Kind::REDIRECT, "/cookie"),
        ("//evil.example/x", Kind::ERROR, "bad_message"),
        ("https://evil.example/x", Kind::ERROR, "bad_message"),
        ("rooms/a", Kind::ERROR, "bad_message"),
        ("/rooms/a#x", Kind::ERROR, "bad_message"),
        ("/rooms/a b", Kind::ERROR, "bad_message"),
        ("", Kind::ERROR, "bad_message"),
    ] {
        let mut raw = Raw::connect(&app, &[]).await;
        let (answered, body) = raw.join("", url).await;
        assert_eq!((answered, body[0].as_str()), (kind, Some(first)), "{url}");
    }
    assert_eq!(app.live().joined(), 0);
}

struct Blank;

impl Page for Blank {
    type State = ();
    type Message = ();
    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result {
        Ok(())
    }
    fn render(&self, _view: &View<()>) -> Markup {
        html! { p { "blank" } }
    }
}

struct Failing;

impl Page for Failing {
    type State = ();
    type Message = ();
    async fn mount(&self, cx: &mut Ctx<Self>) -> Result {
        let axum::extract::RawQuery(query) = cx.extract().await?;
        match query.as_deref() {
            Some("kind=gone") => Err(Error::not_found("No such thing.")),
            Some("kind=panic") => panic!("as asked"),
            Some("kind=away") => Err(Error::redirect("/elsewhere")),
            _ => Err(std::io::Error::other("a secret").into()),
        }
    }
    fn render(&self, _view: &View<()>) -> Markup {
        html! {}
    }
}

#[tokio::test]
async fn a_mount_that_fails_is_a_page_with_its_status() {
    let app = Router::new().route("/failing", mizu::page(Failing));
    let app = TestApp::attached(Live::builder().secret("s").dev(false).build().attach(app));
    let gone = app.get("/failing?kind=gone").await;
    assert_eq!((gone.status().as_u16(), gone.text("p")), (404, "No such thing.".into()));
    assert_eq!(app.get("/failing?kind=panic").await.status(), 500);
    assert_eq!(app.get("/failing?kind=away").await.header("location"), Some("/elsewhere"));
    assert!(!app.get("/failing?kind=secret").await.body().contains("a secret"));
}

#[tokio::test]
async fn a_page_outside_of_live_says_so() {
    use tower::ServiceExt;
    let app: Router = Router::new().route("/", mizu::page(Blank));
    let response = app.oneshot(Request::get("/").body(axum::body::Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 500);
}

#[derive(Clone, PartialEq)]
struct User {
    name: String,
    admin: bool,
}

impl Identity for User {
    fn key(&self) -> String {
        self.name.clone()
    }
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = StatusCode;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let name = parts.headers.get("x-user").and_then(|name| name.to_str().ok()).ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Self { name: name.trim_end_matches('!').to_owned(), admin: name.ends_with('!') })
    }
}

struct Account;

impl Page for Account {
    type State = u32;
    type Message = ();
    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<u32> {
        assert!(!cx.user::<User>()?.name.is_empty());
        Ok(0)
    }
    fn render(&self, view: &View<u32>) -> Markup {
        let name = view.user::<User>().map(|user| user.name.clone()).unwrap_or_default();
        html! { p id="who" { (name) } button id="add" data-lv-click="add" {} (view.region("n", || html! { (**view) })) }
    }
    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<u32>, _event: Event) -> Result {
        if session.user::<User>()?.admin {
            return Err(Error::forbidden("Admins only look."));
        }
        session.state += 1;
        Ok(())
    }
}

#[tokio::test]
async fn a_session_is_adopted_only_by_an_equal_identity() {
    let live = Live::builder().secret("s").identity::<User>().build();
    let app = live.attach(Router::new().route("/account", mizu::page(Account)));
    let ann = TestApp::attached(app.clone()).with_header("x-user", "ann");
    assert_eq!(TestApp::attached(app.clone()).get("/account").await.status(), 401);

    // Ann's page, posted to by others: each gets a session of their own, hers stays as it is.
    let token = ann.post("/account", [("lv", "add")]).await.token();
    for other in ["bob", "ann!"] {
        let other = TestApp::attached(app.clone()).with_header("x-user", other);
        let page = other.post("/account", [("lv", "none"), ("lv-token", &token)]).await;
        assert_ne!(page.text("#n"), "2");
    }
    assert_eq!(ann.post("/account", [("lv", "add"), ("lv-token", &token)]).await.text("#n"), "2");

    let mut bob = Raw::connect(&app, &[("x-user", "bob")]).await;
    let (kind, body) = bob.join(&token, "/account").await;
    assert_eq!(kind, Kind::REPLY);
    let fresh = body[2][5].as_bool();
    assert_eq!(fresh, Some(true), "Bob's browser gets a session of its own");

    let mut nobody = Raw::connect(&app, &[]).await;
    assert_eq!(nobody.join(&token, "/account").await.1[0].as_str(), Some("unauthorized"));
}

#[tokio::test]
async fn disconnecting_a_user_ends_all_of_their_sessions() {
    let live = Live::builder().secret("s").identity::<User>().build();
    let app = live.attach(Router::new().route("/account", mizu::page(Account)));
    let ann = TestApp::attached(app.clone()).with_header("x-user", "ann");
    let bob = TestApp::attached(app.clone()).with_header("x-user", "bob");
    let mut hers = ann.connect("/account").await;
    hers.click("#add").await;
    ann.get("/account").await;
    let mut his = bob.connect("/account").await;
    assert_eq!(live.disconnect(&User { name: "ann".into(), admin: true }), 2);
    hers.until_closed().await;
    support::eventually(|| live.joined() == 1 && live.parked() == 0).await;
    his.click("#add").await;
    // Her browser comes back through the front door, to a page of its own.
    hers.reconnect().await;
    assert_eq!(hers.text("#n"), "0");
}

#[tokio::test]
async fn tokens_forged_replayed_or_for_another_page() {
    let live = Live::builder().secret("s").build();
    let app = live.attach(rooms());
    let test = TestApp::attached(app.clone());
    let token = test.get("/rooms/a").await.token();

    let mut forged = token.clone().into_bytes();
    forged[8] ^= 1;
    let forged = String::from_utf8(forged).unwrap();
    let mut raw = Raw::connect(&app, &[]).await;
    assert_eq!(raw.join(&forged, "/rooms/a").await.1[0].as_str(), Some("bad_token"));
    assert_eq!(raw.join("nonsense", "/rooms/a").await.1[0].as_str(), Some("bad_token"));
    assert_eq!(raw.resume(&forged, "/rooms/a", 0).await.1[0].as_str(), Some("bad_token"));
    assert_eq!(test.post("/rooms/a", [("lv", "click"), ("lv-token", &forged)]).await.status(), 403);

    // Who does not say where it comes from needs a token; a browser of this origin does not.
    assert_eq!(raw.join("", "/rooms/a").await.0, Kind::REPLY);
    let mut agent = Raw::connect_without_origin(&app).await;
    assert_eq!(agent.join("", "/rooms/a").await.1[0].as_str(), Some("bad_token"));
    assert_eq!(agent.join(&test.get("/rooms/a").await.token(), "/rooms/a").await.0, Kind::REPLY);

    // For another address of the same page type: not this session, and not its HTML.
    let (_, body) = raw.join(&token, "/rooms/b").await;
    assert_eq!(body[2][5].as_bool(), Some(true));
    assert!(body[1][1][0][2].as_str().unwrap().contains("<p id=\"name\">b</p>"));

    // Adopted once, the page's token is used: another tab with the same HTML gets a session of its own, and no HTML again.
    let mut one = Raw::connect(&app, &[]).await;
    let (_, body) = one.join(&token, "/rooms/a").await;
    assert_eq!((body[2][5].as_bool(), body[1].is_nil()), (Some(false), true));
    one.confirm().await;
    let mut two = Raw::connect(&app, &[]).await;
    let (_, body) = two.join(&token, "/rooms/a").await;
    assert_eq!((body[2][5].as_bool(), body[1].is_nil()), (Some(true), true));
    assert_eq!(app.live().joined(), 5);

    // The answer to a join may be lost: until the browser has it, the token it used is good once more.
    let token = test.get("/rooms/c").await.token();
    let mut lost = Raw::connect(&app, &[]).await;
    lost.join(&token, "/rooms/c").await;
    drop(lost);
    let mut again = Raw::connect(&app, &[]).await;
    let (_, body) = again.join(&token, "/rooms/c").await;
    assert_eq!(body[2][5].as_bool(), Some(false));
}

#[tokio::test]
async fn a_resume_takes_the_session_from_a_socket_that_hangs() {
    let app = Live::builder().secret("s").build().attach(rooms());
    let token = TestApp::attached(app.clone()).get("/rooms/a").await.token();
    let mut hanging = Raw::connect(&app, &[]).await;
    let (_, body) = hanging.join(&token, "/rooms/a").await;
    let session = body[2][1].as_str().unwrap().to_owned();
    hanging.confirm().await;
    hanging.event(5, "click").await;
    let mut fresh = Raw::connect(&app, &[]).await;
    let (_, body) = fresh.resume(&session, "/rooms/a", 0).await;
    assert_eq!(body[2][5].as_bool(), Some(false));
    assert_eq!(body[1][1][0][2].as_str(), Some("1"), "only the region that is newer than what was seen");
    assert_eq!(body[1][1].as_array().unwrap().len(), 1);
    // The event whose answer was lost is answered from memory, not applied again.
    let answer = fresh.event(5, "click").await;
    assert!(answer.1.len() == 1, "{answer:?}");
    let answer = fresh.event(6, "click").await;
    assert_eq!(answer.1[1][1][0][2].as_str(), Some("2"));
    assert_eq!(app.live().joined(), 1);
}

#[tokio::test]
async fn cross_site_posts_are_refused_and_unknown_ones_need_the_token() {
    let app = Live::builder().secret("s").build().attach(rooms());
    let test = TestApp::attached(app.clone());
    let token = test.get("/rooms/a").await.token();
    let post = async |headers: &[(&'static str, &str)], body: String| {
        let mut request = Request::post("/rooms/a").header("content-type", "application/x-www-form-urlencoded");
        request = request.header("host", "test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        use tower::ServiceExt;
        app.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap().status().as_u16()
    };
    let good = || format!("lv=click&lv-token={token}");
    assert_eq!(post(&[("sec-fetch-site", "cross-site")], good()).await, 403);
    assert_eq!(post(&[("origin", "https://evil.example")], good()).await, 403);
    assert_eq!(post(&[("origin", "null")], good()).await, 403);
    assert_eq!(post(&[], "lv=click".into()).await, 403);
    assert_eq!(post(&[], good()).await, 303);
    assert_eq!(post(&[("origin", "http://test")], "lv=click".into()).await, 303);
    assert_eq!(post(&[("origin", "http://test")], String::new()).await, 400);
    assert_eq!(post(&[("origin", "http://test")], format!("lv=click&x={}", "y".repeat(2 << 20))).await, 413);
}

#[tokio::test]
async fn parking_is_bounded() {
    let mut limits = ParkLimits::default();
    limits.sessions = 10;
    let live = Live::builder().secret("s").park_limits(limits).build();
    let test = TestApp::attached(live.attach(rooms()));
    let first = test.get("/rooms/a").await.token();
    for _ in 0..50 {
        test.get("/rooms/a").await;
    }
    assert_eq!(live.parked(), 10);
    // Pushed out, a page still works: it is mounted anew.
    assert_eq!(test.post("/rooms/a", [("lv", "click"), ("lv-token", &first)]).await.text("#clicks"), "1");

    let mut limits = ParkLimits::default();
    limits.bytes = 5_000;
    let live = Live::builder().secret("s").park_limits(limits).build();
    let test = TestApp::attached(live.attach(rooms()));
    for _ in 0..50 {
        test.get("/rooms/a").await;
    }
    assert!((1..10).contains(&live.parked()), "{}", live.parked());
    let head = Request::head("/rooms/a").body(axum::body::Body::empty()).unwrap();
    let before = live.parked();
    assert_eq!(test.send(head).await.status(), 200);
    assert_eq!(live.parked(), before, "a HEAD parks nothing");
}

/// Slow, and counts what it did.
struct Slow {
    started: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    go: Arc<tokio::sync::Notify>,
}

impl Page for Slow {
    type State = usize;
    type Message = ();
    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<usize> {
        Ok(0)
    }
    fn render(&self, view: &View<usize>) -> Markup {
        html! { button id="go" data-lv-click="go" {} p id="n" { (**view) } }
    }
    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<usize>, _event: Event) -> Result {
        self.started.fetch_add(1, Ordering::SeqCst);
        self.go.notified().await;
        self.done.fetch_add(1, Ordering::SeqCst);
        session.state += 1;
        Ok(())
    }
}

#[tokio::test]
async fn a_running_handler_finishes_when_its_socket_drops() {
    let (started, done, go) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<tokio::sync::Notify>)>::default();
    let live = Live::builder().secret("s").build();
    let slow = Slow { started: started.clone(), done: done.clone(), go: go.clone() };
    let app = live.attach(Router::new().route("/slow", mizu::page(slow)));
    let token = TestApp::attached(app.clone()).get("/slow").await.token();
    let mut raw = Raw::connect(&app, &[]).await;
    let (_, body) = raw.join(&token, "/slow").await;
    let session = body[2][1].as_str().unwrap().to_owned();
    raw.confirm().await;
    raw.send(Kind::EVENT, Topic::new("1").unwrap(), Ref::new(9), &serde_json::json!(["go"])).await;
    support::eventually(|| started.load(Ordering::SeqCst) == 1).await;
    drop(raw);
    support::eventually(|| app.connections() == 0).await;
    go.notify_one();
    support::eventually(|| done.load(Ordering::SeqCst) == 1 && live.parked() == 1).await;
    let mut raw = Raw::connect(&app, &[]).await;
    let (_, body) = raw.resume(&session, "/slow", 0).await;
    assert!(body[1][1][0][2].as_str().unwrap().contains("<p id=\"n\">1</p>"));
    let answer = raw.event(9, "go").await;
    assert_eq!((answer.0, done.load(Ordering::SeqCst)), (Kind::REPLY, 1));
}

#[tokio::test]
async fn two_posts_at_once_both_count() {
    let (started, done, go) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<tokio::sync::Notify>)>::default();
    let slow = Slow { started, done: done.clone(), go: go.clone() };
    let app = Router::new().route("/slow", mizu::page(slow));
    let test = TestApp::attached(Live::builder().secret("s").build().attach(app));
    let token = test.get("/slow").await.token();
    go.notify_one();
    let post = || test.post("/slow", [("lv", "go"), ("lv-token", token.as_str())]);
    let second = async {
        support::eventually(|| done.load(Ordering::SeqCst) == 1).await;
        go.notify_one();
    };
    let (one, two, ()) = tokio::join!(post(), post(), second);
    let mut shown = [one.text("#n"), two.text("#n")];
    shown.sort();
    // Both went to one session; which GET came last is the browser's affair.
    assert_eq!(shown[1], "2");
}

#[tokio::test]
async fn the_end_leaves_no_task() {
    let live = Live::builder()
        .secret("s")
        .shutdown(mizu::live::Shutdown::new().deadline(std::time::Duration::from_secs(5)))
        .build();
    let app = live.attach(rooms());
    let test = TestApp::attached(app.clone());
    let mut pages = Vec::new();
    for _ in 0..10 {
        pages.push(test.connect("/rooms/a").await);
    }
    for page in &mut pages {
        page.click("#click").await;
    }
    assert_eq!(live.shutdown().drain().await, 0);
    assert_eq!((live.joined(), live.parked(), app.connections()), (0, 0, 0));
    for page in &mut pages {
        assert!(page.until_closed().await.is_reconnectable());
    }
}

#[tokio::test]
async fn joins_are_limited_by_identity() {
    let joins_per_identity = mizu::live::Rate::per_second(1).burst(2);
    let limits = mizu::live::Limits { joins_per_identity, ..Default::default() };
    let live = Live::builder().secret("s").limits(limits).identity::<User>().build();
    let app = live.attach(Router::new().route("/account", mizu::page(Account)));
    let mut answers = Vec::new();
    for _ in 0..3 {
        let mut ann = Raw::connect(&app, &[("x-user", "ann")]).await;
        answers.push(ann.join("", "/account").await.0);
    }
    assert_eq!(answers, [Kind::REPLY, Kind::REPLY, Kind::ERROR]);
    let mut bob = Raw::connect(&app, &[("x-user", "bob")]).await;
    assert_eq!(bob.join("", "/account").await.0, Kind::REPLY);
}

#[tokio::test]
async fn what_is_sent_to_a_page_that_is_not_joined_is_answered() {
    let app = Live::builder().secret("s").build().attach(rooms());
    let mut raw = Raw::connect(&app, &[]).await;
    assert_eq!(raw.event(1, "click").await.1[0].as_str(), Some("unknown_topic"));
    raw.join("", "/rooms/a").await;
    let topic = Topic::new("1").unwrap();
    raw.send(Kind::EVENT, topic.clone(), Ref::new(2), &serde_json::json!({"name": "click"})).await;
    assert_eq!(raw.receive().await.1[0].as_str(), Some("bad_message"));
    let values: Vec<_> = (0..101).map(|n| (n.to_string(), "")).collect();
    raw.send(Kind::EVENT, topic.clone(), Ref::new(3), &serde_json::json!(["click", null, values])).await;
    assert_eq!(raw.receive().await.1[0].as_str(), Some("bad_message"));
    raw.send(Kind::UPLOAD, topic.clone(), Ref::new(4), &serde_json::json!([])).await;
    assert_eq!(raw.receive().await.1[0].as_str(), Some("unsupported"));
    raw.send(Kind::LEAVE, topic, Ref::PUSH, &serde_json::json!(["gone"])).await;
    support::eventually(|| app.live().joined() == 0 && app.live().parked() == 0).await;
    assert_eq!(raw.event(5, "click").await.1[0].as_str(), Some("unknown_topic"));
}

#[tokio::test]
async fn a_connection_joins_a_bounded_number_of_pages() {
    let limits = mizu::live::Limits { joins: mizu::live::Rate::UNLIMITED, ..Default::default() };
    let app = Live::builder().secret("s").limits(limits).build().attach(rooms());
    let mut raw = Raw::connect(&app, &[]).await;
    for _ in 0..16 {
        assert_eq!(raw.join("", "/rooms/a").await.0, Kind::REPLY);
    }
    assert_eq!(raw.join("", "/rooms/a").await.1[0].as_str(), Some("rate_limited"));
    assert_eq!(app.live().joined(), 16);
}

#[tokio::test]
async fn a_layer_that_always_sets_a_cookie_costs_one_load_and_no_more() {
    let rolling = axum::middleware::map_response(async |mut response: Response| {
        response.headers_mut().insert(header::SET_COOKIE, "sid=1".parse().unwrap());
        response
    });
    let app = Live::builder().secret("s").build().attach(rooms().layer(rolling));
    let mut raw = Raw::connect(&app, &[]).await;
    assert_eq!(raw.join("", "/rooms/a").await.0, Kind::REDIRECT);
    let forced = serde_json::json!(["", "/rooms/a", {"forced": "1"}]);
    raw.send(Kind::JOIN, Topic::connection(), Ref::new(9), &forced).await;
    assert_eq!(raw.receive().await.0, Kind::REPLY);
}

#[tokio::test]
async fn a_session_can_not_be_moved_to_another_path() {
    let app = Live::builder().secret("s").build().attach(rooms());
    let mut raw = Raw::connect(&app, &[]).await;
    raw.join("", "/rooms/a?x").await;
    let topic = Topic::new("1").unwrap();
    for (url, kind) in [("/rooms/b?x", Kind::ERROR), ("/rooms/a/?x", Kind::ERROR), ("/rooms/a?y", Kind::REPLY)] {
        raw.send(Kind::JOIN, topic.clone(), Ref::new(7), &serde_json::json!(["", url, {}])).await;
        assert_eq!(raw.receive().await.0, kind, "{url}");
    }
}

#[tokio::test]
async fn a_resync_is_never_much_larger_than_the_page() {
    let app = Live::builder().secret("s").build().attach(rooms());
    let mut raw = Raw::connect(&app, &[]).await;
    let (_, body) = raw.join("", "/rooms/a").await;
    let page = body[1][1][0][2].as_str().unwrap().len();
    let topic = Topic::new("1").unwrap();
    for ids in [vec!["lv-root"; 1_000], vec!["clicks", "lv-root", "clicks"], (0..1_000).map(|_| "nothing").collect()] {
        raw.send(Kind::RESYNC, topic.clone(), Ref::PUSH, &serde_json::json!([ids])).await;
        let (kind, body) = raw.receive().await;
        let sent: usize = body[1].as_array().unwrap().iter().map(|region| region[2].as_str().unwrap().len()).sum();
        assert!(kind == Kind::PATCH && (page - 10..page + 10).contains(&sent), "{sent} bytes for a page of {page}");
    }
    raw.send(Kind::RESYNC, topic, Ref::PUSH, &serde_json::json!([["clicks", "clicks"]])).await;
    assert_eq!(raw.receive().await.1[1].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_address_of_a_page_never_leads_to_another_site() {
    let app = Router::new().route("/{*rest}", mizu::page(Blank));
    let app = TestApp::attached(Live::builder().secret("s").build().attach(app));
    let form = "application/x-www-form-urlencoded";
    let request =
        Request::post("http://test//evil.example/x").header("content-type", form).body("lv=x".into()).unwrap();
    let location = app.send(request).await;
    assert!(!location.header("location").unwrap_or_default().starts_with("//"), "{location:?}");
}

#[tokio::test]
async fn a_join_knows_the_peers_address() {
    let app = Live::builder().secret("s").build().attach(rooms());
    let mut raw = Raw::connect(&app, &[]).await;
    let (_, body) = raw.join("", "/rooms/a?peer").await;
    assert!(body[1][1][0][2].as_str().unwrap().contains("<p id=\"peer\">203.0.113.9:4000</p>"));
}

/// A click and then away: the event, perhaps the word that the browser leaves, and the end of the socket come at once.
async fn check_click_and_away(leaves: bool) {
    let (started, done, go) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<tokio::sync::Notify>)>::default();
    let live = Live::builder().secret("s").build();
    let slow = Slow { started, done: done.clone(), go: go.clone() };
    let app = live.attach(Router::new().route("/slow", mizu::page(slow)));
    let mut raw = Raw::connect(&app, &[]).await;
    raw.join("", "/slow").await;
    go.notify_one();
    let topic = Topic::new("1").unwrap();
    raw.send(Kind::EVENT, topic.clone(), Ref::new(9), &serde_json::json!(["go"])).await;
    if leaves {
        raw.send(Kind::LEAVE, topic, Ref::PUSH, &serde_json::json!(["gone"])).await;
    }
    drop(raw);
    let parked = usize::from(!leaves);
    support::eventually(|| done.load(Ordering::SeqCst) == 1 && live.joined() == 0 && live.parked() == parked).await;
}

#[tokio::test]
async fn what_was_sent_before_the_socket_was_gone_still_counts() {
    check_click_and_away(false).await;
    check_click_and_away(true).await;
}
