//! Chat: rooms, who is there, who is typing, and what was said, which is durable.
//!
//! ```text
//! cargo run --example chat         then open http://127.0.0.1:3000/chat in two browsers
//! ```
//!
//! Kill the server and start it again: what was said is in `chat.db`. Turn JavaScript off: the same page is plain forms and links.

#[path = "look/mod.rs"]
mod look;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use mizu::prelude::*;
use mizu::sync::{self, Engine, Entity, Scope, SqliteStore, Tx};
use mizu::{Document, PresenceDiff, TimerHandle};

const ROOMS: [&str; 3] = ["lobby", "tea", "rust"];

/// How many messages a page shows.
const SHOWN: usize = 50;

/// Who is quiet for so long types no longer.
const QUIET: Duration = Duration::from_secs(3);

#[derive(Serialize, Deserialize)]
struct Said {
    id: String,
    name: String,
    text: String,
    /// Seconds since 1970.
    at: u64,
}

impl Entity for Said {
    const NAME: &'static str = "said";

    fn id(&self) -> &str {
        &self.id
    }
}

/// A message takes its author from whoever sends it, its time and place from the server.
async fn say(tx: &mut Tx, text: String) -> sync::Result {
    let text = text.trim().to_owned();
    if text.is_empty() || text.chars().count() > 500 {
        return Err(tx.reject("bad_text", "A message has 1 to 500 characters."));
    }
    let at = tx.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Rows come in the order of their ids, so these begin with the time.
    let id = format!("{:016x}-{}", at.as_micros(), tx.new_id());
    let name = tx.user::<Guest>()?.name();
    tx.put(&Said { id, name, text, at: at.as_secs() }).await
}

/// Anybody: a number in a cookie, and a name made of it.
#[derive(Clone, PartialEq)]
struct Guest(u32);

impl Guest {
    fn name(&self) -> String {
        const COLOURS: [&str; 8] = ["Amber", "Coral", "Indigo", "Jade", "Olive", "Plum", "Silver", "Teal"];
        const ANIMALS: [&str; 8] = ["Crane", "Fox", "Heron", "Lynx", "Otter", "Robin", "Seal", "Toad"];
        let pick = |names: [&'static str; 8], shift: u32| names[(self.0 >> shift) as usize % names.len()];
        format!("{} {} {}", pick(COLOURS, 0), pick(ANIMALS, 3), self.0 >> 6 & 0xff)
    }
}

impl Identity for Guest {
    fn key(&self) -> String {
        self.0.to_string()
    }
}

const COOKIE: &str = "guest";

impl<S: Sync> FromRequestParts<S> for Guest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let cookie = CookieJar::from_headers(&parts.headers).get(COOKIE).and_then(|cookie| cookie.value().parse().ok());
        Ok(cookie.map(Self).or_else(|| parts.extensions.get::<Self>().cloned()).unwrap_or(Self(0)))
    }
}

/// Gives everybody a number who comes for the first time.
async fn welcome(mut request: Request, next: Next) -> Response {
    if CookieJar::from_headers(request.headers()).get(COOKIE).is_some() {
        return next.run(request).await;
    }
    let guest = Guest(rand::random());
    let cookie = Cookie::build((COOKIE, guest.key())).path("/").http_only(true).same_site(SameSite::Lax).permanent();
    request.extensions_mut().insert(guest);
    let mut response = next.run(request).await;
    if let Ok(cookie) = cookie.build().to_string().parse() {
        response.headers_mut().append(axum::http::header::SET_COOKIE, cookie);
    }
    response
}

struct Chat;

#[derive(Serialize, Deserialize)]
struct State {
    me: String,
    room: String,
    /// Kept up to date by the watch.
    said: Rows<Said>,
    /// The names of who is there, by their keys.
    people: BTreeMap<String, String>,
    /// Who is typing, until their timer says that they went quiet.
    #[serde(skip)]
    typing: BTreeMap<String, TimerHandle>,
}

enum Msg {
    People(PresenceDiff<String>),
    Typing(String),
    Quiet(String),
}

#[derive(Serialize, Deserialize)]
enum Do {
    Say { text: String },
    Typing,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Where {
    room: Option<String>,
}

impl Page for Chat {
    type State = State;
    type Message = Msg;

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<State> {
        let me = cx.user::<Guest>()?.name();
        let room = asked(cx).await?;
        let (said, people) = enter(cx, &room, &me).await?;
        Ok(State { me, room, said, people, typing: BTreeMap::new() })
    }

    fn render(&self, view: &View<State>) -> Markup {
        let skip = view.said.len().saturating_sub(SHOWN);
        html! {
            nav id="rooms" class="choices" aria-label="Rooms" {
                @for room in ROOMS {
                    a href={ "/chat?room=" (room) } data-lv-patch aria-current=[(room == view.room).then_some("page")] { (room) }
                }
            }
            div class="chat" {
                section {
                    // The newest is first in the document and last on the screen, where the list stays scrolled to.
                    (view.region("messages", || html! { @for said in view.said.iter().skip(skip).rev() { (message(&said)) } }).tag("ul"))
                    (view.region("typing", || html! { (typing(view.typing.keys())) }).tag("p"))
                }
                aside {
                    h2 { "Here" }
                    (view.region("people", || html! { @for (key, name) in &view.people { li data-key=(key) { (name) } } }).tag("ul"))
                }
            }
            form id="say" class="row" data-lv-submit="Say" method="post" {
                input name="text" placeholder={ "Say something as " (view.me) } aria-label="Message" maxlength="500" autocomplete="off" data-lv-input="Typing" data-lv-throttle="1000";
                button { "Send" }
            }
        }
    }

    async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<State>, event: Event) -> Result {
        session.keep();
        let State { me, room, .. } = &session.state;
        match event.decode()? {
            Do::Say { text } => drop(cx.mutate(&scope(room)?, "say", &text).await?),
            Do::Typing => cx.broadcast(format!("typing:{room}"), me).await?,
        }
        Ok(())
    }

    async fn info(&self, cx: &mut Ctx<Self>, session: &mut Session<State>, message: Msg) -> Result {
        let State { people, typing, .. } = &mut session.state;
        match message {
            Msg::People(PresenceDiff { joined, left, .. }) => {
                left.iter().for_each(|gone| drop(people.remove(&gone.key)));
                people.extend(joined.into_iter().map(named));
                session.mark(["people"]);
            }
            Msg::Typing(name) => {
                let quiet = cx.after(QUIET, Msg::Quiet(name.clone()));
                if let Some(before) = typing.insert(name, quiet) {
                    cx.cancel(before);
                }
                session.mark(["typing"]);
            }
            Msg::Quiet(name) => {
                typing.remove(&name);
                session.mark(["typing"]);
            }
        }
        Ok(())
    }

    async fn refresh(&self, cx: &mut Ctx<Self>, session: &mut Session<State>) -> Result {
        // Whoever has said it types no longer.
        let State { said, typing, .. } = &mut session.state;
        if let Some(quiet) = said.iter().next_back().and_then(|newest| typing.remove(&newest.name)) {
            cx.cancel(quiet);
            session.mark(["typing"]);
        }
        Ok(())
    }

    async fn params(&self, cx: &mut Ctx<Self>, session: &mut Session<State>) -> Result {
        let room = asked(cx).await?;
        let state = &mut session.state;
        cx.unwatch(&scope(&state.room)?);
        cx.unsubscribe(format!("typing:{}", state.room));
        cx.untrack(&state.room);
        cx.unwatch_presence(&state.room);
        (state.said, state.people) = enter(cx, &room, &state.me).await?;
        state.typing = BTreeMap::new();
        state.room = room;
        Ok(())
    }

    fn title(&self, view: &View<State>) -> String {
        format!("{} - Chat", view.room)
    }

    fn layout(&self, document: Document) -> Markup {
        look::layout(&document)
    }
}

/// The room that the address names.
async fn asked(cx: &mut Ctx<Chat>) -> Result<String> {
    let Query(Where { room }) = cx.extract().await?;
    let room = room.unwrap_or_else(|| ROOMS[0].to_owned());
    if ROOMS.contains(&room.as_str()) { Ok(room) } else { Err(mizu::Error::not_found("There is no such room.")) }
}

/// Is there, and hears what happens there.
async fn enter(cx: &mut Ctx<Chat>, room: &str, me: &str) -> Result<(Rows<Said>, BTreeMap<String, String>)> {
    let said = cx.watch(&scope(room)?, ["messages"]).await?;
    cx.subscribe(format!("typing:{room}"), Msg::Typing).await?;
    cx.track(room, me).await?;
    let people = cx.watch_presence(room, Msg::People).await?;
    Ok((said, people.into_iter().map(named).collect()))
}

fn named(present: mizu::Present<String>) -> (String, String) {
    (present.key, present.metas.into_iter().next().unwrap_or_default())
}

fn message(said: &Said) -> Markup {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let today = now / 86_400 == said.at / 86_400;
    html! {
        li id=(said.id) data-id=(said.id) {
            b { (said.name) } " "
            @if today { time { (format!("{:02}:{:02}", said.at / 3600 % 24, said.at / 60 % 60)) " UTC" } }
            p { (said.text) }
        }
    }
}

fn typing<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let several = names.len() > 1;
    let names: Vec<_> = names.map(String::as_str).collect();
    match names.len() {
        0 => String::new(),
        1..4 => format!("{} {} typing …", names.join(", "), if several { "are" } else { "is" }),
        many => format!("{many} people are typing …"),
    }
}

fn scope(room: &str) -> Result<Scope> {
    Ok(Scope::new(&format!("room:{room}"))?)
}

#[tokio::main]
async fn main() -> Result {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).init();
    let engine = Engine::builder(SqliteStore::open("chat.db")?).mutator("say", say).public("room:*").build();
    let app = Router::new().route("/chat", mizu::page(Chat)).merge(look::routes("/chat")).layer(from_fn(welcome));
    Live::builder().identity::<Guest>().sync(engine).build().serve(app).await
}
