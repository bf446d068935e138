//! Properties 8, 9 and 11: snapshots, and cursors that can't be read on from.

use std::time::Duration;

use super::fixture::{Lab, Paging, Rows, add, delete, fill, fold, pull, put, put_as, scope, sent};
use crate::edge::Who;
use crate::sync::change::Row;
use crate::sync::cursor::{Cursor, Epoch};
use crate::sync::engine::{PullError, Retention};
use crate::sync::entity::Scan;
use crate::sync::ids::{ClientId, Seq};
use crate::sync::store::Store;

/// Property 8: at every place of a log, a snapshot is what the log up to there adds up to, with its acknowledgements.
pub async fn p08_snapshots_are_the_sum_of_the_log<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let client = ClientId::random();
    let empty = lab.snapshot(&notes, Some(&client), 10).await;
    assert_eq!(
        (empty.rows.len(), empty.last, empty.cursor.position()),
        (0, None, 0),
        "a scope that is not there is empty"
    );
    let history = [
        vec![put("a", 1)],
        vec![put("b", 1), put_as("other", "a", 1)],
        vec![delete("a")],
        vec![],
        vec![put("a", 2), delete("a"), put("a", 3)],
        vec![put("c", 1), delete("c")],
        vec![delete("b"), put("b", 2)],
        vec![add("a", 5), delete("b")],
    ];
    let mut rows = Rows::new();
    let mut cursor = empty.cursor;
    for (at, steps) in history.into_iter().enumerate() {
        let seq = at as u64 + 1;
        lab.applied(&client, vec![sent(seq, &notes, steps)]).await;
        let pulled =
            lab.engine.pull(&Who::anybody(), &notes, None, cursor, None).await.expect("a pull from a snapshot");
        fold(&mut rows, &pulled.changes);
        cursor = pulled.cursor;
        let told = lab.pull(&notes, Some(&client), Cursor::BEGINNING, 2).await;
        assert_eq!(told.rows, rows, "the log adds up to the same from any place");
        for limit in [1, 2, 1_000] {
            let taken = lab.snapshot(&notes, Some(&client), limit).await;
            assert_eq!(taken.rows, rows, "a snapshot is the sum of the log");
            assert_eq!(taken.cursor, cursor, "and stands where the log does");
            assert_eq!(taken.acks, told.acks, "with the acknowledgements of the log");
            assert_eq!(taken.last, Some(Seq::new(seq)));
            assert_eq!(taken.pages, rows.len().div_ceil(limit).max(1));
        }
        for id in ["a", "b", "c"] {
            let expected = rows.get(&("row".to_owned(), id.to_owned())).map(|data| data.parse().expect("a number"));
            assert_eq!(
                lab.row(&notes, id).await.and_then(|value| value.as_i64()),
                expected,
                "the server reads the same"
            );
        }
    }
}

/// Property 8: all pages of a snapshot show the place of the first one, whatever is written and compacted in between.
pub async fn p08_pages_show_one_place<S: Store>(open: impl AsyncFn() -> S) {
    const ROWS: usize = 9;
    let lab = Lab::open(&open).await;
    for limit in 1..=ROWS + 1 {
        let notes = scope(&format!("open:{limit}"));
        let client = ClientId::random();
        lab.applied(&client, vec![sent(1, &notes, vec![fill("r", ROWS), fill("s", 1)])]).await;
        let expected = lab.snapshot(&notes, Some(&client), 1_000).await;
        let mut paging = Paging::default();
        let mut turn = 0;
        while !paging.turn(&lab.engine, &notes, Some(&client), limit).await.expect("a page") {
            // Before the next page: what was read, what is to come, and rows in between, changed, deleted, new.
            let steps = vec![
                put(&format!("r{turn:04}"), "changed"),
                put(&format!("r{:04}", ROWS - 1 - turn % ROWS), "changed"),
                delete(&format!("r{:04}", (turn + 3) % ROWS)),
                put(&format!("r{turn:04}x"), "new"),
            ];
            lab.applied(&client, vec![sent(turn as u64 + 2, &notes, steps)]).await;
            lab.clock.advance(1_000);
            lab.engine.compact().await.expect("a compaction");
            turn += 1;
        }
        let taken = paging.taken();
        assert_eq!(taken.rows, expected.rows, "pages of {limit} rows show the place of the first one");
        assert_eq!((taken.cursor, taken.last, &taken.acks), (expected.cursor, expected.last, &expected.acks));
        // From there on the log leads to now.
        let rest = lab.pull(&notes, Some(&client), taken.cursor, 3).await;
        let mut rows = taken.rows;
        for (_, changes) in &rest.pages {
            fold(&mut rows, changes);
        }
        assert_eq!(rows, lab.snapshot(&notes, None, 1_000).await.rows, "a snapshot and the log behind it lead to now");
    }
    // When the versions it needs are gone, a later page says so; it never shows another place.
    let notes = scope("open:late");
    lab.apply(&notes, vec![fill("r", 3)]).await;
    let mut paging = Paging::default();
    assert!(!paging.turn(&lab.engine, &notes, None, 1).await.expect("the first page"));
    lab.apply(&notes, vec![put("r0001", "changed")]).await;
    lab.clock.advance(601_000);
    lab.engine.compact().await.expect("a compaction");
    let late = paging.turn(&lab.engine, &notes, None, 1).await;
    assert!(matches!(late, Err(PullError::CursorTooOld)), "a page of a place that is gone: {late:?}");
    // Names of pages that nobody was given.
    let taken = lab.engine.snapshot(&Who::anybody(), &notes, None, None, Some(1)).await.expect("a first page");
    let next = taken.next.expect("a second page");
    let nul = "MDAwMDAwMDAwMDAwMDAwMS0xLTEgcm93IHIAMQ";
    for forged in ["", "x", "!!", &next[1..], &next[..next.len() - 8], nul] {
        let page = lab.engine.snapshot(&Who::anybody(), &notes, None, Some(forged), None).await;
        let refused = matches!(page, Err(PullError::NoPage | PullError::EpochChanged | PullError::CursorTooOld));
        assert!(refused, "the forged page {forged:?} gave {page:?}");
    }
}

/// Property 8: rows come in the order of the bytes of kind and id, whatever the language; ranges and prefixes are of bytes too.
pub async fn p08_rows_come_in_the_order_of_bytes<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    let mut ids = vec![
        "a",
        "A",
        "b",
        "B",
        "aa",
        "a ",
        " a",
        "a%",
        "a_",
        "a\\",
        "a'b",
        "é",
        "e\u{301}",
        "z",
        "Z",
        "ß",
        "ss",
        "0",
        "10",
        "9",
        "\u{ffff}",
        "\u{10000}",
        "\u{e000}",
        "😀",
        "ı",
        "i",
        "I",
        "İ",
        "a%b",
        "axb",
        "a_b",
        "-",
        "_",
        "~",
    ];
    let kinds = ["row", "Row", "ROW", "a.b", "a-b", "a_b"];
    let steps = ids.iter().flat_map(|id| kinds.map(|kind| put_as(kind, id, *id)));
    lab.apply(&notes, steps.collect()).await;
    ids.sort_unstable();
    for limit in [1, 7, 1_000] {
        // The order of all rows, each once, is checked page by page.
        assert_eq!(lab.snapshot(&notes, None, limit).await.rows.len(), ids.len() * kinds.len());
    }
    let names = |rows: Vec<Row>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    let scan = async |scan| names(lab.engine.read(&notes).scan_rows("row", scan).await.expect("a scan"));
    assert_eq!(scan(Scan::all()).await, ids, "a scan is in the order of bytes");
    for prefix in ["", "a", "a%", "a_", "A", "é", "e", "\\", "\u{e000}", "\u{10000}", "x", "a\\"] {
        let expected: Vec<_> = ids.iter().copied().filter(|id| id.starts_with(prefix)).collect();
        assert_eq!(
            scan(Scan::all().prefix(prefix)).await,
            expected,
            "all that starts with {prefix:?}, and nothing else"
        );
        for after in ["", "0", "a", "aa", "é", "~", "\u{10ffff}"] {
            let expected: Vec<_> = expected.iter().copied().filter(|id| *id > after).take(3).collect();
            let found = scan(Scan::all().prefix(prefix).after(after).limit(3)).await;
            assert_eq!(found, expected, "3 that start with {prefix:?} behind {after:?}");
        }
    }
    for odd in ["\0", "a\0", "\n"] {
        let none = Vec::<String>::new();
        assert_eq!(scan(Scan::all().prefix(odd)).await, none, "no id holds a control character");
    }
    for id in &ids {
        assert_eq!(lab.row(&notes, id).await, Some((*id).into()), "the row {id:?} is read by its id");
    }
    for absent in ["AA", "", "a\0", "\0", "\n"] {
        assert_eq!(lab.row(&notes, absent).await, None, "ids differ where their bytes do");
    }
    assert_eq!(lab.engine.read(&notes).scan_rows("r\0w", Scan::all()).await.expect("a scan").len(), 0);
}

/// Property 9: a cursor below the kept log is told to take a snapshot; the first kept one reads on.
pub async fn p09_cursors_below_the_log<S: Store>(open: impl AsyncFn() -> S) {
    const KEPT: u64 = 4;
    let lab = Lab::open(&open).await;
    let retention = Retention { entries: Some(KEPT), grace: Duration::ZERO, every: None, ..Retention::default() };
    let keeping = lab.builder().retention(retention).build();
    let notes = scope("open");
    let client = ClientId::random();
    let mut places = vec![lab.engine.read(&notes).cursor().await.expect("a cursor")];
    for n in 1..=10 {
        let outcome = lab.applied(&client, vec![sent(n, &notes, vec![put(&format!("{n:02}"), n)])]).await;
        places.push(outcome[0].cursor.expect("a place"));
    }
    lab.clock.advance(1);
    keeping.compact().await.expect("a compaction");
    let expected = lab.snapshot(&notes, Some(&client), 3).await;
    assert_eq!(expected.rows.len(), 10, "rows stay when their log goes");
    for (at, place) in places.iter().enumerate() {
        let told = pull(&lab.engine, &notes, Some(&client), *place, 2).await;
        match at as u64 {
            0..6 => assert!(matches!(told, Err(PullError::CursorTooOld)), "place {at} is below the log: {told:?}"),
            _ => {
                let told = told.expect("a kept place");
                assert_eq!((told.rows.len(), told.acks.len()), (10 - at, 10 - at), "place {at} reads on");
                assert_eq!(told.cursor, expected.cursor);
            }
        }
    }
    let beginning = pull(&lab.engine, &notes, None, Cursor::BEGINNING, 2).await;
    assert!(matches!(beginning, Err(PullError::CursorTooOld)), "the beginning is below the log: {beginning:?}");
    // The snapshot leads on, says what was processed, and another scope has its own log.
    assert_eq!(expected.last, Some(Seq::new(10)));
    lab.applied(&client, vec![sent(11, &notes, vec![delete("01")])]).await;
    let rest = lab.pull(&notes, Some(&client), expected.cursor, 2).await;
    assert_eq!((rest.pages[0].1.len(), rest.cursor.position()), (2, 11));
    lab.apply(&scope("open:other"), vec![put("a", 1)]).await;
    keeping.compact().await.expect("a compaction");
    assert_eq!(lab.pull(&scope("open:other"), None, Cursor::BEGINNING, 2).await.rows.len(), 1);
}

/// Property 11: a cursor of another epoch, past the head, or with another check value is of another history.
pub async fn p11_another_history_is_noticed<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let notes = scope("open");
    lab.apply(&notes, vec![put("a", 1)]).await;
    let here = lab.apply(&notes, vec![put("b", 1)]).await.cursor.expect("a place");
    let epoch = here.epoch().expect("an epoch");
    let (position, check) = (here.position(), here.check());
    let try_pull = async |cursor| pull(&lab.engine, &notes, None, cursor, 10).await;
    try_pull(here).await.expect("a cursor that was given out");
    let forged = [
        Cursor::new(Epoch::random(), position, check),
        Cursor::new(epoch, position, check ^ 1),
        Cursor::new(epoch, position, 0),
        Cursor::new(epoch, position - 1, check),
        Cursor::new(epoch, position + 1, check),
        Cursor::new(epoch, i64::MAX as u64, check),
        Cursor::new(epoch, position, u64::MAX),
        Cursor::new(Epoch::from_bits(u64::MAX), u64::MAX, u64::MAX),
        Cursor::new(epoch, 0, 1),
    ];
    for cursor in forged {
        let told = try_pull(cursor).await;
        assert!(matches!(told, Err(PullError::EpochChanged)), "the cursor {cursor} of another history gave {told:?}");
    }
    let elsewhere = pull(&lab.engine, &scope("open:other"), None, here, 10).await;
    assert!(matches!(elsewhere, Err(PullError::EpochChanged)), "a cursor of another scope gave {elsewhere:?}");
    // What was rolled back and written again is another history even where the positions meet.
    let other = Lab::open(&open).await;
    other.apply(&notes, vec![put("a", 1)]).await;
    other.apply(&notes, vec![put("c", 1)]).await;
    assert!(matches!(pull(&other.engine, &notes, None, here, 10).await, Err(PullError::EpochChanged)));

    let mut paging = Paging::default();
    assert!(!paging.turn(&lab.engine, &notes, None, 1).await.expect("a first page"));
    let bumped = lab.engine.bump_epoch().await.expect("a new epoch");
    assert_ne!(bumped, epoch);
    assert!(matches!(try_pull(here).await, Err(PullError::EpochChanged)), "a bump makes every cursor invalid");
    assert!(matches!(paging.turn(&lab.engine, &notes, None, 1).await, Err(PullError::EpochChanged)), "and every page");
    let taken = lab.snapshot(&notes, None, 1).await;
    assert_eq!((taken.cursor.epoch(), taken.rows.len(), taken.cursor.position()), (Some(bumped), 2, position));
    let next = lab.apply(&notes, vec![put("c", 1)]).await.cursor.expect("a place");
    assert_eq!(next.epoch(), Some(bumped), "outcomes are of the new epoch");
    assert_eq!(try_pull(taken.cursor).await.expect("a log that goes on").cursor, next);
    // The beginning is that of every history, and another engine sees the same epoch.
    assert_eq!(try_pull(Cursor::BEGINNING).await.expect("the beginning").cursor, next);
    let again = pull(&lab.builder().build(), &notes, None, next, 10).await.expect("the same epoch after a restart");
    assert_eq!(again.cursor, next);
}
