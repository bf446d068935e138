//! What a connection does, in memory and with paused time.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

#[path = "support/live_recorder.rs"]
mod recorder;

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use mizu::live::{
    CloseCause, CloseCode, Connection, Format, Frame, Kind, Limits, Message, Rate, Ref, SendError, Server, Shutdown,
    SubscribeError, Topic, Verdict,
};
use recorder::{
    Name, Recorder, Records, ask, builder, connect, connect_narrow, message, no_rates, request, server, until, within,
};
use tokio::time::Instant;

/// A connection of which the test holds both ends.
async fn pair(limits: Limits, capacity: usize) -> (Server<Recorder>, Records, mizu::live::MemoryClient) {
    let (server, records) = server(limits);
    let client = connect_narrow(&server, capacity).await;
    (server, records, client)
}

#[tokio::test]
async fn messages_arrive_in_order_both_ways() {
    for protocol in ["mizu.v1", "mizu.v1.json"] {
        let (server, _records) = server(no_rates());
        let headers = [("sec-websocket-protocol", protocol)];
        let mut client = server.connect_in_memory(request("/_live", &headers)).await.unwrap();
        assert_eq!(client.format().subprotocol(), protocol);
        for n in 0..50 {
            client.send(message(ask::ECHO, n, n.to_string())).await.unwrap();
        }
        for n in 0..50 {
            assert_eq!(client.receive().await, Some(message(ask::ECHO, n, n.to_string())));
        }
    }
}

#[tokio::test]
async fn the_subprotocol_is_the_first_known_that_the_client_asks_for() {
    let (server, _records) = server(no_rates());
    for (offer, format) in [
        ("mizu.v9, mizu.v1.json, mizu.v1", Format::Json),
        ("mizu.v1", Format::MessagePack),
        (" mizu.v1.json ,x", Format::Json),
    ] {
        let parts = request("/_live", &[("sec-websocket-protocol", offer)]);
        assert_eq!(server.connect_in_memory(parts).await.unwrap().format(), format, "{offer}");
    }
    let parts = request("/_live", &[("sec-websocket-protocol", "soap")]);
    let refused = server.connect_in_memory(parts).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(server.stats().refused_handshake, 1);
}

#[tokio::test]
async fn heartbeats_are_answered_here() {
    let (_server, mut records, mut client) = pair(no_rates(), 64).await;
    let heartbeat = message(Kind::HEARTBEAT, 9, "\"1750000000000\"");
    client.send(heartbeat.clone()).await.unwrap();
    assert_eq!(client.receive().await, Some(heartbeat));
    assert!(records.is_empty());
}

#[tokio::test]
async fn known_kinds_reach_the_handler_and_unknown_ones_are_counted() {
    let (server, mut records, client) = pair(no_rates(), 64).await;
    for code in [0x00, 0x12, 0x7f, 0x03, 0xff] {
        client.send(message(Kind::from_code(code), 1, "")).await.unwrap();
    }
    assert_eq!(records.message().await.1.kind, Kind::EVENT);
    assert_eq!(records.message().await.1.kind, Kind::application(0xff));
    assert!(records.is_empty());
    assert_eq!((server.stats().ignored, server.stats().received), (3, 5));
}

#[tokio::test]
async fn the_handler_decides_who_comes_in_and_what_is_known_of_them() {
    let (server, mut records) = server(no_rates());
    let refused = server.connect_in_memory(request("/_live?refuse", &[])).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!((server.stats().refused_auth, server.connections()), (1, 0));

    let client = server.connect_in_memory(request("/_live?ann", &[])).await.unwrap();
    client.send(message(ask::RECORD, 1, "")).await.unwrap();
    let (connection, _) = records.message().await;
    assert_eq!(connection.meta().get::<Name>(), Some(&Name("ann".into())));
    assert_eq!(connection.meta().get::<Verdict>(), Some(&Verdict::Unknown));
    assert_eq!(connection.id(), client.connection().id());
}

#[tokio::test]
async fn other_sites_are_refused() {
    let (server, _records) = server(no_rates());
    let connect = async |origin: &str| {
        let headers = [("host", "a.example"), ("origin", origin)];
        server.connect_in_memory(request("/_live", &headers)).await
    };
    let refused = connect("https://evil.example").await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.stats().refused_cross_site, 1);
    let client = connect("https://a.example").await.unwrap();
    assert_eq!(client.connection().meta().get::<Verdict>(), Some(&Verdict::SameSite));
}

#[tokio::test]
async fn a_slow_reader_gets_only_the_newest_of_a_key() {
    let (server, mut records, mut client) = pair(no_rates(), 1).await;
    client.send(message(ask::RECORD, 1, "")).await.unwrap();
    let (connection, _) = records.message().await;
    // One fits into the pipe, one is stuck in the loop's hands; the rest waits.
    connection.send(message(ask::ECHO, 0, "first")).unwrap();
    connection.send(message(ask::ECHO, 0, "stuck")).unwrap();
    until(|| server.stats().sent == 1).await;
    for n in 0..1_000_u32 {
        connection.send_latest("progress", message(ask::ECHO, 1, n.to_string())).unwrap();
    }
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(client.receive().await.unwrap().body);
    }
    assert_eq!(bodies, ["first", "stuck", "999"]);
    assert_eq!(server.stats().coalesced, 999);
}

#[tokio::test]
async fn a_full_queue_closes_reconnectably() {
    let limits = Limits { queue_messages: 8, ..no_rates() };
    let (server, mut records, mut client) = pair(limits, 1).await;
    let connection = client.connection().clone();
    let push = || connection.send(message(ask::ECHO, 0, "x"));
    let refused = (0..100).find_map(|_| push().err()).unwrap();
    assert!(matches!(refused, SendError::Full));
    assert!(connection.is_closed() && connection.is_drained());
    assert!(matches!(push(), Err(SendError::Closed)));
    assert_eq!(records.close().await, CloseCause::SlowConsumer);
    while client.receive().await.is_some() {}
    assert_eq!(client.close_code(), Some(CloseCode::SLOW_CONSUMER));
    assert!(CloseCode::SLOW_CONSUMER.is_reconnectable());
    assert_eq!(server.stats().slow_consumers, 1);
    until(|| server.connections() == 0).await;
}

#[tokio::test]
async fn drained_means_written() {
    let (_server, _records, mut client) = pair(no_rates(), 1).await;
    let connection = client.connection().clone();
    within(connection.drained()).await;
    for n in 0..3 {
        connection.send(message(ask::ECHO, n, "")).unwrap();
    }
    assert!(!connection.is_drained());
    let mut drained = tokio_test_task(connection.clone());
    for n in 0..2 {
        assert!(!drained.is_finished(), "message {n} is not read yet");
        client.receive().await.unwrap();
    }
    within(&mut drained).await.unwrap();
    assert!(connection.is_drained());

    // A closed connection holds nobody up.
    connection.close(CloseCode::NORMAL, "");
    within(connection.drained()).await;
    within(connection.closed()).await;
}

fn tokio_test_task(connection: Connection) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move { connection.drained().await })
}

#[tokio::test(start_paused = true)]
async fn silent_peers_are_pinged_and_the_dead_ones_dropped() {
    let (server, mut records) = server(no_rates());
    let start = Instant::now();
    let mut alive = connect(&server).await;
    let dead = connect(&server).await;
    dead.go_deaf();
    assert_eq!(records.close().await, CloseCause::HeartbeatTimeout);
    assert_eq!(start.elapsed(), Duration::from_secs(50));
    assert!(dead.connection().is_closed());

    tokio::time::advance(Duration::from_secs(600)).await;
    alive.send(message(ask::ECHO, 1, "")).await.unwrap();
    assert!(within(alive.receive()).await.is_some(), "a peer that answers pings stays");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!alive.connection().is_closed());
    assert_eq!(server.stats().heartbeat_timeouts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_dropped() {
    let (server, mut records, client) = pair(no_rates(), 1).await;
    let start = Instant::now();
    for n in 0..3 {
        client.connection().send(message(ask::ECHO, n, "")).unwrap();
    }
    assert_eq!(records.close().await, CloseCause::WriteTimeout);
    assert_eq!(start.elapsed(), server.limits().write_timeout);
    assert_eq!(server.stats().write_timeouts, 1);
}

#[tokio::test(start_paused = true)]
async fn too_many_messages_are_refused_and_a_flood_ends() {
    let limits =
        Limits { messages: Rate::per_second(10).burst(5), refusals: Rate::per_second(1).burst(3), ..Limits::default() };
    let (server, mut records, mut client) = pair(limits, 64).await;
    for n in 1..=6 {
        client.send(message(ask::RECORD, n, "")).await.unwrap();
    }
    for n in 1..=5 {
        assert_eq!(records.message().await.1.reference, Ref::new(n));
    }
    let error = client.receive().await.unwrap();
    assert_eq!((error.kind, error.reference), (Kind::ERROR, Ref::new(6)));
    let (code, _, recoverable): (String, String, bool) = client.format().from_slice(&error.body).unwrap();
    assert_eq!((code.as_str(), recoverable), ("rate_limited", true));

    // Whoever slows down is served again.
    tokio::time::advance(Duration::from_secs(5)).await;
    client.send(message(ask::RECORD, 7, "")).await.unwrap();
    assert_eq!(records.message().await.1.reference, Ref::new(7));

    while client.send(message(ask::RECORD, 8, "")).await.is_ok() {}
    assert_eq!(records.close().await, CloseCause::RateLimited);
    while client.receive().await.is_some() {}
    assert_eq!(client.close_code(), Some(CloseCode::RATE_LIMITED));
    assert_eq!((server.stats().floods, server.stats().rate_limited >= 4), (1, true));
}

#[tokio::test(start_paused = true)]
async fn joins_have_a_rate_of_their_own() {
    let limits = Limits { joins: Rate::per_second(1).burst(2), ..no_rates() };
    let (_server, mut records, mut client) = pair(limits, 64).await;
    for n in 1..=3 {
        client.send(message(Kind::JOIN, n, "")).await.unwrap();
    }
    client.send(message(Kind::EVENT, 4, "")).await.unwrap();
    for n in [1, 2, 4] {
        assert_eq!(records.message().await.1.reference, Ref::new(n));
    }
    let error = client.receive().await.unwrap();
    assert_eq!((error.kind, error.reference), (Kind::ERROR, Ref::new(3)));
}

#[tokio::test]
async fn a_malformed_frame_ends_with_a_reason() {
    for (frame, reason) in [
        (Frame::Text("{}".into()), "expected a binary frame on this subprotocol"),
        (Frame::Binary(vec![0x93, 1, 2, 3].into()), "an envelope has 4 elements, not 3"),
        (Frame::Binary(vec![].into()), "the frame ends inside its envelope"),
    ] {
        let (server, mut records, mut client) = pair(no_rates(), 64).await;
        client.send_frame(frame).await.unwrap();
        assert_eq!(client.receive().await, None);
        assert_eq!(client.close_code(), Some(CloseCode::PROTOCOL_ERROR));
        assert_eq!(client.close_reason(), Some(reason));
        let cause = CloseCause::ProtocolError { reason: reason.into() };
        assert_eq!(records.close().await, cause);
        assert_eq!(server.stats().protocol_errors, 1);
    }
}

#[tokio::test]
async fn a_panicking_handler_ends_its_connection_only() {
    let (server, mut records) = server(no_rates());
    let (mut one, mut other) = (connect(&server).await, connect(&server).await);
    one.send(message(ask::PANIC, 1, "")).await.unwrap();
    assert_eq!(records.close().await, CloseCause::HandlerPanicked);
    assert_eq!(one.receive().await, None);
    assert_eq!(one.close_code(), Some(CloseCode::INTERNAL));
    other.send(message(ask::ECHO, 1, "")).await.unwrap();
    assert!(other.receive().await.is_some());
    assert_eq!(server.stats().panics, 1);
}

#[tokio::test]
async fn every_end_is_told_once_with_its_cause() {
    let (server, mut records) = server(no_rates());
    connect(&server).await.close(CloseCode::GOING_AWAY, "bye").await;
    let cause = CloseCause::Peer { code: Some(CloseCode::GOING_AWAY), reason: "bye".into() };
    assert_eq!(records.close().await, cause);

    drop(connect(&server).await);
    assert_eq!(records.close().await, CloseCause::Lost);

    let mut client = connect(&server).await;
    let connection = client.connection().clone();
    connection.send(message(ask::ECHO, 1, "last words")).unwrap();
    connection.close(CloseCode::DISCONNECTED_BY_SERVER, "signed out");
    connection.close(CloseCode::NORMAL, "too late");
    assert_eq!(client.receive().await.unwrap().body, "last words");
    assert_eq!(client.receive().await, None);
    assert_eq!(client.close_code(), Some(CloseCode::DISCONNECTED_BY_SERVER));
    let (code, reason) = (CloseCode::DISCONNECTED_BY_SERVER, "signed out".into());
    assert_eq!(records.close().await, CloseCause::Local { code, reason });

    until(|| server.connections() == 0 && server.shutdown().tasks() == 0).await;
    assert!(records.is_empty());
    let stats = server.stats();
    assert_eq!((stats.opened, stats.closed), (3, 3));
    assert_eq!((stats.closed_by_peer, stats.lost, stats.closed_locally), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_for_the_one_before_while_others_go_out() {
    let (_server, mut records, mut client) = pair(no_rates(), 64).await;
    let start = Instant::now();
    client.send(message(ask::SLEEP, 1, vec![60])).await.unwrap();
    client.send(message(ask::RECORD, 2, "")).await.unwrap();
    client.connection().send(message(ask::ECHO, 3, "meanwhile")).unwrap();
    assert_eq!(client.receive().await.unwrap().body, "meanwhile");
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(records.no_message());
    assert_eq!(records.message().await.1.reference, Ref::new(1));
    assert_eq!(records.message().await.1.reference, Ref::new(2));
    assert_eq!(start.elapsed(), Duration::from_secs(60), "a long handler is no silence of the peer");
}

#[tokio::test(start_paused = true)]
async fn a_running_handler_finishes_although_the_connection_ends() {
    let (_server, mut records, client) = pair(no_rates(), 64).await;
    client.send(message(ask::SLEEP, 1, vec![30])).await.unwrap();
    // The message is in the handler's hands when the next one is still in the pipe.
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.connection().close(CloseCode::NORMAL, "");
    assert!(records.is_empty());
    assert_eq!(records.message().await.1.reference, Ref::new(1));
    assert!(matches!(records.close().await, CloseCause::Local { .. }));
}

#[tokio::test]
async fn published_frames_reach_connections_of_every_format() {
    let (server, mut records) = server(no_rates());
    let room = Topic::new("room").unwrap();
    let binary = connect(&server).await;
    let headers = [("sec-websocket-protocol", "mizu.v1.json")];
    let text = server.connect_in_memory(request("/_live", &headers)).await.unwrap();
    let mut clients = [binary, text];
    for client in &clients {
        let connection = client.connection();
        connection.subscribe(server.pubsub(), &room).await.unwrap();
        connection.subscribe(server.pubsub(), &room).await.unwrap();
    }
    let push = Message::new(ask::ECHO, room.clone(), Ref::PUSH, r#"{"a":1}"#);
    server.publish(&room, &push).await.unwrap();
    for client in &mut clients {
        assert_eq!(client.receive().await, Some(push.clone()));
    }

    // What is no frame reaches nobody who would have to read it.
    server.pubsub().publish(&room, "no frame".into()).await.unwrap();
    assert_eq!(server.stats().unpublishable, 1);

    let [binary, mut text] = clients;
    assert!(text.connection().unsubscribe(&room) && !text.connection().unsubscribe(&room));
    server.publish(&room, &push).await.unwrap();
    text.send(message(ask::ECHO, 5, "1")).await.unwrap();
    assert_eq!(text.receive().await.unwrap().reference, Ref::new(5), "nothing came in between");

    drop((binary, text));
    records.close().await;
    records.close().await;
    until(|| server.pubsub().topics() == 0).await;
}

#[tokio::test]
async fn a_closed_connection_subscribes_to_nothing() {
    let (server, _records, client) = pair(no_rates(), 64).await;
    let room = Topic::new("room").unwrap();
    client.connection().close(CloseCode::NORMAL, "");
    let refused = client.connection().subscribe(server.pubsub(), &room).await;
    assert!(matches!(refused, Err(SubscribeError::Closed)));
    assert_eq!(server.pubsub().topics(), 0);
}

#[tokio::test]
async fn publish_latest_skips_what_is_outdated() {
    let (server, _records, mut client) = pair(no_rates(), 1).await;
    let clock = Topic::new("clock").unwrap();
    client.connection().subscribe(server.pubsub(), &clock).await.unwrap();
    let tick = |n: u32| Message::new(ask::ECHO, clock.clone(), Ref::PUSH, n.to_string());
    for n in 0..2 {
        server.publish(&clock, &tick(n)).await.unwrap();
    }
    until(|| server.stats().sent == 1).await;
    for n in 2..500 {
        server.publish_latest(&clock, &tick(n)).await.unwrap();
    }
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(client.receive().await.unwrap().body);
    }
    assert_eq!(bodies, ["0", "1", "499"]);
}

#[tokio::test]
async fn publishing_to_thousands_shares_one_body_and_waits_for_none() {
    let (server, _records) = server(no_rates());
    let feed = Topic::new("feed").unwrap();
    let mut clients = Vec::new();
    for _ in 0..5_000 {
        let client = connect_narrow(&server, 1).await;
        client.connection().subscribe(server.pubsub(), &feed).await.unwrap();
        clients.push(client);
    }
    let bodies = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    let look = move |published: &Arc<mizu::live::Published>| {
        seen.lock().unwrap().push(published.body().as_ptr() as usize);
    };
    let _first = server.pubsub().subscribe(&feed, Arc::new(look.clone())).await.unwrap();
    let _second = server.pubsub().subscribe(&feed, Arc::new(look)).await.unwrap();
    let push = Message::new(ask::ECHO, feed.clone(), Ref::PUSH, vec![7; 1_000]);
    // Nobody reads, so waiting for one of them would never end.
    for _ in 0..3 {
        server.publish(&feed, &push).await.unwrap();
    }
    for client in &mut clients {
        for _ in 0..3 {
            assert_eq!(client.receive().await.as_ref(), Some(&push));
        }
    }
    let bodies = bodies.lock().unwrap();
    assert!(bodies.chunks(2).all(|pair| pair[0] == pair[1]) && bodies.len() == 6);
}

#[tokio::test]
async fn one_encoding_serves_many() {
    use mizu::live::Codec;
    let (_server, _records, mut client) = pair(no_rates(), 64).await;
    let push = message(ask::ECHO, 0, "x");
    let frame = Format::MessagePack.encode(&push).unwrap();
    client.connection().send_frame(frame).unwrap();
    assert_eq!(client.receive().await, Some(push.clone()));
    let text = Format::Json.encode(&push).unwrap();
    let refused = client.connection().send_frame(text).unwrap_err();
    assert!(matches!(refused, SendError::WrongFormat { expected: Format::MessagePack }));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_sends_clients_away_for_a_random_time() {
    let range = Duration::from_millis(1_000)..Duration::from_millis(9_000);
    let (builder, mut records) = builder();
    let shutdown = Shutdown::new().reconnect_within(range.clone());
    let server = builder.limits(no_rates()).shutdown(shutdown).build();
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(connect(&server).await);
    }
    clients[0].connection().send(message(ask::ECHO, 1, "last words")).unwrap();
    assert_eq!(server.shutdown().tasks(), 100);
    assert_eq!(server.shutdown().drain().await, 0);
    assert_eq!((server.shutdown().tasks(), server.connections()), (0, 0));

    assert_eq!(clients[0].receive().await.unwrap().body, "last words");
    let mut delays = Vec::new();
    for client in &mut clients {
        let close = client.receive().await.unwrap();
        assert_eq!((close.kind, close.reference), (Kind::CLOSE, Ref::PUSH));
        let (reason, delay): (String, u64) = client.format().from_slice(&close.body).unwrap();
        assert_eq!(reason, "shutdown");
        assert!(range.contains(&Duration::from_millis(delay)), "{delay}");
        delays.push(delay);
        assert_eq!(client.receive().await, None);
        assert_eq!(client.close_code(), Some(CloseCode::SHUTDOWN));
        assert_eq!(records.close().await, CloseCause::Shutdown);
    }
    delays.dedup();
    assert!(delays.len() > 50, "the delays are random");

    let refused = server.connect_in_memory(request("/_live", &[])).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(records.is_empty());
}

#[tokio::test(start_paused = true)]
async fn shutting_down_waits_for_handlers_up_to_its_deadline() {
    let (builder, mut records) = builder();
    let shutdown = Shutdown::new().deadline(Duration::from_secs(5));
    let server = builder.limits(no_rates()).shutdown(shutdown).build();
    let (mut quick, mut stuck) = (connect(&server).await, connect(&server).await);
    quick.send(message(ask::SLEEP, 1, vec![3])).await.unwrap();
    stuck.send(message(ask::HANG, 1, "")).await.unwrap();
    let stray = quick.connection().spawn(std::future::pending::<()>());
    until(|| server.stats().received == 2).await;

    let start = Instant::now();
    assert_eq!(server.shutdown().drain().await, 0, "no task is left");
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert_eq!(records.message().await.1.reference, Ref::new(1));
    assert_eq!(records.close().await, CloseCause::Shutdown);
    assert_eq!(records.close().await, CloseCause::Shutdown);
    assert!(records.is_empty(), "each end is told once");
    assert_eq!(stray.await.unwrap(), None);
    // Even the one whose handler hangs was told when to come back.
    assert_eq!(stuck.receive().await.unwrap().kind, Kind::CLOSE);
    assert_eq!(quick.receive().await.unwrap().kind, Kind::CLOSE);
}

#[tokio::test]
async fn admission_has_a_rate_and_a_number_of_seats() {
    let limits = Limits { upgrades: Rate::per_second(1).burst(3), connections: 2, ..Limits::default() };
    let (server, mut records) = server(limits);
    let (one, _two) = (connect(&server).await, connect(&server).await);
    let refused = server.connect_in_memory(request("/_live", &[])).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "5");
    drop(one);
    records.close().await;
    until(|| server.connections() == 1 && server.shutdown().tasks() == 1).await;
    let _three = connect(&server).await;
    drop(_two);
    records.close().await;
    until(|| server.shutdown().tasks() == 1).await;
    let refused = server.connect_in_memory(request("/_live", &[])).await.unwrap_err();
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(server.stats().refused_overload, 2);
}
