//! Pages that the browser tests need and no example has: things that change around a person who is typing, every kind of event,
//! pages that panic, pages behind a login. All of it is served under a strict content security policy.
//!
//! `LAB_HEARTBEAT` sets the heartbeat in milliseconds, so that a test of half-open connections need not wait for long.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use mizu::live::Limits;
use mizu::prelude::*;
use mizu::{Document, Identity};

use stage::{Rooms, Stage};

#[path = "lab/stage.rs"]
mod stage;

/// The policy of every answer that has none of its own: nothing inline, nothing foreign.
const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'";

/// Names the cookie that says who somebody is.
const COOKIE: &str = "user";

/// How often something happened, by name: what a test can't see in a page.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<HashMap<String, usize>>>);

impl Counts {
    fn add(&self, name: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default() += 1;
    }

    fn get(&self, name: &str) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or_default()
    }
}

/// Whoever the cookie names; without one a guest.
#[derive(Clone, PartialEq)]
struct User(Option<String>);

impl User {
    fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        Self(pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned()))
    }
}

impl Identity for User {
    fn key(&self) -> String {
        self.0.clone().unwrap_or_default()
    }
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// Everything that holds something of its user's: inputs, open things, choices. A timer changes the page around it and its
/// attributes, and the test says what the server sets.
struct Widgets;

#[derive(Serialize, Deserialize)]
struct Shown {
    tick: u64,
    text: String,
    colour: String,
    upper: String,
    asking: bool,
}

#[derive(Clone)]
enum Change {
    Tick,
    Set(HashMap<String, String>),
}

impl Page for Widgets {
    type State = Shown;
    type Message = Change;

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Shown> {
        cx.subscribe("widgets", Change::Set).await?;
        cx.every(Duration::from_millis(40), || Change::Tick);
        Ok(Shown { tick: 0, text: "first".into(), colour: "green".into(), upper: String::new(), asking: false })
    }

    fn render(&self, view: &View<Shown>) -> Markup {
        html! {
            h1 { "Widgets" }
            (view.region("live", || html! {
                // Comes and goes, so that everything below moves.
                @for line in 0..view.tick % 4 { p { "above " (line) } }
                p id="tick" { (view.tick) }
                p { input id="note" name="note" title=(view.tick) value="once"; }
                p { input id="set" name="set" title=(view.tick) value=(view.text); }
                p { input id="upper" name="upper" data-lv-input="upper" title=(view.tick) value=(view.upper); }
                p { input id="mail" type="email" title=(view.tick); input id="many" type="number" title=(view.tick); }
                p { textarea id="story" title=(view.tick) { (view.text) } }
                p { input id="agree" type="checkbox" title=(view.tick); input id="file" type="file" title=(view.tick); }
                select id="colour" name="colour" title=(view.tick) {
                    @for colour in ["red", "green", "blue"] {
                        option value=(colour) selected[view.colour == colour] { (colour) " " (view.tick) }
                    }
                    @if view.tick % 2 == 1 { option { "sometimes" } }
                }
                details id="more" { summary { "More" } p { "inside " (view.tick) } }
                dialog id="ask" open[view.asking] { p { "asked at " (view.tick) } input id="answer" title=(view.tick); }
                div id="scroll" { @for line in 0..40 + view.tick % 3 { p { "line " (line) } } }
            }))
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<Shown>, event: Event) -> Result {
        if event.name() == "upper" {
            session.state.upper = event.value::<String>("upper")?.to_uppercase();
        }
        session.mark("live");
        Ok(())
    }

    async fn info(&self, _cx: &mut Ctx<Self>, session: &mut Session<Shown>, change: Change) -> Result {
        let state = &mut session.state;
        match change {
            Change::Tick => state.tick += 1,
            Change::Set(values) => {
                for (name, value) in values {
                    match name.as_str() {
                        "text" => state.text = value,
                        "colour" => state.colour = value,
                        "asking" => state.asking = value == "yes",
                        _ => return Err(Error::reject("unknown", format!("There is no {name}."))),
                    }
                }
            }
        }
        session.mark("live");
        Ok(())
    }

    fn head(&self, _view: &View<Shown>) -> Markup {
        html! { link rel="stylesheet" href="/lab.css"; }
    }
}

/// Tells the widgets what to show.
async fn set(
    State(live): State<Live>,
    Query(values): Query<HashMap<String, String>>,
) -> Result<StatusCode, StatusCode> {
    live.publish("widgets", &values).await.map_err(|error| error.status())?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every kind of event there is. What arrived is shown, one line of JSON an event.
struct Events {
    counts: Counts,
}

#[derive(Default, Serialize, Deserialize)]
struct Seen {
    lines: Vec<String>,
}

/// An event, as a test reads it.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    target: Option<&'a str>,
    key: Option<&'a str>,
    r#type: Option<&'a str>,
    values: Vec<(&'a str, &'a str)>,
    form: Vec<(&'a str, &'a str)>,
}

impl Page for Events {
    type State = Seen;
    type Message = ();

    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<Seen> {
        Ok(Seen::default())
    }

    fn render(&self, view: &View<Seen>) -> Markup {
        html! {
            h1 { "Events" }
            div data-lv-window-keydown="shortcut" data-lv-key="F2" {}
            p { input id="debounced" name="q" data-lv-input="search" data-lv-debounce="150"; }
            p { input id="late" name="late" data-lv-input="typed" data-lv-debounce="blur"; }
            p { input id="throttled" name="throttled" data-lv-input="drag" data-lv-throttle="400"; }
            p { input id="keys" data-lv-keydown="key" data-lv-key="Enter Escape"; }
            p { input id="focus" name="focus" data-lv-focus="in" data-lv-blur="out"; }
            form id="order" data-lv-submit="order" method="post" data-lv-target="basket" {
                input name="tag" value="a";
                input name="other" value="x";
                input name="tag" value="b";
                select name="tag" multiple { option selected { "c" } option { "d" } option selected { "e" } }
                input type="checkbox" name="tag" value="f" checked;
                input type="checkbox" name="tag" value="g";
                button id="now" name="how" value="now" data-lv-value-fast="yes" { "Now" }
                button id="later" name="how" value="later" { "Later" }
                button id="cancel" name="lv" value="cancel?why=cold" { "Cancel" }
            }
            form id="odd" data-lv-submit="odd" method="post" {
                @for name in ["id", "action", "submit", "method", "elements", "__proto__"] { input name=(name) value=(name); }
                button { "Odd" }
            }
            form id="upload" data-lv-submit="upload" method="post" enctype="multipart/form-data" {
                input name="title" value="Tea";
                input id="files" name="file" type="file";
                button { "Upload" }
            }
            button id="tap" form="lv" name="lv" value="tap?by=2" data-lv-target="drum" { "Tap" }
            // No native form: refused where there is no connection.
            span id="span" role="button" tabindex="0" data-lv-click="tap" data-lv-value-by="3" { "Tap" }
            button id="slow" form="lv" name="lv" value="slow?by=1" data-lv-disable-with="Wait" { "Slow" }
            a id="away" href="/plain" { "Away" }
            details id="more" { summary { "More" } p { "inside" } }
            p { input id="unsent" name="unsent"; }
            (view.region("count", || html! { (view.lines.len()) }).tag("p"))
            (view.region("seen", || html! { @for line in &view.lines { li { (line) } } }).tag("ol"))
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<Seen>, event: Event) -> Result {
        self.counts.add(event.name());
        if event.name() == "slow" {
            // Slow on purpose: what happens meanwhile is what the tests look at.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let line = Line {
            name: event.name(),
            target: event.target(),
            key: event.key(),
            r#type: event.meta("type"),
            values: event.values().iter().collect(),
            form: event.form().iter().collect(),
        };
        session.state.lines.push(serde_json::to_string(&line)?);
        session.mark(["count", "seen"]);
        Ok(())
    }

    async fn unmount(&self, _cx: &mut Ctx<Self>, _session: &mut Session<Seen>) {
        self.counts.add("left");
    }
}

/// Panics when asked to, and counts until then.
struct Fragile;

impl Page for Fragile {
    type State = u64;
    type Message = ();

    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<u64> {
        Ok(0)
    }

    fn render(&self, view: &View<u64>) -> Markup {
        html! {
            button id="inc" form="lv" name="lv" value="inc" { "+" }
            button id="boom" form="lv" name="lv" value="boom" { "Boom" }
            input id="unsent";
            (view.region("count", || html! { (**view) }))
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<u64>, event: Event) -> Result {
        if event.name() == "boom" {
            panic!("as asked");
        }
        session.state += 1;
        Ok(())
    }
}

/// Panics whenever a browser has connected.
struct Broken {
    counts: Counts,
}

impl Page for Broken {
    type State = ();
    type Message = ();

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result {
        self.counts.add("broken");
        cx.after(Duration::from_millis(1), ());
        Ok(())
    }

    fn render(&self, _view: &View<()>) -> Markup {
        html! { h1 { "Broken" } }
    }

    async fn info(&self, _cx: &mut Ctx<Self>, _session: &mut Session<()>, (): ()) -> Result {
        panic!("as always")
    }
}

/// A page for those who signed in.
struct Private;

impl Page for Private {
    type State = u64;
    type Message = ();

    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<u64> {
        Ok(0)
    }

    fn render(&self, view: &View<u64>) -> Markup {
        let name = view.user::<User>().ok().and_then(|user| user.0.as_deref()).unwrap_or("guest");
        html! {
            h1 { "Hello, " (name) }
            button id="inc" form="lv" name="lv" value="inc" { "+" }
            (view.region("count", || html! { (**view) }))
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<u64>, _event: Event) -> Result {
        session.state += 1;
        Ok(())
    }

    fn layout(&self, document: Document) -> Markup {
        html! {
            (maud::DOCTYPE)
            html lang="en" {
                head { meta charset="utf-8"; title { "Private" } (document.head()) }
                body { nav { a href="/plain" { "Out" } } (document.body()) }
            }
        }
    }
}

/// Lets only those in who signed in; the rest is sent to do so.
async fn signed_in(request: Request, next: Next) -> Response {
    match User::of(request.headers()).0 {
        Some(_) => next.run(request).await,
        None => Redirect::to("/login").into_response(),
    }
}

/// Lets only those in who signed in; the rest is refused.
async fn members_only(request: Request, next: Next) -> Response {
    match User::of(request.headers()).0 {
        Some(_) => next.run(request).await,
        None => (StatusCode::UNAUTHORIZED, document("Unauthorized", html! { p { "Members only." } })).into_response(),
    }
}

async fn login_form() -> Html<String> {
    document("Sign in", html! { form method="post" { button name="name" value="ann" { "As Ann" } } })
}

async fn login(body: String) -> Response {
    let name = body.strip_prefix("name=").unwrap_or("nobody");
    let cookie = format!("{COOKIE}={name}; Path=/; HttpOnly; SameSite=Lax");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/private")).into_response()
}

async fn plain() -> Html<String> {
    document("Plain", html! { p { "No page of ours." } a id="back" href="/events" { "To the events" } })
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css")], "#scroll { height: 6em; overflow: auto } #live { min-height: 60em }")
}

async fn count(State(counts): State<Counts>, Path(name): Path<String>) -> String {
    counts.get(&name).to_string()
}

fn document(title: &str, body: Markup) -> Html<String> {
    let page = html! {
        (maud::DOCTYPE)
        html lang="en" { head { meta charset="utf-8"; title { (title) } } body { h1 { (title) } (body) } }
    };
    Html(page.into_string())
}

async fn strict(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    response
}

#[tokio::main]
async fn main() -> Result {
    let mut limits = Limits::default();
    if let Some(heartbeat) = std::env::var("LAB_HEARTBEAT").ok().and_then(|text| text.parse().ok()) {
        limits.heartbeat = Duration::from_millis(heartbeat);
    }
    let live = Live::builder().limits(limits).identity::<User>().build();
    let (counts, rooms) = (Counts::default(), Rooms::default());
    let app = Router::new()
        .route("/private", mizu::page(Private).layer(from_fn(signed_in)))
        .route("/members", mizu::page(Private).layer(from_fn(members_only)))
        .route("/login", get(login_form).post(login))
        .route("/widgets", mizu::page(Widgets))
        .route("/set", post(set).with_state(live.clone()))
        .route("/events", mizu::page(Events { counts: counts.clone() }))
        .route("/fragile", mizu::page(Fragile))
        .route("/broken", mizu::page(Broken { counts: counts.clone() }))
        .route("/stage", mizu::page(Stage { rooms: rooms.clone() }).layer(map_response(stage::policy)))
        .route("/stage/{room}", get(stage::events).post(stage::show).with_state((live.clone(), rooms)))
        .route("/frame", get(stage::frame).layer(map_response(stage::policy)))
        .route("/counts/{name}", get(count).with_state(counts))
        .route("/plain", get(plain))
        .route("/lab.css", get(style))
        .layer(map_response(strict));
    live.serve(app).await
}
