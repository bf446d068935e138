//! Sessions that know of each other: who is present, on which node ever, and what browsers tell each other in passing.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

mod support;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use bytes::Bytes;
use mizu::live::{Adapter, AdapterError, Delivery, Incoming, Kind, Ref, Topic};
use mizu::prelude::*;
use mizu::testing::TestApp;
use mizu::{LiveApp, PresenceDiff, Present};
use parking_lot::Mutex;
use rmpv::Value;

use self::support::{Raw, User, eventually};

/// Shows who is in a room, and what of that was news.
struct Room;

#[derive(Serialize, Deserialize)]
struct State {
    room: String,
    people: Vec<(String, Vec<String>)>,
    news: Vec<String>,
}

fn pair(present: Present<String>) -> (String, Vec<String>) {
    (present.key, present.metas)
}

impl Page for Room {
    type State = State;
    type Message = PresenceDiff<String>;

    async fn mount(&self, cx: &mut Ctx<Self>) -> mizu::Result<State> {
        let Path(room) = cx.extract::<Path<String>>().await?;
        cx.track(&room, "here").await?;
        cx.share_ephemeral(&room).await?;
        let people = cx.watch_presence(&room, |diff| diff).await?.into_iter().map(pair).collect();
        Ok(State { room, people, news: Vec::new() })
    }

    fn render(&self, view: &View<State>) -> Markup {
        html! {
            button id="away" data-lv-click="away" {}
            button id="leave" data-lv-click="leave" {}
            button id="ring" data-lv-click="ring" {}
            button id="move" data-lv-click="move" {}
            (view.region("people", || html! { @for (key, metas) in &view.people { i { (key) "(" (metas.join(",")) ")" } } }))
            (view.region("news", || html! { (view.news.join(" ")) }))
        }
    }

    async fn handle(&self, cx: &mut Ctx<Self>, session: &mut Session<State>, event: Event) -> mizu::Result {
        let room = session.state.room.clone();
        match event.name() {
            "away" => cx.track(&room, "away").await?,
            "leave" => cx.untrack(&room),
            "move" => {
                cx.untrack(&room);
                cx.unwatch_presence(&room);
                let room = "attic".to_owned();
                cx.track(&room, "here").await?;
                let people = cx.watch_presence(&room, |diff| diff).await?.into_iter().map(pair).collect();
                session.state = State { room, people, news: Vec::new() };
            }
            _ => cx.ephemeral(&room, "bell", &"the door").await?,
        }
        Ok(())
    }

    async fn info(&self, cx: &mut Ctx<Self>, session: &mut Session<State>, diff: PresenceDiff<String>) -> mizu::Result {
        let State { room, people, news } = &mut session.state;
        let all = [("+", diff.joined), ("-", diff.left), ("~", diff.changed)];
        for (sign, presents) in all {
            news.extend(presents.into_iter().map(|present| format!("{sign}{}", present.key)));
        }
        *people = cx.who(room).into_iter().map(pair).collect();
        Ok(())
    }
}

/// Nodes of one process.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Vec<Incoming>>>);

impl Adapter for Wire {
    fn start(&self, incoming: Incoming) {
        self.0.lock().push(incoming);
    }

    async fn subscribe(&self, _: &Topic) -> Result<(), AdapterError> {
        Ok(())
    }

    fn unsubscribe(&self, _: &Topic) {}

    async fn publish(&self, topic: &Topic, body: Bytes, delivery: Delivery) -> Result<(), AdapterError> {
        let nodes = { self.0.lock().clone() };
        for node in &nodes {
            node.deliver(topic, body.clone(), delivery);
        }
        Ok(())
    }
}

impl Wire {
    fn node(&self) -> LiveApp {
        let live = Live::builder().secret([7; 32]).identity::<User>().pubsub(self.clone()).build();
        live.attach(Router::new().route("/{room}", mizu::page(Room)))
    }
}

fn app(node: &LiveApp, user: &str) -> TestApp {
    TestApp::attached(node.clone()).with_header("x-user", user)
}

#[tokio::test(start_paused = true)]
async fn a_person_with_two_tabs_on_two_nodes_is_there_once() {
    let wire = Wire::default();
    let (one, two) = (wire.node(), wire.node());
    let mut ann = app(&one, "ann").connect("/hall").await;
    ann.until(|page| page.text("#people") == "ann(here)").await;
    let bob = app(&one, "bob").connect("/hall").await;
    let mut again = app(&two, "bob").connect("/hall").await;
    ann.until(|page| page.text("#people") == "ann(here)bob(here,here)").await;
    again.until(|page| page.text("#people") == "ann(here)bob(here,here)").await;
    again.click("#away").await;
    ann.until(|page| page.text("#people") == "ann(here)bob(away,here)").await;
    assert_eq!(ann.text("#news").matches("+bob").count(), 1, "{}", ann.text("#news"));

    drop(bob);
    ann.until(|page| page.text("#people") == "ann(here)bob(away)").await;
    assert!(!ann.text("#news").contains("-bob"));
    again.click("#leave").await;
    ann.until(|page| page.text("#people") == "ann(here)").await;
    assert!(ann.text("#news").ends_with("-bob"));
}

#[tokio::test(start_paused = true)]
async fn only_who_is_connected_is_there() {
    let node = Wire::default().node();
    let mut ann = app(&node, "ann").connect("/hall").await;
    app(&node, "crawler").get("/hall").await;
    let mut bob = app(&node, "bob").connect("/hall").await;
    ann.until(|page| page.text("#people") == "ann(here)bob(here)").await;
    bob.reconnect_after(ann.until(|page| page.text("#people") == "ann(here)")).await;
    ann.until(|page| page.text("#people") == "ann(here)bob(here)").await;
    let elsewhere = app(&node, "cid").connect("/attic").await;
    assert_eq!(elsewhere.count("#people i"), 1);
}

/// What a session was to be told of the room that it left took it for gone in the next one.
#[tokio::test(start_paused = true)]
async fn the_room_that_was_left_says_nothing_in_the_next_one() {
    let node = Wire::default().node();
    let mut ann = app(&node, "ann").connect("/hall").await;
    ann.until(|page| page.text("#people") == "ann(here)").await;
    ann.click("#move").await;
    assert_eq!(ann.text("#people"), "ann(here)");
    let _bob = app(&node, "bob").connect("/attic").await;
    ann.until(|page| page.text("#people") == "ann(here)bob(here)").await;
    assert_eq!(ann.text("#news"), "+bob");
}

/// Joins the room; gives the socket and the page's topic.
async fn enter(node: &LiveApp, user: &'static str) -> (Raw, Topic) {
    let mut raw = Raw::connect(node, &[("x-user", user)]).await;
    let (kind, body) = raw.join("", "/hall").await;
    assert_eq!(kind, Kind::REPLY, "{body:?}");
    (raw, Topic::new(body[2][0].as_str().unwrap()).unwrap())
}

/// The next ephemeral message; patches may come in between.
async fn heard(raw: &mut Raw) -> Vec<Value> {
    loop {
        let (kind, body) = raw.receive().await;
        if kind == Kind::EPHEMERAL {
            return body;
        }
        assert_eq!(kind, Kind::PATCH, "{body:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn browsers_hear_each_other_in_passing() {
    let wire = Wire::default();
    let (one, two) = (wire.node(), wire.node());
    let (mut ann, topic) = enter(&one, "ann").await;
    let (mut bob, _) = enter(&one, "bob").await;
    let (mut cid, _) = enter(&two, "cid").await;
    let pointer = serde_json::json!(["pointer", { "x": 3, "y": [1.5, null, true] }]);
    ann.send(Kind::EPHEMERAL, topic.clone(), Ref::PUSH, &pointer).await;
    let (at_bob, at_cid) = (heard(&mut bob).await, heard(&mut cid).await);
    assert_eq!(at_bob, at_cid);
    let body: serde_json::Value = rmpv::ext::from_value(Value::Array(at_bob.clone())).unwrap();
    assert_eq!((&body[1], &body[2]), (&pointer[0], &pointer[1]));
    assert!(!at_bob[0].as_str().unwrap().is_empty());

    // From the server's side, under the sender's name as well; and never to the sender.
    let (kind, reply) = ann.event(1, "ring").await;
    assert!(matches!(kind, Kind::REPLY | Kind::PATCH), "{kind:?} {reply:?}");
    let bell = heard(&mut bob).await;
    assert_eq!((bell[0].as_str(), bell[1].as_str()), (at_bob[0].as_str(), Some("bell")));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_the_newest_of_each_and_too_much_is_passed_over() {
    let node = Wire::default().node();
    let (mut ann, topic) = enter(&node, "ann").await;
    let (mut bob, _) = enter(&node, "bob").await;
    for at in 0..190 {
        let message = serde_json::json!([format!("pointer {}", at % 2), at]);
        ann.send(Kind::EPHEMERAL, topic.clone(), Ref::PUSH, &message).await;
    }
    let first = heard(&mut bob).await;
    let mut newest = first[2].as_i64().unwrap();
    let mut count = 1;
    // The bell comes when all before it has been handled.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    ann.send(Kind::EPHEMERAL, topic.clone(), Ref::PUSH, &serde_json::json!(["end", null])).await;
    loop {
        let message = heard(&mut bob).await;
        match message[2].as_i64() {
            Some(at) if message[1].as_str().unwrap().starts_with("pointer") => newest = newest.max(at),
            _ => break,
        }
        count += 1;
    }
    assert!(count <= 60, "{count} of 190 arrived");
    // What is too long, or what no browser could read, goes back to the sender.
    let deep = (0..40).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
    for odd in [serde_json::json!("x".repeat(5_000)), serde_json::json!(u64::MAX), serde_json::json!(i64::MIN), deep] {
        ann.send(Kind::EPHEMERAL, topic.clone(), Ref::PUSH, &serde_json::json!(["odd", odd])).await;
        loop {
            let (kind, body) = ann.receive().await;
            if kind == Kind::ERROR {
                assert_eq!(body[0].as_str(), Some("bad_message"));
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_browser_is_not_filled_with_it() {
    let node = Wire::default().node();
    let (mut ann, topic) = enter(&node, "ann").await;
    let mut bob = app(&node, "bob").connect("/hall").await;
    let parked = node.live().parked();
    bob.reconnect_after(async {
        eventually(|| node.live().parked() > parked).await;
        for at in 0..400 {
            let message = serde_json::json!([format!("m{at}"), at]);
            ann.send(Kind::EPHEMERAL, topic.clone(), Ref::PUSH, &message).await;
            tokio::time::advance(std::time::Duration::from_millis(40)).await;
        }
    })
    .await;
    // The very session is there: what it was told before is what it shows.
    bob.until(|page| page.text("#people").contains("bob")).await;
}
