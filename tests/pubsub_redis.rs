//! The Redis adapter, with a real server.

#![cfg(all(feature = "redis", feature = "testing"))]
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
use mizu::live::{AdapterOptions, ConnectError, RedisAdapter};

async fn node(broker: &Broker) -> RedisAdapter {
    RedisAdapter::connect(&broker.url()).await.unwrap()
}

async fn node_with(broker: &Broker, options: AdapterOptions) -> RedisAdapter {
    RedisAdapter::connect_with(&broker.url(), options).await.unwrap()
}

/// Asks the server something on a connection of its own.
async fn ask<T: redis::FromRedisValue>(broker: &Broker, command: &[&str]) -> T {
    let client = redis::Client::open(broker.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await.unwrap()
}

async fn channels(broker: &Broker) -> Vec<String> {
    let mut channels: Vec<String> = ask(broker, &["PUBSUB", "CHANNELS"]).await;
    channels.sort();
    channels
}

#[tokio::test]
async fn passes_the_contract() {
    let broker = Broker::redis().await;
    contract::verify(async || node(&broker).await).await;
    contract::verify_nodes(async || node(&broker).await).await;
}

#[tokio::test]
async fn comes_back_after_the_server_was_killed() {
    let broker = RefCell::new(Broker::redis().await);
    let url = broker.borrow().url();
    let connect = async || RedisAdapter::connect(&url).await.unwrap();
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
    let broker = RefCell::new(Broker::redis().await);
    let url = broker.borrow().url();
    let connect = async || RedisAdapter::connect(&url).await.unwrap();
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
    let broker = Broker::redis().await;
    let timeout = Duration::from_millis(500);
    let options = AdapterOptions::new().timeout(timeout);
    let (near, far) = (node_with(&broker, options.clone()).await, node_with(&broker, options).await);
    adapters::survives_a_frozen_server(pubsub(near), pubsub(far), timeout, async |frozen| broker.freeze(frozen).await)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_come_and_go() {
    let broker = Broker::redis().await;
    let nodes = [node(&broker).await, node(&broker).await, node(&broker).await];
    let nodes = nodes.map(pubsub);
    adapters::survives_a_crowd(nodes.clone()).await;
    eventually(async || channels(&broker).await.is_empty()).await;
}

#[tokio::test]
async fn the_server_knows_what_is_wanted_and_no_more() {
    let broker = Broker::redis().await;
    let node = pubsub(node(&broker).await);
    let (a, b) = (Inbox::open(&node, "a").await, Inbox::open(&node, "b").await);
    let again = Inbox::open(&node, "a").await;
    assert_eq!(channels(&broker).await, ["mizu:a", "mizu:b"]);
    drop((again, b));
    eventually(async || channels(&broker).await == ["mizu:a"]).await;
    drop(a);
    eventually(async || channels(&broker).await.is_empty()).await;
}

#[tokio::test]
async fn connections_end_with_the_last_handle() {
    let broker = Broker::redis().await;
    let connections = async || ask::<String>(&broker, &["CLIENT", "LIST"]).await.lines().count();
    let (dropped, closed) = (pubsub(node(&broker).await), node(&broker).await);
    let pubsub = pubsub(closed.clone());
    let _inbox = Inbox::open(&pubsub, "a").await;
    assert_eq!(connections().await, 3);
    drop(dropped);
    eventually(async || connections().await == 2).await;
    closed.close().await;
    eventually(async || connections().await == 1).await;
    adapters::fails_when_closed(&pubsub).await;
}

/// One that was dropped while it tried to connect again must not go on.
#[tokio::test]
async fn nobody_comes_back_who_was_closed_during_an_outage() {
    let mut broker = Broker::redis().await;
    let node = node(&broker).await;
    let pubsub = pubsub(node.clone());
    broker.kill().await;
    eventually(async || pubsub.publish(&topic("a"), "x".into()).await.is_err()).await;
    node.close().await;
    broker.start().await;
    assert_eq!(ask::<String>(&broker, &["CLIENT", "LIST"]).await.lines().count(), 1);
}

#[tokio::test]
async fn long_messages_are_refused() {
    let broker = Broker::redis().await;
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

#[tokio::test]
async fn applications_share_a_server() {
    let broker = Broker::redis().await;
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
    let broker = Broker::redis().await;
    let (near, far) = (pubsub(node(&broker).await), pubsub(node(&broker).await));
    let mut inbox = Inbox::open(&near, "a").await;
    let client = redis::Client::open(broker.url()).unwrap();
    let mut writer = client.get_multiplexed_async_connection().await.unwrap();
    for bytes in adapters::garbage() {
        let heard: u32 = redis::cmd("PUBLISH").arg("mizu:a").arg(bytes).query_async(&mut writer).await.unwrap();
        assert_eq!(heard, 1);
    }
    adapters::publish(&far, "a", "after").await;
    assert_eq!(inbox.next().await, "after");
    assert!(log.contains("ignored a message: no node wrote it"));
}

/// A user that may do no more than the documentation says, with a password that URLs must escape.
#[tokio::test]
async fn users_with_few_rights_are_enough() {
    let broker = Broker::redis().await;
    let rights = ["-@all", "+hello", "+subscribe", "+unsubscribe", "+publish", "+ping"];
    let user = ["ACL", "SETUSER", "app", "on", ">p@ss:é", "resetchannels", "&app:*"];
    ask::<()>(&broker, &[&user[..], &rights[..]].concat()).await;
    let url = broker.url().replace("//", "//app:p%40ss%3A%C3%A9@");
    let own = AdapterOptions::new().prefix("app");
    let [near, far] = [
        RedisAdapter::connect_with(&url, own.clone()).await.unwrap(),
        RedisAdapter::connect_with(&url, own).await.unwrap(),
    ];
    let (near, far) = (pubsub(near), pubsub(far));
    let mut inbox = Inbox::open(&near, "a").await;
    adapters::publish(&far, "a", "heard").await;
    assert_eq!(inbox.next().await, "heard");

    // Elsewhere it may do nothing, which is an error at once, and harms nothing.
    let other = RedisAdapter::connect_with(&url, AdapterOptions::new().prefix("other")).await.unwrap();
    let other = pubsub(other);
    let subscriber = std::sync::Arc::new(|_: &std::sync::Arc<mizu::live::Published>| {});
    let refused = other.subscribe(&topic("a"), subscriber).await.unwrap_err().to_string();
    assert!(refused.contains("no permissions"), "{refused}");
    assert!(other.publish(&topic("a"), "x".into()).await.is_err());
    assert_eq!(other.topics(), 0);
}

#[tokio::test]
async fn connecting_fails_with_a_reason() {
    let broker = Broker::redis().await;
    let options = AdapterOptions::new().prefix("a:b");
    let refused = RedisAdapter::connect_with(&broker.url(), options).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Prefix { .. }));
    let wrong_password = broker.url().replace("//", "//nobody:secret-word@");
    for url in ["not a url", "http://localhost", "rediss://localhost", "redis://127.0.0.1:1", &wrong_password] {
        let error = RedisAdapter::connect(url).await.unwrap_err();
        assert!(matches!(error, ConnectError::Unavailable(_)), "{url}: {error}");
        assert!(!format!("{error} {error:?}").contains("secret-word"), "{error:?}");
    }
}
