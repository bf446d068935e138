//! Clients that misbehave, over real sockets: each ends in a named error or close code, and hurts nobody else.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

#[path = "support/live_recorder.rs"]
mod recorder;
#[path = "support/live_socket.rs"]
mod socket;

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use mizu::live::{CloseCause, CloseCode, Codec, Kind, Limits, Listen, MessagePack, Origins, Rate, SendError, Server};
use recorder::{Recorder, Records, ask, builder, message, no_rates, server, until, within};
use socket::{Client, handshake, listen, open, open_narrow, raw_close, raw_frame, raw_request, status};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_tungstenite::tungstenite::{Message as Wire, Utf8Bytes};

/// A server on a port, its records and a client that shook hands.
async fn hostile(limits: Limits) -> (Server<Recorder>, Records, Client) {
    let (server, records) = server(limits);
    let address = listen(&server, Listen::default()).await;
    (server, records, open(address).await)
}

/// Nothing is left of anyone when all have gone.
async fn nothing_left(server: &Server<Recorder>) {
    until(|| server.connections() == 0).await;
    assert_eq!(server.shutdown().drain().await, 0);
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_with_its_code() {
    for length in [64 * 1024 + 1, 1024 * 1024, 8 * 1024 * 1024] {
        let (server, mut records, mut client) = hostile(no_rates()).await;
        // The server stops reading in the middle, so sending may fail; the code must arrive anyway.
        let _ = client.0.feed(Wire::Binary(vec![0; length].into())).await;
        let _ = client.0.flush().await;
        assert_eq!(client.closed().await.0, CloseCode::MESSAGE_TOO_BIG, "{length}");
        assert_eq!(records.close().await, CloseCause::MessageTooBig);
        assert_eq!(server.stats().too_big, 1);
        drop(client);
        nothing_left(&server).await;
    }
}

#[tokio::test]
async fn a_length_that_is_only_announced_is_not_believed() {
    let (server, mut records, client) = hostile(no_rates()).await;
    let mut raw = client.into_raw();
    raw.write_all(b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0").await.unwrap();
    assert_eq!(raw_close(&mut raw).await.0, CloseCode::MESSAGE_TOO_BIG);
    assert_eq!(records.close().await, CloseCause::MessageTooBig);
    drop(raw);
    nothing_left(&server).await;
}

#[tokio::test]
async fn fragments_can_not_add_up_to_more() {
    let (server, mut records, client) = hostile(no_rates()).await;
    let mut raw = client.into_raw();
    raw.write_all(&raw_frame(0x02, &[0; 1000])).await.unwrap();
    for _ in 0..70 {
        if raw.write_all(&raw_frame(0x00, &[0; 1000])).await.is_err() {
            break;
        }
    }
    assert_eq!(raw_close(&mut raw).await.0, CloseCode::MESSAGE_TOO_BIG);
    assert_eq!(records.close().await, CloseCause::MessageTooBig);
    drop(raw);
    nothing_left(&server).await;
}

#[tokio::test]
async fn broken_frames_end_with_a_protocol_error() {
    let unmasked = b"\x82\x01x".to_vec();
    for (name, bytes) in [
        ("unmasked", unmasked),
        ("reserved bits", raw_frame(0xf2, b"x")),
        ("reserved data kind", raw_frame(0x83, b"x")),
        ("reserved control kind", raw_frame(0x8b, b"")),
        ("fragmented ping", raw_frame(0x09, b"")),
        ("long ping", raw_frame(0x89, &[0; 126])),
        ("continuation of nothing", raw_frame(0x80, b"x")),
        ("text that is not UTF-8", raw_frame(0x81, b"\xff")),
        ("text", raw_frame(0x81, b"{}")),
        ("empty", raw_frame(0x82, b"")),
        ("another type", raw_frame(0x82, b"\xa3abc")),
        ("truncated envelope", raw_frame(0x82, b"\x94\x03\xa0\x00\xc4\x05a")),
        ("trailing bytes", raw_frame(0x82, b"\x94\x03\xa0\x00\xc4\x00x")),
    ] {
        let (server, mut records, client) = hostile(no_rates()).await;
        let mut raw = client.into_raw();
        raw.write_all(&bytes).await.unwrap();
        let (code, reason) = raw_close(&mut raw).await;
        assert_eq!(code, CloseCode::PROTOCOL_ERROR, "{name}");
        assert!(!reason.is_empty(), "{name}");
        assert!(matches!(records.close().await, CloseCause::ProtocolError { .. }), "{name}");
        drop(raw);
        nothing_left(&server).await;
    }
}

#[tokio::test]
async fn a_frame_that_never_ends_is_a_lost_connection() {
    let (server, mut records, client) = hostile(no_rates()).await;
    let mut raw = client.into_raw();
    let frame = raw_frame(0x82, &[0; 1000]);
    raw.write_all(&frame[..500]).await.unwrap();
    drop(raw);
    assert_eq!(records.close().await, CloseCause::Lost);
    nothing_left(&server).await;
}

#[tokio::test]
async fn half_a_frame_and_then_silence_is_dropped() {
    let limits = Limits { heartbeat: Duration::from_millis(50), ..no_rates() };
    let (server, mut records, client) = hostile(limits).await;
    let mut raw = client.into_raw();
    raw.write_all(&raw_frame(0x82, &[0; 1000])[..500]).await.unwrap();
    assert_eq!(raw_close(&mut raw).await.0, CloseCode::HEARTBEAT_TIMEOUT);
    assert_eq!(records.close().await, CloseCause::HeartbeatTimeout);
    drop(raw);
    nothing_left(&server).await;
}

#[tokio::test]
async fn a_half_open_socket_is_dropped_and_a_quiet_one_kept() {
    let limits = Limits { heartbeat: Duration::from_millis(100), ..no_rates() };
    let (server, mut records) = server(limits);
    let address = listen(&server, Listen::default()).await;
    let (half_open, mut quiet) = (open(address).await, open(address).await);
    let connection = handle_of(&mut quiet, &mut records).await;
    // The one reads, and so answers pings; the other is there but does nothing.
    let reading = tokio::spawn(async move { quiet.receive().await });
    assert_eq!(records.close().await, CloseCause::HeartbeatTimeout);
    assert_eq!((server.connections(), server.stats().heartbeat_timeouts), (1, 1));
    connection.send(message(ask::ECHO, 1, "still here")).unwrap();
    assert_eq!(within(reading).await.unwrap().body, "still here");
    assert_eq!(records.close().await, CloseCause::Lost);
    drop(half_open);
    nothing_left(&server).await;
}

#[tokio::test]
async fn text_frames_belong_to_the_json_subprotocol() {
    let (server, mut records) = server(no_rates());
    let address = listen(&server, Listen::default()).await;
    let json = [("sec-websocket-protocol", "mizu.v1.json")];
    let mut client = handshake(address, &json).await.unwrap();
    let text = Utf8Bytes::from_static(r#"{"kind":129,"ref":1,"body":{"a":[1]}}"#);
    client.0.send(Wire::Text(text)).await.unwrap();
    assert_eq!(client.receive().await, message(ask::ECHO, 1, r#"{"a":[1]}"#));
    client.0.send(Wire::Binary(vec![0x94].into())).await.unwrap();
    let expected = "expected a text frame on this subprotocol";
    assert_eq!(client.closed().await, (CloseCode::PROTOCOL_ERROR, expected.into()));
    assert!(matches!(records.close().await, CloseCause::ProtocolError { .. }));
    drop(client);
    nothing_left(&server).await;
}

#[tokio::test]
async fn without_a_subprotocol_messagepack_is_spoken() {
    let (server, _records) = server(no_rates());
    let address = listen(&server, Listen::default()).await;
    let mut client = handshake(address, &[]).await.unwrap();
    client.send(message(ask::ECHO, 1, "hi")).await;
    assert_eq!(client.receive().await.body, "hi");
    client.0.send(Wire::Text("hi".into())).await.unwrap();
    assert_eq!(client.closed().await.0, CloseCode::PROTOCOL_ERROR);
    assert_eq!(status(handshake(address, &[("sec-websocket-protocol", "soap, mqtt")]).await), 400);
    drop(client);
    nothing_left(&server).await;
}

#[tokio::test]
async fn handshakes_of_other_sites_are_refused() {
    let (builder, _records) = builder();
    let origins = Origins::same_host().allow("https://good.example");
    let server = builder.limits(no_rates()).origins(origins).build();
    let address = listen(&server, Listen::default()).await;
    let same = format!("http://{address}");
    for headers in [
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
    ] {
        assert_eq!(status(handshake(address, &headers).await), 403, "{headers:?}");
    }
    assert_eq!((server.stats().refused_cross_site, server.stats().opened), (5, 0));
    for origin in [same.as_str(), "https://good.example"] {
        assert!(handshake(address, &[("origin", origin)]).await.is_ok(), "{origin}");
    }
    nothing_left(&server).await;
}

#[tokio::test]
async fn a_flood_is_refused_and_then_ended() {
    let limits = Limits {
        messages: Rate::per_second(10).burst(20),
        refusals: Rate::per_second(1).burst(10),
        ..Limits::default()
    };
    let (server, mut records, client) = hostile(limits).await;
    let (mut sink, mut stream) = client.0.split();
    let flood = tokio::spawn(async move {
        let frame = MessagePack.encode(&message(ask::RECORD, 1, ""));
        let frame = frame.unwrap().into_bytes();
        while sink.send(Wire::Binary(frame.clone())).await.is_ok() {}
    });
    let (mut refused, mut code) = (0, None);
    while let Some(Ok(received)) = within(stream.next()).await {
        match received {
            Wire::Binary(_) => refused += 1,
            Wire::Close(Some(frame)) => code = Some(u16::from(frame.code)),
            other => panic!("{other:?}"),
        }
    }
    flood.abort();
    assert_eq!(code, Some(CloseCode::RATE_LIMITED.number()));
    assert!((10..=12).contains(&refused), "{refused}");
    assert_eq!(records.close().await, CloseCause::RateLimited);
    nothing_left(&server).await;
}

#[tokio::test]
async fn a_flood_of_pings_is_a_flood() {
    let limits = Limits {
        messages: Rate::per_second(10).burst(20),
        refusals: Rate::per_second(1).burst(10),
        ..Limits::default()
    };
    let (server, mut records, client) = hostile(limits).await;
    let mut raw = client.into_raw();
    for _ in 0..40 {
        let _ = raw.write_all(&raw_frame(0x89, b"ping")).await;
    }
    assert_eq!(raw_close(&mut raw).await.0, CloseCode::RATE_LIMITED);
    assert_eq!(records.close().await, CloseCause::RateLimited);
    drop(raw);
    nothing_left(&server).await;
}

/// The server's handle to a client that has just asked to be recorded.
async fn handle_of(client: &mut Client, records: &mut Records) -> mizu::live::Connection {
    client.send(message(ask::RECORD, 1, "")).await;
    records.message().await.0
}

#[tokio::test]
async fn a_reader_that_is_too_slow_ends_as_one() {
    let limits = Limits { write_timeout: Duration::from_millis(500), ..no_rates() };
    let (server, mut records) = server(limits);
    let address = listen(&server, Listen::default()).await;
    let mut client = open_narrow(address).await;
    let connection = handle_of(&mut client, &mut records).await;
    let mut sent = 0_usize;
    let refused = loop {
        match connection.send(message(ask::ECHO, 0, vec![0; 100_000])) {
            Ok(()) => sent += 1,
            Err(refused) => break refused,
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(refused, SendError::Full));
    assert_eq!(records.close().await, CloseCause::SlowConsumer);
    // What waited is gone at once; what the system's buffers took is not ours.
    assert!(connection.is_drained());
    assert!(sent < 1_000, "{sent} messages waited somewhere");
    drop(client);
    nothing_left(&server).await;
}

#[tokio::test]
async fn a_reader_that_reads_nothing_ends_in_time() {
    let limits = Limits { write_timeout: Duration::from_millis(100), ..no_rates() };
    let (server, mut records) = server(limits);
    let address = listen(&server, Listen::default()).await;
    let mut client = open_narrow(address).await;
    let connection = handle_of(&mut client, &mut records).await;
    // More than both systems' buffers hold, in one message.
    connection.send(message(ask::ECHO, 0, vec![0; 15 * 1024 * 1024])).unwrap();
    assert_eq!(records.close().await, CloseCause::WriteTimeout);
    assert_eq!(server.stats().write_timeouts, 1);
    drop(client);
    nothing_left(&server).await;
}

#[tokio::test]
async fn a_long_message_arrives_whole() {
    let (server, mut records, mut client) = hostile(no_rates()).await;
    let connection = handle_of(&mut client, &mut records).await;
    for length in [4_000, 8_192, 8_193, 100_000, 3_000_000] {
        let body: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        connection.send(message(ask::ECHO, 0, body.clone())).unwrap();
        assert_eq!(client.receive().await.body, body, "{length}");
    }
    drop(client);
    nothing_left(&server).await;
}

#[tokio::test]
async fn a_panic_is_told_and_others_go_on() {
    let (server, mut records) = server(no_rates());
    let address = listen(&server, Listen::default()).await;
    let (mut one, mut other) = (open(address).await, open(address).await);
    one.send(message(ask::PANIC, 1, "")).await;
    assert_eq!(one.closed().await.0, CloseCode::INTERNAL);
    assert_eq!(records.close().await, CloseCause::HandlerPanicked);
    other.send(message(ask::ECHO, 1, "fine")).await;
    assert_eq!(other.receive().await.body, "fine");
    drop((one, other));
    nothing_left(&server).await;
}

#[tokio::test]
async fn a_slow_handshake_times_out() {
    let (server, _records) = server(no_rates());
    let timeout = Listen { header_timeout: Duration::from_millis(100), ..Listen::default() };
    let address = listen(&server, timeout).await;
    for start in ["", "G", "GET /_live HTTP/1.1\r\nhost: a.example\r\nupgr"] {
        let answer = raw_request(address, start.as_bytes()).await;
        assert!(!answer.contains("101"), "{answer}");
    }
    until(|| server.shutdown().tasks() == 0).await;
    assert_eq!(server.stats().opened, 0);
}

#[tokio::test]
async fn what_is_no_handshake_is_answered_with_a_status() {
    let (server, _records) = server(no_rates());
    let address = listen(&server, Listen::default()).await;
    let request = |head: &str| format!("{head}host: a.example\r\nconnection: close\r\n\r\n");
    for (head, status) in [
        ("GET /_live HTTP/1.1\r\n", "400"),
        ("POST /_live HTTP/1.1\r\ncontent-length: 0\r\n", "405"),
        ("GET /_live HTTP/1.1\r\nupgrade: websocket\r\n", "400"),
    ] {
        let answer = raw_request(address, request(head).as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}: {answer}");
    }
    let garbage = raw_request(address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await;
    assert!(garbage.is_empty() || garbage.starts_with("HTTP/1.1 400"), "{garbage}");
    assert_eq!(server.stats().opened, 0);
    nothing_left(&server).await;
}

#[tokio::test]
async fn a_handshake_that_is_never_completed_leaves_nothing() {
    let (server, _records) = server(no_rates());
    let address = listen(&server, Listen::default()).await;
    let request = "GET /_live HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
    }
    nothing_left(&server).await;
}

#[tokio::test]
async fn sockets_wait_when_there_are_too_many() {
    let (server, mut records) = server(no_rates());
    let address = listen(&server, Listen { connections: 2, ..Listen::default() }).await;
    let (one, _two) = (open(address).await, open(address).await);
    let mut third = tokio::spawn(async move { open(address).await });
    until(|| server.connections() == 2).await;
    assert!(!third.is_finished(), "there is no seat for a third one");
    drop(one);
    assert_eq!(records.close().await, CloseCause::Lost);
    let mut third = within(&mut third).await.unwrap();
    third.send(message(ask::ECHO, 1, "seated")).await;
    assert_eq!(third.receive().await.body, "seated");
    drop((_two, third));
    nothing_left(&server).await;
}

#[tokio::test]
async fn shutting_down_closes_real_sockets_in_good_order() {
    let (server, mut records) = server(no_rates());
    let address = listen(&server, Listen::default()).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(open(address).await);
    }
    until(|| server.connections() == 20).await;
    let reading = tokio::spawn(async move {
        for client in &mut clients {
            assert_eq!(client.receive().await.kind, Kind::CLOSE);
            assert_eq!(client.closed().await.0, CloseCode::SHUTDOWN);
            // The close is answered and the socket ended.
            while within(client.0.next()).await.is_some() {}
        }
    });
    assert_eq!(server.shutdown().drain().await, 0);
    assert_eq!((server.shutdown().tasks(), server.connections()), (0, 0));
    within(reading).await.unwrap();
    for _ in 0..20 {
        assert_eq!(records.close().await, CloseCause::Shutdown);
    }
    assert!(TcpStream::connect(address).await.is_err(), "nothing is accepted any more");
}
