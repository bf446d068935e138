//! Requests that nobody honest sends: each ends in a named error, moves nobody else's log, and the engine works as before.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::app::{On, Stage, on_every_store};
use crate::wire::{Answer, Copy, Http, client_id, mutation, push, within};

on_every_store! {
    what_is_no_json_is_invalid
    odd_arguments_are_data_or_refused
    odd_names_are_refused_or_names
    forged_places_give_nothing
    nothing_moves_somebody_elses_log
    what_is_no_http_hurts_nobody
}

/// A thing of Bob's, with which no other test has to do.
async fn bobs_thing(stage: &Stage) -> Copy {
    let mut bob = stage.bob().await;
    let body = push(&client_id(77), vec![mutation(1, "put", "user:bob:things", json!(["secret", "of bob's"]))]);
    bob.post("/_sync/push", &body).await.ok();
    let mut copy = Copy::default();
    copy.pull_all(&mut bob, "user:bob:things", &client_id(77), 1_000).await;
    copy
}

/// Bob's thing is what it was, and his client goes on.
async fn nothing_happened_to_bob(stage: &Stage, before: &Copy) {
    let mut bob = stage.bob().await;
    let mut now = Copy::default();
    now.pull_all(&mut bob, "user:bob:things", &client_id(77), 1_000).await;
    assert_eq!(now, *before);
    let error = bob.post("/_sync/push", &push(&client_id(77), vec![mutation(9, "count", "square", json!(1))])).await;
    assert_eq!(error.error(409, "gap")["expected"], 2);
}

/// Somebody who has never asked before is served.
async fn it_still_works(stage: &Stage, number: u64) {
    let (mut ada, client) = (stage.ada().await, client_id(1_000_000 + number));
    let (scope, id) = (format!("room:works-{number}"), "n");
    let body = push(&client, vec![mutation(1, "count", &scope, json!(id)), mutation(2, "count", &scope, json!(id))]);
    let pushed = ada.post("/_sync/push", &body).await.ok();
    assert_eq!(pushed["results"][1]["status"], "applied", "{pushed}");
    let mut copy = Copy::default();
    copy.pull_all(&mut ada, &scope, &client, 1).await;
    assert_eq!((copy.acks.as_slice(), copy.changes), ([1, 2].as_slice(), 2));
}

fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

async fn what_is_no_json_is_invalid(on: On) {
    let stage = on.stage().await;
    let bob = bobs_thing(&stage).await;
    let mut ada = stage.ada().await;
    let client = client_id(1);
    let with = |mutation: &str| format!(r#"{{"client":"{client}","mutations":[{mutation}]}}"#);
    let field = |seq: &str, name: &str, scope: &str, args: &str| {
        with(&format!(r#"{{"seq":{seq},"name":{name},"scope":{scope},"args":{args}}}"#))
    };
    let good = field("1", r#""put""#, r#""square""#, r#"["a",1]"#);
    let mut bad: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "{",
        "}",
        "{}{}",
        "[1,]",
        "'a'",
        "{client:1}",
        "\u{feff}{}",
        "NaN",
        "Infinity",
        "// {}",
        "\0",
        "0x10",
        "01",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    // Cut anywhere, and with something behind it.
    bad.extend((0..good.len()).map(|at| good.as_bytes()[..at].to_vec()));
    bad.extend(["x", "{}", "]", "\0", ","].map(|tail| format!("{good}{tail}").into_bytes()));
    for seq in [
        "NaN",
        "Infinity",
        "-Infinity",
        "-1",
        "-0.0",
        "0.5",
        "1e400",
        "18446744073709551616",
        "1.0",
        "1e2",
        "\"1\"",
        "+1",
        "1_000",
        "٣",
    ] {
        bad.push(field(seq, r#""put""#, r#""square""#, r#"["a",1]"#).into_bytes());
    }
    // Half a character, and bytes that are none.
    for lone in [r#""\ud800""#, r#""\udc00x""#, r#""\ud800\ud800""#, r#""\u12""#, r#""\x00""#, "\"\n\""] {
        bad.push(field("1", lone, r#""square""#, "1").into_bytes());
        bad.push(field("1", r#""put""#, lone, "1").into_bytes());
    }
    for raw in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"] {
        let at = good.find("square").unwrap();
        bad.push([&good.as_bytes()[..at], raw, &good.as_bytes()[at..]].concat());
        let at = good.find("\"a\"").unwrap() + 1;
        bad.push([&good.as_bytes()[..at], raw, &good.as_bytes()[at..]].concat());
    }
    for args in ["NaN", "Infinity", "undefined", "{'a':1}", "[1,]", "0x1", ".5", "1.", "01"] {
        bad.push(field("1", r#""put""#, r#""square""#, args).into_bytes());
    }
    // What is said twice.
    bad.push(format!(r#"{{"client":"{client}","client":"{client}","mutations":[]}}"#).into_bytes());
    bad.push(format!(r#"{{"client":"{client}","mutations":[],"mutations":[]}}"#).into_bytes());
    bad.push(with(r#"{"seq":1,"seq":1,"name":"put","scope":"square","args":1}"#).into_bytes());
    bad.push(with(r#"{"seq":1,"name":"put","scope":"square","scope":"user:bob:things","args":1}"#).into_bytes());
    // Deep where a flat thing belongs.
    bad.push(deep(10_000).into_bytes());
    bad.push("[".repeat(500_000).into_bytes());
    bad.push(r#"{"a":"#.repeat(100_000).into_bytes());
    bad.push(field(&deep(10_000), r#""put""#, r#""square""#, "1").into_bytes());
    for body in &bad {
        for path in ["push", "pull", "snapshot"] {
            let answer = within(ada.post_raw(&format!("/_sync/{path}"), body)).await.unwrap();
            let error = answer.error(400, "invalid");
            let shown = String::from_utf8_lossy(&body[..body.len().min(300)]);
            assert!(error["error"].as_str().unwrap().len() < 1_000, "{path}: {shown}: {error}");
        }
    }
    assert_eq!(stage.head("square").await, 0);
    within(ada.post_raw("/_sync/push", good.as_bytes())).await.unwrap().ok();
    nothing_happened_to_bob(&stage, &bob).await;
    it_still_works(&stage, 1).await;
}

async fn odd_arguments_are_data_or_refused(on: On) {
    let stage = on.stage().await;
    let mut ada = stage.ada().await;
    let long = "9".repeat(400);
    let deepest = deep(100);
    let (deep_1, deep_2) = (deep(10_000), deep(30_000));
    let (deep_object, wide) =
        (format!("{}1{}", r#"{"a":"#.repeat(9_000), "}".repeat(9_000)), format!("[{}1]", "1,".repeat(20_000)));
    // What is written, and what is read again; none where it is refused.
    let cases: Vec<(&str, Option<Value>)> = vec![
        ("9007199254740993", Some(json!(9_007_199_254_740_993_u64))),
        ("18446744073709551615", Some(json!(u64::MAX))),
        ("-9223372036854775808", Some(json!(i64::MIN))),
        ("18446744073709551616", Some(json!(18_446_744_073_709_551_616.0))),
        ("-0", Some(json!(-0.0))),
        ("-0.0", Some(json!(-0.0))),
        ("1e308", Some(json!(1e308))),
        ("1e-400", Some(json!(0.0))),
        ("1e400", None),
        ("-1e400", None),
        (&long, None),
        (r#""\ud800""#, None),
        (r#""\udfff\ud800""#, None),
        (r#""\ud83d\ude00""#, Some(json!("\u{1f600}"))),
        (r#""\u0000""#, Some(json!("\u{0}"))),
        (r#""'; drop table mizu_log; --""#, Some(json!("'; drop table mizu_log; --"))),
        (r#""$1 ? :a @b %s \\""#, Some(json!("$1 ? :a @b %s \\"))),
        (r#"{"a":1,"a":2}"#, Some(json!({ "a": 2 }))),
        (
            r#"{"__proto__":{"x":1},"constructor":1,"":0}"#,
            Some(json!({ "__proto__": { "x": 1 }, "constructor": 1, "": 0 })),
        ),
        (r#"{"$serde_json::private::RawValue":"[1"}"#, None),
        (r#"{"$serde_json::private::Number":"x"}"#, Some(json!({ "$serde_json::private::Number": "x" }))),
        (&deepest, Some(serde_json::from_str(&deepest).unwrap())),
        (&deep_1, None),
        (&deep_2, None),
        (&deep_object, None),
        (&wide, Some(serde_json::from_str(&wide).unwrap())),
    ];
    for (at, (value, expected)) in (1..).zip(&cases) {
        let shown = &value[..value.len().min(60)];
        let body = format!(
            r#"{{"client":"{}","mutations":[{{"seq":{at},"name":"put","scope":"square","args":["v{at}",{value}]}}]}}"#,
            client_id(1)
        );
        let pushed = within(ada.post_raw("/_sync/push", body.as_bytes())).await.unwrap().ok();
        let (status, row) = (&pushed["results"][0]["status"], stage.row("square", "thing", &format!("v{at}")).await);
        match expected {
            Some(_) => assert_eq!((status, &row), (&json!("applied"), expected), "{shown}: {pushed}"),
            None => assert_eq!((status, &row), (&json!("rejected"), &None), "{shown}: {pushed}"),
        }
        let again = within(ada.post_raw("/_sync/push", body.as_bytes())).await.unwrap().ok();
        assert_eq!(again, pushed, "{shown}");
    }
    let mut copy = Copy::default();
    copy.pull_all(&mut ada, "square", &client_id(1), 3).await;
    assert_eq!(copy.acks.len(), cases.len());
    assert_eq!(Copy::snapshot(&mut ada, "square", &client_id(1), 3).await.rows, copy.rows);
    it_still_works(&stage, 1).await;
}

async fn odd_names_are_refused_or_names(on: On) {
    let stage = on.stage().await;
    let bob = bobs_thing(&stage).await;
    let mut ada = stage.ada().await;
    let long = "ä".repeat(5_000);
    let names = [
        "",
        " ",
        "put ",
        "put\0",
        "pu\nt",
        "PUT",
        "put'--",
        "put;drop table mizu_log",
        "../put",
        "\u{202e}tup",
        "=put",
        &long,
        "todo.create\u{0}",
    ];
    let mut seq = 0;
    for name in names {
        seq += 1;
        let pushed = ada
            .post("/_sync/push", &push(&client_id(1), vec![mutation(seq, name, "square", json!(["a", 1]))]))
            .await
            .ok();
        let code = pushed["results"][0]["code"].as_str().unwrap();
        assert!(["invalid", "unknown_mutator"].contains(&code), "{name:?}: {pushed}");
        assert!(pushed.to_string().len() < 2_000, "{name:?}");
    }
    // Scopes that are none, or nobody's.
    for scope in [
        "",
        "!",
        "!client-000000000000000000000077",
        "user:bob:things\0",
        "\0user:bob:things",
        "square\n",
        "user:bob:things' or ''='",
        &long,
    ] {
        seq += 1;
        let pushed = ada
            .post("/_sync/push", &push(&client_id(1), vec![mutation(seq, "put", scope, json!(["a", 1]))]))
            .await
            .ok();
        let result = &pushed["results"][0];
        assert_eq!((&result["status"], result.get("cursor")), (&json!("rejected"), None), "{scope:?}: {pushed}");
    }
    // Ids of rows: any text that a person can see.
    for (id, expected) in [
        ("'; drop table mizu_changes; --", "applied"),
        ("%", "applied"),
        ("../../etc/passwd", "applied"),
        ("\u{202e}x", "applied"),
        ("ü/ä?#&", "applied"),
        ("a\0b", "rejected"),
        ("", "rejected"),
        ("\u{7f}", "rejected"),
        (&"x".repeat(128), "applied"),
        (&"x".repeat(129), "rejected"),
    ] {
        seq += 1;
        let pushed = ada
            .post("/_sync/push", &push(&client_id(1), vec![mutation(seq, "put", "room:1", json!([id, 1]))]))
            .await
            .ok();
        assert_eq!(pushed["results"][0]["status"], expected, "{id:?}: {pushed}");
    }
    // Tracing ids are for tracing: whatever text they are.
    for id in ["", "no uuid", "\0", "'"] {
        seq += 1;
        let mut traced = mutation(seq, "put", "room:1", json!(["t", 1]));
        traced["id"] = json!(id);
        assert_eq!(
            ada.post("/_sync/push", &push(&client_id(1), vec![traced])).await.ok()["results"][0]["status"],
            "applied"
        );
    }
    let mut copy = Copy::default();
    copy.pull_all(&mut ada, "room:1", &client_id(1), 1).await;
    assert_eq!(copy.rows.len(), 7);
    assert_eq!(Copy::snapshot(&mut ada, "room:1", &client_id(1), 1).await.rows, copy.rows);
    nothing_happened_to_bob(&stage, &bob).await;
    it_still_works(&stage, 1).await;
}

/// As a snapshot names its pages.
fn page(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

async fn forged_places_give_nothing(on: On) {
    let stage = on.stage().await;
    let bob = bobs_thing(&stage).await;
    let mut eve = stage.user("e1").await;
    // Bob's own cursor and page, in the hands of somebody else: neither his scope opens, nor does hers show his rows.
    let ask = json!({ "client": client_id(5), "scope": "user:bob:things", "cursor": bob.cursor });
    eve.post("/_sync/pull", &ask).await.error(403, "scope_forbidden");
    let ask = json!({ "client": client_id(5), "scope": "user:eve:things", "cursor": bob.cursor });
    eve.post("/_sync/pull", &ask).await.error(409, "epoch_changed");
    let [epoch, ..] = bob.cursor.split('-').collect::<Vec<_>>()[..] else { panic!("{}", bob.cursor) };
    for (text, status, code) in [
        (format!("{} thing secret", bob.cursor), 409, "epoch_changed"),
        (format!("{epoch}-7fffffffffffffff-1 thing a"), 409, "epoch_changed"),
        (format!("{epoch}-0-0 thing a"), 200, ""),
        (format!("{epoch}-0-1 thing a"), 409, "epoch_changed"),
        (format!("{epoch}-0-0 \0 \0"), 200, ""),
        (format!("{epoch}-0-0  "), 200, ""),
        (format!("{epoch}-0-0"), 400, "invalid"),
        (" thing a".to_owned(), 400, "invalid"),
        (format!("{epoch}-ffffffffffffffff-0 a b"), 400, "invalid"),
        ("' or 1=1 -- a".to_owned(), 400, "invalid"),
        (format!("{epoch}-0-0 {} {}", "x".repeat(10_000), "y".repeat(10_000)), 200, ""),
    ] {
        let ask = json!({ "client": client_id(5), "scope": "user:eve:things", "page": page(&text) });
        let answer = eve.post("/_sync/snapshot", &ask).await;
        match code {
            // What has no rows shows none, from wherever; a store that can't read such a place may say that it is none.
            "" if answer.status == 400 => drop(answer.error(400, "invalid")),
            "" => assert_eq!(answer.ok()["rows"], json!([]), "{text:?}"),
            code => drop(answer.error(status, code)),
        }
    }
    let binary = ["_____w", "gICA", "AAAAAAAA", "=", "%00", "\0"];
    for page in binary {
        let ask = json!({ "client": client_id(5), "scope": "user:eve:things", "page": page });
        eve.post("/_sync/snapshot", &ask).await.error(400, "invalid");
    }
    // Bob's client id, in the hands of somebody else.
    for path in ["pull", "snapshot"] {
        let ask = json!({ "client": client_id(77), "scope": "square", "cursor": "" });
        eve.post(&format!("/_sync/{path}"), &ask).await.error(403, "client_foreign");
    }
    for mutations in
        [vec![mutation(2, "count", "square", json!(1))], vec![mutation(2, "put", "user:bob:things", json!(["x", 1]))]]
    {
        eve.post("/_sync/push", &push(&client_id(77), mutations)).await.error(403, "client_foreign");
    }
    nothing_happened_to_bob(&stage, &bob).await;
    it_still_works(&stage, 1).await;
}

/// One request that may not do anything to Bob.
#[derive(Clone, Debug)]
enum Blow {
    /// Puts something odd in the place that this path leads to; an index for each level.
    Put(Vec<usize>, Value),
    /// Takes away what the path leads to.
    Take(Vec<usize>),
    /// Writes over a byte.
    Byte(usize, u8),
    /// Cuts.
    Cut(usize),
    /// Writes something between.
    Insert(usize, Vec<u8>),
}

fn odd() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        "!",
        "\0",
        "square",
        "room:1",
        "user:bob:things",
        "user:eve:things",
        "put",
        "count",
        "send",
        "note",
        "panic",
        "todo.create",
        "todo.merge",
        "todo.delete",
        "client-000000000000000000000077",
        "client-000000000000000000000001",
        "ada",
        "bob",
        "eve",
        "-",
        "0-0-0",
        "'",
        "\u{10ffff}",
        "a\tb",
    ];
    prop_oneof![
        proptest::sample::select(texts.to_vec()).prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-3..6_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!(["user:bob:things", "x"])),
        Just(json!({ "id": "x", "title": 7 })),
        Just(json!([[[[[[[]]]]]]])),
    ]
}

fn blow() -> impl Strategy<Value = Blow> {
    let path = || vec(0..6_usize, 1..6);
    prop_oneof![
        6 => (path(), odd()).prop_map(|(path, value)| Blow::Put(path, value)),
        1 => path().prop_map(Blow::Take),
        2 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Blow::Byte(at, byte)),
        1 => any::<usize>().prop_map(Blow::Cut),
        1 => (any::<usize>(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Blow::Insert(at, bytes)),
    ]
}

/// The requests that are struck, all of them Eve's and all of them good.
fn good(which: usize, cursor: &str, page: &str) -> (&'static str, Value) {
    match which {
        0 => (
            "/_sync/push",
            json!({ "client": client_id(5), "user": "eve", "mutations": [
                mutation(1, "put", "user:eve:things", json!(["a", { "n": 1 }])),
                mutation(2, "send", "user:eve:things", json!(["square", "m"])),
                mutation(3, "todo.create", "user:eve:todos", json!({ "id": "t", "title": "x" })),
            ] }),
        ),
        1 => (
            "/_sync/push",
            push(&client_id(6), vec![mutation(1, "todo.merge", "square", json!({ "id": "t", "done": true }))]),
        ),
        2 => {
            ("/_sync/pull", json!({ "client": client_id(5), "scope": "user:eve:things", "cursor": cursor, "limit": 2 }))
        }
        3 => {
            ("/_sync/snapshot", json!({ "client": client_id(5), "scope": "user:eve:things", "page": page, "limit": 1 }))
        }
        _ => ("/api/todos", json!({ "id": "t", "title": "x", "done": false })),
    }
}

/// What a path leads to, as far as it goes.
fn place<'a>(value: &'a mut Value, path: &[usize]) -> &'a mut Value {
    let Some((first, rest)) = path.split_first() else { return value };
    let flat = match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => true,
    };
    if flat {
        return value;
    }
    match value {
        Value::Array(items) => {
            let at = first % items.len();
            place(&mut items[at], rest)
        }
        Value::Object(fields) => {
            let at = first % fields.len();
            place(fields.values_mut().nth(at).unwrap(), rest)
        }
        _ => unreachable!("everything else is flat"),
    }
}

fn strike(mut value: Value, blows: &[Blow]) -> Vec<u8> {
    for blow in blows {
        match blow {
            Blow::Put(path, odd) => *place(&mut value, path) = odd.clone(),
            Blow::Take(path) => match place(&mut value, &path[1..]) {
                Value::Object(fields) => {
                    drop(fields.keys().nth(path[0] % fields.len().max(1)).cloned().map(|key| fields.remove(&key)))
                }
                Value::Array(items) if !items.is_empty() => drop(items.remove(path[0] % items.len())),
                flat => *flat = Value::Null,
            },
            _ => {}
        }
    }
    let mut bytes = value.to_string().into_bytes();
    for blow in blows {
        match blow {
            Blow::Byte(at, byte) if !bytes.is_empty() => {
                let at = at % bytes.len();
                bytes[at] = *byte;
            }
            Blow::Cut(at) => bytes.truncate(at % (bytes.len() + 1)),
            Blow::Insert(at, more) => {
                let at = at % (bytes.len() + 1);
                bytes.splice(at..at, more.iter().copied());
            }
            _ => {}
        }
    }
    bytes
}

/// Whatever it was: an answer that the contract knows.
#[track_caller]
fn is_an_answer(answer: &Answer, shown: &str) {
    let known = [200, 201, 400, 401, 403, 404, 409, 413, 422];
    assert!(known.contains(&answer.status), "{shown}: {answer:?}");
    // It says what it is, and an error has its code and its words.
    let _ = answer.json();
}

async fn nothing_moves_somebody_elses_log(on: On) {
    let stage = on.stage().await;
    let bob = bobs_thing(&stage).await;
    let mut eve = stage.user("e1").await;
    let mutations = vec![
        mutation(1, "put", "user:eve:things", json!(["p", 1])),
        mutation(2, "put", "user:eve:things", json!(["q", 1])),
    ];
    let pushed = eve.post("/_sync/push", &push(&client_id(7), mutations)).await.ok();
    let cursor = pushed["results"][0]["cursor"].as_str().unwrap().to_owned();
    let snapshot = eve.post("/_sync/snapshot", &json!({ "scope": "user:eve:things", "limit": 1 })).await.ok();
    let page = snapshot["next"].as_str().unwrap().to_owned();
    let handle = tokio::runtime::Handle::current();
    let cases = (0..5_usize, vec(blow(), 1..4));
    let (eve, requests) = (std::cell::RefCell::new(eve), std::cell::Cell::new(0_u64));
    tokio::task::block_in_place(|| {
        let mut runner = TestRunner::new(Config { cases: 1_500, failure_persistence: None, ..Config::default() });
        let ran = runner.run(&cases, |(which, blows)| {
            let (path, value) = good(which, &cursor, &page);
            let bytes = strike(value, &blows);
            let shown = format!("{path} {}", String::from_utf8_lossy(&bytes));
            let answer = handle.block_on(within(eve.borrow_mut().post_raw(path, &bytes)));
            match answer {
                Ok(answer) => is_an_answer(&answer, &shown),
                Err(error) => panic!("no answer to {shown}: {error}"),
            }
            requests.set(requests.get() + 1);
            if requests.get().is_multiple_of(100) {
                handle.block_on(async {
                    nothing_happened_to_bob(&stage, &bob).await;
                    it_still_works(&stage, requests.get()).await;
                });
            }
            Ok(())
        });
        ran.unwrap();
    });
    nothing_happened_to_bob(&stage, &bob).await;
    // All that was done is in good order: the logs of everybody's scopes and Eve's own give what their snapshots show.
    let mut eve: Http = eve.into_inner();
    for scope in ["square", "room:1", "user:eve:things", "user:eve:todos"] {
        let mut copy = Copy::default();
        copy.pull_all(&mut eve, scope, &client_id(999), 7).await;
        assert_eq!(Copy::snapshot(&mut eve, scope, &client_id(999), 3).await.rows, copy.rows, "{scope}");
    }
}

async fn what_is_no_http_hurts_nobody(on: On) {
    let stage = on.stage().await;
    let bob = bobs_thing(&stage).await;
    let body = push(&client_id(1), vec![mutation(1, "count", "square", json!("n"))]).to_string();
    let head = "POST /_sync/push HTTP/1.1\r\nhost: a\r\ncookie: session=a1\r\ncontent-type: application/json\r\n";
    let long_header = format!("x: {}\r\n", "y".repeat(1_000_000));
    let smuggled = format!("{head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{head}");
    let twice = format!("{head}content-length: 1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for bytes in [
        "\u{16}\u{3}\u{1}\r\n\r\n",
        "POST\r\n\r\n",
        &format!("{head}content-length: -1\r\n\r\n{body}"),
        &format!("{head}content-length: 99999999999999999999\r\n\r\n{body}"),
        &format!("{head}{long_header}content-length: {}\r\n\r\n{body}", body.len()),
        &format!("{head}transfer-encoding: chunked\r\n\r\nZZ\r\n{body}"),
        &twice,
        &smuggled,
    ] {
        let mut raw = stage.anybody().await;
        let _ = raw.write(bytes.as_bytes()).await;
        if let Ok(answer) = within(raw.answer()).await {
            assert!((400..500).contains(&answer.status), "{bytes:.60}: {answer:?}");
        }
    }
    assert_eq!(stage.head("square").await, 0);
    // A body in chunks, and an expectation, are good HTTP.
    let mut raw = stage.anybody().await;
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    raw.write(chunked.as_bytes()).await.unwrap();
    within(raw.answer()).await.unwrap().ok();
    raw.write(format!("{head}content-length: {}\r\nexpect: 100-continue\r\n\r\n", body.len()).as_bytes())
        .await
        .unwrap();
    assert_eq!(within(raw.answer()).await.unwrap().status, 100);
    raw.write(body.as_bytes()).await.unwrap();
    within(raw.answer()).await.unwrap().ok();
    assert_eq!(stage.head("square").await, 1);
    nothing_happened_to_bob(&stage, &bob).await;
    it_still_works(&stage, 1).await;
}
