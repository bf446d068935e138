//! Properties 14 and 15: mutations of several scopes, and who may do what.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::task::JoinSet;

use super::fixture::{Lab, User, add, code, codes, named, numbers, put, reject, scope, sent, soon};
use crate::edge::Who;
use crate::sync::access::Access;
use crate::sync::change::Pulled;
use crate::sync::cursor::Cursor;
use crate::sync::engine::{Engine, PullError};
use crate::sync::ids::{ClientId, Scope};
use crate::sync::mutation::{ApplyError, Mutation, Push, Pushed, Sent};
use crate::sync::store::Store;

/// Property 14: a mutation of several scopes is one: in each of them it has its changes, its place and its acknowledgement, or none of it.
pub async fn p14_several_scopes_are_one_mutation<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let [one, two, three] = ["open:1", "open:2", "open:3"].map(scope);
    let client = ClientId::random();
    let mutations = vec![
        sent(1, &two, vec![put("a", 2), put("a", 1).within(&one), put("a", 3).within(&three)]),
        sent(2, &one, vec![put("b", 1), put("b", 2).within(&two), reject("no").within(&three)]),
        sent(3, &one, vec![put("c", 1), put("c", 1).within(&one)]),
        sent(4, &three, vec![put("d", 1).within(&one)]),
    ];
    let pushed = lab.push(&client, mutations.clone()).await;
    assert_eq!(codes(&pushed), ["applied", "no", "applied", "applied"], "{:?}", pushed.stop);
    let places: Vec<_> = pushed.results.iter().map(|outcome| outcome.cursor.expect("a place").position()).collect();
    assert_eq!(places, [1, 2, 3, 3], "an outcome's place is that in its own scope");
    assert_eq!(lab.push(&client, mutations).await.results, pushed.results);
    let rows = [(&one, vec![("a", 1), ("c", 1), ("d", 1)], vec![1, 2, 3, 4]), (&two, vec![("a", 2)], vec![1, 2])];
    for (scope, rows, acks) in rows.into_iter().chain([(&three, vec![("a", 3)], vec![1, 2, 4])]) {
        let told = lab.pull(scope, Some(&client), Cursor::BEGINNING, 1).await;
        let found: Vec<_> = told.rows.iter().map(|((_, id), data)| (id.as_str(), data.parse().unwrap_or(0))).collect();
        assert_eq!(found, rows, "a row is in the scope it was written in, and in no other");
        assert_eq!(numbers(&told.acks), acks, "each declared scope gets the acknowledgement, refusals too");
        assert_eq!(told.cursor.position(), acks.len() as u64);
        assert_eq!(lab.snapshot(scope, Some(&client), 1).await.rows, told.rows);
    }
    // What was not declared can't be read or written.
    let stray = named(5, "open:1", "stray", &[put("e", 1), put("e", 1).within(&two)]);
    let pushed = lab.push(&client, vec![stray]).await;
    assert_eq!(codes(&pushed), ["undeclared_scope"]);
    assert_eq!((lab.row(&one, "e").await, lab.row(&two, "e").await), (None, None));
    let second = lab.pull(&two, Some(&client), Cursor::BEGINNING, 10).await;
    assert_eq!(numbers(&second.acks), [1, 2], "a scope that was not declared hears nothing");
    // Many scopes at once.
    let many: Vec<_> = (0..30).map(|n| scope(&format!("open:many:{n}"))).collect();
    let steps = many.iter().rev().map(|scope| put("a", scope.as_str()).within(scope)).collect();
    lab.applied(&client, vec![sent(6, &many[7], steps)]).await;
    for scope in &many {
        assert_eq!(lab.row(scope, "a").await, Some(scope.as_str().into()));
        assert_eq!(numbers(&lab.pull(scope, Some(&client), Cursor::BEGINNING, 10).await.acks), [6]);
    }
}

/// Property 14: whoever locks what, in whatever order they name it, nobody waits for ever, nothing is refused and nothing is lost.
pub async fn p14_nothing_deadlocks<S: Store>(open: impl AsyncFn() -> S) {
    const WRITERS: u64 = 12;
    const EACH: u64 = 12;
    let lab = Lab::open(&open).await;
    let scopes: Vec<_> = (0..4).map(|n| scope(&format!("open:{n}"))).collect();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (engine, scopes) = (lab.engine.clone(), scopes.clone());
        writers.spawn(async move {
            let mut rng = StdRng::seed_from_u64(writer);
            let client = ClientId::random();
            let mut added = 0;
            for n in 0..EACH {
                let mut steps = || {
                    let chosen: Vec<&Scope> = scopes.sample(&mut rng, 3).collect();
                    chosen.into_iter().map(|scope| add("sum", 1).within(scope)).collect::<Vec<_>>()
                };
                let (first, second, called) = (steps(), steps(), steps());
                let home = &scopes[(writer + n) as usize % scopes.len()];
                let mutations = vec![sent(n * 2 + 1, home, first), sent(n * 2 + 2, home, second)];
                let push = Push { client: client.clone(), user: None, mutations };
                // Both tabs of a browser send it.
                let pushes = [engine.push(Who::anybody(), push.clone()), engine.push(Who::anybody(), push)];
                for pushed in futures::future::join_all(pushes).await {
                    assert!(pushed.stop.is_none(), "a push was refused under load: {:?}", pushed.stop);
                    assert_eq!(codes(&pushed), ["applied", "applied"]);
                }
                let call = Mutation::new(home, "run", &called).expect("steps").key(format!("{writer} {n}"));
                engine.apply(Who::server(), call).await.expect("a call under load");
                added += 9;
            }
            added
        });
    }
    let added: i64 = soon("writers that lock the same scopes", writers.join_all()).await.into_iter().sum();
    let mut sum = 0;
    for scope in &scopes {
        sum += lab.row(scope, "sum").await.and_then(|sum| sum.as_i64()).unwrap_or(0);
    }
    assert_eq!(sum, added, "everything was done once");
}

async fn send(engine: &Engine, who: &Who, client: &ClientId, mutations: Vec<Sent>) -> Pushed {
    engine.push(who.clone(), Push { client: client.clone(), user: None, mutations }).await
}

async fn pull(engine: &Engine, who: &Who, scope: &Scope) -> Result<Pulled, PullError> {
    engine.pull(who, scope, None, Cursor::BEGINNING, None).await
}

/// Property 15: without an authorizer only a user's own scopes are open to them, and the ones that were declared public.
pub async fn p15_closed_unless_opened<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let own = Scope::of_user("ada", "todos").expect("a scope");
    let (ada, eve, nobody) = (Who::new(User("ada")), Who::new(User("eve")), Who::anybody());
    let cases = [
        (&ada, own.as_str(), true),
        (&ada, "user:ada", true),
        (&ada, "user:adam", false),
        (&ada, "user:", false),
        (&ada, "user", false),
        (&ada, "notes", false),
        (&ada, "ada", false),
        (&eve, own.as_str(), false),
        (&nobody, own.as_str(), false),
        (&nobody, "user:", false),
        (&nobody, "user::todos", false),
        (&nobody, "notes", false),
        (&nobody, "ope", false),
        (&nobody, "Open", false),
        (&nobody, "open", true),
        (&eve, "open:x", true),
    ];
    for (n, (who, name, expected)) in cases.into_iter().enumerate() {
        let scope = scope(name);
        let client = ClientId::random();
        let pushed = send(&lab.engine, who, &client, vec![sent(1, &scope, vec![put(&n.to_string(), 1)])]).await;
        let code_expected = if expected { "applied" } else { "scope_forbidden" };
        assert_eq!(codes(&pushed), [code_expected], "{who:?} pushed to {name}");
        assert_eq!(pushed.results[0].cursor.is_some(), expected, "what may not be read has no place");
        assert_eq!(lab.row(&scope, &n.to_string()).await.is_some(), expected);
        let pulled = pull(&lab.engine, who, &scope).await;
        assert_eq!(pulled.is_ok(), expected, "{who:?} pulled {name}");
        assert!(expected || matches!(pulled, Err(PullError::Forbidden(_))));
        let taken = lab.engine.snapshot(who, &scope, None, None, None).await;
        assert_eq!(taken.is_ok(), expected, "{who:?} took a snapshot of {name}");
        for access in [Access::Read, Access::Write] {
            assert_eq!(lab.engine.allows(who, &scope, access).await, expected);
        }
        let call = Mutation::new(&scope, "run", &[add("called", 1)]).expect("steps");
        let called = lab.engine.apply(who.clone(), call.clone()).await;
        assert_eq!(called.is_ok(), expected, "{who:?} called {name}: {called:?}");
        lab.engine.apply(Who::server(), call).await.expect("the server may do everything");
        // What was refused is refused again, and what comes behind is done.
        let again = sent(1, &scope, vec![put(&n.to_string(), 1)]);
        let behind = sent(2, &super::fixture::scope("open"), vec![add("behind", 1)]);
        assert_eq!(codes(&send(&lab.engine, who, &client, vec![again, behind]).await), [code_expected, "applied"]);
    }
    // A scope that nobody may read is closed also where its name is known.
    let client = ClientId::random();
    for name in [format!("!{client}"), format!("open\0{client}")] {
        assert!(Scope::new(&name).is_err(), "{name:?} can be named");
    }
}

/// Property 15: an authorizer decides every mutation, pull and snapshot, at the time it is asked, for every declared scope.
pub async fn p15_authorizers_are_asked<S: Store>(open: impl AsyncFn() -> S) {
    let lab = Lab::open(&open).await;
    let may = |user: &User, scope: &Scope, access: Access| match access {
        Access::Read => scope.as_str().starts_with("team"),
        Access::Write => scope.as_str().ends_with(user.0),
    };
    let now = lab.builder().authorize(may).build();
    let later = lab
        .builder()
        .authorize_async(move |user: User, scope: Scope, access| async move {
            tokio::task::yield_now().await;
            may(&user, &scope, access)
        })
        .build();
    let (ada, eve) = (Who::new(User("ada")), Who::new(User("eve")));
    let (team, box_) = (scope("team:ada"), scope("box:ada"));
    for engine in [&now, &later] {
        let client = ClientId::random();
        let pushed = send(engine, &ada, &client, vec![sent(1, &team, vec![add("sum", 1)])]).await;
        assert_eq!(codes(&pushed), ["applied"]);
        // She may write there, not read.
        let pushed = send(engine, &ada, &client, vec![sent(2, &box_, vec![add("sum", 1)])]).await;
        assert_eq!(codes(&pushed), ["applied"]);
        assert!(matches!(pull(engine, &ada, &box_).await, Err(PullError::Forbidden(_))));
        // A second scope that she may not write to: refused as a whole, and acknowledged where she may write.
        let mixed = sent(3, &team, vec![add("sum", 1), add("sum", 1).within(&scope("team:eve"))]);
        let pushed = send(engine, &ada, &client, vec![mixed]).await;
        assert_eq!(codes(&pushed), ["scope_forbidden"]);
        assert!(pushed.results[0].cursor.is_some(), "the refusal has a place in the mutation's own scope");
        let acks = engine.pull(&ada, &team, Some(&client), Cursor::BEGINNING, None).await.expect("a pull");
        let refusals = acks.changes.iter().filter_map(|change| match change {
            crate::sync::change::Change::Ack(ack) => Some(code(&ack.status)),
            _ => None,
        });
        assert_eq!(refusals.collect::<Vec<_>>(), ["applied", "scope_forbidden"]);
        assert_eq!(lab.row(&scope("team:eve"), "sum").await, None);
        // Somebody else may read and not write; somebody of another type nothing.
        pull(engine, &eve, &team).await.expect("what everybody in a team may read");
        let pushed = send(engine, &eve, &ClientId::random(), vec![sent(1, &team, vec![add("sum", 1)])]).await;
        assert_eq!(codes(&pushed), ["scope_forbidden"]);
        assert!(matches!(pull(engine, &Who::anybody(), &team).await, Err(PullError::Forbidden(_))));
        pull(engine, &Who::anybody(), &scope("open")).await.expect("what is public");
        let call = Mutation::new(&team, "run", &[add("sum", 1)]).expect("steps").key("k");
        let called = engine.apply(eve.clone(), call).await;
        assert!(matches!(&called, Err(ApplyError::Rejected(rejection)) if rejection.code() == "scope_forbidden"));
    }
    assert_eq!(lab.row(&team, "sum").await, Some(2.into()));

    // What is revoked is closed from then on: also for the rest of a snapshot, while outcomes can still be asked for.
    let engine = |allowed: bool| lab.builder().authorize(move |_: &User, _: &Scope, _| allowed).build();
    let (before, after) = (engine(true), engine(false));
    let client = ClientId::random();
    let one = || vec![sent(1, &team, vec![put("a", 1), put("b", 1)])];
    assert_eq!(codes(&send(&before, &ada, &client, one()).await), ["applied"]);
    let page = before.snapshot(&ada, &team, None, None, Some(1)).await.expect("a first page");
    let next = after.snapshot(&ada, &team, None, page.next.as_deref(), Some(1)).await;
    assert!(matches!(next, Err(PullError::Forbidden(_))), "a later page is asked for too");
    let again = send(&after, &ada, &client, one()).await;
    assert_eq!(codes(&again), ["applied"], "what was applied stays applied");
    assert!(again.results[0].cursor.is_none(), "and its place is not told to who may not read it");
}
