//! Streams: items that the browser keeps and the server does not.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

mod support;

use mizu::live::{Kind, Ref, Topic};
use mizu::prelude::*;
use mizu::testing::{TestApp, TestResponse};
use mizu::{LiveApp, ParkLimits};
use rmpv::Value;
use serde_json::json;
use support::{Raw, eventually};

/// A list, and what else is on a page.
struct Log;

#[derive(Default, Serialize, Deserialize)]
struct State {
    wrapped: bool,
    hidden: bool,
    rendered: u32,
    more: usize,
}

#[derive(Serialize, Deserialize, Clone)]
enum Do {
    Append { ids: String },
    Prepend { ids: String },
    Insert { at: usize, ids: String },
    Upsert { ids: String, text: String },
    Remove { id: String },
    Reset,
    Limit { most: usize },
    Much { bytes: usize },
    Bare,
    Text,
    Unplaced,
    Wrap,
    Hide,
    Fail,
}

fn item(id: &str, text: &str) -> Markup {
    html! { li id=(id) { (text) } }
}

fn items(ids: &str) -> Markup {
    html! { @for id in ids.split_whitespace() { (item(id, id)) } }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Query {
    ids: String,
    limit: usize,
    many: usize,
    /// Bytes of what else is on the page.
    more: usize,
}

impl Page for Log {
    type State = State;
    type Message = Do;

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<State> {
        cx.subscribe("log", |what: Do| what).await?;
        let more = begin(cx).await?;
        Ok(State { more, ..State::default() })
    }

    fn render(&self, view: &View<State>) -> Markup {
        let list = || html! { (view.stream("log").tag("ol").class("log")) };
        html! {
            h1 { "Log" }
            (view.region("box", || html! {
                @if view.wrapped { p { "wrapped" } }
                @if !view.hidden { (list()) }
            }))
            (view.region("count", || html! { (view.rendered) }))
            (view.region("more", || html! { ("x".repeat(view.more)) }))
        }
    }

    async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<State>, event: Event) -> Result {
        act(cx, session, event.decode()?)
    }

    async fn info(&self, cx: &mut Ctx<Self>, session: &mut Session<State>, what: Do) -> Result {
        act(cx, session, what)
    }

    async fn params(&self, cx: &mut Ctx<Self>, session: &mut Session<State>) -> Result {
        session.keep();
        cx.stream("log").reset();
        begin(cx).await.map(drop)
    }
}

async fn begin(cx: &mut Ctx<Log>) -> Result<usize> {
    let axum::extract::Query(Query { ids, limit, many, more }) = cx.extract().await?;
    let mut log = cx.stream("log");
    log.limit(limit).append(items(&ids));
    for at in 0..many {
        log.append(item(&format!("i{at}"), "an item of some forty bytes or more of text"));
    }
    Ok(more)
}

fn act(cx: &mut Ctx<Log>, session: &mut Session<State>, what: Do) -> Result {
    session.keep();
    let mut log = cx.stream("log");
    match what {
        Do::Append { ids } => _ = log.append(items(&ids)),
        Do::Prepend { ids } => _ = log.prepend(items(&ids)),
        Do::Insert { at, ids } => _ = log.insert(at, items(&ids)),
        Do::Upsert { ids, text } => _ = log.upsert(html! { @for id in ids.split(' ') { (item(id, &text)) } }),
        Do::Remove { id } => _ = log.remove(id),
        Do::Reset => _ = log.reset(),
        Do::Limit { most } => _ = log.limit(most),
        Do::Much { bytes } => _ = log.append(item("much", &"x".repeat(bytes))),
        Do::Bare => _ = log.append(html! { li { "no id" } li id="x" {} li id="x" {} }),
        Do::Text => _ = log.append(html! { "text" }),
        Do::Unplaced => _ = cx.stream("nowhere").append(items("a")),
        Do::Wrap => {
            session.state.wrapped ^= true;
            session.state.rendered += 1;
            session.mark(["box", "count"]);
            cx.stream("log").append(items("w"));
        }
        Do::Hide => {
            session.state.hidden ^= true;
            session.mark("box");
        }
        Do::Fail => return Err(Error::reject("no", "Not so.")),
    }
    Ok(())
}

fn routes() -> Router {
    Router::new().route("/log", mizu::page(Log))
}

/// An app as it is in production.
fn attached() -> LiveApp {
    Live::builder().secret("s").dev(false).build().attach(routes())
}

/// One that forgets what a GET mounted.
fn forgetful() -> LiveApp {
    let mut limits = ParkLimits::default();
    limits.sessions = 0;
    Live::builder().secret("s").dev(false).park_limits(limits).build().attach(routes())
}

fn ids(html: &str) -> String {
    let list = html.split_once("data-lv-stream").map_or(html, |(_, list)| list);
    let list = list.split_once('>').map_or("", |(_, list)| list);
    let list = list.split("</ol>").next().unwrap();
    list.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<_>>().join(" ")
}

fn event(what: Do) -> String {
    mizu::lv::event(what).to_string()
}

/// The regions of a patch.
fn regions(patch: &Value) -> serde_json::Value {
    serde_json::to_value(&patch[1]).unwrap()
}

/// What a join's answer says besides the patch: the session's token, its patch, and whether it is a new one.
fn joined(body: &[Value]) -> (String, u32, bool) {
    let joined = &body[2];
    let seq = joined[2].as_u64().unwrap();
    (joined[1].as_str().unwrap().to_owned(), u32::try_from(seq).unwrap(), joined[5].as_bool().unwrap())
}

async fn open(app: &LiveApp, url: &str) -> TestResponse {
    TestApp::attached(app.clone()).get(url).await
}

/// A socket that has joined the page as a GET showed it; gives the session's token.
async fn join(app: &LiveApp, url: &str) -> (Raw, String) {
    let token = open(app, url).await.token();
    let mut raw = Raw::connect(app, &[]).await;
    let (kind, body) = raw.join(&token, url).await;
    assert_eq!((kind, &body[1]), (Kind::REPLY, &Value::Nil), "what the GET showed is not sent again");
    raw.confirm().await;
    (raw, joined(&body).0)
}

/// Resumes over another socket; gives it, what was sent, and whether it is a new session.
async fn resume(app: &LiveApp, session: &str, url: &str, seen: u32) -> (Raw, serde_json::Value, bool) {
    let mut raw = Raw::connect(app, &[]).await;
    let (kind, body) = raw.resume(session, url, seen).await;
    assert_eq!(kind, Kind::REPLY, "{body:?}");
    let patch = if body[1].is_nil() { json!([]) } else { regions(&body[1]) };
    (raw, patch, joined(&body).2)
}

#[tokio::test]
async fn steps_do_what_they_say_and_render_nothing() {
    let mut page = TestApp::new(routes()).connect("/log?ids=a+b+c").await;
    assert_eq!((page.patches(), ids(&page.html())), (0, "a b c".into()), "what was in the HTML is not sent again");
    let mut check = async |what: Do, expected: &str| {
        page.send_event(&event(what)).await;
        assert_eq!(ids(&page.html()), expected);
    };
    check(Do::Append { ids: "d e".into() }, "a b c d e").await;
    check(Do::Prepend { ids: "y z".into() }, "y z a b c d e").await;
    check(Do::Insert { at: 1, ids: "a q".into() }, "y a q z b c d e").await;
    check(Do::Upsert { ids: "q r".into(), text: "new".into() }, "y a q z b c d e r").await;
    check(Do::Remove { id: "y".into() }, "a q z b c d e r").await;
    check(Do::Remove { id: "nobody".into() }, "a q z b c d e r").await;
    check(Do::Limit { most: 4 }, "a q z b c d e r").await;
    check(Do::Append { ids: "s".into() }, "d e r s").await;
    check(Do::Prepend { ids: "t".into() }, "t d e r").await;
    check(Do::Limit { most: 0 }, "t d e r").await;
    check(Do::Append { ids: "u v".into() }, "t d e r u v").await;
    // What is around it is rendered, and steps come with it.
    check(Do::Wrap, "t d e r u v w").await;
    check(Do::Wrap, "t d e r u v w").await;
    check(Do::Reset, "").await;
    check(Do::Append { ids: "a".into() }, "a").await;
    assert_eq!(page.text("#count"), "2", "nothing else was rendered");
    page.patch("/log?ids=n+m").await;
    assert_eq!(ids(&page.html()), "n m");
    assert_eq!(page.attribute("#log", "class").as_deref(), Some("log"));
    assert_eq!(page.notes().count(), 0);
}

#[tokio::test]
async fn a_step_costs_its_item_and_no_more() {
    let app = attached();
    let (mut raw, _) = join(&app, "/log?many=1000").await;
    let (_, body) = raw.event(1, &event(Do::Append { ids: "a".into() })).await;
    assert_eq!(regions(&body[1]), json!([["log", 3, [[0, r#"<li id="a">a</li>"#]]]]));
    // Limits go with what brings items.
    raw.event(2, &event(Do::Limit { most: 7 })).await;
    let (_, body) = raw.event(3, &event(Do::Insert { at: 2, ids: "b".into() })).await;
    assert_eq!(regions(&body[1]), json!([["log", 3, [[2, r#"<li id="b">b</li>"#, 2, 7]]]]));
    let (_, body) = raw.event(4, &event(Do::Wrap)).await;
    let kinds: Vec<_> =
        regions(&body[1]).as_array().unwrap().iter().map(|region| (region[0].clone(), region[1].clone())).collect();
    assert_eq!(kinds.last(), Some(&(json!("log"), json!(3))), "steps follow what is rendered: {kinds:?}");
}

#[tokio::test]
async fn a_browser_that_joined_has_the_items_and_the_server_has_not() {
    // Ten thousand items are 600 KiB. A park of so little has no room for a session that holds them.
    let mut limits = ParkLimits::default();
    limits.bytes = 100 * 1024;
    let live = Live::builder().secret("s").dev(false).park_limits(limits).mailbox(64).build();
    let app = live.attach(routes());
    let page = open(&app, "/log?many=10000").await;
    assert!(page.body().len() > 500_000);
    assert_eq!(app.live().parked(), 0, "while they are held, they count");

    let mut page = TestApp::attached(app.clone()).connect("/log?many=10000").await;
    assert_eq!((page.patches(), page.count("#log li")), (0, 10_000));
    page.send_event(&event(Do::Append { ids: "a".into() })).await;
    page.reconnect_after(async { assert_eq!(app.live().parked(), 1, "now they don't") }).await;
    page.send_event(&event(Do::Append { ids: "b".into() })).await;
    assert_eq!((page.count("#log li"), page.has("#a"), page.has("#b")), (10_002, true, true));
    assert_eq!(page.patches(), 2, "the session was resumed, and sent nothing again");
}

#[tokio::test]
async fn what_comes_between_get_and_join_is_sent_with_the_join() {
    let app = attached();
    let token = open(&app, "/log?ids=a+b").await.token();
    for ids in ["c", "d"] {
        app.live().publish("log", &Do::Append { ids: ids.into() }).await.unwrap();
    }
    let mut raw = Raw::connect(&app, &[]).await;
    let (_, body) = raw.join(&token, "/log?ids=a+b").await;
    let expected = json!([["log", 3, [[0, r#"<li id="c">c</li>"#], [0, r#"<li id="d">d</li>"#]]]]);
    assert_eq!((regions(&body[1]), joined(&body).2), (expected.clone(), false));
    // That answer was lost: with the same token the same is sent once more.
    raw.client.connection().close(mizu::live::CloseCode::GOING_AWAY, "lost");
    let mut raw = Raw::connect(&app, &[]).await;
    let (_, body) = raw.join(&token, "/log?ids=a+b").await;
    assert_eq!((regions(&body[1]), joined(&body).2), (expected, false));
}

#[tokio::test]
async fn a_page_mounted_anew_sends_the_items_only_where_they_differ() {
    let app = forgetful();
    let check = async |shown: &str, now: &str, expected: serde_json::Value| {
        let token = open(&app, shown).await.token();
        assert_eq!(app.live().parked(), 0);
        let mut raw = Raw::connect(&app, &[]).await;
        let (_, body) = raw.join(&token, now).await;
        let sent = if body[1].is_nil() { json!([]) } else { regions(&body[1]) };
        assert_eq!((sent, joined(&body).2), (expected, true), "{shown} {now}");
    };
    check("/log?ids=a+b", "/log?ids=a+b", json!([])).await;
    check("/log", "/log", json!([])).await;
    let html = r#"<li id="a">a</li><li id="c">c</li>"#;
    check("/log?ids=a+b", "/log?ids=a+c", json!([["log", 0, html]])).await;
    check("/log?ids=a+b", "/log", json!([["log", 0, ""]])).await;
}

#[tokio::test]
async fn whoever_shows_another_page_gets_page_and_items_whole() {
    let app = attached();
    let mut raw = Raw::connect(&app, &[]).await;
    let (_, body) = raw.join("", "/log?ids=a+b").await;
    let sent = regions(&body[1]);
    assert_eq!((sent[0][0].as_str(), sent[0][1].as_u64()), (Some("lv-root"), Some(0)));
    assert!(sent[0][2].as_str().unwrap().contains(r#"data-lv-stream="" class="log"></ol>"#));
    assert_eq!(sent[1], json!(["log", 0, r#"<li id="a">a</li><li id="b">b</li>"#]));
    assert_eq!(sent.as_array().unwrap().len(), 2);
    // From there on it resumes as any other.
    raw.confirm().await;
    let (session, seq, _) = joined(&body);
    raw.event(1, &event(Do::Append { ids: "c".into() })).await;
    let (_, sent, fresh) = resume(&app, &session, "/log?ids=a+b", seq).await;
    assert_eq!((sent, fresh), (json!([["log", 3, [[0, r#"<li id="c">c</li>"#]]]]), false));
    // With nothing streamed, its place is emptied all the same.
    let mut raw = Raw::connect(&app, &[]).await;
    let (_, body) = raw.join("", "/log").await;
    assert_eq!(regions(&body[1])[1], json!(["log", 0, ""]));
}

#[tokio::test]
async fn a_resume_sends_what_was_missed_in_order_and_nothing_twice() {
    let app = attached();
    let (mut raw, session) = join(&app, "/log?ids=a").await;
    for (at, ids) in ["b", "c", "d"].into_iter().enumerate() {
        raw.event(at as u32 + 1, &event(Do::Append { ids: ids.into() })).await;
    }
    raw.event(4, &event(Do::Remove { id: "b".into() })).await;
    let missed = json!([["log", 3, [[0, r#"<li id="c">c</li>"#], [0, r#"<li id="d">d</li>"#], [4, "b"]]]]);
    let (_, sent, fresh) = resume(&app, &session, "/log?ids=a", 1).await;
    assert_eq!((sent, fresh), (missed.clone(), false));
    // The answer of that resume is lost as well.
    let mut raw = Raw::connect(&app, &[]).await;
    let (_, body) = raw.resume(&session, "/log?ids=a", 1).await;
    let (session, seq, fresh) = joined(&body);
    assert_eq!((regions(&body[1]), fresh), (missed, false));
    // Who has seen it all gets nothing.
    let (_, sent, fresh) = resume(&app, &session, "/log?ids=a", seq).await;
    assert_eq!((sent, fresh), (json!([]), false));
}

#[tokio::test]
async fn what_was_published_meanwhile_comes_with_what_was_missed() {
    let app = attached();
    let (mut raw, session) = join(&app, "/log").await;
    raw.event(1, &event(Do::Append { ids: "a".into() })).await;
    drop(raw);
    eventually(|| app.live().parked() == 1).await;
    app.live().publish("log", &Do::Append { ids: "b".into() }).await.unwrap();
    let (_, sent, fresh) = resume(&app, &session, "/log", 0).await;
    let expected = json!([["log", 3, [[0, r#"<li id="a">a</li>"#], [0, r#"<li id="b">b</li>"#]]]]);
    assert_eq!((sent, fresh), (expected, false));
}

#[tokio::test]
async fn what_is_acknowledged_or_too_much_is_not_kept_and_then_the_page_begins_anew() {
    let app = attached();
    let whole = |sent: &serde_json::Value| {
        assert_eq!((sent[0][0].as_str(), sent[0][1].as_u64()), (Some("lv-root"), Some(0)), "{sent}");
        sent[1].clone()
    };
    let (mut raw, session) = join(&app, "/log?ids=a").await;
    raw.event(1, &event(Do::Append { ids: "b".into() })).await;
    raw.event(2, &event(Do::Append { ids: "c".into() })).await;
    raw.send(Kind::ACK, Topic::new("1").unwrap(), Ref::PUSH, &json!([1])).await;
    raw.event(3, &event(Do::Limit { most: 0 })).await;
    let (mut raw, sent, fresh) = resume(&app, &session, "/log?ids=a", 1).await;
    assert_eq!((sent, fresh), (json!([["log", 3, [[0, r#"<li id="c">c</li>"#]]]]), false));
    // An acknowledgement without a number says nothing of patches.
    raw.send(Kind::ACK, Topic::new("1").unwrap(), Ref::PUSH, &json!([])).await;
    raw.event(4, &event(Do::Limit { most: 0 })).await;
    // What came before the first was forgotten: to resume from there would leave a gap.
    let (_, sent, fresh) = resume(&app, &session, "/log?ids=a", 0).await;
    assert_eq!((whole(&sent), fresh), (json!(["log", 0, r#"<li id="a">a</li>"#]), true));

    let (mut raw, session) = join(&app, "/log?ids=a").await;
    raw.event(1, &event(Do::Much { bytes: 70_000 })).await;
    let (_, sent, fresh) = resume(&app, &session, "/log?ids=a", 0).await;
    assert_eq!((whole(&sent), fresh), (json!(["log", 0, r#"<li id="a">a</li>"#]), true));

    let (mut raw, session) = join(&app, "/log?ids=a").await;
    for number in 1..=300 {
        app.live().publish("log", &Do::Append { ids: format!("n{number}") }).await.unwrap();
        assert_eq!(raw.receive().await.1[0], Value::from(number));
    }
    let (_, sent, fresh) = resume(&app, &session, "/log?ids=a", 44).await;
    assert_eq!((sent[0][2].as_array().map(Vec::len), fresh), (Some(256), false));
    let (_, sent, fresh) = resume(&app, &session, "/log?ids=a", 43).await;
    assert_eq!((whole(&sent), fresh), (json!(["log", 0, r#"<li id="a">a</li>"#]), true));
}

#[tokio::test]
async fn a_stream_that_went_and_came_again_is_empty_for_whoever_missed_it() {
    let app = attached();
    let (mut raw, session) = join(&app, "/log?ids=a+b").await;
    raw.event(1, &event(Do::Hide)).await;
    raw.event(2, &event(Do::Append { ids: "lost".into() })).await;
    raw.event(3, &event(Do::Hide)).await;
    raw.event(4, &event(Do::Append { ids: "c".into() })).await;
    let (_, sent, fresh) = resume(&app, &session, "/log?ids=a+b", 0).await;
    assert_eq!((sent[0][0].as_str(), fresh), (Some("box"), false));
    assert_eq!(sent[1], json!(["log", 3, [[5], [0, r#"<li id="c">c</li>"#]]]));
}

#[tokio::test]
async fn a_test_page_that_reconnects_misses_nothing() {
    let app = TestApp::new(routes());
    let mut page = app.connect("/log?ids=a").await;
    page.send_event(&event(Do::Append { ids: "b".into() })).await;
    let live = app.live().clone();
    let meanwhile = async move {
        for ids in ["c", "d"] {
            live.publish("log", &Do::Append { ids: ids.into() }).await.unwrap();
        }
    };
    page.reconnect_after(meanwhile).await;
    assert_eq!(ids(&page.html()), "a b c d");
    page.reconnect().await;
    assert_eq!(ids(&page.html()), "a b c d");
}

/// What a browser should show.
#[derive(Default)]
struct Model {
    list: Vec<String>,
    limit: usize,
    hidden: bool,
}

impl Model {
    fn take(&mut self, what: &Do) {
        let named = |ids: &str| ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        match what {
            Do::Append { ids } => self.place(usize::MAX, &named(ids)),
            Do::Prepend { ids } => self.place(0, &named(ids)),
            Do::Insert { at, ids } => self.place(*at, &named(ids)),
            Do::Upsert { ids, .. } => {
                let new: Vec<_> = named(ids).into_iter().filter(|id| !self.list.contains(id)).collect();
                self.place(usize::MAX, &new);
            }
            Do::Remove { id } => self.list.retain(|known| known != id),
            Do::Reset => self.list.clear(),
            Do::Limit { most } => self.limit = *most,
            Do::Wrap => self.place(usize::MAX, &named("w")),
            // What is not shown has no items, and begins with none.
            Do::Hide => self.hidden ^= true,
            _ => {}
        }
        if self.hidden {
            self.list.clear();
        }
    }

    fn place(&mut self, at: usize, ids: &[String]) {
        self.list.retain(|known| !ids.contains(known));
        let end = at == usize::MAX;
        let at = at.min(self.list.len());
        self.list.splice(at..at, ids.iter().cloned());
        let surplus = self.list.len().saturating_sub(if self.limit == 0 { usize::MAX } else { self.limit });
        let gone = if end { 0..surplus } else { self.list.len() - surplus..self.list.len() };
        self.list.drain(gone);
    }
}

/// Anything that may be done, from one seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn ids(&mut self) -> String {
        let mut ids: Vec<_> = (0..=self.below(3)).map(|_| format!("i{}", self.below(9))).collect();
        ids.sort();
        ids.dedup();
        ids.join(" ")
    }

    fn step(&mut self) -> Do {
        let ids = self.ids();
        match self.below(20) {
            0..5 => Do::Append { ids },
            5..8 => Do::Prepend { ids },
            8..11 => Do::Insert { at: self.below(6), ids },
            11..14 => Do::Upsert { ids, text: self.below(99).to_string() },
            14..16 => Do::Remove { id: format!("i{}", self.below(9)) },
            16 => Do::Limit { most: self.below(7) },
            17 => Do::Reset,
            18 => Do::Wrap,
            _ => Do::Hide,
        }
    }
}

#[tokio::test]
async fn whatever_is_done_and_whenever_the_socket_drops_the_items_are_right() {
    for seed in 1..=12 {
        let app = TestApp::new(routes());
        let (mut chance, mut model) = (Chance(seed), Model::default());
        let mut page = app.connect("/log?ids=i1+i2").await;
        model.take(&Do::Append { ids: "i1 i2".into() });
        let mut done = Vec::new();
        for _ in 0..60 {
            let step = chance.step();
            model.take(&step);
            done.push(event(step.clone()));
            match chance.below(4) {
                // Said by others, with nobody who takes it in yet; then the socket drops.
                0 => {
                    app.live().publish("log", &step).await.unwrap();
                    page.reconnect().await;
                }
                // Said while it is away.
                1 => page.reconnect_after(async { app.live().publish("log", &step).await.unwrap() }).await,
                // Said by others, and something else right after.
                2 => {
                    app.live().publish("log", &step).await.unwrap();
                    page.send_event(&event(Do::Limit { most: model.limit })).await;
                }
                _ => page.send_event(&event(step)).await,
            }
            if !model.hidden {
                assert_eq!(ids(&page.html()), model.list.join(" "), "seed {seed}: {done:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_hibernates_streams_in_its_sleep() {
    let quiet = std::time::Duration::from_millis(500);
    let app = Live::builder().secret("s").dev(false).hibernate_after(quiet).build().attach(routes());
    let (mut raw, session) = join(&app, "/log?ids=a&more=9000").await;
    tokio::time::sleep(2 * quiet).await;
    assert_eq!(app.live().hibernating(), 1);
    let (_, body) = raw.event(1, &event(Do::Append { ids: "b".into() })).await;
    assert_eq!(regions(&body[1]), json!([["log", 3, [[0, r#"<li id="b">b</li>"#]]]]));
    assert_eq!(app.live().hibernating(), 1, "nothing had to be rendered");
    let (_, body) = raw.event(2, &event(Do::Wrap)).await;
    assert_eq!(app.live().hibernating(), 0);
    let sent = regions(&body[1]);
    let of_log: Vec<_> = sent.as_array().unwrap().iter().filter(|region| region[0] == "log").collect();
    assert_eq!(of_log, [&json!(["log", 3, [[0, r#"<li id="w">w</li>"#]]])], "nothing empties it: {sent}");
    // Resumed while it sleeps, it sends what was missed.
    tokio::time::sleep(2 * quiet).await;
    assert_eq!(app.live().hibernating(), 1);
    let (_, sent, fresh) = resume(&app, &session, "/log?ids=a&more=9000", 0).await;
    assert!(!fresh);
    let of_log: Vec<_> = sent.as_array().unwrap().iter().filter(|region| region[0] == "log").collect();
    assert_eq!(of_log, [&json!(["log", 3, [[0, r#"<li id="b">b</li>"#], [0, r#"<li id="w">w</li>"#]]])]);
}

/// A stream in a row of a list, and a page with the same rendering for all.
struct Rooms;

impl Page for Rooms {
    type State = Vec<u32>;
    type Message = ();
    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Vec<u32>> {
        for room in 1..=3 {
            cx.stream(format!("said-{room}")).append(item(&format!("{room}-a"), "a"));
        }
        Ok(vec![1, 2, 3])
    }
    fn render(&self, view: &View<Vec<u32>>) -> Markup {
        html! {
            (view.shared("hall", &view.len(), |rooms| html! { (rooms) " rooms" }))
            (view.each("rooms", view, |room| format!("room-{room}"), |room| html! {
                section id={ "room-" (room) } { h2 { (room) } (view.stream(format!("said-{room}"))) }
            }))
        }
    }
    async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<Vec<u32>>, event: Event) -> Result {
        match event.name() {
            "turn" => session.state.rotate_left(1),
            "leave" => _ = session.state.pop(),
            _ => _ = cx.stream("said-2").append(item("2-b", "b")),
        }
        Ok(())
    }
}

#[tokio::test]
async fn streams_stand_in_rows_of_lists_and_go_with_them() {
    let app = TestApp::new(Router::new().route("/", mizu::page(Rooms)));
    let mut page = app.connect("/").await;
    let check = |page: &mizu::testing::TestPage, expected: &str| assert_eq!(page.text("#rooms"), expected);
    assert_eq!(page.patches(), 0);
    check(&page, "1a2a3a");
    for (event, expected) in [("turn", "2a3a1a"), ("say", "2ab3a1a"), ("turn", "3a1a2ab"), ("leave", "3a1a")] {
        page.send_event(event).await;
        check(&page, expected);
    }
    page.reconnect().await;
    check(&page, "3a1a");
    assert_eq!(page.notes().count(), 0);
}

#[tokio::test]
async fn regions_asked_for_whole_never_bring_an_empty_stream() {
    let app = attached();
    let (mut raw, _) = join(&app, "/log?ids=a").await;
    for (asked, answered) in [("lv-root", "lv-root"), ("box", "box"), ("log", "box")] {
        raw.send(Kind::RESYNC, Topic::new("1").unwrap(), Ref::PUSH, &json!([[asked]])).await;
        let (kind, patch) = raw.receive().await;
        let sent = serde_json::to_value(&patch[1]).unwrap();
        let [sent] = &sent.as_array().unwrap()[..] else { panic!("{sent}") };
        assert_eq!((kind, &sent[0], &sent[1]), (Kind::PATCH, &json!(answered), &json!(0)));
        assert!(sent[2].as_str().unwrap().contains(r#"<ol id="log" data-lv-stream="" class="log"></ol>"#), "{sent}");
    }
}

#[tokio::test]
async fn without_scripts_steps_act_on_what_mount_streamed() {
    let app = TestApp::attached(attached());
    let url = "/log?ids=a+b+c&limit=3";
    let mut page = app.get(url).await;
    for (what, expected) in [
        (Do::Append { ids: "d".into() }, "b c d"),
        (Do::Prepend { ids: "x y".into() }, "x y b"),
        (Do::Upsert { ids: "y".into(), text: "new".into() }, "x y b"),
        (Do::Insert { at: 1, ids: "b".into() }, "x b y"),
        (Do::Remove { id: "b".into() }, "x y"),
        (Do::Wrap, "x y w"),
        (Do::Reset, ""),
        (Do::Append { ids: "z".into() }, "z"),
    ] {
        page = app.post(url, [("lv-token", page.token().as_str()), ("lv", &event(what))]).await;
        assert_eq!((page.status().as_u16(), ids(page.body())), (200, expected.to_owned()));
    }
    page = app.post(url, [("lv-token", page.token().as_str()), ("lv", "Fail")]).await;
    assert_eq!((page.status().as_u16(), ids(page.body())), (422, "z".to_owned()));
    assert_eq!(app.live().parked(), 1, "it is one session all the time");
    // A browser with scripts adopts it as it is.
    let token = page.token();
    let mut raw = Raw::connect(&attached(), &[]).await;
    assert_eq!(raw.join(&token, url).await.0, Kind::REPLY);
}

#[tokio::test]
async fn a_plain_post_of_a_page_that_had_joined_shows_the_page_anew() {
    let app = attached();
    let (mut raw, session) = join(&app, "/log?ids=a+b").await;
    raw.event(1, &event(Do::Append { ids: "c".into() })).await;
    drop(raw);
    eventually(|| app.live().parked() == 1).await;
    let page = TestApp::attached(app.clone());
    let shown = page.post("/log?ids=a+b", [("lv-token", session.as_str()), ("lv", "Fail")]).await;
    assert_eq!((shown.status().as_u16(), ids(shown.body())), (200, "a b".to_owned()));
    assert_eq!(shown.text("#lv-flash"), "Not so.", "what was refused is told");
    assert_eq!(app.live().parked(), 1, "of the old session nothing is left");
}

#[tokio::test]
async fn regions_over_http_have_their_items() {
    let app = TestApp::attached(attached());
    let ask = async |names: &str| {
        let request = axum::http::Request::get("/log?ids=a+b").header("mizu-regions", names);
        app.send(request.body(axum::body::Body::empty()).unwrap()).await.body().to_owned()
    };
    assert_eq!(ids(&ask("box").await), "a b");
    let expected = r#"<template data-lv-region="log"><li id="a">a</li><li id="b">b</li></template>"#;
    assert_eq!(ask("log").await, expected);
}

#[tokio::test]
async fn mistakes_are_named_in_development() {
    let app = Live::builder().secret("s").dev(true).build().attach(routes());
    let (mut raw, _) = join(&app, "/log").await;
    let mut told = async |number: u32, what: Do| {
        let (_, body) = raw.event(number, &event(what)).await;
        let commands = body[1][3].as_array().cloned().unwrap_or_default();
        commands.iter().filter_map(|told| told[1].as_str()).map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    let said = told(1, Do::Bare).await;
    assert!(said.contains(r#"the stream "log" was given an item without an id"#), "{said}");
    assert!(said.contains(r#"the stream "log" was given two items of the id "x""#), "{said}");
    let said = told(2, Do::Text).await;
    assert!(said.contains(r#"the stream "log" was given what is no element"#), "{said}");
    let said = told(3, Do::Unplaced).await;
    assert!(said.contains(r#"nothing shows the stream "nowhere""#), "{said}");
    assert_eq!(told(4, Do::Append { ids: "a b".into() }).await, "");

    let app = attached();
    let (mut raw, _) = join(&app, "/log").await;
    let (_, body) = raw.event(1, &event(Do::Unplaced)).await;
    assert_eq!(body, [Value::from(0)], "in production nobody is asked to show what stands nowhere");
}

#[tokio::test]
async fn a_browser_that_takes_nothing_in_gets_the_page_anew() {
    let app = attached();
    let (mut raw, _) = join(&app, "/log").await;
    // One step alone may be larger than what may wait.
    raw.event(1, &event(Do::Much { bytes: 2_000_000 })).await;
    for _ in 0..60 {
        app.live().publish("log", &Do::Much { bytes: 64 * 1024 }).await.unwrap();
        // Each by itself: what is taken in at once is one patch.
        tokio::task::yield_now().await;
    }
    eventually(|| app.live().joined() == 0).await;
    let mut received = 0;
    let ended = loop {
        match raw.receive().await {
            (Kind::PATCH, _) => received += 1,
            other => break other,
        }
    };
    assert_eq!((ended.0, ended.1[0].as_str()), (Kind::ERROR, Some("mailbox_full")));
    assert!(received < 60);
    assert_eq!(app.live().parked(), 0);
}

/// Two places of one id, and one that is streamed to before it is shown.
struct Twice;

impl Page for Twice {
    type State = ();
    type Message = ();
    async fn mount(&self, cx: &mut Ctx<Self>) -> Result {
        cx.stream("nowhere").append(items("a"));
        Ok(())
    }
    fn render(&self, view: &View<()>) -> Markup {
        html! { (view.stream("log")) button id="click" data-lv-click="click" {} (view.stream("log")) }
    }
    async fn handle(&self, _: &mut Ctx<Self>, _: &mut Session<()>, _: Event) -> Result {
        Ok(())
    }
}

#[tokio::test]
async fn mistakes_of_mount_are_told_when_there_is_a_console() {
    let app = TestApp::new(Router::new().route("/", mizu::page(Twice)));
    let mut page = app.connect("/").await;
    assert!(page.notes().any(|note| note.contains(r#"nothing shows the stream "nowhere""#)));
    page.click("#click").await;
    assert!(page.notes().any(|note| note.contains(r#"two regions have the id "log""#)));
}
