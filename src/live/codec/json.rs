//! `mizu.v1.json`.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::live::{Codec, DecodeError, EncodeError, Frame, Kind, Message, Ref, Topic};

/// The codec of the subprotocol `mizu.v1.json`: text frames for people and simple agents.
///
/// # Shape
///
/// `{"kind":3,"topic":"1","ref":7,"body":..}`. A body that is JSON stands there as it is, without the white space
/// around it; any other is in `base64` instead of `body`; an empty one is left out. `topic` and `ref` may be left
/// out by the sender, unknown fields are ignored.
///
/// ```
/// use mizu::live::{Codec, Frame, Json, Kind, Message, Ref, Topic};
///
/// let message = Message::new(Kind::EVENT, Topic::new("1").unwrap(), Ref::new(7), r#"["inc"]"#);
/// let text = r#"{"kind":3,"topic":"1","ref":7,"body":["inc"]}"#;
/// assert_eq!(Json.encode(&message).unwrap(), Frame::Text(text.into()));
///
/// let heartbeat = Json.decode(Frame::Text(r#"{"kind":4}"#.into())).unwrap();
/// assert_eq!(heartbeat.kind, Kind::HEARTBEAT);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    kind: u8,
    #[serde(borrow, default)]
    topic: Cow<'a, str>,
    #[serde(rename = "ref", default)]
    reference: u32,
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    base64: Option<Cow<'a, str>>,
}

/// Tells a body of `null` from no body.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Codec for Json {
    fn encode(&self, message: &Message) -> Result<Frame, EncodeError> {
        let body = serde_json::from_slice::<&RawValue>(&message.body).ok();
        let base64 = (body.is_none() && !message.body.is_empty()).then(|| Cow::Owned(STANDARD.encode(&message.body)));
        let envelope = Envelope {
            kind: message.kind.code(),
            topic: Cow::Borrowed(message.topic.as_str()),
            reference: message.reference.get(),
            body,
            base64,
        };
        Ok(Frame::Text(serde_json::to_string(&envelope)?))
    }

    fn decode(&self, frame: Frame) -> Result<Message, DecodeError> {
        let Frame::Text(text) = frame else {
            return Err(DecodeError::WrongFrame { expected: "text" });
        };
        let envelope: Envelope<'_> = serde_json::from_str(&text)?;
        let body = match (envelope.body, envelope.base64) {
            (Some(_), Some(_)) => return Err(DecodeError::TwoBodies),
            (Some(body), None) => Bytes::copy_from_slice(body.get().as_bytes()),
            (None, Some(base64)) => Bytes::from(STANDARD.decode(base64.as_bytes())?),
            (None, None) => Bytes::new(),
        };
        Ok(Message::new(
            Kind::from_code(envelope.kind),
            Topic::new(envelope.topic)?,
            Ref::new(envelope.reference),
            body,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let error = Json.decode(Frame::Text(text.into())).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }

    #[test]
    fn malformed_frames_name_what_is_wrong() {
        check("", "not the expected JSON: EOF");
        check("[]", "not the expected JSON: invalid length 0");
        check("{}", "not the expected JSON: missing field `kind`");
        check(r#"{"kind":256}"#, "not the expected JSON: invalid value");
        check(r#"{"kind":"3"}"#, "not the expected JSON: invalid type: string");
        check(r#"{"kind":3,"kind":3}"#, "not the expected JSON: duplicate field `kind`");
        check(r#"{"kind":3,"ref":-1}"#, "not the expected JSON: invalid value");
        check(r#"{"kind":3,"body":[}"#, "not the expected JSON");
        check(r#"{"kind":3,"body":1,"base64":"AA=="}"#, "a message has `body` or `base64`");
        check(r#"{"kind":3,"base64":"!"}"#, "`base64` is not base64");
        check(&format!(r#"{{"kind":3,"topic":"{}"}}"#, "x".repeat(256)), "a topic of 256 bytes");
        let binary = Json.decode(Frame::Binary(Bytes::new())).unwrap_err();
        assert_eq!(binary.to_string(), "expected a text frame on this subprotocol");
    }

    #[test]
    fn null_is_a_body_and_absence_is_none() {
        let decode = |text: &str| Json.decode(Frame::Text(text.into())).unwrap();
        assert_eq!(decode(r#"{"kind":3,"body":null}"#).body, "null");
        assert_eq!(decode(r#"{"kind":3}"#).body, "");
        let null = decode(r#"{"kind":3,"body":null}"#);
        let text = r#"{"kind":3,"topic":"","ref":0,"body":null}"#;
        assert_eq!(Json.encode(&null).unwrap(), Frame::Text(text.into()));
    }

    #[test]
    fn topics_may_be_escaped() {
        let text = r#"{"kind":3,"topic":"\u00e9\n"}"#;
        assert_eq!(Json.decode(Frame::Text(text.into())).unwrap().topic.as_str(), "é\n");
    }

    proptest::proptest! {
        #[test]
        fn messages_survive_the_way(
            kind: u8, topic in "\\PC{0,60}", reference: u32, body: Vec<u8>, space in "[ \n]{0,2}",
        ) {
            let topic = Topic::new(topic).unwrap();
            let message = Message::new(Kind::from_code(kind), topic.clone(), Ref::new(reference), body);
            let decoded = Json.decode(Json.encode(&message).unwrap()).unwrap();
            // White space around a JSON body may go, nothing else may.
            let trimmed = || decoded.body.trim_ascii() == message.body.trim_ascii();
            proptest::prop_assert!(decoded == message || trimmed());
            let body = format!("{space}{{\"a\":1}}{space}");
            let message = Message::new(Kind::EVENT, topic, Ref::PUSH, body);
            let decoded = Json.decode(Json.encode(&message).unwrap()).unwrap();
            proptest::prop_assert_eq!(decoded.body, "{\"a\":1}");
        }
    }
}
