//! The bodies of the frames a page exchanges with its browser: one type a kind, arrays on the wire.
//!
//! `live` carries these as opaque bytes. Fields at the end may be left out by the sender; more than are known are passed over.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fields::Fields;
use super::ops::Op;
use super::stream_op::StreamOp;
use crate::live::{EncodeError, Format};

/// The number of a patch in its session, from 1. 0 is the page as the GET showed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seq(u32);

impl Seq {
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Reads an array into fields: the ones left out take their default.
macro_rules! body {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: $type),* }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                struct Array;
                impl<'de> Visitor<'de> for Array {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("the array of ", stringify!($name)))
                    }
                    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<$name, A::Error> {
                        let body = $name {
                            $($field: array.next_element::<Option<$type>>()?.flatten().unwrap_or_else(|| $default)),*
                        };
                        while array.next_element::<IgnoredAny>()?.is_some() {}
                        Ok(body)
                    }
                }
                source.deserialize_seq(Array)
            }
        }
    };
}

body! {
    /// JOIN: the browser asks to hold the session its page came with.
    Join {
        /// The page's token; empty when the browser has none that is good.
        token: String = String::new(),
        /// Path and query of the page.
        url: String = String::new(),
        /// What else the browser says; `forced`: the page was just loaded anew because a join asked for it; `pokes`: it has a store of its own; `user`: whose.
        params: Params = Params::default(),
        /// What the browser held before its socket dropped.
        resume: Option<Resume> = None,
        /// Scopes to subscribe to as well.
        scopes: Vec<String> = Vec::new(),
    }
}

body! {
    /// The session a browser held before its socket dropped.
    Resume {
        /// The token given in the last join's reply.
        session: String = String::new(),
        /// The last patch it applied.
        seen: Seq = Seq::default(),
    }
}

body! {
    /// EVENT: the person did something.
    EventBody {
        /// The attribute's text.
        name: String = String::new(),
        /// What `data-lv-target` names.
        target: Option<String> = None,
        /// The `data-lv-value-*` pairs.
        values: Fields = Fields::default(),
        /// The form's fields.
        form: Fields = Fields::default(),
        /// A keyboard event's key.
        key: Option<String> = None,
        /// What else the browser says of the event.
        meta: Params = Params::default(),
    }
}

body! {
    /// SUBSCRIBE and UNSUBSCRIBE: the socket wants to hear, or not, when scopes move.
    Scopes {
        /// Their names.
        scopes: Vec<String> = Vec::new(),
    }
}

body! {
    /// EPHEMERAL: a word in passing to the browsers of other sessions.
    EphemeralBody {
        /// What it is about.
        name: String = String::new(),
        /// Anything.
        payload: serde_json::Value = serde_json::Value::Null,
    }
}

body! {
    /// ACK: the browser has the join's answer.
    Ack {
        /// The last patch it applied.
        seen: Seq = Seq::default(),
    }
}

body! {
    /// RESYNC: the browser wants regions whole.
    Resync {
        /// Their ids.
        regions: Vec<String> = Vec::new(),
    }
}

/// A map of strings, kept as pairs.
#[derive(Debug, Default)]
pub(crate) struct Params(pub(crate) Fields);

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Params;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of strings")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Params, A::Error> {
                let mut pairs = Fields::default();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    pairs.push(name, value);
                }
                Ok(Params(pairs))
            }
        }
        source.deserialize_map(Map)
    }
}

/// What changed in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegionPatch {
    pub(crate) id: Arc<str>,
    pub(crate) change: Change,
    /// As it goes into frames, for those that many are sent.
    encoded: Encoded,
}

/// What something is on the wire, in each format; written when it is first asked for.
#[derive(Clone, Debug, Default)]
struct Encoded([OnceLock<Bytes>; Format::ALL.len()]);

/// It follows from what is encoded.
impl PartialEq for Encoded {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Encoded {}

impl RegionPatch {
    pub(crate) fn new(id: Arc<str>, change: Change) -> Arc<Self> {
        Arc::new(Self { id, change, encoded: Encoded::default() })
    }

    fn encoded(&self, format: Format) -> Result<&Bytes, EncodeError> {
        let place = &self.encoded.0[usize::from(format == Format::Json)];
        if place.get().is_none() {
            // Whoever comes second finds it there, or has written the same.
            _ = place.set(format.to_bytes(self)?);
        }
        Ok(place.get_or_init(Bytes::new))
    }
}

/// How a region becomes what it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// What its element holds, all of it.
    Inner(String),
    /// Its element, with all that it holds.
    Outer(String),
    /// Steps from what it was.
    Ops(Arc<[Op]>),
    /// Steps of the stream that it is.
    Stream(Arc<[StreamOp]>),
}

impl Serialize for RegionPatch {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match &self.change {
            Change::Inner(html) => (&self.id, 0u8, html).serialize(out),
            Change::Outer(html) => (&self.id, 1u8, html).serialize(out),
            Change::Ops(ops) => (&self.id, 2u8, &**ops).serialize(out),
            Change::Stream(ops) => (&self.id, 3u8, &**ops).serialize(out),
        }
    }
}

/// PATCH: what changed since the previous one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) seq: Seq,
    pub(crate) regions: Vec<Arc<RegionPatch>>,
    pub(crate) title: Option<String>,
    pub(crate) commands: Vec<Command>,
}

impl Patch {
    /// The body of its frame. Regions that others are sent as well are encoded once for all of them.
    pub(crate) fn to_bytes(&self, format: Format) -> Result<Bytes, EncodeError> {
        if self.regions.iter().all(|region| Arc::strong_count(region) == 1) {
            return format.to_bytes(self);
        }
        let mut regions = List::new(format, self.regions.len());
        for region in &self.regions {
            regions.push(region.encoded(format)?);
        }
        let more = if self.commands.is_empty() { usize::from(self.title.is_some()) } else { 2 };
        let mut body = List::new(format, 2 + more);
        body.push(&format.to_bytes(&self.seq)?);
        body.push(&regions.end());
        if more > 0 {
            body.push(&format.to_bytes(&self.title)?);
        }
        if more > 1 {
            body.push(&format.to_bytes(&self.commands)?);
        }
        Ok(body.end().into())
    }
}

/// An array of what is encoded already.
struct List {
    format: Format,
    out: Vec<u8>,
}

impl List {
    fn new(format: Format, items: usize) -> Self {
        let mut out = Vec::with_capacity(128);
        match (format, items as u32) {
            (Format::Json, _) => out.push(b'['),
            (Format::MessagePack, few @ 0..16) => out.push(0x90 | few as u8),
            (Format::MessagePack, many) => {
                out.push(0xdd);
                out.extend(many.to_be_bytes());
            }
        }
        Self { format, out }
    }

    fn push(&mut self, item: &[u8]) {
        if self.format == Format::Json && self.out.len() > 1 {
            self.out.push(b',');
        }
        self.out.extend_from_slice(item);
    }

    fn end(mut self) -> Vec<u8> {
        if self.format == Format::Json {
            self.out.push(b']');
        }
        self.out
    }
}

impl Serialize for Patch {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match (&self.title, self.commands.is_empty()) {
            (None, true) => (self.seq, &self.regions).serialize(out),
            (title, true) => (self.seq, &self.regions, title).serialize(out),
            (title, false) => (self.seq, &self.regions, title, &self.commands).serialize(out),
        }
    }
}

/// Something the browser is to do besides patching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Puts the focus on the first element the selector finds.
    Focus(String),
    /// A note for whoever develops the page: shown in the browser's console.
    Debug(String),
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Focus(selector) => ("focus", selector).serialize(out),
            Self::Debug(text) => ("debug", text).serialize(out),
        }
    }
}

/// REPLY: the answer to a frame with a ref.
#[derive(Debug)]
pub(crate) struct Reply<'a, P = ()> {
    pub(crate) outcome: Result<Option<P>, (&'a str, &'a str)>,
    pub(crate) patch: Option<&'a Patch>,
}

impl<P: Serialize> Serialize for Reply<'_, P> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match (&self.outcome, self.patch) {
            (Ok(None), None) => (0u8,).serialize(out),
            (Ok(None), Some(patch)) => (0u8, patch).serialize(out),
            (Ok(Some(payload)), patch) => (0u8, patch, payload).serialize(out),
            (Err(error), patch) => (1u8, patch, error).serialize(out),
        }
    }
}

/// What a join's reply says besides the patch.
#[derive(Debug)]
pub(crate) struct Joined<'a> {
    /// The topic the page's frames carry from now on.
    pub(crate) topic: &'a str,
    /// The token that names this session in a resume.
    pub(crate) session: &'a str,
    pub(crate) seq: Seq,
    /// How often the browser should send a heartbeat, in milliseconds.
    pub(crate) heartbeat: u32,
    pub(crate) dev: bool,
    /// Whether the session was mounted anew: events without an answer are not known to it.
    pub(crate) fresh: bool,
}

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        (self.topic, self.session, self.seq, self.heartbeat, self.dev, self.fresh).serialize(out)
    }
}

/// How a REDIRECT is to be followed.
pub(crate) const FULL_LOAD: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Format;
    use crate::page::ops::{Anchor, Step};

    #[test]
    fn arrays_may_be_short_or_long() {
        let join: Join = serde_json::from_str(r#"["t","/c",{},["s",4],[],1,2]"#).unwrap();
        assert_eq!((join.token.as_str(), join.resume.unwrap().seen), ("t", Seq(4)));
        let join: Join = serde_json::from_str(r#"["t","/c",{"a":"b"},null]"#).unwrap();
        assert!(join.resume.is_none());
        assert_eq!(join.params.0.get("a"), Some("b"));
        let event: EventBody = serde_json::from_str(r#"["inc"]"#).unwrap();
        assert_eq!((event.name.as_str(), event.target), ("inc", None));
        let event: EventBody =
            serde_json::from_str(r#"["x",null,[["a","1"]],[["b","2"],["b","3"]],"Enter",{"type":"keydown"}]"#).unwrap();
        assert_eq!((event.form.len(), event.meta.0.get("type")), (2, Some("keydown")));
    }

    #[test]
    fn wrong_types_are_errors() {
        for text in [r#"{}"#, r#"["inc",3]"#, r#"["inc",null,[["a"]]]"#, r#"["inc",null,[["a",1]]]"#, "7", "null"] {
            assert!(serde_json::from_str::<EventBody>(text).is_err(), "{text}");
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let bytes = Format::MessagePack.to_bytes(&value).unwrap();
            assert!(Format::MessagePack.from_slice::<EventBody>(&bytes).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_is_sent_that_says_nothing() {
        let click = Patch {
            seq: Seq(7),
            regions: vec![RegionPatch::new("stats".into(), Change::Inner("Count: 1".into()))],
            title: None,
            commands: Vec::new(),
        };
        let reply = Reply::<()> { outcome: Ok(None), patch: Some(&click) };
        assert_eq!(serde_json::to_string(&reply).unwrap(), r#"[0,[7,[["stats",0,"Count: 1"]]]]"#);
        assert_eq!(serde_json::to_string(&Reply::<()> { outcome: Ok(None), patch: None }).unwrap(), "[0]");
        let refused = Reply::<()> { outcome: Err(("full", "No room.")), patch: None };
        assert_eq!(serde_json::to_string(&refused).unwrap(), r#"[1,null,["full","No room."]]"#);
    }

    #[test]
    fn what_many_are_sent_is_the_same_as_what_one_is() {
        let many = |regions: usize| {
            (0..regions).map(|at| RegionPatch::new(format!("r{at}").into(), Change::Inner("x < \"y\"".into())))
        };
        let titles = [None, Some("Title".to_owned())];
        for (format, count) in
            Format::ALL.into_iter().flat_map(|format| [0, 1, 15, 16, 70_000].map(|count| (format, count)))
        {
            for (title, commands) in
                titles.iter().flat_map(|title| [(title, vec![]), (title, vec![Command::Focus("#a".into())])])
            {
                let patch = Patch { seq: Seq(300), regions: many(count).collect(), title: title.clone(), commands };
                let alone = format.to_bytes(&patch).unwrap();
                let others = patch.regions.clone();
                let read = |bytes: &[u8]| format.from_slice::<serde_json::Value>(bytes).unwrap();
                assert_eq!(read(&patch.to_bytes(format).unwrap()), read(&alone), "{count} regions, {format:?}");
                assert!(count == 0 || Arc::ptr_eq(&others[0], &patch.regions[0]));
            }
        }
    }

    /// The bodies in `tests/vectors/bodies.json`, which the browser's tests read as well: what the server writes.
    #[test]
    fn bodies_are_the_golden_ones() {
        let region = |id: &str, outer, html: &str| {
            let html = html.to_owned();
            RegionPatch::new(id.into(), if outer { Change::Outer(html) } else { Change::Inner(html) })
        };
        let patch = |seq, regions, title: Option<&str>, commands| Patch {
            seq: Seq(seq),
            regions,
            title: title.map(str::to_owned),
            commands,
        };
        let text = patch(1, vec![region("stats", false, "Count: 1")], None, vec![]);
        let row =
            patch(300, vec![region("row-7", true, "<tr id=\"row-7\"><td>\u{6c34}</td></tr>")], Some("1 < 2"), vec![]);
        let commands = vec![Command::Focus("#title".into()), Command::Debug("mark \"a\"".into())];
        let told = patch(70_000, vec![], None, commands);
        let named = |id: &str| Anchor::Id(id.into());
        let ops = vec![
            Op::Text { anchor: Anchor::Region, path: vec![0], length: 8, at: 0, delete: 8, insert: "Count: 2".into() },
            Op::Text {
                anchor: named("a"),
                path: vec![1, 300],
                length: 70_000,
                at: 12,
                delete: 0,
                insert: "\u{6c34}".into(),
            },
            Op::Attributes {
                anchor: named("a"),
                path: vec![],
                tag: "li".into(),
                values: vec![("class".into(), Some("x".into())), ("hidden".into(), None)],
            },
            Op::Morph { anchor: Anchor::Region, path: vec![2], html: "<input>".into() },
            Op::Children {
                anchor: Anchor::Region,
                path: vec![],
                count: 4,
                steps: vec![Step::Insert("<li>".into()), Step::Keep(2), Step::Skip(1), Step::Take(2), Step::Skip(200)],
            },
        ];
        let change = Change::Ops(ops.into());
        let steps = patch(2, vec![RegionPatch::new("rows".into(), change)], None, vec![]);
        let items = |ids: &str| ids.chars().map(|id| format!("<li id=\"{id}\">")).collect::<String>().into();
        let change = Change::Stream(Arc::new([
            StreamOp::Append(items("ab"), None),
            StreamOp::Append(items("c"), Some(50)),
            StreamOp::Prepend(items("d"), None),
            StreamOp::Prepend(items("e"), Some(300)),
            StreamOp::Insert(items("f"), 1, None),
            StreamOp::Insert(items("g"), 70_000, Some(50)),
            StreamOp::Upsert(items("a"), None),
            StreamOp::Upsert(items("h"), Some(50)),
            StreamOp::Remove("\u{6c34}\"".into()),
            StreamOp::Reset,
        ]));
        let streamed = patch(3, vec![RegionPatch::new("log".into(), change)], None, vec![]);
        let joined = Joined { topic: "1", session: "AQ", seq: Seq(3), heartbeat: 25_000, dev: false, fresh: true };
        let bodies = [
            ("patch: one region", golden(&text)),
            ("patch: a row and the title", golden(&row)),
            ("patch: commands only", golden(&told)),
            ("patch: steps", golden(&steps)),
            ("patch: steps of a stream", golden(&streamed)),
            ("reply: nothing changed", golden(&Reply::<()> { outcome: Ok(None), patch: None })),
            ("reply: an event's patch", golden(&Reply::<()> { outcome: Ok(None), patch: Some(&text) })),
            ("reply: refused", golden(&Reply::<()> { outcome: Err(("full", "No room.")), patch: Some(&text) })),
            ("reply: joined, page unchanged", golden(&Reply { outcome: Ok(Some(joined)), patch: None })),
            ("error", golden(&("bad_token", "Load the page again.", true))),
            ("redirect", golden(&("/sign-in", true, FULL_LOAD))),
        ];
        let bodies: Vec<_> = bodies
            .into_iter()
            .map(|(name, (hex, json))| serde_json::json!({ "name": name, "msgpack_hex": hex, "json": json }))
            .collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/bodies.json");
        let text = serde_json::to_string_pretty(&bodies).unwrap() + "\n";
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }

    fn golden(body: &impl Serialize) -> (String, serde_json::Value) {
        let bytes = Format::MessagePack.to_bytes(body).unwrap();
        (bytes.iter().map(|byte| format!("{byte:02x}")).collect(), serde_json::to_value(body).unwrap())
    }
}
