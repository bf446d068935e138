//! Chat: rooms, who is there, who is typing, and what was said, which is durable.
//!
//! ```text
//! cargo run --example chat         then open http://127.0.0.1:3000/chat in two browsers
//! CHAT_FILL=10000 cargo run --example chat         a long day in the lobby; /chat?all shows all of it
//! ```
//!
//! Kill the server and start it again: what was said is in `chat.db`. Turn JavaScript off: the same page is plain forms and links.
//!
//! Messages are streamed: they are in the store and in browsers, and a page on the server holds two numbers, the first and the last that its browser has.

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
use mizu::sync::{self, Engine, Entity, Mutation, Scan, Scope, SqliteStore, Tx};
use mizu::{Document, PresenceDiff, TimerHandle, Who};

const ROOMS: [&str; 3] = ["lobby", "tea", "rust"];

/// How many messages a page begins with, and how many earlier ones it fetches at a time.
const SHOWN: u64 = 50;

/// Who is quiet for so long types no longer.
const QUIET: Duration = Duration::from_secs(3);

/// How much was said in a room. It moves with every message, so a page that watches it hears of all and holds none.
#[derive(Serialize, Deserialize)]
struct Tally {
    id: String,
    said: u64,
}

/// The id of a room's only tally.
const TALLY: &str = "tally";

impl Entity for Tally {
    const NAME: &'static str = "tally";

    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Serialize, Deserialize)]
struct Said {
    /// Its [`number`] in the room, from 1.
    id: String,
    name: String,
    text: String,
    /// Seconds since 1970.
    at: u64,
}

impl Entity for Said {
    const NAME: &'static str = "message";

    fn id(&self) -> &str {
        &self.id
    }
}

/// Rows come in the order of their ids, and numbers of one length in the order that they count in.
fn number(number: u64) -> String {
    format!("{number:010}")
}

/// A message takes its author from whoever sends it, its time and place from the server.
async fn say(tx: &mut Tx, text: String) -> sync::Result {
    let text = text.trim().to_owned();
    if text.is_empty() || text.chars().count() > 500 {
        return Err(tx.reject("bad_text", "A message has 1 to 500 characters."));
    }
    let name = tx.user::<Guest>()?.name();
    put(tx, name, text).await
}

/// Several messages of one person at once.
async fn fill(tx: &mut Tx, texts: Vec<String>) -> sync::Result {
    let name = tx.user::<Guest>()?.name();
    for text in texts {
        put(tx, name.clone(), text).await?;
    }
    Ok(())
}

async fn put(tx: &mut Tx, name: String, text: String) -> sync::Result {
    let at = tx.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // One mutation of a scope at a time: nobody else counts meanwhile.
    let said = tx.get::<Tally>(TALLY).await?.map_or(0, |tally| tally.said) + 1;
    tx.put(&Tally { id: TALLY.into(), said }).await?;
    tx.put(&Said { id: number(said), name, text, at }).await
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
    tally: Rows<Tally>,
    /// The numbers of the messages that the browser has: those behind the first, up to the second.
    shown: (u64, u64),
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
    Earlier,
    Typing,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Where {
    room: Option<String>,
    all: Option<String>,
}

impl Page for Chat {
    type State = State;
    type Message = Msg;

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<State> {
        let me = cx.user::<Guest>()?.name();
        let asked = asked(cx).await?;
        enter(cx, me, asked).await
    }

    fn render(&self, view: &View<State>) -> Markup {
        html! {
            nav id="rooms" class="choices" aria-label="Rooms" {
                @for room in ROOMS {
                    a href={ "/chat?room=" (room) } data-lv-patch aria-current=[(room == view.room).then_some("page")] { (room) }
                }
            }
            div class="chat" {
                section {
                    div class="scroll" {
                        div {
                            (view.region("earlier", || html! {
                                @if view.shown.0 > 0 { button form="lv" name="lv" value=(lv::event(Do::Earlier)) { "Earlier" } }
                            }))
                            (view.stream("messages").tag("ol"))
                        }
                    }
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
        let State { me, room, shown, .. } = &mut session.state;
        match event.decode()? {
            Do::Say { text } => drop(cx.mutate(&scope(room)?, "say", &text).await?),
            Do::Typing => cx.broadcast(format!("typing:{room}"), me).await?,
            Do::Earlier => {
                let first = shown.0.saturating_sub(SHOWN);
                let earlier = said(cx, room, first, shown.0).await?;
                cx.stream("messages").prepend(messages(&earlier));
                shown.0 = first;
                session.mark("earlier");
            }
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
        let State { room, tally, shown, typing, .. } = &mut session.state;
        let new = said(cx, room, shown.1, count(tally)).await?;
        cx.stream("messages").append(messages(&new));
        shown.1 += new.len() as u64;
        for said in &new {
            // Whoever has said it types no longer.
            if let Some(quiet) = typing.remove(&said.name) {
                cx.cancel(quiet);
            }
        }
        Ok(())
    }

    async fn params(&self, cx: &mut Ctx<Self>, session: &mut Session<State>) -> Result {
        let asked = asked(cx).await?;
        let State { room, me, .. } = &session.state;
        cx.unwatch(&scope(room)?);
        cx.unsubscribe(format!("typing:{room}"));
        cx.untrack(room);
        cx.unwatch_presence(room);
        session.state = enter(cx, me.clone(), asked).await?;
        Ok(())
    }

    fn title(&self, view: &View<State>) -> String {
        format!("{} - Chat", view.room)
    }

    fn layout(&self, document: Document) -> Markup {
        look::layout(&document)
    }
}

/// The room that the address names, and whether all of it is to be shown.
async fn asked(cx: &mut Ctx<Chat>) -> Result<(String, bool)> {
    let Query(Where { room, all }) = cx.extract().await?;
    let room = room.unwrap_or_else(|| ROOMS[0].to_owned());
    if ROOMS.contains(&room.as_str()) {
        Ok((room, all.is_some()))
    } else {
        Err(mizu::Error::not_found("There is no such room."))
    }
}

/// Is there, and hears what happens there.
async fn enter(cx: &mut Ctx<Chat>, me: String, (room, all): (String, bool)) -> Result<State> {
    // What is said from now on comes as a change of the tally; what was said before is read.
    let tally = cx.watch(&scope(&room)?, ["typing"]).await?;
    cx.subscribe(format!("typing:{room}"), Msg::Typing).await?;
    cx.track(&room, &me).await?;
    let people = cx.watch_presence(&room, Msg::People).await?.into_iter().map(named).collect();
    let last = count(&tally);
    let first = if all { 0 } else { last.saturating_sub(SHOWN) };
    let newest = said(cx, &room, first, last).await?;
    cx.stream("messages").reset().append(messages(&newest));
    Ok(State { me, room, tally, shown: (first, last), people, typing: BTreeMap::new() })
}

/// How much was said.
fn count(tally: &Rows<Tally>) -> u64 {
    tally.get(TALLY).map_or(0, |tally| tally.said)
}

/// What was said, behind one number and up to another.
async fn said(cx: &mut Ctx<Chat>, room: &str, behind: u64, upto: u64) -> Result<Vec<Said>> {
    let wanted = usize::try_from(upto.saturating_sub(behind))?;
    if wanted == 0 {
        return Ok(Vec::new());
    }
    Ok(cx.read(&scope(room)?).await?.scan(Scan::all().after(&number(behind)).limit(wanted)).await?)
}

fn messages(said: &[Said]) -> Markup {
    html! { @for said in said { (message(said)) } }
}

fn named(present: mizu::Present<String>) -> (String, String) {
    (present.key, present.metas.into_iter().next().unwrap_or_default())
}

fn message(said: &Said) -> Markup {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let today = now / 86_400 == said.at / 86_400;
    html! {
        li id={ "message-" (said.id) } {
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

/// Has so many messages said in the lobby, by somebody.
async fn fill_lobby(engine: &Engine, messages: usize) -> Result {
    let texts: Vec<_> = (1..=messages).map(|at| format!("Message {at}.")).collect();
    for texts in texts.chunks(250) {
        let mutation = Mutation::new(&scope(ROOMS[0])?, "fill", texts)?;
        engine.apply(Who::new(Guest(7)), mutation).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).init();
    let engine = Engine::builder(SqliteStore::open("chat.db")?);
    let engine = engine.mutator("say", say).mutator("fill", fill).public("room:*").build();
    if let Some(messages) = std::env::var("CHAT_FILL").ok().and_then(|messages| messages.parse().ok()) {
        fill_lobby(&engine, messages).await?;
    }
    let app = Router::new().route("/chat", mizu::page(Chat)).merge(look::routes("/chat")).layer(from_fn(welcome));
    Live::builder().identity::<Guest>().sync(engine).build().serve(app).await
}
