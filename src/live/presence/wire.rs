//! What nodes tell each other of a topic's members.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A node, for as long as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct NodeId(pub(super) u64);

/// A member, among those of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct MemberId(pub(super) u64);

/// Counts what a node told of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Version(pub(super) u64);

impl Version {
    pub(super) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry(pub(super) MemberId, pub(super) String, pub(super) Meta);

/// What the app says of a member: opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meta(pub(super) Bytes);

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Meta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::ByteBuf::deserialize(deserializer).map(|bytes| Self(bytes.into_vec().into()))
    }
}

/// One message, from a node to all that look at the topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Say {
    /// I look at this topic from now on: what is there?
    Hello,
    /// What did you say? I missed something.
    Again(NodeId),
    /// All my members, in parts, as of a version. The first part has number 0.
    State { version: Version, part: u32, parts: u32, members: Vec<Entry> },
    /// What changed: this makes my version the given one.
    Change { version: Version, joined: Vec<Entry>, left: Vec<MemberId> },
    /// I am alive, and at this version.
    Alive(Version),
}

/// A message and whose it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told(pub(super) NodeId, pub(super) Say);

impl Told {
    pub(super) fn encode(&self) -> Result<Bytes, rmp_serde::encode::Error> {
        Ok(rmp_serde::to_vec(self)?.into())
    }

    /// Nothing for what is no message of this version.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(body).ok()
    }
}
