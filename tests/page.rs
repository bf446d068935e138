//! Pages as their users see them, driven in memory.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mizu::prelude::*;
use mizu::testing::TestApp;

struct Counter;

#[derive(Default, Serialize, Deserialize)]
struct State {
    count: i64,
    log: Vec<String>,
}

#[derive(Serialize, Deserialize)]
enum Do {
    Inc { by: i64 },
    Dec { by: i64 },
    Forget,
    Refuse,
    Fail,
    Panic,
    Leave,
}

impl Page for Counter {
    type State = State;
    type Message = ();

    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<State> {
        Ok(State::default())
    }

    fn render(&self, view: &View<State>) -> Markup {
        html! {
            button id="inc" form="lv" name="lv" value=(lv::event(Do::Inc { by: 1 })) { "+" }
            button id="dec" form="lv" name="lv" value=(lv::event(Do::Dec { by: 1 })) { "-" }
            button id="five" data-lv-click="Inc" data-lv-value-by="5" { "+5" }
            @for other in ["Forget", "Refuse", "Fail", "Panic", "Leave"] { button id=(other) data-lv-click=(other) {} }
            (view.region("stats", || html! { "Count: " (view.count) }))
            (view.region("log", || html! { @for line in &view.log { li { (line) } } }).tag("ul"))
            form id="add" data-lv-submit="Inc" method="post" { input name="by" value="2"; button { "Add" } }
        }
    }

    async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<State>, event: Event) -> Result {
        match event.decode()? {
            Do::Inc { by } => session.state.count += by,
            Do::Dec { by } => session.state.count -= by,
            Do::Forget => {
                session.state.count = 1_000;
                session.mark("log");
                return Ok(());
            }
            Do::Refuse => return Err(Error::reject("full", "No <room>.")),
            Do::Fail => return Err(std::io::Error::other("secret path /etc/shadow").into()),
            Do::Panic => panic!("as asked"),
            Do::Leave => {
                session.flash.success("Goodbye.");
                cx.redirect("/elsewhere");
            }
        }
        session.state.log.push(event.name().into());
        session.mark(["stats", "log"]);
        Ok(())
    }

    fn title(&self, view: &View<State>) -> String {
        format!("Count {}", view.count)
    }
}

struct Elsewhere;

impl Page for Elsewhere {
    type State = ();
    type Message = ();
    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result {
        Ok(())
    }
    fn render(&self, view: &View<()>) -> Markup {
        html! { main { (view.flash()) } }
    }
}

fn app() -> TestApp {
    TestApp::new(Router::new().route("/counter", mizu::page(Counter)).route("/elsewhere", mizu::page(Elsewhere)))
}

#[tokio::test]
async fn a_click_changes_what_shows() {
    let mut page = app().connect("/counter").await;
    assert_eq!(page.patches(), 0, "a join of an unchanged page ships no HTML");
    page.click("#inc").await;
    page.click("#five").await;
    page.click("#dec").await;
    assert_eq!(page.text("#stats"), "Count: 5");
    assert_eq!((page.text("#log").as_str(), page.count("#log li")), ("IncIncDec", 3));
    assert_eq!(page.title(), "Count 5");
    page.submit("#add", [("by", "10")]).await;
    assert_eq!(page.text("#stats"), "Count: 15");
    page.click("#add button").await;
    assert_eq!(page.text("#stats"), "Count: 17");
}

#[tokio::test]
async fn without_scripts_inc_then_dec_gives_one_then_zero() {
    let app = app();
    let page = app.get("/counter").await;
    assert_eq!(page.header("cache-control"), Some("private, no-cache"));
    let page = app.post("/counter", [("lv-token", page.token().as_str()), ("lv", "Inc?by=1")]).await;
    assert_eq!(page.text("#stats"), "Count: 1");
    let page = app.post("/counter", [("lv-token", page.token().as_str()), ("lv", "Dec?by=1")]).await;
    assert_eq!(page.text("#stats"), "Count: 0");
    let token = page.attribute("#add input[name=lv-token]", "value").unwrap();
    let page = app.post("/counter", [("lv", "Inc"), ("lv-token", token.as_str()), ("by", "7")]).await;
    assert_eq!(page.text("#stats"), "Count: 7");
    assert_eq!(app.live().parked(), 1);
}

#[tokio::test]
async fn refusals_show_and_the_session_lives() {
    let pages = || Router::new().route("/counter", mizu::page(Counter));
    let app = TestApp::attached(Live::builder().secret("s").dev(false).build().attach(pages()));
    let mut page = app.connect("/counter").await;
    page.click("#inc").await;
    page.click("#Refuse").await;
    assert_eq!(page.refused(), Some(("full", "No <room>.")));
    assert_eq!(page.text("#lv-flash .lv-flash-error"), "No <room>.");
    page.click("#Fail").await;
    assert_eq!(page.refused(), Some(("internal", "Something went wrong on our side.")));
    assert!(!page.html().contains("shadow"));
    let mut developer = TestApp::new(pages()).connect("/counter").await;
    developer.click("#Fail").await;
    assert!(developer.html().contains("shadow"), "in development the real error shows");
    page.click("#inc").await;
    assert_eq!((page.text("#stats").as_str(), page.text("#lv-flash").as_str()), ("Count: 2", ""));

    let page = app.get("/counter").await;
    let page = app.post("/counter", [("lv-token", page.token().as_str()), ("lv", "Refuse")]).await;
    assert_eq!((page.status().as_u16(), page.text("#lv-flash").as_str()), (422, "No <room>."));
    let page = app.post("/counter", [("lv-token", page.token().as_str()), ("lv", "Inc?by=x")]).await;
    assert_eq!(page.status(), 422);
    assert_eq!(page.text("#lv-flash"), r#"field "by" has the value "x": invalid digit found in string"#);
}

#[tokio::test]
async fn a_redirect_takes_the_flash_along() {
    let app = app();
    let page = app.get("/counter").await;
    let page = app.post("/counter", [("lv-token", page.token().as_str()), ("lv", "Leave")]).await;
    assert_eq!(page.text("main"), "Goodbye.");
    let mut page = app.connect("/counter").await;
    page.click("#Leave").await;
    page.until(|page| page.redirected().is_some()).await;
    assert_eq!(page.redirected(), Some("/elsewhere"));
}

#[tokio::test]
#[should_panic(expected = "was a region changed and not marked")]
async fn a_forgotten_mark_fails_the_test() {
    app().connect("/counter").await.click("#Forget").await;
}

#[tokio::test]
async fn a_panic_ends_the_session_and_no_other() {
    let app = app();
    let mut one = app.connect("/counter").await;
    let mut two = app.connect("/counter").await;
    one.click("#Panic").await;
    assert_eq!(one.refused().map(|(code, _)| code), Some("panicked"));
    two.click("#inc").await;
    assert_eq!(two.text("#stats"), "Count: 1");
    assert_eq!(app.live().joined(), 1);
}

#[tokio::test]
async fn a_dropped_socket_resumes_exactly() {
    let mut page = app().connect("/counter").await;
    page.click("#inc").await;
    page.reconnect().await;
    let patches = page.patches();
    assert_eq!(page.text("#stats"), "Count: 1");
    page.click("#inc").await;
    assert_eq!(page.text("#stats"), "Count: 2");
    assert_eq!(page.patches(), patches + 1);
}

/// Counts what a page starts.
#[derive(Clone, Default)]
struct Counts {
    ticks: Arc<AtomicUsize>,
    unmounted: Arc<AtomicUsize>,
}

struct Clock(Counts);

#[derive(Clone, Debug)]
enum Msg {
    Tick,
    Said(String),
    Computed(u64),
}

impl Page for Clock {
    type State = Vec<String>;
    type Message = Msg;

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Vec<String>> {
        cx.subscribe("hall", Msg::Said).await?;
        cx.every(Duration::from_secs(1), || Msg::Tick);
        cx.spawn(async { Msg::Computed(42) });
        Ok(Vec::new())
    }

    fn render(&self, view: &View<Vec<String>>) -> Markup {
        html! { (view.region("lines", || html! { @for line in view.iter() { p { (line) } } })) }
    }

    async fn info(&self, _cx: &mut Ctx<Self>, session: &mut Session<Vec<String>>, message: Msg) -> Result {
        session.state.push(match message {
            Msg::Tick => {
                self.0.ticks.fetch_add(1, Ordering::SeqCst);
                "tick".to_owned()
            }
            Msg::Said(text) => text,
            Msg::Computed(number) => number.to_string(),
        });
        session.mark("lines");
        Ok(())
    }

    async fn unmount(&self, _cx: &mut Ctx<Self>, _session: &mut Session<Vec<String>>) {
        self.0.unmounted.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_tells_arrives_and_crawlers_start_nothing() {
    let counts = Counts::default();
    let app = TestApp::new(Router::new().route("/clock", mizu::page(Clock(counts.clone()))));
    for _ in 0..50 {
        app.get("/clock").await;
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!((app.live().parked(), app.live().shutdown().tasks()), (50, 0));
    assert_eq!(counts.ticks.load(Ordering::SeqCst), 0);

    let mut page = app.connect("/clock").await;
    app.live().publish("hall", "hello").await.unwrap();
    page.until(|page| page.text("#lines").contains("hello")).await;
    page.until(|page| page.text("#lines").contains("42")).await;
    page.until(|page| page.text("#lines").matches("tick").count() >= 3).await;
    // A publish of another type is passed over.
    app.live().publish("hall", &7).await.unwrap();
    app.live().publish("hall", "after").await.unwrap();
    page.until(|page| page.text("#lines").contains("after")).await;
}

#[tokio::test]
async fn what_is_published_while_parked_waits() {
    let counts = Counts::default();
    let app = TestApp::new(Router::new().route("/clock", mizu::page(Clock(counts))));
    let mut page = app.connect("/clock").await;
    page.until(|page| page.text("#lines").contains("42")).await;
    page.reconnect_after(async {
        app.live().publish("hall", "meanwhile").await.unwrap();
    })
    .await;
    assert!(page.text("#lines").contains("meanwhile"));
}

/// Shows a list as its query says, and makes the mistakes that development mode names.
struct List;

#[derive(Serialize, Deserialize)]
struct Listed {
    kind: String,
    clicks: u32,
    other: u32,
}

async fn kind(cx: &mut Ctx<List>) -> Result<String> {
    let axum::extract::RawQuery(query) = cx.extract().await?;
    Ok(query.unwrap_or_default())
}

impl Page for List {
    type State = Listed;
    type Message = ();

    async fn mount(&self, cx: &mut Ctx<Self>) -> Result<Listed> {
        Ok(Listed { kind: kind(cx).await?, clicks: 0, other: 0 })
    }

    fn render(&self, view: &View<Listed>) -> Markup {
        html! {
            a id="green" href="?green" data-lv-patch {} a id="bad" href="?bad" data-lv-patch {}
            a id="away" href="/counter" data-lv-patch {}
            (view.region("kind", || html! { (view.kind) }))
            (view.region("clicks", || html! { (view.clicks) }))
            (view.region("other", || html! { (view.other) }))
            (view.region("twice", || html! {}))
            @if view.clicks == 2 { (view.region("twice", || html! {})) }
            @if view.clicks == 3 { (view.each("rows", &[1, 2], |row| format!("row-{row}"), |row| html! { li { (row) } })) }
            button id="click" data-lv-click="click" {}
            input id="keys" data-lv-keydown="key" data-lv-key="Enter Escape";
        }
    }

    async fn params(&self, cx: &mut Ctx<Self>, session: &mut Session<Listed>) -> Result {
        match kind(cx).await?.as_str() {
            "bad" => return Err(Error::not_found("No such kind.")),
            kind => session.state.kind = kind.to_owned(),
        }
        session.mark("kind");
        Ok(())
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<Listed>, event: Event) -> Result {
        if event.name() == "key" {
            session.state.kind = event.key().unwrap_or_default().to_owned();
            session.mark("kind");
            return Ok(());
        }
        session.state.clicks += 1;
        session.mark("clicks");
        Ok(())
    }
}

#[tokio::test]
async fn keys_reach_who_listens_to_them() {
    let mut page = TestApp::new(Router::new().route("/list", mizu::page(List))).connect("/list").await;
    page.key("#keys", "Escape").await;
    page.key("#keys", "a").await;
    assert_eq!(page.text("#kind"), "Escape");
}

#[tokio::test]
async fn another_query_of_the_same_page_keeps_the_session() {
    let app = Router::new().route("/list", mizu::page(List)).route("/counter", mizu::page(Counter));
    let app = TestApp::new(app);
    let mut page = app.connect("/list?black").await;
    page.click("#click").await;
    page.click("#green").await;
    assert_eq!((page.text("#kind"), page.text("#clicks"), page.path()), ("green".into(), "1".into(), "/list?green"));
    page.click("#bad").await;
    assert_eq!((page.refused().unwrap().0, page.path()), ("not_found", "/list?green"));
    // Another page is not this page under another query.
    page.click("#away").await;
    assert_eq!((page.refused().unwrap().0, page.path()), ("not_a_page", "/list?green"));
    // The session goes by its new address now.
    page.reconnect().await;
    assert_eq!((page.text("#kind"), page.text("#clicks")), ("green".into(), "1".into()));
}

#[tokio::test]
async fn development_names_mistakes() {
    let app = TestApp::new(Router::new().route("/list", mizu::page(List)));
    let mut page = app.connect("/list").await;
    page.click("#click").await;
    assert_eq!(page.notes().count(), 0);
    page.click("#click").await;
    assert!(page.notes().any(|note| note.contains(r#"two regions have the id "twice""#)));
    page.click("#click").await;
    assert!(page.notes().any(|note| note.contains(r#"the row "row-1" must be one element with that id"#)));
}

struct Forgetful;

impl Page for Forgetful {
    type State = u32;
    type Message = ();
    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<u32> {
        Ok(0)
    }
    fn render(&self, view: &View<u32>) -> Markup {
        html! { (view.region("one", || html! { (**view) })) (view.region("two", || html! { (**view) })) }
    }
    async fn info(&self, _cx: &mut Ctx<Self>, _session: &mut Session<u32>, (): ()) -> Result {
        Ok(())
    }
    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<u32>, event: Event) -> Result {
        session.state = event.value("to")?;
        match event.name() {
            "keep" => session.keep(),
            _ => session.mark("one"),
        }
        Ok(())
    }
}

#[tokio::test]
#[should_panic(expected = r#"the region "two" changed, but only ["one"] was marked"#)]
async fn development_names_the_region_that_was_not_marked() {
    let mut page = TestApp::new(Router::new().route("/", mizu::page(Forgetful))).connect("/").await;
    page.send_event("mark?to=3").await;
}

#[tokio::test]
async fn a_browser_that_does_not_read_has_marks_pile_up_not_frames() {
    let live = Live::builder().secret("s").dev(false).build();
    let app = TestApp::attached(live.attach(Router::new().route("/clock", mizu::page(Clock(Counts::default())))));
    let mut page = app.connect("/clock").await;
    page.until(|page| page.text("#lines").contains("42")).await;
    let before = page.patches();
    for number in 0..2_000 {
        live.publish("hall", &format!("line {number}.")).await.unwrap();
        tokio::task::yield_now().await;
    }
    // It reads again: what came is in few patches, nothing is missing, and the connection is the same.
    page.until(|page| page.text("#lines").contains("line 1999.")).await;
    assert!(page.text("#lines").contains("line 0.line 1.line 2."));
    assert!(page.patches() - before < 200, "{} patches", page.patches() - before);
}

#[tokio::test(start_paused = true)]
async fn every_session_that_was_mounted_is_unmounted() {
    let counts = Counts::default();
    let mut limits = mizu::ParkLimits::default();
    limits.time = Duration::from_secs(60);
    let live = Live::builder().secret("s").park_limits(limits).build();
    let app = TestApp::attached(live.attach(Router::new().route("/clock", mizu::page(Clock(counts.clone())))));
    let unmounted = || counts.unmounted.load(Ordering::SeqCst);

    app.get("/clock").await;
    let head = axum::http::Request::head("/clock").body(axum::body::Body::empty()).unwrap();
    app.send(head).await;
    // Time is paused: this passes at once.
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(unmounted(), 1, "the HEAD's at once");
    // The next one that parks ends what has waited too long.
    app.get("/clock").await;
    let page = app.connect("/clock").await;
    drop(page);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!((unmounted(), live.parked()), (2, 2));
    assert_eq!(live.shutdown().drain().await, 0);
    assert_eq!((unmounted(), live.parked()), (4, 0));
}

#[tokio::test]
async fn selectors_see_what_was_pushed_as_part_of_the_page() {
    let app = TestApp::new(Router::new().route("/clock", mizu::page(Clock(Counts::default()))));
    let mut page = app.connect("/clock").await;
    app.live().publish("hall", "hello").await.unwrap();
    page.until(|page| page.count("#lv-root > #lines > p") == 2).await;
    assert!(page.has("div p") && page.text("#lines").contains("hello"));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "what was expected did not come in time")]
async fn waiting_for_what_never_comes_ends() {
    let app = TestApp::new(Router::new().route("/clock", mizu::page(Clock(Counts::default()))));
    app.connect("/clock").await.until(|_| false).await;
}

/// Starts nothing before it is asked to.
struct Late;

enum LateMsg {
    Timer,
    Task,
}

impl Page for Late {
    type State = Vec<String>;
    type Message = LateMsg;

    async fn mount(&self, _: &mut Ctx<Self>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn render(&self, view: &View<Vec<String>>) -> Markup {
        html! { button id="start" data-lv-click="start" {} (view.region("done", || html! { (view.join(" ")) })) }
    }

    async fn handle(&self, cx: &mut Ctx<Self>, _: &mut Session<Vec<String>>, _: Event) -> Result {
        cx.after(Duration::from_secs(3), LateMsg::Timer);
        cx.spawn(async { LateMsg::Task });
        Ok(())
    }

    async fn info(&self, _: &mut Ctx<Self>, session: &mut Session<Vec<String>>, message: LateMsg) -> Result {
        session.state.push(match message {
            LateMsg::Timer => "timer".into(),
            LateMsg::Task => "task".into(),
        });
        Ok(())
    }
}

/// The first timer or task of a session that was joined already waited for a browser that was there.
#[tokio::test(start_paused = true)]
async fn what_a_handler_starts_first_runs_at_once() {
    let app = TestApp::new(Router::new().route("/", mizu::page(Late)));
    let mut page = app.connect("/").await;
    page.click("#start").await;
    page.until(|page| page.text("#done") == "task").await;
    page.until(|page| page.text("#done") == "task timer").await;
}

/// A page that is large enough to be forgotten.
struct Long;

impl Page for Long {
    type State = (u32, Vec<u32>);
    type Message = ();

    async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<Self::State> {
        Ok((0, (0..300).collect()))
    }

    fn render(&self, view: &View<Self::State>) -> Markup {
        let row = |number: &u32| html! { li id={ "n-" (number) } { "Number " (number) } };
        html! {
            button id="more" form="lv" name="lv" value="more" { "More" }
            (view.region("clicks", || html! { (view.0) }))
            (view.each("rows", &view.1, |number| format!("n-{number}"), row).tag("ul"))
        }
    }

    async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<Self::State>, _event: Event) -> Result {
        session.state.0 += 1;
        let next = session.state.1.len() as u32;
        session.state.1.push(next);
        session.mark(["clicks", "rows"]);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_idle_session_forgets_it_finds_again() {
    let quiet = Duration::from_millis(500);
    let live = Live::builder().dev(true).hibernate_after(quiet).build();
    let app = TestApp::attached(live.attach(Router::new().route("/", mizu::page(Long))));
    let mut page = app.connect("/").await;
    page.click("#more").await;
    // Events keep it awake.
    for _ in 0..5 {
        tokio::time::sleep(quiet / 2).await;
        page.click("#more").await;
    }
    assert_eq!((page.count("li"), live.hibernating()), (306, 0));
    tokio::time::sleep(2 * quiet).await;
    assert_eq!(live.hibernating(), 1);
    page.click("#more").await;
    assert_eq!((page.text("#clicks"), page.count("li"), live.hibernating()), ("7".into(), 307, 0));
    // A socket that drops finds the session as it was, asleep or not, and what happened is in its patch.
    tokio::time::sleep(2 * quiet).await;
    assert_eq!(live.hibernating(), 1);
    let before = page.patches();
    page.reconnect().await;
    assert_eq!((page.text("#clicks"), page.count("li"), page.patches()), ("7".into(), 307, before));
    page.click("#more").await;
    assert_eq!((page.text("#clicks"), page.count("li")), ("8".into(), 308));
    drop(page);
}

/// What marks are for: rows far apart in a long list, and one that is not in it any more.
#[tokio::test]
async fn marked_rows_of_a_long_list_change_alone() {
    struct Rows;
    impl Page for Rows {
        type State = Vec<(usize, u32)>;
        type Message = ();
        async fn mount(&self, _cx: &mut Ctx<Self>) -> Result<Self::State> {
            Ok((0..500).map(|at| (at, 0)).collect())
        }
        fn render(&self, view: &View<Self::State>) -> Markup {
            let id = |row: &(usize, u32)| format!("r-{}", row.0);
            html! { (view.each("rows", view.as_slice(), id, |row| html! { p id=(id(row)) { (row.1) } })) }
        }
        async fn handle(&self, _cx: &mut Ctx<Self>, session: &mut Session<Self::State>, event: Event) -> Result {
            let named: Vec<usize> = event.name().split('_').filter_map(|number| number.parse().ok()).collect();
            named.iter().for_each(|&at| session.state[at].1 += 1);
            session.mark(named.iter().map(|at| format!("r-{at}")).collect::<Vec<_>>());
            Ok(())
        }
    }
    let mut page = TestApp::new(Router::new().route("/", mizu::page(Rows))).connect("/").await;
    page.send_event("3_499_17").await;
    assert_eq!(["#r-3", "#r-17", "#r-499", "#r-4"].map(|id| page.text(id)), ["1", "1", "1", "0"]);
    assert_eq!(page.notes().count(), 0);
}
