//! What the contract promises: the usual way, and every way in which it is refused.

use std::sync::atomic::Ordering;

use mizu::live::{Rate, TrustedProxies};
use mizu::sync::{Retention, SyncLimits};
use serde_json::{Value, json};

use crate::app::{On, Plan, Stage, on_every_store};
use crate::wire::{Copy, client_id, mutation, push, within};

on_every_store! {
    push_pull_and_snapshot_agree
    an_unreadable_request_is_invalid
    a_scope_that_is_closed_is_forbidden
    a_client_belongs_to_its_user
    another_site_is_refused
    numbers_are_kept_in_order
    a_log_that_was_cut_says_so
    another_history_is_told_from_this_one
    what_is_too_large_is_refused
    only_json_is_read
    users_have_a_rate
    addresses_behind_proxies_have_a_rate
    what_can_not_be_done_now_keeps_what_was_done
    a_mutation_that_fails_for_good_blocks_nothing
    other_methods_and_paths_are_none_of_it
}

async fn push_pull_and_snapshot_agree(on: On) {
    let stage = on.stage().await;
    let (mut ada, client) = (stage.ada().await, client_id(1));
    let mutations = vec![
        mutation(1, "put", "user:ada:things", json!(["a", { "n": 1 }])),
        mutation(2, "put", "user:ada:things", json!(["a", { "n": 2 }])),
        mutation(3, "put", "user:ada:things", json!(["b", "ü\u{1f600}"])),
        mutation(4, "send", "user:ada:things", json!(["square", "m1"])),
        mutation(5, "nobody", "user:ada:things", json!(null)),
    ];
    let pushed = ada.post("/_sync/push", &push(&client, mutations)).await.ok();
    let results = pushed["results"].as_array().unwrap();
    let brief: Vec<_> = results.iter().map(|result| (result["seq"].as_u64(), result["status"].as_str())).collect();
    let (applied, rejected) = (Some("applied"), Some("rejected"));
    let expected = [(1, applied), (2, applied), (3, applied), (4, applied), (5, rejected)];
    assert_eq!(brief, expected.map(|(seq, status)| (Some(seq), status)));
    assert_eq!(results[4]["code"], "unknown_mutator");
    assert!(pushed.get("code").is_none(), "{pushed}");

    // In order, the changes of a mutation before its acknowledgement, and the cursor of the last result at the end.
    let ask = json!({ "client": client, "scope": "user:ada:things", "cursor": "" });
    let pulled = ada.post("/_sync/pull", &ask).await.ok();
    let ops: Vec<_> =
        pulled["changes"].as_array().unwrap().iter().map(|change| change["op"].as_str().unwrap()).collect();
    assert_eq!(ops, ["create", "ack", "update", "ack", "create", "ack", "create", "ack", "ack"]);
    assert_eq!((&pulled["cursor"], &pulled["has_more"]), (&results[4]["cursor"], &json!(false)));
    let rejected = &pulled["changes"][8];
    assert_eq!(
        (&rejected["seq"], &rejected["status"], &rejected["code"]),
        (&json!(5), &json!("rejected"), &results[4]["code"])
    );

    // Nothing new: the same cursor. Somebody else: the rows of the public scope, no acknowledgement.
    let ask = json!({ "client": client, "scope": "user:ada:things", "cursor": pulled["cursor"], "user": "ada" });
    let again = ada.post("/_sync/pull", &ask).await.ok();
    assert_eq!(again, json!({ "changes": [], "cursor": pulled["cursor"], "has_more": false }));
    let ask = json!({ "client": client_id(2), "scope": "square", "cursor": "" });
    let seen = stage.bob().await.post("/_sync/pull", &ask).await.ok();
    assert_eq!(seen["changes"], json!([{ "op": "create", "entity": "received", "id": "m1", "data": "m1" }]));

    // Every page size comes to the same; so does the snapshot, with all its acknowledgements and the last number.
    let mut whole = Copy::default();
    whole.apply(&pulled);
    for limit in [1, 2, 3, 1_000, 1_000_000] {
        let mut paged = Copy::default();
        paged.pull_all(&mut ada, "user:ada:things", &client, limit).await;
        assert_eq!(paged, whole, "{limit}");
        let snapshot = Copy::snapshot(&mut ada, "user:ada:things", &client, limit).await;
        assert_eq!((&snapshot.rows, &snapshot.acks, &snapshot.cursor), (&whole.rows, &whole.acks, &whole.cursor));
    }
    let first =
        ada.post("/_sync/snapshot", &json!({ "client": client, "scope": "user:ada:things", "limit": 1 })).await.ok();
    assert_eq!(first["last"], 5);
    let second = json!({ "client": client, "scope": "user:ada:things", "limit": 1, "page": first["next"] });
    let second = ada.post("/_sync/snapshot", &second).await.ok();
    assert_eq!((second.get("last"), &second["acks"]), (None, &json!([])));

    // Nothing to send is nothing done; a client that has sent nothing is nobody yet.
    assert_eq!(ada.post("/_sync/push", &push(&client_id(3), vec![])).await.ok(), json!({ "results": [] }));
    let snapshot = ada.post("/_sync/snapshot", &json!({ "client": client_id(3), "scope": "square" })).await.ok();
    assert_eq!(snapshot.get("last"), None);
}

async fn an_unreadable_request_is_invalid(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    let client = client_id(1);
    let good = mutation(1, "put", "square", json!(["a", 1]));
    let mut bad: Vec<(&str, Value)> = vec![
        ("push", json!(null)),
        ("push", json!([])),
        ("push", json!({})),
        ("push", json!({ "client": client })),
        ("push", json!({ "mutations": [] })),
        ("push", push("short", vec![good.clone()])),
        ("push", push(&"x".repeat(65), vec![good.clone()])),
        ("push", push("client 000000000000000000", vec![good.clone()])),
        ("push", json!({ "client": client, "mutations": {} })),
        ("push", json!({ "client": client, "user": 1, "mutations": [] })),
        ("pull", json!({ "client": client, "scope": "", "cursor": "" })),
        ("pull", json!({ "client": client, "scope": "!x", "cursor": "" })),
        ("pull", json!({ "client": client, "scope": "a\u{0}b", "cursor": "" })),
        ("pull", json!({ "client": client, "scope": "x".repeat(201), "cursor": "" })),
        ("pull", json!({ "client": client, "scope": "square", "cursor": 1 })),
        ("pull", json!({ "client": client, "scope": "square", "cursor": "1" })),
        ("pull", json!({ "client": client, "scope": "square", "cursor": "1-2-3-4" })),
        ("pull", json!({ "client": client, "scope": "square", "cursor": "1-ffffffffffffffff-1" })),
        ("pull", json!({ "client": client, "scope": "square", "cursor": "", "limit": -1 })),
        ("pull", json!({ "client": client, "scope": "square", "cursor": "", "limit": "1" })),
        ("snapshot", json!({ "client": client })),
        ("snapshot", json!({ "client": client, "scope": "square", "page": "" })),
        ("snapshot", json!({ "client": client, "scope": "square", "page": "AAAA" })),
        ("snapshot", json!({ "client": client, "scope": "square", "page": "no base64!" })),
    ];
    for (field, values) in [
        ("seq", vec![json!(-1), json!(1.5), json!("1"), json!(null), json!(1e300), json!([1])]),
        ("name", vec![json!(1), json!(null)]),
        ("scope", vec![json!(1), json!(null)]),
        ("id", vec![json!(7)]),
    ] {
        for value in values {
            let mut broken = good.clone();
            broken[field] = value;
            bad.push(("push", push(&client, vec![broken])));
        }
    }
    for (path, body) in bad {
        let answer = ada.post(&format!("/_sync/{path}"), &body).await;
        let error = answer.error(400, "invalid");
        assert!(!error["error"].as_str().unwrap().is_empty(), "{body}");
    }
    for missing in ["seq", "name", "scope"] {
        let mut broken = good.clone();
        broken.as_object_mut().unwrap().remove(missing);
        let error = ada.post("/_sync/push", &push(&client, vec![broken])).await.error(400, "invalid");
        let error = error["error"].as_str().unwrap();
        assert!(error.contains("mutations[0]") && error.contains(missing), "says where: {error}");
    }
    assert_eq!(stage.head("square").await, 0);
}

async fn a_scope_that_is_closed_is_forbidden(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    for scope in [
        "user:bob:things",
        "user:adam",
        "user:ad",
        "staff",
        "user:",
        "USER:ada",
        "user:ada\u{a0}:x",
        "squar",
        "square2",
    ] {
        let ask = json!({ "client": client_id(1), "scope": scope, "cursor": "" });
        ada.post("/_sync/pull", &ask).await.error(403, "scope_forbidden");
        ada.post("/_sync/snapshot", &ask).await.error(403, "scope_forbidden");
    }
    // A push of it is refused mutation by mutation, and goes on. Refusals that nobody can pull have no cursor.
    let mutations = vec![
        mutation(1, "put", "user:bob:things", json!(["a", 1])),
        mutation(2, "put", "square", json!(["a", 1])),
        mutation(3, "send", "square", json!(["user:bob:things", "a"])),
        mutation(4, "send", "square", json!(["square", "a"])),
        mutation(5, "put", "a scope\u{0}", json!(["a", 1])),
    ];
    let body = push(&client_id(1), mutations);
    let pushed = ada.post("/_sync/push", &body).await.ok();
    let results = pushed["results"].as_array().unwrap().iter();
    let brief = results.map(|result| {
        (result["status"].as_str().unwrap(), result["code"].as_str().unwrap_or_default(), result["cursor"].is_string())
    });
    let brief: Vec<_> = brief.collect();
    assert_eq!(
        brief,
        [
            ("rejected", "scope_forbidden", false),
            ("applied", "", true),
            ("rejected", "scope_forbidden", true),
            ("applied", "", true),
            ("rejected", "invalid", false),
        ]
    );
    assert_eq!(ada.post("/_sync/push", &body).await.ok(), pushed, "sent again, answered again");
    assert_eq!(stage.head("user:bob:things").await, 0);
    assert_eq!(stage.head("square").await, 3);
}

async fn a_client_belongs_to_its_user(on: On) {
    let stage = on.stage().await;
    let (mut ada, mut bob) = (stage.ada().await, stage.bob().await);
    let hers = push(&client_id(1), vec![mutation(1, "count", "square", json!("n"))]);
    ada.post("/_sync/push", &hers).await.ok();
    let theft = push(&client_id(1), vec![mutation(2, "count", "square", json!("n"))]);
    bob.post("/_sync/push", &theft).await.error(403, "client_foreign");
    bob.post("/_sync/push", &hers).await.error(403, "client_foreign");
    let ask = json!({ "client": client_id(1), "scope": "square", "cursor": "" });
    bob.post("/_sync/pull", &ask).await.error(403, "client_foreign");
    bob.post("/_sync/snapshot", &ask).await.error(403, "client_foreign");
    assert_eq!(stage.row("square", "counter", "n").await, Some(json!(1)));
    ada.post("/_sync/push", &theft).await.ok();

    // Whose the store in the browser is, goes before everything.
    for path in ["push", "pull", "snapshot"] {
        let body = json!({ "client": client_id(9), "user": "ada", "scope": "square", "cursor": "", "mutations": [] });
        bob.post(&format!("/_sync/{path}"), &body).await.error(401, "other_user");
        ada.post(&format!("/_sync/{path}"), &body).await.ok();
    }
}

async fn another_site_is_refused(on: On) {
    let stage = on.stage().await;
    let host = stage.address.to_string();
    let same = format!("http://{host}");
    let cross: [&[(&str, &str)]; 5] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")],
    ];
    let body = push(&client_id(1), vec![mutation(1, "count", "square", json!("n"))]).to_string();
    for path in ["push", "pull", "snapshot"] {
        for headers in cross {
            let headers = [headers, &[("content-type", "application/json")]].concat();
            let mut ada = stage.ada().await;
            let answer = within(ada.send("POST", &format!("/_sync/{path}"), &headers, body.as_bytes())).await.unwrap();
            answer.error(403, "cross_site");
        }
    }
    assert_eq!(stage.head("square").await, 0);
    for headers in [("origin", same.as_str()), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")] {
        let headers = [headers, ("content-type", "application/json")];
        within(stage.ada().await.send("POST", "/_sync/push", &headers, body.as_bytes())).await.unwrap().ok();
    }
    assert_eq!(stage.head("square").await, 1);
}

async fn numbers_are_kept_in_order(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    let one = |seq| mutation(seq, "count", "square", json!("n"));
    let client = client_id(1);
    for seq in [0, 2, 7, 1 << 53, i64::MAX as u64, u64::MAX] {
        let error = ada.post("/_sync/push", &push(&client, vec![one(seq)])).await.error(409, "client_unknown");
        assert_eq!(error["results"], json!([]));
    }
    // What comes before the gap is done.
    let error = ada.post("/_sync/push", &push(&client, vec![one(1), one(2), one(4)])).await.error(409, "gap");
    assert_eq!((error["expected"].as_u64(), error["results"].as_array().unwrap().len()), (Some(3), 2));
    for seq in [0, 4, (1 << 53) + 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        let error = ada.post("/_sync/push", &push(&client, vec![one(seq)])).await.error(409, "gap");
        assert_eq!((error["expected"].as_u64(), &error["results"]), (Some(3), &json!([])), "{seq}");
    }
    let backwards = ada.post("/_sync/push", &push(&client, vec![one(3), one(2), one(1), one(4)])).await.ok();
    assert_eq!(backwards["results"].as_array().unwrap().len(), 4);
    // The same number with another content: the scope, the name or the arguments.
    for other in [
        mutation(2, "count", "square", json!("m")),
        mutation(2, "note", "square", json!("n")),
        mutation(2, "count", "room:1", json!("n")),
        mutation(2, "count", "user:bob", json!("n")),
    ] {
        let error = ada.post("/_sync/push", &push(&client, vec![one(1), other, one(5)])).await.error(409, "seq_reused");
        assert_eq!(error["results"].as_array().unwrap().len(), 1);
    }
    assert_eq!(stage.row("square", "counter", "n").await, Some(json!(4)));
    assert_eq!(stage.head("square").await, 4);
}

async fn a_log_that_was_cut_says_so(on: On) {
    let retention =
        Retention { entries: Some(3), grace: std::time::Duration::ZERO, every: None, ..Retention::default() };
    let stage = on.stage_with(Plan { retention, ..Plan::default() }).await;
    let mut ada = stage.ada().await;
    let mutations: Vec<_> =
        (1..=10).map(|seq| mutation(seq, "put", "square", json!([format!("r{seq}"), seq]))).collect();
    let body = push(&client_id(1), mutations);
    let pushed = ada.post("/_sync/push", &body).await.ok();
    let first = json!({ "client": client_id(1), "scope": "square", "limit": 2 });
    let page = ada.post("/_sync/snapshot", &first).await.ok();
    ada.post("/_sync/push", &push(&client_id(1), vec![mutation(11, "count", "square", json!("n"))])).await.ok();
    stage.engine.compact().await.unwrap();
    let pull = |cursor: &Value| json!({ "client": client_id(1), "scope": "square", "cursor": cursor });
    let cursor = |seq: usize| &pushed["results"][seq - 1]["cursor"];
    ada.post("/_sync/pull", &pull(&json!(""))).await.error(409, "cursor_too_old");
    ada.post("/_sync/pull", &pull(cursor(7))).await.error(409, "cursor_too_old");
    let kept = ada.post("/_sync/pull", &pull(cursor(8))).await.ok();
    assert_eq!(kept["changes"].as_array().unwrap().len(), 6);
    // A page of a snapshot that can't be shown any more.
    let second = json!({ "client": client_id(1), "scope": "square", "limit": 2, "page": page["next"] });
    ada.post("/_sync/snapshot", &second).await.error(409, "cursor_too_old");
    assert_eq!(Copy::snapshot(&mut ada, "square", &client_id(1), 2).await.rows.len(), 11);
    // Outcomes that are no longer kept.
    let again = ada.post("/_sync/push", &body).await.ok();
    let statuses: Vec<_> = again["results"].as_array().unwrap().iter().map(|result| result["status"].clone()).collect();
    assert_eq!(statuses[..7], vec![json!("expired"); 7]);
    assert_eq!(statuses[8..], vec![json!("applied"); 2]);
    assert_eq!(stage.head("square").await, 11);
}

async fn another_history_is_told_from_this_one(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    let two = |scope: &str, client| {
        push(&client_id(client), vec![mutation(1, "note", scope, json!("a")), mutation(2, "note", scope, json!("b"))])
    };
    let pushed = ada.post("/_sync/push", &two("square", 1)).await.ok();
    let other = ada.post("/_sync/push", &two("room:1", 2)).await.ok();
    let cursor = pushed["results"][1]["cursor"].as_str().unwrap();
    let [epoch, position, check] = cursor.split('-').collect::<Vec<_>>()[..] else { panic!("{cursor}") };
    let forged = [
        format!("{epoch}-{position}-1"),
        format!("{epoch}-3-{check}"),
        format!("{epoch}-1-{check}"),
        format!("{epoch}-7fffffffffffffff-{check}"),
        format!("0000000000000001-{position}-{check}"),
        // A place in the log of another scope is no place in this one.
        other["results"][1]["cursor"].as_str().unwrap().to_owned(),
    ];
    for cursor in forged {
        let ask = json!({ "client": client_id(1), "scope": "square", "cursor": cursor });
        let error = ada.post("/_sync/pull", &ask).await.error(409, "epoch_changed");
        assert!(error["error"].as_str().unwrap().contains("snapshot"), "{cursor}");
    }
    let ask = json!({ "client": client_id(1), "scope": "square", "limit": 1 });
    let page = ada.post("/_sync/snapshot", &ask).await.ok();
    stage.engine.bump_epoch().await.unwrap();
    let ask = json!({ "client": client_id(1), "scope": "square", "cursor": cursor, "page": page["next"] });
    ada.post("/_sync/pull", &ask).await.error(409, "epoch_changed");
    ada.post("/_sync/snapshot", &ask).await.error(409, "epoch_changed");
    assert_eq!(Copy::snapshot(&mut ada, "square", &client_id(1), 1).await.rows.len(), 2);
}

async fn what_is_too_large_is_refused(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    let many: Vec<_> = (1..=101).map(|seq| mutation(seq, "count", "square", json!("n"))).collect();
    let error = ada.post("/_sync/push", &push(&client_id(1), many.clone())).await.error(413, "too_large");
    assert_eq!(error["results"], json!([]), "nothing of it was done");
    ada.post("/_sync/push", &push(&client_id(1), many[..100].to_vec())).await.ok();
    assert_eq!(stage.head("square").await, 100);

    // Arguments that are too large will never be smaller: refused for good, so that what is behind them goes on.
    let large = |len: usize| json!(["a", "x".repeat(len - r#"["a",""]"#.len())]);
    let body = vec![
        mutation(1, "put", "square", large(64 * 1024)),
        mutation(2, "put", "square", large(64 * 1024 + 1)),
        mutation(3, "put", "square", json!(["b", 1])),
    ];
    let pushed = ada.post("/_sync/push", &push(&client_id(2), body)).await.ok();
    let codes: Vec<_> = pushed["results"].as_array().unwrap().iter().map(|result| result["code"].as_str()).collect();
    assert_eq!(codes, [None, Some("too_large"), None]);

    for length in [1024 * 1024 + 1, 3 * 1024 * 1024] {
        let body = format!("{}{}", push(&client_id(3), vec![]), " ".repeat(length));
        for path in ["push", "pull", "snapshot"] {
            let mut ada = stage.ada().await;
            let answer = within(ada.post_raw(&format!("/_sync/{path}"), body.as_bytes())).await;
            // The server may have closed before the client was done writing; if an answer came, it is this one.
            match answer {
                Ok(answer) => drop(answer.error(413, "too_large")),
                Err(error) => assert!(length > 1024 * 1024 + 1, "{error}"),
            }
        }
    }
    // Exactly as much as is allowed.
    let mut body = push(&client_id(3), vec![]).to_string();
    body.push_str(&" ".repeat(1024 * 1024 - body.len()));
    within(ada.post_raw("/_sync/push", body.as_bytes())).await.unwrap().ok();
}

async fn only_json_is_read(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    let body = push(&client_id(1), vec![mutation(1, "count", "square", json!("n"))]).to_string();
    let kinds: [&[(&str, &str)]; 5] = [
        &[],
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "multipart/form-data; boundary=application/json")],
        &[("content-type", "text/plain; application/json")],
    ];
    for kind in kinds {
        let answer = within(ada.send("POST", "/_sync/push", kind, body.as_bytes())).await.unwrap();
        assert_eq!((answer.status, answer.json()["code"].as_str()), (415, Some("invalid")), "{kind:?}");
    }
    assert_eq!(stage.head("square").await, 0);
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        within(ada.send("POST", "/_sync/push", &[("content-type", kind)], body.as_bytes())).await.unwrap().ok();
    }
}

async fn users_have_a_rate(on: On) {
    let limits = SyncLimits { requests_per_user: Rate::per_second(1).burst(3), ..SyncLimits::default() };
    let stage = on.stage_with(Plan { limits, ..Plan::default() }).await;
    let (mut ada, mut also_ada) = (stage.ada().await, stage.ada().await);
    let ask = json!({ "client": client_id(1), "scope": "square", "cursor": "" });
    ada.post("/_sync/pull", &ask).await.ok();
    also_ada.post("/_sync/push", &push(&client_id(2), vec![])).await.ok();
    ada.post("/_sync/snapshot", &ask).await.ok();
    // However many sockets there are.
    for _ in 0..3 {
        let answer = also_ada.post("/_sync/pull", &ask).await;
        answer.error(429, "rate_limited");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    stage.bob().await.post("/_sync/pull", &ask).await.ok();
}

async fn addresses_behind_proxies_have_a_rate(on: On) {
    let limits = SyncLimits { requests_per_address: Rate::per_second(1).burst(2), ..Plan::default().limits };
    let proxies =
        |engine: mizu::sync::EngineBuilder| engine.trusted_proxies("127.0.0.1".parse::<TrustedProxies>().unwrap());
    let stage = on.stage_with(Plan { limits, engine: proxies, ..Plan::default() }).await;
    let from = async |address: &str, session: &str| {
        let mut http = stage.user(session).await.with("x-forwarded-for", address);
        http.post("/_sync/pull", &json!({ "scope": "square" })).await
    };
    from("203.0.113.1", "a1").await.ok();
    // Whoever it is, and who is nobody as well.
    from("203.0.113.1", "nobody").await.error(401, "unauthorized");
    let answer = from("203.0.113.1", "b1").await;
    answer.error(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), Some("1"));
    // What the client itself says it is counts for nothing.
    from("198.51.100.7, 203.0.113.1", "b1").await.error(429, "rate_limited");
    from("203.0.113.1, 198.51.100.7", "b1").await.ok();
    // The proxy itself is no client.
    let mut direct = stage.ada().await;
    for _ in 0..5 {
        direct.post("/_sync/pull", &json!({ "scope": "square" })).await.ok();
    }
}

async fn what_can_not_be_done_now_keeps_what_was_done(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    let body = push(
        &client_id(1),
        vec![
            mutation(1, "count", "square", json!("n")),
            mutation(2, "moody", "square", json!("m")),
            mutation(3, "count", "square", json!("n")),
        ],
    );
    stage.moody.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let answer = ada.post("/_sync/push", &body).await;
        let error = answer.error(503, "unavailable");
        let results = error["results"].as_array().unwrap();
        assert_eq!((results.len(), &results[0]["status"]), (1, &json!("applied")));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(stage.head("square").await, 1);
    assert_eq!(stage.row("square", "thing", "m").await, None);
    stage.moody.store(false, Ordering::SeqCst);
    assert_eq!(ada.post("/_sync/push", &body).await.ok()["results"].as_array().unwrap().len(), 3);
    assert_eq!(stage.row("square", "counter", "n").await, Some(json!(2)));
}

async fn a_mutation_that_fails_for_good_blocks_nothing(on: On) {
    let stage: Stage = on.stage().await;
    let mut ada = stage.ada().await;
    let body = push(
        &client_id(1),
        vec![
            mutation(1, "panic", "square", json!("p")),
            mutation(2, "no such thing", "square", json!(1)),
            mutation(3, "put", "square", json!({ "id": 1 })),
            mutation(4, "note", "square", json!("a")),
            mutation(5, "note", "square", json!("a")),
            mutation(6, "count", "square", json!("n")),
        ],
    );
    let pushed = ada.post("/_sync/push", &body).await.ok();
    let codes: Vec<_> = pushed["results"].as_array().unwrap().iter().map(|result| result["code"].as_str()).collect();
    assert_eq!(codes, [Some("mutator_panicked"), Some("invalid"), Some("invalid"), None, Some("twice"), None]);
    assert!(!pushed.to_string().contains("as the test asked"), "what a panic says is not for clients");
    assert_eq!(ada.post("/_sync/push", &body).await.ok(), pushed);
    assert_eq!(stage.row("square", "thing", "p").await, None);
    assert_eq!(stage.row("square", "counter", "n").await, Some(json!(1)));
    assert_eq!(stage.head("square").await, 6);
}

async fn other_methods_and_paths_are_none_of_it(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        assert_eq!(within(ada.send(method, "/_sync/push", &[], b"")).await.unwrap().status, 405, "{method}");
    }
    for path in ["/_sync", "/_sync/", "/_sync/push/", "/_sync/pushes", "//_sync/push"] {
        assert_eq!(within(ada.post_raw(path, b"{}")).await.unwrap().status, 404, "{path}");
    }
}
