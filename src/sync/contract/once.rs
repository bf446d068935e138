//! Properties 1 to 3: all or nothing, once, and as it was sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::faults::{Fault, Faulty, Impatient, Plan};
use super::fixture::{
    Lab, User, add, code, codes, delete, fill, hush, named, numbers, pause, push, put, read, reject, scope, sent, soon,
};
use crate::edge::Who;
use crate::sync::cursor::Cursor;
use crate::sync::engine::{PullError, Retention};
use crate::sync::ids::{ClientId, Scope, Seq};
use crate::sync::mutation::{ApplyError, Mutation, Push, PushError, Sent};
use crate::sync::store::Store;

/// Property 1: whichever step of a transaction fails, before or after it was done, all of a push is there or nothing of it, and sending
/// it again settles it.
pub async fn p01_atomic_at_every_step<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    for fault in [Fault::Before, Fault::After] {
        fail_everywhere(&lab, fault).await;
    }
}

/// Property 1: whoever waits for a transaction may go away at any step of it: nothing of the push is there, and sending it again
/// settles it.
pub async fn p01_atomic_when_left_at_every_step<S: Store>(open: impl AsyncFn() -> S) {
    fail_everywhere(&Lab::open(&open).await, Fault::Gone).await;
}

/// Runs a push for each of its steps, which goes wrong.
async fn fail_everywhere(lab: &Lab, fault: Fault) {
    for step in 0.. {
        let plan = Plan::new(fault, step);
        let faulty = lab.builder_over(Faulty { store: lab.store.clone(), plan: plan.clone() }).build();
        let (scopes, client, mutations) = busy_push(lab, &format!("{fault:?}{step}")).await;
        let clients = [client.clone()];
        let before = lab.picture(&scopes, &clients).await;
        let pushed = soon("a push that fails", push(&faulty, &client, mutations.clone())).await;
        if !plan.struck() {
            assert!(pushed.stop.is_none(), "nothing failed, and yet: {:?}", pushed.stop);
            assert!(step > 30, "only {step} steps were seen: the faults don't reach the transaction");
            return;
        }
        let stopped = matches!(pushed.stop, Some(PushError::Store(_))) && pushed.results.is_empty();
        assert!(stopped, "a store's failure at step {step} ({fault:?}) was answered with {pushed:?}");
        let after = lab.picture(&scopes, &clients).await;
        assert_eq!(before, after, "a push that failed at step {step} ({fault:?}) left something behind");
        check_busy_push(lab, &scopes, &client, mutations).await;
    }
}

/// Property 1: whenever the one who waits for a transaction goes away, all of the push is there or nothing of it, and sending it again
/// settles it.
pub async fn p01_atomic_when_dropped<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let whole = give_up(&lab, "whole", usize::MAX).await;
    // The beginning, the end with its commit, and some places in between.
    let between = (1..10).map(|part| whole * part / 10);
    let points: BTreeSet<_> = (0..8).chain(between).chain(whole.saturating_sub(12)..whole + 2).collect();
    for polls in points {
        give_up(&lab, &polls.to_string(), polls).await;
    }
}

/// Gives up a push after so many polls, and gives how many there were.
async fn give_up(lab: &Lab, name: &str, most: usize) -> usize {
    let polls = Arc::new(AtomicUsize::new(0));
    let engine = lab.builder_over(Impatient { store: lab.store.clone(), most, polls: polls.clone() }).build();
    let (scopes, client, mutations) = busy_push(lab, &format!("polls:{name}")).await;
    let _ = soon("a push that is given up", push(&engine, &client, mutations.clone())).await;
    // Nothing may be locked by what was given up.
    soon("a push after one that was given up", check_busy_push(lab, &scopes, &client, mutations)).await;
    polls.load(Ordering::Relaxed)
}

/// A push that does everything a transaction can do, and something before it to be changed.
async fn busy_push(lab: &Lab, name: &str) -> (Vec<Scope>, ClientId, Vec<Sent>) {
    let (one, two) = (scope(&format!("open:{name}:1")), scope(&format!("open:{name}:2")));
    lab.apply(&one, vec![put("old", 1), put("gone", 2), put("sum", 100)]).await;
    let client = ClientId::random();
    lab.applied(&client, vec![sent(1, &one, vec![put("first", 0)])]).await;
    let everything = vec![
        put("new", "n"),
        put("old", 3),
        delete("gone"),
        delete("absent"),
        add("sum", 1).within(&one),
        put("there", 4).within(&two),
        put("new", "m"),
        hush("hush"),
        read("old", "n"),
    ];
    let mutations = vec![
        sent(2, &one, everything),
        sent(1, &one, vec![put("first", 0)]),
        sent(3, &one, vec![put("undone", 5), add("sum", 1_000).within(&two), reject("no")]),
        sent(4, &two, vec![add("sum", 10), add("sum", 1).within(&one)]),
    ];
    (vec![one, two], client, mutations)
}

async fn check_busy_push(lab: &Lab, scopes: &[Scope], client: &ClientId, mutations: Vec<Sent>) {
    let [one, two] = scopes else { unreachable!("a busy push has two scopes") };
    for round in ["first", "second"] {
        let pushed = lab.push(client, mutations.clone()).await;
        assert!(pushed.stop.is_none(), "a push is settled by sending it again: {:?}", pushed.stop);
        assert_eq!(codes(&pushed), ["applied", "applied", "no", "applied"], "on the {round} time");
    }
    assert_eq!(lab.row(one, "sum").await, Some(102.into()), "effects are there once");
    assert_eq!(lab.row(two, "sum").await, Some(10.into()), "effects are there once, in the other scope too");
    assert_eq!(lab.row(one, "gone").await, None);
    assert_eq!(lab.row(one, "undone").await, None, "what was refused has no effect");
    assert_eq!(lab.row(one, "new").await, Some("m".into()));
    assert_eq!(lab.row(one, "hush").await, Some("hush".into()), "what a mutator did not look at is there too");
    let told = lab.pull(one, Some(client), Cursor::BEGINNING, 1_000).await;
    assert_eq!((numbers(&told.acks), told.cursor.position()), (vec![1, 2, 3, 4], 5), "one entry for each mutation");
    let told = lab.pull(two, Some(client), Cursor::BEGINNING, 1_000).await;
    assert_eq!((numbers(&told.acks), told.cursor.position()), (vec![2, 3, 4], 3), "one entry for each mutation");
    let taken = lab.snapshot(one, Some(client), 1_000).await;
    assert_eq!(taken.last, Some(Seq::new(4)), "the client's counter is where its mutations are");
}

/// Property 2: whatever is sent again is answered and not done again; a number that is missing stops, and an unknown client starts at 1.
pub async fn p02_exactly_once<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let client = ClientId::random();
    let add = |seq: u64| sent(seq, &notes, vec![add("sum", 1)]);

    for seq in [0, 2, 7, u64::MAX] {
        let pushed = lab.push(&client, vec![add(seq)]).await;
        assert!(matches!(pushed.stop, Some(PushError::ClientUnknown)), "an unknown client starts at 1, not at {seq}");
    }
    let first = lab.applied(&client, vec![add(1), add(2)]).await;
    let again = lab.applied(&client, vec![add(1), add(2)]).await;
    assert_eq!(first, again, "the stored outcome is given again, with its cursor");
    let mixed = lab.applied(&client, vec![add(2), add(3), add(3), add(2), add(4)]).await;
    assert_eq!(mixed[0], first[1]);
    assert_eq!(mixed[1], mixed[2], "a double within one push is one");
    assert_eq!(lab.row(&notes, "sum").await, Some(4.into()), "each is done once");

    for seq in [6, 1_000, u64::MAX] {
        let pushed = lab.push(&client, vec![add(seq)]).await;
        let Some(PushError::Gap { expected }) = pushed.stop else { unreachable!("a gap was not noticed: {pushed:?}") };
        assert_eq!(expected, Seq::new(5), "a gap says which number is wanted");
    }

    // The same push at once from many tabs and retries.
    let pushes = (0..12).map(|_| lab.push(&client, vec![add(5), add(6), add(7)]));
    for pushed in soon("many pushes of the same", futures::future::join_all(pushes)).await {
        assert_eq!(codes(&pushed), ["applied"; 3], "{:?}", pushed.stop);
    }
    assert_eq!(lab.row(&notes, "sum").await, Some(7.into()), "each is done once, however many send it at once");

    // A first mutation at once: the client is made once.
    let client = ClientId::random();
    let pushes = (0..12).map(|_| lab.push(&client, vec![add(1)]));
    for pushed in soon("many first pushes", futures::future::join_all(pushes)).await {
        assert_eq!(codes(&pushed), ["applied"], "{:?}", pushed.stop);
    }
    assert_eq!(lab.row(&notes, "sum").await, Some(8.into()));

    // What another engine over the store did counts.
    let pushed = push(&lab.builder().build(), &client, vec![add(1), add(2)]).await;
    assert_eq!(codes(&pushed), ["applied"; 2]);
    assert_eq!(lab.row(&notes, "sum").await, Some(9.into()));
}

/// Property 2: an outcome that is no longer kept is `expired`, and its mutation is not done again.
pub async fn p02_outcomes_expire<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let retention = Retention { entries: Some(2), grace: Duration::ZERO, every: None, ..Retention::default() };
    let engine = lab.builder().retention(retention).build();
    let notes = scope("open");
    let client = ClientId::random();
    let all: Vec<_> =
        (1..=6).map(|seq| sent(seq, &notes, if seq == 2 { vec![reject("no")] } else { vec![add("sum", 1)] })).collect();
    lab.push(&client, all.clone()).await;
    lab.clock.advance(10);
    engine.compact().await.expect("a compaction");
    let again = lab.push(&client, all).await;
    assert!(again.stop.is_none(), "replays of expired mutations stop nothing: {:?}", again.stop);
    let codes = codes(&again);
    assert_eq!(codes[..3], ["expired"; 3], "outcomes of removed entries are no longer known: {codes:?}");
    assert_eq!(codes[4..], ["applied"; 2], "outcomes of kept entries are known: {codes:?}");
    assert!(again.results[0].cursor.is_none());
    assert_eq!(lab.row(&notes, "sum").await, Some(5.into()), "none is done again");
    let pushed = lab.push(&client, vec![sent(1, &notes, vec![put("other", 1)])]).await;
    assert_eq!(code(&pushed.results[0].status), "expired", "a number is not used again when its outcome is gone");
    assert_eq!(lab.row(&notes, "other").await, None);
    lab.applied(&client, vec![sent(7, &notes, vec![add("sum", 1)])]).await;
}

/// Property 2: a call within the server that has a key is done once, also when many call at once, and the key stands for its content.
pub async fn p02_keys_apply_once<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let mutation = |steps| Mutation::new(&notes, "run", &steps).expect("steps have a form in JSON");
    let call = |steps, key: &str| lab.engine.apply(Who::server(), mutation(steps).key(key));

    let calls = (0..12).map(|_| call(vec![add("sum", 1)], "job 1"));
    let outcomes = soon("many calls of one key", futures::future::join_all(calls)).await;
    let cursors: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("a call that is done").cursor).collect();
    assert!(cursors.iter().all(|cursor| *cursor == cursors[0] && cursor.is_some()), "all of them get one outcome");
    assert_eq!(lab.row(&notes, "sum").await, Some(1.into()), "a key is done once");

    call(vec![add("sum", 1)], "job 2").await.expect("another key is another call");
    let reused = call(vec![add("sum", 2)], "job 1").await;
    assert!(matches!(&reused, Err(ApplyError::KeyReused(key)) if key == "job 1"), "another content: {reused:?}");
    for _ in 0..2 {
        let refused = call(vec![add("sum", 1), reject("no")], "job 3").await;
        assert!(matches!(&refused, Err(ApplyError::Rejected(rejection)) if rejection.code() == "no"), "{refused:?}");
    }
    assert_eq!(lab.row(&notes, "sum").await, Some(2.into()));
    // Keys and clients don't meet, whatever they are called.
    let client = ClientId::random();
    lab.applied(&client, vec![sent(1, &notes, vec![add("sum", 1)])]).await;
    call(vec![add("sum", 1)], client.as_str()).await.expect("a key that looks like a client");
    lab.applied(&client, vec![sent(2, &notes, vec![add("sum", 1)])]).await;
    assert_eq!(lab.row(&notes, "sum").await, Some(5.into()));
    // Without a key each call is one of its own.
    for _ in 0..2 {
        lab.apply(&notes, vec![add("sum", 1)]).await;
    }
    assert_eq!(lab.row(&notes, "sum").await, Some(7.into()));
    for bad in ["", "a\nb", &"x".repeat(201)] {
        assert!(matches!(call(vec![], bad).await, Err(ApplyError::Rejected(_))), "the key {bad:?} is of no shape");
    }
    call(vec![put("odd", 1)], "it's ' a \" key % \\ é").await.expect("a key of any text");
}

/// Property 3: a number that was used is refused for another content, whatever came of the first.
pub async fn p03_another_content_is_refused<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let (notes, others) = (scope("open"), scope("open:others"));
    let client = ClientId::random();
    let pushed = lab.push(&client, vec![sent(1, &notes, vec![put("a", 1)]), sent(2, &notes, vec![reject("no")])]).await;
    assert_eq!(codes(&pushed), ["applied", "no"]);
    let forbidden = named(3, "closed", "run", &[put("a", 1)]);
    assert_eq!(codes(&lab.push(&client, vec![forbidden.clone()]).await), ["scope_forbidden"]);
    let before = lab.picture(&[notes.clone(), others.clone()], std::slice::from_ref(&client)).await;
    let reused = [
        sent(1, &notes, vec![put("a", 2)]),
        sent(1, &others, vec![put("a", 1)]),
        named(1, "open", "stray", &[put("a", 1)]),
        named(1, "open", "absent", &[put("a", 1)]),
        sent(2, &notes, vec![put("b", 1)]),
        named(3, "closed", "run", &[put("a", 2)]),
        named(3, "open", "run", &[put("a", 1)]),
    ];
    for mutation in reused {
        let behind = sent(mutation.seq.get() + 1, &notes, vec![put("behind", 1)]);
        let pushed = lab.push(&client, vec![mutation.clone(), behind]).await;
        let seen = matches!(pushed.stop, Some(PushError::SeqReused { seq }) if seq == mutation.seq);
        assert!(seen && pushed.results.is_empty(), "another content for a number: {mutation:?} gave {pushed:?}");
    }
    assert_eq!(before, lab.picture(&[notes.clone(), others], std::slice::from_ref(&client)).await);
    // However the same content is laid out.
    let args =
        serde_json::value::RawValue::from_string(r#"[ {"value" : 1, "op":"put","id":"a","entity":"row"} ]"#.into());
    let again = Sent { args: args.expect("JSON"), ..sent(1, &notes, vec![]) };
    lab.applied(&client, vec![again]).await;
    assert_eq!(codes(&lab.push(&client, vec![forbidden]).await), ["scope_forbidden"]);
    lab.applied(&client, vec![sent(4, &notes, vec![put("c", 1)])]).await;
}

/// Property 3: a client belongs to the user who sent its first mutation, and to nobody else, for pushes, pulls and snapshots.
pub async fn p03_clients_belong_to_their_users<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let client = ClientId::random();
    let send = async |who: &Who, user: Option<&str>, mutations| {
        let push = Push { client: client.clone(), user: user.map(str::to_owned), mutations };
        lab.engine.push(who.clone(), push).await
    };
    let (ada, eve) = (Who::new(User("ada")), Who::new(User("eve")));
    let one = || vec![sent(1, &notes, vec![put("a", 1)])];

    let pushed = send(&eve, Some("ada"), one()).await;
    assert!(
        matches!(pushed.stop, Some(PushError::OtherUser)),
        "what one queued is never pushed as another: {pushed:?}"
    );
    assert_eq!(codes(&send(&ada, Some("ada"), one()).await), ["applied"]);
    for (who, mutations) in [(&eve, one()), (&eve, vec![sent(2, &notes, vec![put("a", 2)])]), (&Who::anybody(), one())]
    {
        let pushed = send(who, None, mutations).await;
        assert!(matches!(pushed.stop, Some(PushError::ClientForeign)), "a foreign client pushed: {pushed:?}");
        assert!(pushed.results.is_empty());
    }
    for who in [&eve, &Who::anybody()] {
        let pulled = lab.engine.pull(who, &notes, Some(&client), Cursor::BEGINNING, None).await;
        assert!(matches!(pulled, Err(PullError::ClientForeign)), "a foreign client pulled");
        let taken = lab.engine.snapshot(who, &notes, Some(&client), None, None).await;
        assert!(matches!(taken, Err(PullError::ClientForeign)), "a foreign client took a snapshot");
    }
    let pulled = lab.engine.pull(&ada, &notes, Some(&client), Cursor::BEGINNING, None).await.expect("her own client");
    assert_eq!(pulled.changes.len(), 2);
    assert_eq!(lab.row(&notes, "a").await, Some(1.into()));
    // A push that came to nothing binds nobody.
    let fresh = ClientId::random();
    let gap = Push { client: fresh.clone(), user: None, mutations: vec![sent(2, &notes, vec![fill("x", 1), pause()])] };
    assert!(matches!(lab.engine.push(eve.clone(), gap).await.stop, Some(PushError::ClientUnknown)));
    let first = Push { client: fresh, user: None, mutations: one() };
    assert_eq!(codes(&lab.engine.push(ada, first).await), ["applied"]);
}
