//! REST over the same mutators, for those who have only HTTP.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::app::{On, Stage, on_every_store};
use crate::wire::{Answer, Copy, Http, client_id, mutation, push, within};

on_every_store! {
    rows_are_made_read_changed_and_deleted
    lists_come_in_pages
    a_key_makes_a_write_happen_once
    every_persons_rows_are_their_own
    what_is_wrong_is_said
    ids_may_be_any_text
    a_row_that_was_made_is_in_the_log
}

const JSON: (&str, &str) = ("content-type", "application/json");

async fn ask(http: &mut Http, method: &str, path: &str, body: &Value) -> Answer {
    within(http.send(method, path, &[JSON], body.to_string().as_bytes())).await.unwrap()
}

async fn get(http: &mut Http, path: &str) -> Answer {
    within(http.send("GET", path, &[], b"")).await.unwrap()
}

/// With a key, over a socket of its own.
async fn keyed(stage: &Stage, session: &str, method: &str, path: &str, key: &str, body: &Value) -> Answer {
    let mut http = stage.user(session).await;
    within(http.send(method, path, &[JSON, ("idempotency-key", key)], body.to_string().as_bytes())).await.unwrap()
}

async fn rows_are_made_read_changed_and_deleted(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    let made = ask(&mut ada, "POST", "/api/todos", &json!({ "id": "t1", "title": "Milk" })).await;
    let row = json!({ "id": "t1", "title": "Milk", "done": false });
    assert_eq!((made.status, made.json(), made.header("location")), (201, row.clone(), Some("/api/todos/t1")));
    assert_eq!(get(&mut ada, "/api/todos/t1").await.ok(), row);

    // Without an id one is made; its place is said, and leads there.
    let made = ask(&mut ada, "POST", "/api/todos", &json!({ "title": "Bread" })).await;
    let location = made.header("location").unwrap().to_owned();
    assert_eq!(made.status, 201);
    assert_eq!(get(&mut ada, &location).await.ok(), made.json());
    assert_eq!(made.json()["id"].as_str().unwrap().len(), 36);

    let changed = ask(&mut ada, "PUT", "/api/todos/t1", &json!({ "done": true })).await.ok();
    assert_eq!(changed, json!({ "id": "t1", "title": "Milk", "done": true }));
    assert_eq!(ask(&mut ada, "PUT", "/api/todos/t1", &json!({ "id": "t1" })).await.ok(), changed);

    let gone = ask(&mut ada, "DELETE", "/api/todos/t1", &Value::Null).await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    get(&mut ada, "/api/todos/t1").await.error(404, "not_found");
    // What is gone stays so.
    assert_eq!(ask(&mut ada, "DELETE", "/api/todos/t1", &Value::Null).await.status, 204);
    assert_eq!(get(&mut ada, "/api/todos").await.ok().as_array().unwrap().len(), 1);
}

async fn lists_come_in_pages(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    let mut ids: Vec<String> =
        (0..25).map(|n| format!("t{n:02}")).chain(["Z", "ü", "\u{1f600}", "a b", "a/b"].map(String::from)).collect();
    for id in &ids {
        assert_eq!(ask(&mut ada, "POST", "/api/todos", &json!({ "id": id, "title": "x" })).await.status, 201);
    }
    ids.sort_unstable();
    for limit in [1, 7, 30, 1_000] {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let named = after.take().map(|after| form_urlencoded::byte_serialize(after.as_bytes()).collect::<String>());
            let query = named.map_or_else(String::new, |after| format!("&after={after}"));
            let rows = get(&mut ada, &format!("/api/todos?limit={limit}{query}")).await.ok();
            let page: Vec<String> =
                rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
            assert!(page.len() <= limit);
            found.extend(page.iter().cloned());
            after = page.last().cloned();
            if page.len() < limit {
                break;
            }
        }
        assert_eq!(found, ids, "{limit}");
    }
    assert_eq!(get(&mut ada, "/api/todos").await.ok().as_array().unwrap().len(), ids.len());
    assert_eq!(get(&mut ada, "/api/todos?limit=0").await.ok().as_array().unwrap().len(), 1, "one is the least");
    assert_eq!(get(&mut ada, "/api/todos?limit=18446744073709551615").await.ok().as_array().unwrap().len(), ids.len());
    assert_eq!(get(&mut ada, "/api/todos?after=%F4%8F%BF%BF").await.ok(), json!([]));
    // A NUL is in no id: what is behind it is what is behind the text before it.
    assert_eq!(get(&mut ada, "/api/todos?limit=1&after=%00").await.ok()[0]["id"], ids[0]);
    for bad in ["limit=-1", "limit=x", "limit=1e3", "limit=18446744073709551616", "after=a&after=b", "limit=1&limit=2"]
    {
        get(&mut ada, &format!("/api/todos?{bad}")).await.error(400, "invalid");
    }
}

async fn a_key_makes_a_write_happen_once(on: On) {
    let stage = on.stage().await;
    let body = json!({ "title": "once" });
    let made = join_all((0..20).map(|_| keyed(&stage, "a1", "POST", "/api/todos", "k1", &body))).await;
    for answer in &made {
        assert_eq!(
            (answer.status, answer.json(), answer.header("location")),
            (201, made[0].json(), made[0].header("location"))
        );
    }
    let mut ada = stage.ada().await;
    assert_eq!(get(&mut ada, "/api/todos").await.ok().as_array().unwrap().len(), 1);
    assert_eq!(stage.head("user:ada:todos").await, 1);

    // The key of another person, and another key, are other writes; the same key for something else is a mistake.
    let his = keyed(&stage, "b1", "POST", "/api/todos", "k1", &body).await;
    assert_eq!(his.status, 201);
    let other = keyed(&stage, "a1", "POST", "/api/todos", "k2", &body).await;
    assert_ne!(other.json()["id"], made[0].json()["id"]);
    keyed(&stage, "a1", "POST", "/api/todos", "k1", &json!({ "title": "other" })).await.error(409, "key_reused");
    let id = other.json()["id"].as_str().unwrap().to_owned();
    keyed(&stage, "a1", "PUT", &format!("/api/todos/{id}"), "k1", &body).await.error(409, "key_reused");

    // A change under a key does not come back later.
    let path = format!("/api/todos/{id}");
    keyed(&stage, "a1", "PUT", &path, "k3", &json!({ "title": "one" })).await.ok();
    ask(&mut ada, "PUT", &path, &json!({ "title": "two" })).await.ok();
    assert_eq!(keyed(&stage, "a1", "PUT", &path, "k3", &json!({ "title": "one" })).await.ok()["title"], "two");

    // What was refused is refused again, though it would succeed by now.
    let twin = json!({ "id": id, "title": "twin" });
    keyed(&stage, "a1", "POST", "/api/todos", "k4", &twin).await.error(409, "exists");
    assert_eq!(keyed(&stage, "a1", "DELETE", &path, "k5", &Value::Null).await.status, 204);
    keyed(&stage, "a1", "POST", "/api/todos", "k4", &twin).await.error(409, "exists");
    // A creation under a key says what it said, though the row is gone by now.
    let again = keyed(&stage, "a1", "POST", "/api/todos", "k2", &body).await;
    assert!([201, 404].contains(&again.status), "{again:?}");
    assert_eq!(get(&mut ada, "/api/todos").await.ok().as_array().unwrap().len(), 1, "and it is not made again");
    // Any text is a key.
    for key in ["'; drop table mizu_log; --", "a b", &"x".repeat(4_000)] {
        for _ in 0..2 {
            assert_eq!(keyed(&stage, "a1", "POST", "/api/todos", key, &json!({ "title": "odd" })).await.status, 201);
        }
    }
    assert_eq!(get(&mut ada, "/api/todos").await.ok().as_array().unwrap().len(), 4);
}

async fn every_persons_rows_are_their_own(on: On) {
    let stage = on.stage().await;
    let (mut ada, mut bob) = (stage.ada().await, stage.bob().await);
    ask(&mut ada, "POST", "/api/todos", &json!({ "id": "t1", "title": "hers" })).await;
    get(&mut bob, "/api/todos/t1").await.error(404, "not_found");
    ask(&mut bob, "PUT", "/api/todos/t1", &json!({ "title": "his" })).await.error(404, "not_found");
    assert_eq!(ask(&mut bob, "DELETE", "/api/todos/t1", &Value::Null).await.status, 204);
    assert_eq!(ask(&mut bob, "POST", "/api/todos", &json!({ "id": "t1", "title": "his" })).await.status, 201);
    assert_eq!(get(&mut ada, "/api/todos/t1").await.ok()["title"], "hers");

    // A scope that the person may not touch.
    for (method, path) in [
        ("GET", "/api/hall"),
        ("GET", "/api/hall/a"),
        ("POST", "/api/hall"),
        ("PUT", "/api/hall/a"),
        ("DELETE", "/api/hall/a"),
    ] {
        ask(&mut ada, method, path, &json!({ "title": "x" })).await.error(403, "scope_forbidden");
    }
    assert_eq!(stage.head("hall").await, 0);
    let mut nobody = stage.anybody().await;
    for (method, path) in [
        ("GET", "/api/todos"),
        ("GET", "/api/todos/t1"),
        ("POST", "/api/todos"),
        ("PUT", "/api/todos/t1"),
        ("DELETE", "/api/todos/t1"),
    ] {
        ask(&mut nobody, method, path, &json!({ "title": "x" })).await.error(401, "unauthorized");
    }
    // Neither may another site.
    let headers = [JSON, ("origin", "https://evil.example")];
    for (method, path) in [("GET", "/api/todos"), ("POST", "/api/todos"), ("DELETE", "/api/todos/t1")] {
        within(ada.send(method, path, &headers, b"{}")).await.unwrap().error(403, "cross_site");
    }
    assert_eq!(get(&mut ada, "/api/todos").await.ok().as_array().unwrap().len(), 1);
}

async fn what_is_wrong_is_said(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    ask(&mut ada, "POST", "/api/todos", &json!({ "id": "t1", "title": "Milk" })).await;
    let rows = "/api/todos";
    let row = "/api/todos/t1";
    let long = "x".repeat(129);
    let cases: Vec<(&str, &str, Value, u16, &str)> = vec![
        ("POST", rows, json!({ "id": "t1", "title": "again" }), 409, "exists"),
        ("POST", rows, json!({ "id": 7, "title": "x" }), 400, "invalid"),
        ("POST", rows, json!({ "id": null, "title": "x" }), 400, "invalid"),
        ("POST", rows, json!([]), 400, "invalid"),
        ("POST", rows, json!("x"), 400, "invalid"),
        ("POST", rows, json!({ "id": "", "title": "x" }), 422, "invalid"),
        ("POST", rows, json!({ "id": "a\0b", "title": "x" }), 422, "invalid"),
        ("POST", rows, json!({ "id": long, "title": "x" }), 422, "invalid"),
        ("POST", rows, json!({ "id": "t2" }), 422, "invalid"),
        ("POST", rows, json!({ "id": "t2", "title": 7 }), 422, "invalid"),
        ("POST", rows, json!({ "id": "t2", "title": "x".repeat(70_000) }), 413, "too_large"),
        ("PUT", row, json!({ "id": "t2", "title": "x" }), 400, "invalid"),
        ("PUT", row, json!({ "id": 1 }), 400, "invalid"),
        ("PUT", row, json!([]), 400, "invalid"),
        ("PUT", row, json!({ "title": null }), 422, "invalid"),
        ("PUT", "/api/todos/t9", json!({ "title": "x" }), 404, "not_found"),
        ("GET", "/api/todos/t9", Value::Null, 404, "not_found"),
        ("GET", "/api/todos/%00", Value::Null, 404, "not_found"),
        ("GET", "/api/todos/t1%00", Value::Null, 404, "not_found"),
        ("GET", "/api/todos/t", Value::Null, 404, "not_found"),
        ("GET", "/api/todos/%ff", Value::Null, 400, "invalid"),
        ("PUT", "/api/todos/%ff", json!({}), 400, "invalid"),
        ("DELETE", "/api/todos/%ff", Value::Null, 400, "invalid"),
        ("DELETE", "/api/todos/%00", Value::Null, 422, "invalid"),
        ("PUT", "/api/todos/%00", json!({}), 422, "invalid"),
    ];
    for (method, path, body, status, code) in cases {
        let answer = ask(&mut ada, method, path, &body).await;
        let error = answer.json();
        assert_eq!(
            (answer.status, error["code"].as_str()),
            (status, Some(code)),
            "{method} {path} {body:.200}: {error}"
        );
    }
    for body in [&b""[..], b"{", b"{\"title\":\"\\ud800\"}", b"\xff", b"{\"title\":1e999}", b"{}{}"] {
        within(ada.send("POST", rows, &[JSON], body)).await.unwrap().error(400, "invalid");
        within(ada.send("PUT", row, &[JSON], body)).await.unwrap().error(400, "invalid");
    }
    within(ada.send("POST", rows, &[("content-type", "text/plain")], b"{\"title\":\"x\"}"))
        .await
        .unwrap()
        .error(415, "invalid");
    assert_eq!(get(&mut ada, rows).await.ok(), json!([{ "id": "t1", "title": "Milk", "done": false }]));
    // What was refused took its place in the log, and changed nothing.
    let mut copy = Copy::default();
    copy.pull_all(&mut ada, "user:ada:todos", &client_id(1), 1_000).await;
    assert_eq!((copy.changes, copy.rows.len()), (1, 1));
}

async fn ids_may_be_any_text(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    for id in [
        "ü",
        "日本",
        "\u{1f469}\u{200d}\u{1f680}",
        "a b",
        "a+b",
        "a/b",
        "a?b=c#d&e",
        "100%",
        "%41",
        "..",
        "'; --",
        "\"",
        "\\",
        "{id}",
        "*",
    ] {
        let made = ask(&mut ada, "POST", "/api/todos", &json!({ "id": id, "title": "x" })).await;
        let location = made.header("location").unwrap().to_owned();
        assert_eq!((made.status, &made.json()["id"]), (201, &json!(id)));
        assert!(location.is_ascii() && !location.contains(' '), "{location}");
        assert_eq!(get(&mut ada, &location).await.ok()["id"], id, "{location}");
        assert_eq!(ask(&mut ada, "PUT", &location, &json!({ "done": true })).await.ok()["done"], true, "{location}");
        assert_eq!(ask(&mut ada, "DELETE", &location, &Value::Null).await.status, 204);
        get(&mut ada, &location).await.error(404, "not_found");
    }
    assert_eq!(get(&mut ada, "/api/todos").await.ok(), json!([]));
}

async fn a_row_that_was_made_is_in_the_log(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    ask(&mut ada, "POST", "/api/todos", &json!({ "id": "t1", "title": "by REST" })).await;
    let merge = mutation(1, "todo.merge", "user:ada:todos", json!({ "id": "t1", "title": "by push" }));
    ada.post("/_sync/push", &push(&client_id(1), vec![merge])).await.ok();
    ask(&mut ada, "DELETE", "/api/todos/t1", &Value::Null).await;
    let pull = json!({ "client": client_id(1), "scope": "user:ada:todos", "cursor": "" });
    let pulled = ada.post("/_sync/pull", &pull).await.ok();
    let ops: Vec<_> =
        pulled["changes"].as_array().unwrap().iter().map(|change| change["op"].as_str().unwrap()).collect();
    assert_eq!(ops, ["create", "update", "ack", "delete"]);
    let mut copy = Copy::default();
    copy.apply(&pulled);
    assert!(copy.rows.is_empty());
}
