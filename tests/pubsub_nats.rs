//! The NATS adapter, with a real server.

#![cfg(all(feature = "nats", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

#[path = "support/adapters.rs"]
mod adapters;
#[path = "support/broker.rs"]
mod broker;

use std::cell::RefCell;
use std::time::Duration;

use adapters::{Inbox, Log, pubsub, topic};
use broker::{Broker, eventually};
use mizu::live::pubsub::contract;
use mizu::live::{AdapterOptions, ConnectError, NatsAdapter};

async fn node(broker: &Broker) -> NatsAdapter {
    NatsAdapter::connect(&broker.url()).await.unwrap()
}

async fn node_with(broker: &Broker, options: AdapterOptions) -> NatsAdapter {
    NatsAdapter::connect_with(&broker.url(), options).await.unwrap()
}

/// The subjects of topics that the server knows of.
async fn subjects(broker: &Broker) -> Vec<String> {
    let known = broker.watch("/subsz?subs=1").await;
    let list = known["subscriptions_list"].as_array().cloned().unwrap_or_default();
    let subjects = list.iter().filter_map(|known| known["subject"].as_str());
    let mut subjects: Vec<_> = subjects.filter(|subject| subject.starts_with("mizu.t.")).map(str::to_owned).collect();
    subjects.sort();
    subjects
}

/// How many nodes are connected.
async fn connections(broker: &Broker) -> usize {
    let known = broker.watch("/connz").await;
    let connections = known["connections"].as_array().unwrap();
    connections.iter().filter(|connection| connection["name"] == "mizu").count()
}

#[tokio::test]
async fn passes_the_contract() {
    let broker = Broker::nats(&[]).await;
    contract::verify(async || node(&broker).await).await;
    contract::verify_nodes(async || node(&broker).await).await;
}

#[tokio::test]
async fn comes_back_after_the_server_was_killed() {
    let broker = RefCell::new(Broker::nats(&[]).await);
    let url = broker.borrow().url();
    let connect = async || NatsAdapter::connect(&url).await.unwrap();
    #[allow(clippy::await_holding_refcell_ref, reason = "nothing else borrows it meanwhile")]
    contract::verify_outage(
        connect,
        async || broker.borrow_mut().kill().await,
        async || {
            broker.borrow_mut().start().await;
        },
    )
    .await;
}

#[tokio::test]
async fn people_are_seen_across_nodes() {
    let broker = RefCell::new(Broker::nats(&[]).await);
    let url = broker.borrow().url();
    let connect = async || NatsAdapter::connect(&url).await.unwrap();
    #[allow(clippy::await_holding_refcell_ref, reason = "nothing else borrows it meanwhile")]
    adapters::people_are_seen_across_nodes(
        connect,
        async || broker.borrow_mut().kill().await,
        async || {
            broker.borrow_mut().start().await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_frozen_server_costs_no_more_than_the_timeout() {
    let broker = Broker::nats(&[]).await;
    let timeout = Duration::from_millis(500);
    let options = AdapterOptions::new().timeout(timeout);
    let (near, far) = (node_with(&broker, options.clone()).await, node_with(&broker, options).await);
    adapters::survives_a_frozen_server(pubsub(near), pubsub(far), timeout, async |frozen| broker.freeze(frozen).await)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_come_and_go() {
    let broker = Broker::nats(&[]).await;
    let nodes = [node(&broker).await, node(&broker).await, node(&broker).await];
    let nodes = nodes.map(pubsub);
    adapters::survives_a_crowd(nodes.clone()).await;
    eventually(async || subjects(&broker).await.is_empty()).await;
}

#[tokio::test]
async fn the_server_knows_what_is_wanted_and_no_more() {
    let broker = Broker::nats(&[]).await;
    let node = pubsub(node(&broker).await);
    let (a, b) = (Inbox::open(&node, "a").await, Inbox::open(&node, "b c").await);
    let again = Inbox::open(&node, "a").await;
    assert_eq!(subjects(&broker).await, ["mizu.t.a", "mizu.t.b%20c"]);
    drop((again, b));
    eventually(async || subjects(&broker).await == ["mizu.t.a"]).await;
    drop(a);
    eventually(async || subjects(&broker).await.is_empty()).await;
}

#[tokio::test]
async fn connections_end_with_the_last_handle() {
    let broker = Broker::nats(&[]).await;
    let (dropped, closed) = (pubsub(node(&broker).await), node(&broker).await);
    let pubsub = pubsub(closed.clone());
    let _inbox = Inbox::open(&pubsub, "a").await;
    assert_eq!(connections(&broker).await, 2);
    drop(dropped);
    eventually(async || connections(&broker).await == 1).await;
    closed.close().await;
    eventually(async || connections(&broker).await == 0).await;
    adapters::fails_when_closed(&pubsub).await;
}

/// One that was dropped while it tried to connect again must not go on.
#[tokio::test]
async fn nobody_comes_back_who_was_closed_during_an_outage() {
    let mut broker = Broker::nats(&[]).await;
    let node = node(&broker).await;
    let pubsub = pubsub(node.clone());
    broker.kill().await;
    eventually(async || pubsub.publish(&topic("a"), "x".into()).await.is_err()).await;
    node.close().await;
    broker.start().await;
    assert_eq!(connections(&broker).await, 0);
}

#[tokio::test]
async fn long_messages_are_refused() {
    let broker = Broker::nats(&[]).await;
    let options = AdapterOptions::new().max_message(1_000);
    let (near, far) = (node_with(&broker, options.clone()).await, node_with(&broker, options).await);
    let (near, far, larger) = (pubsub(near), pubsub(far), pubsub(node(&broker).await));
    adapters::refuses_long_messages(&near, &far, 1_000).await;
    // A node that may publish longer ones does not make others take them.
    let mut inbox = Inbox::open(&far, "a").await;
    adapters::publish(&larger, "a", &"x".repeat(1_001)).await;
    adapters::publish(&larger, "a", "short").await;
    assert_eq!(inbox.next().await, "short");
}

/// What the server takes bounds messages as well; more would make it close the connection.
#[tokio::test]
async fn the_servers_limit_counts() {
    let mut broker = Broker::nats(&[]).await;
    let options = AdapterOptions::new().max_message(usize::MAX);
    let (near, far) = (node_with(&broker, options.clone()).await, node_with(&broker, options).await);
    adapters::refuses_long_messages(&pubsub(near), &pubsub(far), 1024 * 1024 - 12).await;
    broker.kill().await;
}

#[tokio::test]
async fn applications_share_a_server() {
    let broker = Broker::nats(&[]).await;
    let mut nodes = Vec::new();
    for prefix in ["app", "app.t", "App"] {
        nodes.push(pubsub(node_with(&broker, AdapterOptions::new().prefix(prefix)).await));
    }
    adapters::keeps_prefixes_apart(nodes.try_into().unwrap()).await;
}

#[tokio::test]
async fn what_others_write_is_ignored_and_logged() {
    let log = Log::default();
    let _logging = log.start();
    let broker = Broker::nats(&[]).await;
    let (near, far) = (pubsub(node(&broker).await), pubsub(node(&broker).await));
    let mut inbox = Inbox::open(&near, "a").await;
    let writer = async_nats::connect(broker.url()).await.unwrap();
    // Where questions to ourselves come back, anybody may write as well.
    let known = broker.watch("/subsz?subs=1").await["subscriptions_list"].to_string();
    let own = known.split('"').find(|word| word.starts_with("mizu.n.")).unwrap().to_owned();
    for bytes in adapters::garbage() {
        writer.publish("mizu.t.a", bytes.clone().into()).await.unwrap();
        writer.publish(own.clone(), bytes.into()).await.unwrap();
    }
    writer.flush().await.unwrap();
    eventually(async || log.contains("ignored a message: no node wrote it")).await;
    eventually(async || log.contains("ignored a message: nothing was asked")).await;
    adapters::publish(&far, "a", "after").await;
    assert_eq!(inbox.next().await, "after");
}

/// With a password that URLs must escape.
#[tokio::test]
async fn users_and_tokens_are_taken_from_the_address() {
    let broker = Broker::nats(&["--user", "app", "--pass", "p@ss:é"]).await;
    let url = broker.url().replace("//", "//app:p%40ss%3A%C3%A9@");
    let _ = NatsAdapter::connect(&url).await.unwrap();
    let broker = Broker::nats(&["--auth", "tok/en"]).await;
    let url = broker.url().replace("//", "//tok%2Fen@");
    let _ = NatsAdapter::connect(&url).await.unwrap();
    let refused = NatsAdapter::connect(&broker.url()).await.unwrap_err();
    let ConnectError::Unavailable(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
}

/// The first of several addresses may be down.
#[tokio::test]
async fn any_of_several_servers_is_used() {
    let (mut one, other) = (Broker::nats(&[]).await, Broker::nats(&[]).await);
    let urls = format!("{}, {}", one.url(), other.url());
    one.kill().await;
    let node = pubsub(NatsAdapter::connect(&urls).await.unwrap());
    let mut inbox = Inbox::open(&node, "a").await;
    adapters::publish(&pubsub(self::node(&other).await), "a", "heard").await;
    assert_eq!(inbox.next().await, "heard");
    assert!(node.publish(&topic("a"), "own".into()).await.is_ok());
}

#[tokio::test]
async fn connecting_fails_with_a_reason() {
    let broker = Broker::nats(&[]).await;
    let options = AdapterOptions::new().prefix("a*");
    let refused = NatsAdapter::connect_with(&broker.url(), options).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Prefix { .. }));
    for url in ["not a url", "http://localhost", "ws://localhost", "nats://127.0.0.1:1"] {
        let error = NatsAdapter::connect(url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Unavailable(_)), "{url}: {error}");
    }
}
