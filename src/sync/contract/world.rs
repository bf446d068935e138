//! Properties 16 and 17: clocks, and those who are told after a commit.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use parking_lot::Mutex;

use super::fixture::{Lab, Rows, add, codes, fold, named, numbers, push, put, reject, scope, sent, soon, stamp};
use crate::sync::cursor::Cursor;
use crate::sync::engine::Retention;
use crate::sync::ids::{ClientId, Scope};
use crate::sync::mutation::Sent;
use crate::sync::store::Store;

const TEN_YEARS: i64 = 10 * 365 * 24 * 3_600 * 1_000;

/// Property 16: what a client believes the time to be changes nothing; and when the server's own clock is set, nothing is lost or done
/// twice.
pub async fn p16_clocks_do_not_matter<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let mut results = Vec::new();
    for (n, skew) in [0, TEN_YEARS, -TEN_YEARS].into_iter().enumerate() {
        let notes = scope(&format!("open:{n}"));
        let client = ClientId::random();
        // The only thing of a client that may hold its time: a UUID of version 7.
        let uuid = |seq: u64| {
            let millis = lab.clock.millis() + skew + seq as i64;
            format!("{:08x}-{:04x}-7000-8000-{seq:012x}", millis >> 16, millis & 0xffff)
        };
        for seq in 1..=6 {
            let steps = if seq == 4 { vec![reject("no")] } else { vec![add("sum", seq as i64), put("last", seq)] };
            let mutation = Sent { id: uuid(seq), ..sent(seq, &notes, steps) };
            lab.push(&client, vec![mutation.clone()]).await;
            lab.push(&client, vec![Sent { id: uuid(seq + 100), ..mutation }]).await;
        }
        lab.engine.compact().await.expect("a compaction");
        let told = lab.pull(&notes, Some(&client), Cursor::BEGINNING, 2).await;
        results.push((told.rows, told.acks, told.cursor.position()));
    }
    assert_eq!(results[0], results[1], "a client ten years ahead comes to the same");
    assert_eq!(results[0], results[2], "a client ten years behind comes to the same");

    // The server's own clock is set forth and back.
    let notes = scope("open:server");
    let client = ClientId::random();
    let mut cursor = lab.engine.read(&notes).cursor().await.expect("a cursor");
    let mut rows = Rows::new();
    for (n, skew) in [0, TEN_YEARS, -TEN_YEARS, -TEN_YEARS, 2 * TEN_YEARS, -TEN_YEARS].into_iter().enumerate() {
        lab.clock.advance(skew);
        let seq = n as u64 + 1;
        let mutations = vec![sent(seq, &notes, vec![add("sum", 1), stamp("now")])];
        lab.applied(&client, mutations.clone()).await;
        lab.applied(&client, mutations).await;
        let told = lab.pull(&notes, Some(&client), cursor, 1).await;
        for (_, changes) in &told.pages {
            fold(&mut rows, changes);
        }
        assert_eq!(numbers(&told.acks), [seq], "a cursor reads on whatever the clock says");
        cursor = told.cursor;
        let now = lab.row(&notes, "now").await.expect("a stamp");
        let millis = lab.clock.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
        assert_eq!(now[0], millis, "a mutator's time is the server's");
        lab.engine.compact().await.expect("a compaction");
        let taken = lab.snapshot(&notes, Some(&client), 1).await;
        assert_eq!(taken.rows, rows);
    }
    assert_eq!(lab.row(&notes, "sum").await, Some(6.into()));
    // After that the engine goes on removing what is old, by itself too.
    let retention = Retention {
        age: Some(Duration::from_secs(60)),
        entries: None,
        grace: Duration::from_secs(60),
        every: Some(Duration::from_secs(1)),
    };
    let engine = lab.builder().retention(retention).build();
    let later = scope("open:later");
    let (writer, elsewhere) = (ClientId::random(), ClientId::random());
    let mut seq = 0;
    for (n, skew) in [0, TEN_YEARS, -TEN_YEARS, 120_000, 120_000, 120_000].into_iter().enumerate() {
        lab.clock.advance(skew);
        // While the clock is wrong something is written, but not here.
        push(&engine, &elsewhere, vec![sent(n as u64 + 1, &notes, vec![add("sum", 1)])]).await;
        engine.drain().await;
        if skew == TEN_YEARS {
            continue;
        }
        for _ in 0..2 {
            seq += 1;
            let pushed = push(&engine, &writer, vec![sent(seq, &later, vec![put("a", seq)])]).await;
            assert_eq!(codes(&pushed), ["applied"]);
        }
        engine.drain().await;
    }
    let beginning = super::fixture::pull(&engine, &later, None, Cursor::BEGINNING, 10).await;
    assert!(beginning.is_err(), "an engine whose clock was set back removes nothing any more");
}

/// Property 17: those who are told after a commit are told what is true; whether their hints are lost, doubled or make them panic, everybody
/// comes to the same.
pub async fn p17_notifications_are_hints<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let (notes, other) = (scope("open"), scope("open:other"));
    let heard = Arc::new(Mutex::new(Vec::<(Scope, Cursor)>::new()));
    let hear = heard.clone();
    #[allow(clippy::panic, reason = "what an app's own code may do and an engine must survive")]
    let engine = lab
        .builder()
        .notify(|_: &Scope, _: Cursor| panic!("this one panics when it is told"))
        .notify(move |scope: &Scope, cursor: Cursor| hear.lock().push((scope.clone(), cursor)))
        .build();
    let client = ClientId::random();
    let mutations = vec![
        sent(1, &notes, vec![put("a", 1)]),
        sent(2, &notes, vec![put("b", 1).within(&other)]),
        sent(3, &notes, vec![reject("no")]),
        named(4, "closed", "run", &[put("a", 1)]),
    ];
    let pushed = soon("a push", push(&engine, &client, mutations.clone())).await;
    assert_eq!(codes(&pushed), ["applied", "applied", "no", "scope_forbidden"], "{:?}", pushed.stop);
    let told: Vec<_> = std::mem::take(&mut heard.lock());
    let of =
        |scope: &Scope| told.iter().filter(|(told, _)| told == scope).map(|(_, cursor)| *cursor).collect::<Vec<_>>();
    assert_eq!(of(&notes), [pushed.results[2].cursor.expect("a place")], "once a commit, where the scope is then");
    assert_eq!(of(&other).len(), 1);
    assert_eq!(told.len(), 2, "and nothing about scopes that nobody can read");
    assert_eq!(lab.pull(&other, Some(&client), of(&other)[0], 10).await.acks.len(), 0, "a hint is a place in the log");
    push(&engine, &client, mutations).await;
    assert_eq!(heard.lock().len(), 0, "what did not move is not told");

    // A stream is woken by hints, survives doubled ones, and misses nothing that was written elsewhere without one.
    let elsewhere = lab.builder().build();
    let mut stream = std::pin::pin!(engine.changes(&notes, Cursor::BEGINNING));
    let mut rows = Rows::new();
    let mut cursor = Cursor::BEGINNING;
    for n in 0..12_u64 {
        let mutation = vec![sent(n + 5, &notes, vec![add("sum", 1)])];
        match n % 3 {
            0 => push(&engine, &client, mutation).await,
            _ => push(&elsewhere, &client, mutation).await,
        };
        engine.poke(&other);
        if n % 3 == 2 {
            // This one is not told of, but with the next.
            continue;
        }
        for _ in 0..=n % 4 {
            engine.poke(&notes);
        }
        let head = lab.engine.read(&notes).cursor().await.expect("a cursor");
        while cursor.position() < head.position() {
            let pulled =
                soon("a stream", stream.next()).await.expect("a stream has no end").expect("a part of the log");
            assert!(pulled.cursor.position() > cursor.position(), "a stream gives each part once");
            fold(&mut rows, &pulled.changes);
            cursor = pulled.cursor;
        }
        assert_eq!(rows, lab.snapshot(&notes, None, 10).await.rows, "a stream adds up to what is there");
    }
    // What no hint was heard about is there when somebody looks.
    let pulled = soon("a stream", stream.next()).await.expect("a stream has no end").expect("a part of the log");
    assert_eq!(pulled.cursor.position(), cursor.position() + 1);
    fold(&mut rows, &pulled.changes);
    // Waiting when the hint comes.
    let (pulled, _) = soon("a stream that waits", async {
        tokio::join!(stream.next(), async {
            tokio::task::yield_now().await;
            push(&engine, &client, vec![sent(17, &notes, vec![add("sum", 1)])]).await
        })
    })
    .await;
    let pulled = pulled.expect("a stream has no end").expect("a part of the log");
    fold(&mut rows, &pulled.changes);
    assert_eq!(pulled.cursor.position(), cursor.position() + 2);
    assert_eq!(rows, lab.snapshot(&notes, None, 10).await.rows);
}
