//! The golden vectors of frames, which the browser's tests read as well.
//!
//! `UPDATE_VECTORS=1 cargo test --test live_vectors` writes them anew after a deliberate change of the protocol.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

use mizu::live::{Codec, Frame, Json, Kind, Message, MessagePack, Ref, Topic};
use serde::{Deserialize, Serialize};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/frames.json");

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Vector {
    name: String,
    kind: u8,
    topic: String,
    #[serde(rename = "ref")]
    reference: u32,
    body_hex: String,
    msgpack_hex: String,
    json: String,
}

impl Vector {
    fn of(name: impl Into<String>, message: &Message) -> Self {
        let Frame::Binary(msgpack) = MessagePack.encode(message).unwrap() else { panic!("binary") };
        let Frame::Text(json) = Json.encode(message).unwrap() else { panic!("text") };
        Self {
            name: name.into(),
            kind: message.kind.code(),
            topic: message.topic.as_str().to_owned(),
            reference: message.reference.get(),
            body_hex: hex(&message.body),
            msgpack_hex: hex(&msgpack),
            json,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// What the vectors cover.
fn vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    let mut add = |name: &str, kind: Kind, topic: &str, reference: u32, body: &[u8]| {
        let body = body.to_vec();
        let message = Message::new(kind, Topic::new(topic).unwrap(), Ref::new(reference), body);
        vectors.push(Vector::of(name, &message));
    };
    for code in (Kind::JOIN.code()..=Kind::RESYNC.code()).chain([0x80, 0xff, 0x00, 0x12, 0x7f]) {
        let kind = Kind::from_code(code);
        add(&format!("kind {code:#04x}"), kind, "1", 1, b"[]");
    }
    for reference in [0, 1, 127, 128, 255, 256, 65_535, 65_536, u32::MAX] {
        add(&format!("ref {reference}"), Kind::EVENT, "1", reference, b"null");
    }
    for (name, topic) in [
        ("topic empty", ""),
        ("topic with 22 bytes", "exactly twenty-two by."),
        ("topic with 31 bytes", "the longest fixstr is 31 bytes."),
        ("topic with 32 bytes", "the shortest str8 has 32 bytes.."),
        ("topic unicode", "日本語 🦀 é"),
        ("topic escaped", "quote \" backslash \\ newline \n tab \t nul \0"),
        ("topic with 255 bytes", &"t".repeat(255)),
    ] {
        add(name, Kind::REPLY, topic, 7, b"0");
    }
    let every: Vec<u8> = (0..=255).collect();
    for (name, body) in [
        ("body empty", &b""[..]),
        ("body json object", br#"{"text":"<b>\u00e9\n</b>","n":[1,2.5,null,true]}"#),
        ("body json string", "\"日本語 🦀\"".as_bytes()),
        ("body json number", b"9007199254740991"),
        ("body json with white space", b" {\"a\" : 1}\n"),
        ("body messagepack", b"\x93\x01\xa1a\xc0"),
        ("body one byte that is json", b"1"),
        ("body one byte that is not json", b"\xc0"),
        ("body not utf-8", b"\"\xff\""),
        ("body with 255 bytes", &every[1..]),
        ("body with 256 bytes", &every),
        ("body with 300 bytes of json", format!("\"{}\"", "x".repeat(298)).as_bytes()),
    ] {
        add(name, Kind::PATCH, "1", 0, body);
    }
    vectors
}

#[test]
fn frames_are_those_of_the_golden_vectors() {
    let made = vectors();
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        let lines: Vec<_> = made.iter().map(|vector| serde_json::to_string(vector).unwrap()).collect();
        std::fs::write(PATH, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let golden: Vec<Vector> = serde_json::from_slice(&std::fs::read(PATH).unwrap()).unwrap();
    for (golden, made) in golden.iter().zip(&made) {
        assert_eq!(golden, made, "{}: the wire has changed", golden.name);
    }
    assert_eq!(golden.len(), made.len());
}

#[test]
fn golden_vectors_decode_to_their_messages() {
    let golden: Vec<Vector> = serde_json::from_slice(&std::fs::read(PATH).unwrap()).unwrap();
    for vector in golden {
        let body = bytes(&vector.body_hex);
        let kind = Kind::from_code(vector.kind);
        let topic = Topic::new(&vector.topic).unwrap();
        let message = Message::new(kind, topic, Ref::new(vector.reference), body);
        let binary = MessagePack.decode(Frame::Binary(bytes(&vector.msgpack_hex).into())).unwrap();
        assert_eq!(binary, message, "{}", vector.name);
        let mut text = Json.decode(Frame::Text(vector.json)).unwrap();
        if vector.name == "body json with white space" {
            assert_eq!(text.body, message.body.trim_ascii());
            text.body = message.body.clone();
        }
        assert_eq!(text, message, "{}", vector.name);
    }
}
