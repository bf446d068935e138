//! What every adapter must do, as a suite of tests that any of them can run.
//!
//! Available with the feature `testing`.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::live::{Adapter, PubSub, Published, Subscriber, Subscription, Topic};

/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the suite. `connect` makes one node's adapter each time it is called; all nodes of a call of `verify` must
/// reach each other, except for adapters that are made for one node only, which see their own node alone.
///
/// # Panics
///
/// When the adapter breaks the contract, with what it broke.
///
/// ```
/// use mizu::live::{Local, pubsub::contract};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// contract::verify(async || Local::default()).await;
/// # }
/// ```
pub async fn verify<A: Adapter>(connect: impl AsyncFn() -> A) {
    let pubsub = async || PubSub::new(connect().await);
    delivers_in_order(pubsub().await).await;
    keeps_topics_apart(pubsub().await).await;
    delivers_to_every_subscriber(pubsub().await).await;
    ends_with_the_guard(pubsub().await).await;
    subscribes_again(pubsub().await).await;
    survives_a_cancelled_subscription(pubsub().await).await;
    carries_any_body_and_topic(pubsub().await).await;
    keeps_the_delivery(pubsub().await).await;
    takes_concurrent_publishers(pubsub().await).await;
}

/// Runs the part of the suite that needs several nodes. `connect` makes adapters that reach each other.
///
/// # Panics
///
/// When the adapter breaks the contract, with what it broke.
pub async fn verify_nodes<A: Adapter>(connect: impl AsyncFn() -> A) {
    let (near, far) = (PubSub::new(connect().await), PubSub::new(connect().await));
    let third = PubSub::new(connect().await);
    let topic = topic("nodes");
    let (_near, mut near_inbox) = subscribe(&near, &topic).await;
    let (_far, mut far_inbox) = subscribe(&far, &topic).await;
    publish(&near, &topic, "1").await;
    publish(&near, &topic, "2").await;
    for inbox in [&mut near_inbox, &mut far_inbox] {
        assert_eq!(inbox.next().await, "1", "a node got something else first");
        assert_eq!(inbox.next().await, "2", "a node got messages out of order");
    }
    // What came twice would come before this one.
    publish(&third, &topic, "3").await;
    for inbox in [&mut near_inbox, &mut far_inbox] {
        assert_eq!(inbox.next().await, "3", "a node got a message twice, or none of a node that does not listen");
    }
    joins_and_leaves_between_nodes(&near, &far).await;
}

/// Runs the part of the suite that cuts nodes off. `connect` makes adapters that reach each other through what `stop`
/// ends and `start` brings back at the same address.
///
/// # Panics
///
/// When the adapter breaks the contract, with what it broke.
pub async fn verify_outage<A: Adapter>(
    connect: impl AsyncFn() -> A,
    stop: impl AsyncFnOnce(),
    start: impl AsyncFnOnce(),
) {
    let (near, far) = (PubSub::new(connect().await), PubSub::new(connect().await));
    let (kept, left) = (topic("kept"), topic("left"));
    let (_near, mut near_inbox) = subscribe(&near, &kept).await;
    let (_far, mut far_inbox) = subscribe(&far, &kept).await;
    let (far_left, mut left_inbox) = subscribe(&far, &left).await;
    publish(&near, &kept, "before").await;
    for inbox in [&mut near_inbox, &mut far_inbox] {
        assert_eq!(inbox.next().await, "before");
        assert_eq!(inbox.missed.try_recv().ok(), None, "nothing was missed yet");
    }

    stop().await;
    let failed = async { while near.publish(&kept, "during".into()).await.is_ok() {} };
    within(failed, "publishing that ends, and fails, without a connection").await;
    let nobody = Arc::new(|_: &Arc<Published>| {});
    let refused = within(far.subscribe(&topic("new"), nobody), "subscribing that ends without a connection").await;
    assert!(refused.is_err(), "nobody can promise that messages arrive");
    drop(far_left);
    assert_eq!(far.topics(), 1, "subscriptions that failed or ended leave nothing");

    start().await;
    for inbox in [&mut near_inbox, &mut far_inbox] {
        let told = within(inbox.missed.recv(), "a node that tells its subscribers that it is back").await;
        assert_eq!(told, Some(kept.clone()), "each is told of its own topic");
    }
    for (from, body) in [(&near, "from near"), (&far, "from far")] {
        publish(from, &left, "nobody wants it").await;
        publish(from, &kept, body).await;
        for inbox in [&mut near_inbox, &mut far_inbox] {
            while inbox.next().await != body {}
        }
    }
    assert!(left_inbox.bodies.try_recv().is_err(), "a topic left during the outage stays left");
    let (_new, mut new_inbox) = subscribe(&far, &topic("new")).await;
    publish(&near, &topic("new"), "after").await;
    assert_eq!(new_inbox.next().await, "after", "new topics work as before");
}

async fn joins_and_leaves_between_nodes(near: &PubSub, far: &PubSub) {
    let topic = topic("between");
    for round in 0..20 {
        let (_guard, mut inbox) = subscribe(far, &topic).await;
        publish(near, &topic, &round.to_string()).await;
        assert_eq!(inbox.next().await, round.to_string(), "a subscription that is ready hears other nodes");
    }
}

async fn delivers_in_order(pubsub: PubSub) {
    let topic = topic("order");
    let (_guard, mut inbox) = subscribe(&pubsub, &topic).await;
    for n in 0..100 {
        publish(&pubsub, &topic, &n.to_string()).await;
    }
    for n in 0..100 {
        assert_eq!(inbox.next().await, n.to_string(), "messages of one publisher keep their order");
    }
}

async fn keeps_topics_apart(pubsub: PubSub) {
    let (one, other) = (topic("apart"), topic("apart:more"));
    let (_guard, mut inbox) = subscribe(&pubsub, &one).await;
    publish(&pubsub, &other, "other").await;
    publish(&pubsub, &one, "one").await;
    assert_eq!(inbox.next().await, "one", "only the topic subscribed to is delivered");
}

async fn delivers_to_every_subscriber(pubsub: PubSub) {
    let topic = topic("every");
    let mut inboxes = Vec::new();
    for _ in 0..10 {
        inboxes.push(subscribe(&pubsub, &topic).await);
    }
    publish(&pubsub, &topic, "all").await;
    for (_guard, inbox) in &mut inboxes {
        assert_eq!(inbox.next().await, "all");
    }
}

async fn ends_with_the_guard(pubsub: PubSub) {
    let topic = topic("guard");
    let (gone, mut gone_inbox) = subscribe(&pubsub, &topic).await;
    let (_kept, mut kept_inbox) = subscribe(&pubsub, &topic).await;
    drop(gone);
    publish(&pubsub, &topic, "after").await;
    assert_eq!(kept_inbox.next().await, "after");
    assert!(gone_inbox.bodies.try_recv().is_err(), "nothing arrives after the guard was dropped");
}

async fn subscribes_again(pubsub: PubSub) {
    let topic = topic("again");
    for round in 0..20 {
        let (_guard, mut inbox) = subscribe(&pubsub, &topic).await;
        publish(&pubsub, &topic, &round.to_string()).await;
        assert_eq!(inbox.next().await, round.to_string(), "a topic left can be joined again");
    }
    assert_eq!(pubsub.topics(), 0, "nothing is kept for topics nobody wants");
}

async fn survives_a_cancelled_subscription(pubsub: PubSub) {
    let topic = topic("cancelled");
    for _ in 0..20 {
        let subscriber = Arc::new(|_: &Arc<Published>| {});
        let subscribing = pubsub.subscribe(&topic, subscriber);
        tokio::select! {
            biased;
            _ = subscribing => {}
            () = std::future::ready(()) => {}
        }
    }
    let (_guard, mut inbox) = subscribe(&pubsub, &topic).await;
    publish(&pubsub, &topic, "still").await;
    assert_eq!(inbox.next().await, "still", "giving up on a subscription hurts nobody else");
}

async fn carries_any_body_and_topic(pubsub: PubSub) {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    for body in [vec![], every_byte, vec![0; 300_000]] {
        for name in [" *>.\r\n\0?[a]", "é", &"x".repeat(Topic::MAX_BYTES)] {
            let topic = topic(name);
            let (_guard, mut inbox) = subscribe(&pubsub, &topic).await;
            pubsub.publish(&topic, body.clone().into()).await.expect("a body that can be published");
            assert_eq!(inbox.next().await, body, "bodies and topics are carried as they are");
        }
    }
}

async fn keeps_the_delivery(pubsub: PubSub) {
    let topic = topic("delivery");
    let (tx, mut rx) = mpsc::unbounded_channel();
    let deliver = move |published: &Arc<Published>| {
        let _ = tx.send(published.is_latest());
    };
    let _guard = pubsub.subscribe(&topic, Arc::new(deliver)).await.expect("a subscription");
    publish(&pubsub, &topic, "every").await;
    pubsub.publish_latest(&topic, "latest".into()).await.expect("a message that can be published");
    let mut next = async || tokio::time::timeout(PATIENCE, rx.recv()).await.ok().flatten();
    assert_eq!(next().await, Some(false), "publish must not become publish_latest");
    assert_eq!(next().await, Some(true), "publish_latest must not become publish");
}

async fn takes_concurrent_publishers(pubsub: PubSub) {
    let topic = topic("concurrent");
    let (_guard, mut inbox) = subscribe(&pubsub, &topic).await;
    let one = async |name: u8| {
        for n in 0..100_u8 {
            pubsub.publish(&topic, vec![name, n].into()).await.expect("a message");
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(one(0), one(1), one(2));
    let mut expected = [0_u8; 3];
    for _ in 0..300 {
        let body = inbox.next().await;
        let next = &mut expected[usize::from(body[0])];
        assert_eq!(body[1], *next, "each publisher's messages keep their order");
        *next += 1;
    }
}

struct Inbox {
    bodies: mpsc::UnboundedReceiver<Bytes>,
    missed: mpsc::UnboundedReceiver<Topic>,
}

impl Inbox {
    async fn next(&mut self) -> Bytes {
        let received = tokio::time::timeout(PATIENCE, self.bodies.recv()).await;
        received.ok().flatten().expect("a published message that never arrived")
    }
}

/// Fills an [`Inbox`].
struct Outbox {
    bodies: mpsc::UnboundedSender<Bytes>,
    missed: mpsc::UnboundedSender<Topic>,
}

impl Subscriber for Outbox {
    fn deliver(&self, published: &Arc<Published>) {
        let _ = self.bodies.send(published.body().clone());
    }

    fn missed(&self, topic: &Topic) {
        let _ = self.missed.send(topic.clone());
    }
}

async fn within<T>(future: impl Future<Output = T>, what: &str) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("this took too long: {what}"),
    }
}

fn topic(name: &str) -> Topic {
    Topic::new(name).expect("a topic that is short enough")
}

async fn subscribe(pubsub: &PubSub, topic: &Topic) -> (Subscription, Inbox) {
    let ((bodies, rx), (missed, missed_rx)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let guard = pubsub.subscribe(topic, Arc::new(Outbox { bodies, missed })).await.expect("a subscription");
    (guard, Inbox { bodies: rx, missed: missed_rx })
}

async fn publish(pubsub: &PubSub, topic: &Topic, body: &str) {
    let body = Bytes::copy_from_slice(body.as_bytes());
    pubsub.publish(topic, body).await.expect("a message that can be published");
}
