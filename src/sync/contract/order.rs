//! Properties 4 to 7: what a log says, in which order, and in which parts.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::fixture::{Lab, Rows, add, codes, delete, fill, fold, named, numbers, pull, put, reject, scope, sent, soon};
use crate::edge::Who;
use crate::sync::change::Change;
use crate::sync::cursor::Cursor;
use crate::sync::ids::ClientId;
use crate::sync::mutation::Push;
use crate::sync::store::{PullAsk, Store};

/// Property 4: every processed mutation moves the cursor by one, also one that did nothing and one that was refused, and the outcome
/// names that place.
pub async fn p04_every_mutation_moves_the_cursor<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let client = ClientId::random();
    let mutations = vec![
        sent(1, &notes, vec![]),
        sent(2, &notes, vec![reject("no")]),
        named(3, "open", "absent", &()),
        named(4, "open", "run", "no steps"),
        named(5, "open", "not a name", &()),
        sent(6, &notes, vec![delete("absent")]),
        sent(7, &notes, vec![put("a", 1)]),
    ];
    let pushed = lab.push(&client, mutations).await;
    let expected = ["applied", "no", "unknown_mutator", "invalid", "invalid", "applied", "applied"];
    assert_eq!(codes(&pushed), expected, "{:?}", pushed.stop);
    for (at, outcome) in pushed.results.iter().enumerate() {
        let cursor = outcome.cursor.expect("a processed mutation has a place");
        assert_eq!(cursor.position(), at as u64 + 1, "mutation {} has a place of its own", at + 1);
        let rest = lab.pull(&notes, Some(&client), cursor, 1_000).await;
        assert_eq!(
            numbers(&rest.acks),
            (at as u64 + 2..=7).collect::<Vec<_>>(),
            "a log can be read on from an outcome"
        );
    }
    let told = lab.pull(&notes, Some(&client), Cursor::BEGINNING, 1_000).await;
    assert_eq!(numbers(&told.acks), [1, 2, 3, 4, 5, 6, 7], "each is acknowledged");
    for (ack, outcome) in told.acks.iter().zip(&pushed.results) {
        assert_eq!(ack.status, outcome.status, "an acknowledgement says what the push said");
    }
    assert_eq!(changes(&told.pages), 8, "one row and seven acknowledgements");
    assert_eq!(Some(told.cursor), pushed.results[6].cursor);
    // Nothing new: the cursor is given back.
    let rest = lab.pull(&notes, Some(&client), told.cursor, 1_000).await;
    assert_eq!((rest.cursor, rest.pages.len(), rest.acks.len()), (told.cursor, 1, 0));
    // A mutation within the server moves the cursor too, and is nobody's.
    assert_eq!(lab.apply(&notes, vec![]).await.cursor.expect("a place").position(), 8);
    let rest = lab.pull(&notes, Some(&client), told.cursor, 1_000).await;
    assert_eq!((rest.cursor.position(), rest.acks.len()), (8, 0));
}

fn changes(pages: &[(Cursor, Vec<Change>)]) -> usize {
    pages.iter().map(|(_, changes)| changes.len()).sum()
}

/// Property 4: acknowledgements are told to their own client only; the cursor passes over those of others.
pub async fn p04_acknowledgements_are_private<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let clients: Vec<_> = (0..3).map(|_| ClientId::random()).collect();
    for seq in 1..=4 {
        for (at, client) in clients.iter().enumerate() {
            let steps = if (seq as usize + at).is_multiple_of(2) { vec![reject("no")] } else { vec![put("a", seq)] };
            lab.push(client, vec![sent(seq, &notes, steps)]).await;
        }
    }
    for limit in [1, 2, 3, 1_000] {
        for client in &clients {
            let told = lab.pull(&notes, Some(client), Cursor::BEGINNING, limit).await;
            assert_eq!(numbers(&told.acks), [1, 2, 3, 4], "its own acknowledgements, in order, each once");
            assert_eq!(told.cursor.position(), 12, "the cursor passes over those of others");
            let taken = lab.snapshot(&notes, Some(client), limit).await;
            assert_eq!(taken.acks, told.acks);
        }
        for client in [None, Some(&ClientId::random())] {
            let told = lab.pull(&notes, client, Cursor::BEGINNING, limit).await;
            assert_eq!(
                (told.acks.len(), told.cursor.position()),
                (0, 12),
                "who sent nothing is told of no acknowledgement"
            );
            let taken = lab.snapshot(&notes, client, limit).await;
            assert_eq!((taken.acks.len(), taken.last), (0, None));
        }
    }
}

/// Properties 5 and 6: with 16 writers on one scope, every reader at any time sees a prefix of one and the same order, without a hole.
pub async fn p05_cursor_order_is_commit_order<S: Store>(open: impl AsyncFn() -> S) {
    const WRITERS: usize = 16;
    const EACH: usize = 20;
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (engine, notes) = (lab.engine.clone(), notes.clone());
        writers.spawn(async move {
            let client = ClientId::random();
            let mut places = Vec::new();
            for n in 0..EACH {
                let id = format!("{writer}:{n}");
                let mutations = vec![sent(n as u64 + 1, &notes, vec![put(&id, n), add("sum", 1)])];
                let pushed = engine.push(Who::anybody(), Push { client: client.clone(), user: None, mutations }).await;
                assert!(pushed.stop.is_none(), "a writer was stopped: {:?}", pushed.stop);
                places.push((id, pushed.results[0].cursor.expect("a place")));
            }
            places
        });
    }
    let mut readers = JoinSet::new();
    for reader in 0..4 {
        let (engine, notes) = (lab.engine.clone(), notes.clone());
        readers.spawn(async move {
            let limit = [1, 2, 7, 1_000][reader];
            let (mut seen, mut cursor) = (Vec::<String>::new(), Cursor::BEGINNING);
            while seen.len() < WRITERS * EACH {
                let pulled = engine.pull(&Who::anybody(), &notes, None, cursor, Some(limit)).await.expect("a pull");
                for change in &pulled.changes {
                    if let Change::Create(row) | Change::Update(row) = change
                        && row.id != "sum"
                    {
                        seen.push(row.id.clone());
                    }
                }
                let moved = pulled.cursor.position();
                assert_eq!(moved, seen.len() as u64, "a reader got to {moved} and saw {} mutations", seen.len());
                cursor = pulled.cursor;
                tokio::task::yield_now().await;
            }
            seen
        });
    }
    let mut places = BTreeMap::new();
    for (id, cursor) in soon("the writers", writers.join_all()).await.into_iter().flatten() {
        assert!(places.insert(cursor.position(), id).is_none(), "two mutations were given one place");
    }
    let order: Vec<_> = places.into_values().collect();
    for seen in soon("the readers", readers.join_all()).await {
        assert_eq!(seen, order, "every reader sees every mutation once, in the order of the cursors");
    }
    for writer in 0..WRITERS {
        let own = order.iter().filter_map(|id| id.split_once(':').filter(|(name, _)| *name == writer.to_string()));
        let own: Vec<_> = own.map(|(_, n)| n.to_owned()).collect();
        assert_eq!(own, (0..EACH).map(|n| n.to_string()).collect::<Vec<_>>(), "a writer's mutations keep their order");
    }
    assert_eq!(lab.row(&notes, "sum").await, Some((WRITERS * EACH).into()), "no update was lost");
}

/// Properties 5 and 6, in many scopes at once and with mutations that touch several: what a reader knows at any of its cursors is what
/// the log says up to there, in each scope.
pub async fn p06_no_holes_in_many_scopes<S: Store>(open: impl AsyncFn() -> S) {
    const WRITERS: u64 = 16;
    const EACH: u64 = 12;
    let lab = Lab::open(&open).await;
    let scopes: Vec<_> = (0..5).map(|n| scope(&format!("open:{n}"))).collect();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (engine, scopes) = (lab.engine.clone(), scopes.clone());
        writers.spawn(async move {
            let client = ClientId::random();
            for n in 0..EACH {
                let at = (writer * 7 + n * 3) as usize;
                let (own, other) = (&scopes[at % 5], &scopes[(at + 1 + writer as usize % 4) % 5]);
                let steps = vec![add("sum", 1), add("sum", 1).within(other), put(&format!("{writer}:{n}"), n)];
                let mutations = vec![sent(n + 1, own, steps)];
                let pushed = engine.push(Who::anybody(), Push { client: client.clone(), user: None, mutations }).await;
                assert!(pushed.stop.is_none(), "a writer was stopped: {:?}", pushed.stop);
            }
        });
    }
    let mut readers = JoinSet::new();
    for (at, scope) in scopes.iter().enumerate() {
        let (engine, scope) = (lab.engine.clone(), scope.clone());
        readers.spawn(async move {
            let (mut cursor, mut rows, mut sums) = (Cursor::BEGINNING, Rows::new(), Vec::new());
            loop {
                let pulled = engine.pull(&Who::anybody(), &scope, None, cursor, Some(at + 1)).await.expect("a pull");
                for change in &pulled.changes {
                    fold(&mut rows, std::slice::from_ref(change));
                    if let Change::Create(row) | Change::Update(row) = change
                        && row.id == "sum"
                    {
                        sums.push(row.data.get().parse::<u64>().expect("a sum"));
                    }
                }
                cursor = pulled.cursor;
                assert_eq!(sums.len() as u64, cursor.position(), "each entry adds to the sum, and none is missing");
                if rows.contains_key(&("row".into(), "last".into())) {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let expected: Vec<_> = (1..=sums.len() as u64).collect();
            assert_eq!(sums, expected, "every reader sees every state of the sum once, in order");
            (scope, rows)
        });
    }
    soon("the writers", writers.join_all()).await;
    for scope in &scopes {
        lab.apply(scope, vec![add("sum", 1), put("last", true)]).await;
    }
    for (scope, rows) in soon("the readers", readers.join_all()).await {
        assert_eq!(rows, lab.snapshot(&scope, None, 1_000).await.rows);
    }
}

/// Property 7: whatever the limit, a page holds whole mutations, in order, and says where it ends; all pages together are the log.
pub async fn p07_pages_never_split_a_mutation<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let client = ClientId::random();
    let other = ClientId::random();
    let sizes = [1, 3, 0, 7, 1, 1, 12, 0, 0, 2, 5];
    let (mut own, mut ends) = (0, vec![Cursor::BEGINNING]);
    for (at, size) in sizes.into_iter().enumerate() {
        let sender = if at % 3 == 2 { &other } else { &client };
        let seq = if at % 3 == 2 { at as u64 / 3 + 1 } else { own + 1 };
        own += u64::from(at % 3 != 2);
        let outcome = lab.applied(sender, vec![sent(seq, &notes, vec![fill(&format!("{at:02}-"), size)])]).await;
        ends.push(outcome[0].cursor.expect("a place"));
    }
    for limit in (1..=14).chain([31, 32, 1_000]) {
        let told = lab.pull(&notes, Some(&client), Cursor::BEGINNING, limit).await;
        assert_eq!(told.cursor, ends[11]);
        assert_eq!(numbers(&told.acks), (1..=own).collect::<Vec<_>>());
        let mut from = 0;
        for (cursor, changes) in &told.pages {
            let upto = ends.iter().position(|end| end == cursor).expect("a page ends behind a mutation");
            let whole: usize = sizes[from..upto].iter().sum();
            let acks = (from..upto).filter(|at| at % 3 != 2).count();
            let rows = changes.iter().filter(|change| !matches!(change, Change::Ack(_))).count();
            assert_eq!((rows, changes.len() - rows), (whole, acks), "a page has all of its mutations and nothing else");
            let single = sizes[from..upto].iter().filter(|size| **size > 0).count() == 1;
            let within = acks <= limit && (rows <= limit || single);
            assert!(within, "a page of {rows} rows and {acks} acknowledgements goes over the limit of {limit}");
            in_order(changes);
            from = upto;
        }
        // From any place in between it is the same log.
        for (at, end) in ends.iter().enumerate() {
            let rest = pull(&lab.engine, &notes, Some(&client), *end, limit).await.expect("a pull");
            assert_eq!(rest.rows.len(), sizes[at..].iter().sum::<usize>());
            assert_eq!(rest.cursor, ends[11]);
        }
    }
    bytes_bound_pages(&lab).await;
    acknowledgements_bound_pages(&lab).await;
    a_pull_is_one_moment(&lab).await;
}

/// Rows are named by their mutations here, so that their order can be seen; acknowledgements are in the order of their numbers.
fn in_order(changes: &[Change]) {
    let (mut row, mut seq) = ("", 0);
    for change in changes {
        match change {
            Change::Create(next) | Change::Update(next) => {
                assert!(row < next.id.as_str(), "changes come in the order of their mutations");
                row = &next.id;
            }
            Change::Ack(ack) => {
                assert!(seq < ack.seq.get(), "acknowledgements come in order");
                seq = ack.seq.get();
            }
            Change::Delete { .. } => {}
        }
    }
}

/// Large rows end a page early, but a row that is larger than a page comes alone.
async fn bytes_bound_pages(lab: &Lab) {
    let large = scope("open:large");
    for n in 0..4 {
        lab.apply(&large, vec![put(&format!("r{n}"), "x".repeat(3_000))]).await;
    }
    let ask = |bytes| PullAsk { scope: large.clone(), client: None, from: 0, limit: 1_000, bytes };
    for (bytes, expected) in [(1, 1), (3_100, 1), (6_100, 2), (100_000, 4)] {
        let part = lab.store.pull(ask(bytes)).await.expect("a part of a log");
        assert_eq!(
            (part.changes.len(), part.upto.0),
            (expected, expected as u64),
            "at most about {bytes} bytes a page"
        );
    }
}

/// A page has no more acknowledgements than it may have changes.
async fn acknowledgements_bound_pages(lab: &Lab) {
    let quiet = scope("open:quiet");
    let client = ClientId::random();
    lab.applied(&client, (1..=40).map(|seq| sent(seq, &quiet, vec![])).collect()).await;
    for limit in [1, 3, 39, 40, 41] {
        let told = lab.pull(&quiet, Some(&client), Cursor::BEGINNING, limit).await;
        let most = told.pages.iter().map(|(_, changes)| changes.len()).max();
        assert!(most.is_some_and(|most| most <= limit), "{most:?} acknowledgements in a page of {limit}");
        assert_eq!(numbers(&told.acks), (1..=40).collect::<Vec<_>>());
    }
}

/// Rows, cursor and `has_more` are of one moment while others write.
async fn a_pull_is_one_moment(lab: &Lab) {
    let notes = scope("open:moment");
    let writer = async {
        for n in 1..=150 {
            lab.apply(&notes, vec![put("a", n), put("b", n)]).await;
        }
    };
    let reader = async {
        let mut last = Cursor::BEGINNING;
        while last.position() < 150 {
            let told = lab.pull(&notes, None, Cursor::BEGINNING, 1_000).await;
            let of = |id: &str| told.rows.get(&("row".to_owned(), id.to_owned())).cloned();
            assert_eq!(of("a"), of("b"), "what was written together is read together");
            let expected = (told.cursor.position() > 0).then(|| told.cursor.position().to_string());
            assert_eq!(of("a"), expected, "the cursor is that of the rows");
            last = told.cursor;
            tokio::task::yield_now().await;
        }
    };
    soon("a reader and a writer", async { tokio::join!(writer, reader) }).await;
}
