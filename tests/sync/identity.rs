//! Who asks, and what comes in slowly or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use futures::stream;
use mizu::Anybody;
use mizu::sync::{Engine, MemoryStore};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::app::{On, Plan, on_every_store};
use crate::wire::{Copy, client_id, mutation, push, within};

on_every_store! {
    the_apps_extractor_says_who_asks
    the_apps_middleware_applies
    a_client_that_goes_away_is_served_once
    a_request_that_is_cut_short_is_none
}

async fn the_apps_extractor_says_who_asks(on: On) {
    let stage = on.stage().await;
    let body = push(&client_id(1), vec![mutation(1, "note", "square", json!("a"))]).to_string();
    // Nobody, with every path; a sign-in page, by redirect or at once, means the same to a program.
    for (refuse, status, code) in [
        ("401", 401, "unauthorized"),
        ("redirect", 401, "unauthorized"),
        ("page", 401, "unauthorized"),
        ("403", 403, "forbidden"),
        ("500", 503, "unavailable"),
        ("503", 503, "unavailable"),
        ("429", 429, "rate_limited"),
        ("400", 400, "invalid"),
        ("418", 418, "invalid"),
    ] {
        for path in ["/_sync/push", "/_sync/pull", "/_sync/snapshot", "/api/todos"] {
            let headers = [("content-type", "application/json"), ("x-refuse", refuse)];
            let answer = within(stage.ada().await.send("POST", path, &headers, body.as_bytes())).await.unwrap();
            answer.error(status, code);
            assert!(!answer.text().contains("own words"), "{answer:?}");
            if status == 429 {
                assert_eq!(answer.header("retry-after"), Some("17"), "the app knows best when");
            }
        }
    }
    stage.anybody().await.post("/_sync/push", &push(&client_id(1), vec![])).await.error(401, "unauthorized");
    stage.user("forged").await.post("/_sync/push", &push(&client_id(1), vec![])).await.error(401, "unauthorized");
    assert_eq!(stage.head("square").await, 0);
    // Somebody, by the session that the app's state knows.
    within(stage.ada().await.post_raw("/_sync/push", body.as_bytes())).await.unwrap().ok();
    assert_eq!(stage.row("square", "note", "a").await, Some(json!({ "id": "a", "by": "ada" })));
}

async fn the_apps_middleware_applies(on: On) {
    async fn closed_to_eve(request: Request, next: Next) -> Response {
        match request.headers().get("cookie").is_some_and(|cookie| cookie == "session=e1") {
            true => StatusCode::PAYMENT_REQUIRED.into_response(),
            false => next.run(request).await,
        }
    }
    let layers = |app: Router| {
        app.layer(from_fn(closed_to_eve)).layer(map_response(async |mut response: Response| {
            response.headers_mut().insert("x-app", HeaderValue::from_static("was here"));
            response
        }))
    };
    let stage = on.stage_with(Plan { layers, ..Plan::default() }).await;
    let body = push(&client_id(1), vec![mutation(1, "note", "square", json!("a"))]);
    assert_eq!(stage.user("e1").await.post("/_sync/push", &body).await.status, 402);
    let answer = stage.ada().await.post("/_sync/push", &body).await;
    assert_eq!((answer.status, answer.header("x-app")), (200, Some("was here")));
}

async fn a_client_that_goes_away_is_served_once(on: On) {
    let stage = on.stage().await;
    let mutations = vec![
        mutation(1, "count", "square", json!("n")),
        mutation(2, "held", "square", json!("n")),
        mutation(3, "count", "square", json!("n")),
    ];
    let body = push(&client_id(1), mutations);
    let mut gone = stage.ada().await;
    let request =
        gone.request("POST", "/_sync/push", &[("content-type", "application/json")], body.to_string().as_bytes());
    gone.write(&request).await.unwrap();
    let entered = || stage.latch.entered.recv_timeout(Duration::from_secs(20));
    tokio::task::block_in_place(entered).unwrap();
    drop(gone);
    // It comes back before the first one is done, and asks for the same.
    let mut ada = stage.ada().await;
    let again = tokio::spawn(async move { ada.post("/_sync/push", &body).await.ok() });
    stage.latch.go.send(()).unwrap();
    let again = within(again).await.unwrap();
    let statuses: Vec<_> = again["results"].as_array().unwrap().iter().map(|result| result["status"].clone()).collect();
    assert_eq!(statuses, [json!("applied"), json!("applied"), json!("applied")]);
    let mut copy = Copy::default();
    copy.pull_all(&mut stage.ada().await, "square", &client_id(1), 1_000).await;
    assert_eq!((copy.acks, copy.changes), (vec![1, 2, 3], 3));
    assert_eq!(stage.row("square", "counter", "n").await, Some(json!(3)));
    assert!(stage.latch.entered.try_recv().is_err(), "it ran once");
}

async fn a_request_that_is_cut_short_is_none(on: On) {
    let stage = on.stage().await;
    let body = push(&client_id(1), vec![mutation(1, "count", "square", json!("n"))]).to_string();
    for cut in (0..body.len()).step_by(7).chain([body.len() - 1]) {
        let mut gone = stage.ada().await;
        let request = gone.request("POST", "/_sync/push", &[("content-type", "application/json")], body.as_bytes());
        gone.write(&request[..request.len() - body.len() + cut]).await.unwrap();
        drop(gone);
    }
    // Every socket was closed, and so every request of theirs has ended.
    stage.shutdown.drain().await;
    stage.engine.drain().await;
    assert_eq!(stage.head("square").await, 0);
}

fn in_memory() -> Router {
    Engine::builder(MemoryStore::new()).public("square").build().routes::<Anybody, ()>()
}

async fn ask_with(body: Body) -> (StatusCode, Value) {
    let request = Request::post("/_sync/pull").header("content-type", "application/json").body(body).unwrap();
    let response = in_memory().oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_too_long_is_given_up() {
    // One byte a second, for ever.
    let drip = stream::unfold(Arc::new(AtomicUsize::new(0)), async |sent| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        sent.fetch_add(1, Ordering::Relaxed);
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), sent))
    });
    let started = tokio::time::Instant::now();
    let (status, body) = ask_with(Body::from_stream(drip)).await;
    assert_eq!((status, body["code"].as_str()), (StatusCode::REQUEST_TIMEOUT, Some("timeout")));
    assert_eq!(started.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_in_time_is_read() {
    let parts = [r#"{"scope":"#, r#""square","#, r#""cursor":""}"#];
    let slow = stream::iter(parts).then_after(Duration::from_secs(6));
    let (status, body) = ask_with(Body::from_stream(slow)).await;
    assert_eq!((status, &body["has_more"]), (StatusCode::OK, &json!(false)));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_invalid() {
    let parts = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))];
    let (status, body) = ask_with(Body::from_stream(stream::iter(parts))).await;
    assert_eq!((status, body["code"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid")));
}

/// Parts of a body, each some time after the one before.
trait ThenAfter: futures::Stream<Item = &'static str> + Sized {
    fn then_after(self, pause: Duration) -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> {
        futures::StreamExt::then(self, move |part| async move {
            tokio::time::sleep(pause).await;
            Ok(Bytes::from_static(part.as_bytes()))
        })
    }
}

impl<S: futures::Stream<Item = &'static str>> ThenAfter for S {}
