//! Many at once: everything is applied once, and every reader sees everything once.

use std::collections::BTreeMap;

use futures::future::join_all;
use rand::prelude::*;
use serde_json::{Value, json};

use crate::app::{On, on_every_store};
use crate::wire::{Copy, client_id, mutation, push, within};

on_every_store! {
    a_push_replayed_a_hundred_times_is_applied_once
    sixteen_in_one_scope
    sixteen_in_many_scopes
}

async fn a_push_replayed_a_hundred_times_is_applied_once(on: On) {
    const MUTATIONS: usize = 40;
    let stage = on.stage().await;
    let client = client_id(1);
    let all: Vec<Value> = (1..=MUTATIONS as u64)
        .map(|seq| match seq % 4 {
            0 => mutation(seq, "note", "square", json!(format!("n{seq}"))),
            1 => mutation(seq, "send", "square", json!(["room:1", format!("m{seq}")])),
            _ => mutation(seq, "count", "square", json!("n")),
        })
        .collect();
    // Whole, from somewhere to somewhere, and in any order: each over a socket of its own.
    let mut random = StdRng::seed_from_u64(7);
    let bodies: Vec<Vec<Value>> = (0..100)
        .map(|replay| {
            let mut part = match replay % 3 {
                0 => all.clone(),
                _ => all[random.random_range(0..MUTATIONS)..]
                    .iter()
                    .take(random.random_range(1..MUTATIONS))
                    .cloned()
                    .collect(),
            };
            if replay % 4 == 3 {
                part.shuffle(&mut random);
            }
            part
        })
        .collect();
    let pushes = bodies.into_iter().map(|part| {
        let (stage, body) = (&stage, push(&client, part));
        async move {
            let answer = stage.ada().await.post("/_sync/push", &body).await;
            let body = answer.json();
            assert!(matches!(body["code"].as_str(), None | Some("gap" | "client_unknown")), "{body}");
            body["results"].as_array().unwrap().clone()
        }
    });
    let answers = within(join_all(pushes)).await;
    let last = stage.ada().await.post("/_sync/push", &push(&client, all)).await.ok();
    // Whoever asked, whenever: the same outcome, applied, at the same place.
    let outcomes: BTreeMap<u64, &Value> =
        last["results"].as_array().unwrap().iter().map(|result| (result["seq"].as_u64().unwrap(), result)).collect();
    assert_eq!(outcomes.len(), MUTATIONS);
    for result in answers.iter().flatten() {
        assert_eq!(outcomes[&result["seq"].as_u64().unwrap()], result);
        assert_eq!(result["status"], "applied");
    }
    let answered = answers.iter().flatten().count();
    assert!(answered > MUTATIONS * 30, "{answered}");
    assert_eq!((stage.head("square").await, stage.head("room:1").await), (40, 10));
    assert_eq!(stage.row("square", "counter", "n").await, Some(json!(20)));
    let mut copy = Copy::default();
    copy.pull_all(&mut stage.ada().await, "square", &client, 7).await;
    assert_eq!((copy.changes, copy.acks), (MUTATIONS, (1..=MUTATIONS as u64).collect()));
}

const WRITERS: u64 = 16;
const PUSHES: u64 = 10;
const BATCH: u64 = 5;

/// Writers and readers at once, each over a socket of its own. Writer `w` writes to `scopes[w % scopes.len()]`.
async fn sixteen(on: On, scopes: &[String]) {
    let stage = on.stage().await;
    let stage = &stage;
    let each = WRITERS * PUSHES * BATCH / scopes.len() as u64;
    let writers = (0..WRITERS).map(|writer| async move {
        let mut http = stage.ada().await;
        let scope = &scopes[writer as usize % scopes.len()];
        let mut cursors = Vec::new();
        for first in (0..PUSHES).map(|push| push * BATCH + 1) {
            let mutations = (first..first + BATCH).map(|seq| match seq % 2 {
                0 => mutation(seq, "count", scope, json!("shared")),
                _ => mutation(seq, "note", scope, json!(format!("{writer:02}-{seq:04}"))),
            });
            let pushed = http.post("/_sync/push", &push(&client_id(writer), mutations.collect())).await.ok();
            for result in pushed["results"].as_array().unwrap() {
                assert_eq!(result["status"], "applied", "{result}");
                let cursor = result["cursor"].as_str().unwrap();
                cursors.push(u64::from_str_radix(cursor.split('-').nth(1).unwrap(), 16).unwrap());
            }
        }
        assert!(cursors.is_sorted());
        cursors
    });
    // A reader of each writer's: it hears of every row once, of every number in order, and of the counter's every value.
    let readers = (0..WRITERS).map(|reader| async move {
        let mut http = stage.bob().await;
        let scope = &scopes[reader as usize % scopes.len()];
        let (mut copy, mut counted, mut last) = (Copy::default(), 0, BTreeMap::new());
        while copy.changes < each as usize {
            let ask = json!({ "client": client_id(1_000 + reader), "scope": scope, "cursor": copy.cursor, "limit": 1 + reader * 3 });
            let pulled = http.post("/_sync/pull", &ask).await.ok();
            for change in pulled["changes"].as_array().unwrap() {
                if change["entity"] == "counter" {
                    assert_eq!(change["data"].as_u64(), Some(counted + 1), "a value of the counter was left out, or came twice");
                    counted += 1;
                } else {
                    let (writer, seq) = change["id"].as_str().unwrap().split_once('-').unwrap();
                    let before = last.insert(writer.to_owned(), seq.to_owned());
                    assert!(before.is_none_or(|before| *before < *seq), "{change}");
                }
            }
            copy.apply(&pulled);
        }
        (scope, copy)
    });
    let (cursors, copies) = within(async { tokio::join!(join_all(writers), join_all(readers)) }).await;
    // Every place of a log was given to one mutation.
    for (at, scope) in scopes.iter().enumerate() {
        let mut places: Vec<u64> = cursors.iter().skip(at).step_by(scopes.len()).flatten().copied().collect();
        places.sort_unstable();
        assert_eq!(places, (1..=each).collect::<Vec<_>>(), "{scope}");
    }
    for (scope, copy) in copies {
        let snapshot = Copy::snapshot(&mut stage.ada().await, scope, &client_id(5_000), 100).await;
        assert_eq!((snapshot.rows, snapshot.cursor), (copy.rows, copy.cursor));
        assert_eq!(copy.changes as u64, each);
    }
}

async fn sixteen_in_one_scope(on: On) {
    sixteen(on, &["square".to_owned()]).await;
}

async fn sixteen_in_many_scopes(on: On) {
    sixteen(on, &(0..8).map(|room| format!("room:{room}")).collect::<Vec<_>>()).await;
}
