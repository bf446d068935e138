//! Properties 12 and 13: what can't be done blocks nothing, and nothing that a client sends is special to a store.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures::future::{MaybeDone, maybe_done};
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::fixture::{
    Lab, Rows, add, code, codes, fill, hang, named, numbers, panics, pause, push, put, read, reject, scope, sent, soon,
    unavailable,
};
use crate::edge::Who;
use crate::sync::change::Status;
use crate::sync::cursor::Cursor;
use crate::sync::engine::SyncLimits;
use crate::sync::entity::Entity;
use crate::sync::error::Result;
use crate::sync::ids::{ClientId, Seq};
use crate::sync::mutation::{ApplyError, Mutation, PushError, Sent};
use crate::sync::store::Store;
use crate::sync::tx::{Tx, TxLimits};

/// Arguments that can't be read without a panic.
struct Cursed;

impl<'de> Deserialize<'de> for Cursed {
    #[allow(clippy::panic, reason = "what an app's own code may do and a store must survive")]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer)?;
        panic!("these arguments panic when they are read")
    }
}

/// A row that can't be written without a panic.
struct Unwritable;

impl Serialize for Unwritable {
    #[allow(clippy::panic, reason = "what an app's own code may do and a store must survive")]
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("this row panics when it is written")
    }
}

/// Property 12: a mutation that can never succeed is undone and acknowledged with its reason, once for all, and what comes behind it is
/// done; one that may succeed later stops the push and is not acknowledged.
pub async fn p12_poison_blocks_nothing<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let limits = SyncLimits { mutator_time: Duration::from_millis(200), ..SyncLimits::default() };
    #[allow(clippy::panic, reason = "what an app's own code may do and an engine must survive")]
    let engine = lab
        .builder()
        .limits(limits)
        .mutator("cursed", async |_: &mut Tx, _: Cursed| Ok(()))
        .mutator("unwritable", async |tx: &mut Tx, _: ()| tx.put_row("row", "undone", &Unwritable).await)
        .mutator("lost", async |_: &mut Tx, _: ()| Ok(()))
        .scopes(|(): &()| panic!("the scopes of this panic"))
        .mutator("typed", async |tx: &mut Tx, id: u8| tx.get::<Todo>(&id.to_string()).await.map(drop))
        .build();
    lab.apply(&notes, vec![super::fixture::put_as("todo", "7", "no todo")]).await;
    let undone = || put("undone", 1);
    let poison: Vec<(Sent, &str)> = vec![
        (sent(0, &notes, vec![undone(), reject("no")]), "no"),
        (sent(0, &notes, vec![undone(), panics()]), "mutator_panicked"),
        (named(0, "open", "absent", &()), "unknown_mutator"),
        (named(0, "open", "no name", &()), "invalid"),
        (named(0, "open", "", &()), "invalid"),
        (named(0, "open", &"x".repeat(10_000), &()), "invalid"),
        (named(0, "open", "run", &json!({ "no": "steps" })), "invalid"),
        (named(0, "open", "run", &json!([{ "op": "put", "id": 7 }])), "invalid"),
        (named(0, "open", "stray", &[put("undone", 1).within(&scope("open:other"))]), "undeclared_scope"),
        (named(0, "open", "cursed", &()), "mutator_panicked"),
        (named(0, "open", "unwritable", &()), "mutator_panicked"),
        (named(0, "open", "lost", &()), "mutator_panicked"),
        (named(0, "open", "typed", &7), "invalid"),
        (sent(0, &notes, vec![undone(), put("", 1)]), "invalid"),
        (sent(0, &notes, vec![undone(), put("a\0", 1)]), "invalid"),
        (sent(0, &notes, vec![undone(), put(&"x".repeat(129), 1)]), "invalid"),
        (sent(0, &notes, vec![undone(), super::fixture::put_as("a b", "a", 1)]), "invalid"),
        (named(0, "closed", "run", &[undone()]), "scope_forbidden"),
        (named(0, "", "run", &[undone()]), "invalid"),
        (named(0, "!inner", "run", &[undone()]), "invalid"),
        (named(0, &"x".repeat(201), "run", &[undone()]), "invalid"),
        (named(0, "a\0b", "run", &[undone()]), "invalid"),
        (named(0, "open", "run", &[put("undone", "x".repeat(70_000))]), "too_large"),
    ];
    let client = ClientId::random();
    for (n, (poison, expected)) in poison.into_iter().enumerate() {
        let seq = n as u64 * 2 + 1;
        let poison = Sent { seq: Seq::new(seq), ..poison };
        let behind = sent(seq + 1, &notes, vec![add("sum", 1)]);
        let first = soon("a poisoned push", push(&engine, &client, vec![poison.clone(), behind.clone()])).await;
        assert!(first.stop.is_none(), "{expected} {} stopped the push: {:?}", poison.name, first.stop);
        assert_eq!(codes(&first), [expected, "applied"], "for {}", poison.name);
        let again = push(&engine, &client, vec![poison, behind]).await;
        assert_eq!(again.results, first.results, "a refusal is kept like a success");
        assert_eq!(lab.row(&notes, "sum").await, Some((n + 1).into()), "what comes behind is done, once");
        assert_eq!(lab.row(&notes, "undone").await, None, "what was refused has no effect");
        let acks = lab.pull(&notes, Some(&client), Cursor::BEGINNING, 1_000).await.acks;
        let private = first.results[0].cursor.is_none();
        let acked = acks.iter().find(|ack| ack.seq.get() == seq).map(|ack| code(&ack.status));
        assert_eq!(acked, (!private).then_some(expected), "a refusal is acknowledged with its reason");
    }
    let seq = Seq::new(lab.snapshot(&notes, Some(&client), 1_000).await.last.map_or(0, Seq::get)).next().get();

    // For now: nothing is acknowledged, and sending it again is the way on.
    let before = lab.picture(std::slice::from_ref(&notes), std::slice::from_ref(&client)).await;
    let later = vec![sent(seq, &notes, vec![undone(), unavailable()]), sent(seq + 1, &notes, vec![add("sum", 1)])];
    for _ in 0..2 {
        let pushed = push(&engine, &client, later.clone()).await;
        assert!(matches!(pushed.stop, Some(PushError::Unavailable(_))) && pushed.results.is_empty(), "{pushed:?}");
        let after = lab.picture(std::slice::from_ref(&notes), std::slice::from_ref(&client)).await;
        assert_eq!(before, after, "what can't be done now leaves nothing behind");
    }
    // Another client does not wait for it.
    lab.applied(&ClientId::random(), vec![sent(1, &notes, vec![add("sum", 1)])]).await;

    // What awaits: done where a store can wait, refused for good where it can't; and never waited for without an end.
    let pausing = ClientId::random();
    let awaits = vec![sent(1, &notes, vec![put("pause", 1), pause()]), sent(2, &notes, vec![add("sum", 1)])];
    let pushed = soon("a mutator that awaits", push(&engine, &pausing, awaits)).await;
    let done = lab.row(&notes, "pause").await.is_some();
    assert_eq!(codes(&pushed), [if done { "applied" } else { "mutator_awaited" }, "applied"], "{:?}", pushed.stop);
    let hanging = ClientId::random();
    let hangs = vec![sent(1, &notes, vec![undone(), hang()]), sent(2, &notes, vec![add("sum", 1)])];
    let pushed = soon("a mutator that hangs", push(&engine, &hanging, hangs)).await;
    match &pushed.stop {
        Some(stop) => assert!(matches!(stop, PushError::Unavailable(_)) && pushed.results.is_empty(), "{pushed:?}"),
        None => assert_eq!(codes(&pushed), ["mutator_awaited", "applied"]),
    }
    assert_eq!(lab.row(&notes, "undone").await, None);
    lab.applied(&ClientId::random(), vec![sent(1, &notes, vec![add("sum", 1)])]).await;
}

/// Property 13: a push that stops says what came of its processed prefix; what is behind is not done; and the same push again is harmless.
pub async fn p13_batches_stop_where_they_must<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let sum = |seq| sent(seq, &notes, vec![add("sum", 1)]);
    // Whether it can be done is in the data, so that the same mutation can be done later.
    let engine = lab
        .builder()
        .mutator("when_open", async |tx: &mut Tx, _: ()| match tx.get_row("row", "open").await? {
            Some(_) => tx.put_row("row", "done", &true).await,
            None => Err(crate::sync::error::Error::unavailable("not yet")),
        })
        .build();
    let client = ClientId::random();
    let batch = vec![sum(1), sent(2, &notes, vec![reject("no")]), named(3, "open", "when_open", &()), sum(4)];
    for _ in 0..3 {
        let pushed = push(&engine, &client, batch.clone()).await;
        assert_eq!(codes(&pushed), ["applied", "no"], "the answer covers the processed prefix");
        assert!(matches!(pushed.stop, Some(PushError::Unavailable(_))), "{:?}", pushed.stop);
        assert_eq!(lab.row(&notes, "sum").await, Some(1.into()), "the prefix is done once, and nothing behind it");
        let taken = lab.snapshot(&notes, Some(&client), 10).await;
        assert_eq!((taken.last, numbers(&taken.acks)), (Some(Seq::new(2)), vec![1, 2]));
    }
    lab.apply(&notes, vec![put("open", true)]).await;
    for _ in 0..2 {
        let pushed = push(&engine, &client, batch.clone()).await;
        assert_eq!(codes(&pushed), ["applied", "no", "applied", "applied"], "{:?}", pushed.stop);
        assert_eq!(lab.row(&notes, "sum").await, Some(2.into()));
    }
    let gap = lab.push(&client, vec![sum(4), sum(5), sum(7), sum(8)]).await;
    assert!(matches!(gap.stop, Some(PushError::Gap { expected }) if expected == Seq::new(6)), "{:?}", gap.stop);
    assert_eq!(codes(&gap), ["applied", "applied"]);
    let reused = lab.push(&client, vec![sum(6), sent(5, &notes, vec![add("sum", 2)]), sum(7)]).await;
    assert!(matches!(reused.stop, Some(PushError::SeqReused { seq }) if seq == Seq::new(5)), "{:?}", reused.stop);
    assert_eq!((codes(&reused), lab.row(&notes, "sum").await), (vec!["applied"], Some(4.into())));
    let many = lab.push(&client, (7..=107).map(sum).collect()).await;
    assert!(matches!(many.stop, Some(PushError::TooMany { most: 100 })) && many.results.is_empty());
    lab.applied(&client, (7..=106).map(sum).collect()).await;
    assert_eq!(lab.row(&notes, "sum").await, Some(104.into()));
    let nothing = lab.push(&ClientId::random(), vec![]).await;
    assert!(nothing.results.is_empty() && nothing.stop.is_none());
}

/// Property 13: a push or a call whose answer nobody waits for is done or not, wholly, and sending it again settles it.
pub async fn p13_calls_may_be_given_up<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let client = ClientId::random();
    for round in 0..20_u64 {
        let seq = round * 2 + 1;
        let mutations =
            vec![sent(seq, &notes, vec![add("sum", 1), add("other", 1)]), sent(seq + 1, &notes, vec![add("sum", 1)])];
        let call = Mutation::new(&notes, "run", &[add("called", 1)]).expect("steps have a form in JSON");
        let call = call.key(round.to_string());
        let (mut pushing, mut calling) = (
            maybe_done(Box::pin(lab.push(&client, mutations.clone()))),
            maybe_done(Box::pin(lab.engine.apply(Who::server(), call.clone()))),
        );
        for _ in 0..round % 5 {
            poll_once(&mut pushing).await;
            poll_once(&mut calling).await;
            tokio::task::yield_now().await;
        }
        drop((pushing, calling));
        let of = |told: &Rows, id: &str| told.get(&("row".into(), id.into())).map_or(0, |sum| sum.parse().unwrap_or(0));
        let told = lab.pull(&notes, Some(&client), Cursor::BEGINNING, 1_000).await;
        let (sum, other): (u64, u64) = (of(&told.rows, "sum"), of(&told.rows, "other"));
        assert_eq!(sum - other, other - u64::from(sum % 2 == 1), "mutations are there wholly");
        soon("a push after one that was given up", lab.applied(&client, mutations)).await;
        lab.engine.apply(Who::server(), call).await.expect("a call after one that was given up");
        let expected = round as i64 + 1;
        assert_eq!(
            lab.row(&notes, "sum").await,
            Some((expected * 2).into()),
            "once, whether its answer was heard or not"
        );
        assert_eq!(lab.row(&notes, "other").await, Some(expected.into()));
        assert_eq!(lab.row(&notes, "called").await, Some(expected.into()));
    }
    soon("the engine", lab.engine.drain()).await;
}

async fn poll_once<F: Future + Unpin>(future: &mut MaybeDone<F>) {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_ready())).await;
}

/// Property 12, for names and values: no text and no number means anything to a store.
pub async fn p12_no_text_is_special<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let texts = [
        "'; DROP TABLE mizu_log; --",
        "\" or 1=1",
        "`x`",
        "%",
        "_",
        "\\",
        "\\0",
        "$1",
        "?1",
        ":a",
        "@a",
        "null",
        "NULL",
        "NaN",
        "0",
        " ",
        " a",
        "a ",
        "é",
        "e\u{301}",
        "\u{feff}a",
        "\u{202e}a",
        "\u{2028}",
        "\u{10ffff}",
        "𝕏😀",
        "{}",
        "[]",
        "<script>",
        "a/../b",
        "\u{ad}",
        &"x".repeat(128),
        &"😀".repeat(32),
    ];
    let client = ClientId::random();
    for (n, text) in texts.iter().enumerate() {
        let odd = scope(&format!("open:{text}"));
        let steps = vec![put(text, *text), put("a", *text), add("sum", 1), read(text, text)];
        lab.applied(&client, vec![sent(n as u64 + 1, &odd, steps)]).await;
        let told = lab.pull(&odd, Some(&client), Cursor::BEGINNING, 1).await;
        let expected = Value::from(*text).to_string();
        assert_eq!(
            told.rows.get(&("row".into(), (*text).into())),
            Some(&expected),
            "the row {text:?} is pulled as it was put"
        );
        assert_eq!(lab.snapshot(&odd, Some(&client), 1).await.rows, told.rows, "and shown in a snapshot");
        assert_eq!(lab.row(&odd, text).await, Some((*text).into()));
        let refused = sent(1, &odd, vec![reject(text)]);
        let pushed = lab.push(&ClientId::random(), vec![refused]).await;
        assert_eq!(codes(&pushed), [&text[..text.len().min(100)]], "a code of any text");
        let key = Mutation::new(&odd, "run", &[add("sum", 1)]).expect("steps").key(*text);
        lab.engine.apply(Who::server(), key).await.expect("a key of any text");
    }
    for (n, text) in ["\0", "a\u{0}b", "\n", "\u{85}", "\u{7f}"].iter().enumerate() {
        let notes = scope("open:control");
        let seq = n as u64 + texts.len() as u64 + 1;
        let refused = lab.push(&client, vec![sent(seq, &notes, vec![put("n", *text), read("n", text)])]).await;
        assert!(
            refused.stop.is_none(),
            "the prefix {text:?} can't be looked for, which is nobody's failure: {refused:?}"
        );
        let called = Mutation::new(&notes, "run", &[put("n", *text), reject(text)]).expect("steps");
        let called = lab.engine.apply(Who::server(), called.key("k")).await;
        assert!(matches!(called, Err(ApplyError::Rejected(_) | ApplyError::KeyReused(_))), "{called:?}");
        lab.apply(&notes, vec![put("value", *text)]).await;
        assert_eq!(lab.row(&notes, "value").await, Some((*text).into()), "a value may hold any character");
    }

    let notes = scope("open:values");
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let abyss = format!("{}1{}", "[".repeat(9_000), "]".repeat(9_000));
    let values = [
        "0",
        "-0",
        "-0.0",
        "1e308",
        "5e-324",
        "0.1",
        "9007199254740993",
        "18446744073709551615",
        "-9223372036854775808",
        "1.0",
        "\"\"",
        "\"\\u0000\"",
        "\"\\u2028\\\"\\\\\"",
        "{\"\":{\"\":[]}}",
        "{\"__proto__\":1}",
        "null",
        "true",
        "[[],{}]",
        "{\"b\":1,\"a\":2}",
        "123456789012345678901234567890",
        "1e400",
        "\"\\ud800\"",
        "{\"a\":1,\"a\":2}",
        " [ 1 ,\n2 ] ",
        &deep,
        &abyss,
    ];
    let client = ClientId::random();
    for (n, value) in values.iter().enumerate() {
        let id = n.to_string();
        let args = RawValue::from_string(format!("[\"{id}\",{value}]")).expect("JSON");
        let sent = Sent { args, ..named(n as u64 + 1, notes.as_str(), "keep", &()) };
        lab.applied(&client, vec![sent.clone()]).await;
        lab.applied(&client, vec![sent]).await;
        let told = lab.pull(&notes, Some(&client), Cursor::BEGINNING, 1).await;
        let expected = value.trim().to_owned();
        assert_eq!(told.rows.get(&("row".into(), id)), Some(&expected), "a row is given back as it was written");
        assert_eq!(lab.snapshot(&notes, None, 1).await.rows, told.rows);
    }
    // Arguments that no mutator with types can read are refused, and block nothing.
    for (n, args) in ["1e400", "\"\\ud800\"", &abyss, "[\"\\udfff\\ud800\", 1]", "{\"\\u0000\":1}"].iter().enumerate() {
        let args = RawValue::from_string((*args).to_owned()).expect("JSON");
        let seq = (values.len() + n) as u64 + 1;
        let odd = Sent { args, ..named(seq, notes.as_str(), "run", &()) };
        for _ in 0..2 {
            let pushed = lab.push(&client, vec![odd.clone()]).await;
            assert_eq!(codes(&pushed), ["invalid"], "{:?}", pushed.stop);
        }
    }
    let named_ids = ["; drop table x", "\0", "😀", &"x".repeat(10_000)];
    for (n, id) in named_ids.iter().enumerate() {
        let seq = (values.len() + 5 + n) as u64 + 1;
        let named = Sent { id: (*id).to_owned(), ..sent(seq, &notes, vec![add("sum", 1)]) };
        lab.applied(&client, vec![named]).await;
    }
}

/// Property 12, for sizes: what is too large is refused for good and named so, at the very limit.
pub async fn p12_limits_refuse<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let tx = TxLimits { changes: 5, row_bytes: 100 };
    let engine =
        lab.builder().limits(SyncLimits { tx, mutations: 3, args_bytes: 300, ..SyncLimits::default() }).build();
    let notes = scope("open");
    let client = ClientId::random();
    let args = |bytes: usize| {
        let args = format!("[\"a\",\"{}\"]", "x".repeat(bytes - 8));
        RawValue::from_string(args).expect("JSON")
    };
    let keep = |seq, bytes| Sent { args: args(bytes), ..named(seq, "open", "keep", &()) };
    let mutations = vec![
        (sent(1, &notes, vec![fill("r", 5)]), "applied"),
        (sent(2, &notes, vec![fill("x", 6)]), "too_large"),
        (sent(3, &notes, vec![put("s", "y".repeat(98))]), "applied"),
        (sent(4, &notes, vec![put("x", "y".repeat(99))]), "too_large"),
        (sent(5, &notes, vec![put("x", "é".repeat(50))]), "too_large"),
        (keep(6, 106), "applied"),
        (keep(7, 107), "too_large"),
        (keep(8, 301), "too_large"),
    ];
    for (mutation, expected) in &mutations {
        for _ in 0..2 {
            let pushed = push(&engine, &client, vec![mutation.clone()]).await;
            assert_eq!(codes(&pushed), [*expected], "mutation {}: {:?}", mutation.seq.get(), pushed.stop);
        }
    }
    assert_eq!(lab.snapshot(&notes, None, 100).await.rows.len(), 7, "what was refused left nothing");
    // Each mutation has its own budget.
    let full = |seq| sent(seq, &notes, vec![fill("r", 5)]);
    let pushed = push(&engine, &client, vec![full(9), full(10), full(11)]).await;
    assert_eq!(codes(&pushed), ["applied"; 3]);
    let pushed = push(&engine, &client, vec![full(12), full(13), full(14), full(15)]).await;
    assert!(matches!(pushed.stop, Some(PushError::TooMany { most: 3 })) && pushed.results.is_empty());
    let told = lab.pull(&notes, Some(&client), Cursor::BEGINNING, 100).await;
    assert_eq!(told.acks.len(), 11);
    assert!(told.acks.iter().filter(|ack| ack.status != Status::Applied).count() == 5);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Todo {
    id: String,
    title: String,
    done: bool,
}

impl Entity for Todo {
    const NAME: &'static str = "todo";

    fn id(&self) -> &str {
        &self.id
    }
}

/// Property 12, for the mutators that every entity has for free: they do what they say, and refuse what they must.
pub async fn p12_free_mutators<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let engine = lab.builder().entity::<Todo>().build();
    let client = ClientId::random();
    let todo = |title: &str, done| Some(Todo { id: "t".into(), title: title.into(), done });
    let whole = json!({ "id": "t", "title": "Write", "done": false });
    let calls = [
        ("todo.merge", json!({ "id": "t", "done": true }), "not_found", None),
        ("todo.delete", json!({ "id": "t" }), "applied", None),
        ("todo.create", json!({ "id": "t", "title": "Write" }), "invalid", None),
        ("todo.create", json!({ "id": "", "title": "Write", "done": false }), "invalid", None),
        ("todo.create", whole.clone(), "applied", todo("Write", false)),
        ("todo.create", whole.clone(), "exists", todo("Write", false)),
        ("todo.merge", json!({ "id": "t", "done": true }), "applied", todo("Write", true)),
        ("todo.merge", json!({ "id": "t", "done": "yes" }), "invalid", todo("Write", true)),
        ("todo.merge", json!({ "id": "t", "more": 1 }), "applied", todo("Write", true)),
        ("todo.merge", json!({ "title": "Who?" }), "invalid", todo("Write", true)),
        ("todo.merge", json!({ "id": "t", "title": "Read" }), "applied", todo("Read", true)),
        ("todo.delete", json!({ "id": "t" }), "applied", None),
        ("todo.delete", json!({ "id": "t" }), "applied", None),
        ("todo.delete", json!({}), "invalid", None),
        ("todo.create", whole, "applied", todo("Write", false)),
    ];
    for (n, (name, args, expected, left)) in calls.into_iter().enumerate() {
        let pushed = push(&engine, &client, vec![named(n as u64 + 1, "open", name, &args)]).await;
        assert_eq!(codes(&pushed), [expected], "{name} {args}");
        let row = engine.read(&scope("open")).get::<Todo>("t").await.expect("a row of its type");
        assert_eq!(row, left, "after {name} {args}");
    }
}
