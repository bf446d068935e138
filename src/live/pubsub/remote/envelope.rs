//! A message as servers carry it.

use std::fmt;

use bytes::{BufMut, Bytes};

use crate::live::Delivery;

/// What every message starts with: two letters and a version.
const MARK: [u8; 3] = *b"mz1";

/// How many bytes a message is longer at the server than its body.
pub(super) const OVERHEAD: usize = MARK.len() + 1 + size_of::<u64>();

/// Which adapter published a message: random, so that no two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(u64);

impl NodeId {
    pub(super) fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A body with what another node must know about it.
///
/// # Shape
///
/// The [`MARK`], a byte for the delivery (0 every, 1 latest), the publishing node's id as 8 bytes, and the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) delivery: Delivery,
    pub(super) from: NodeId,
    pub(super) body: Bytes,
}

impl Envelope {
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(OVERHEAD + self.body.len());
        bytes.put_slice(&MARK);
        bytes.put_u8(match self.delivery {
            Delivery::Every => 0,
            Delivery::Latest => 1,
        });
        bytes.put_u64(self.from.0);
        bytes.put_slice(&self.body);
        bytes.into()
    }

    /// None for what no node of this version wrote.
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let rest = bytes.strip_prefix(&MARK)?;
        let (delivery, rest) = rest.split_first()?;
        let (from, body) = rest.split_first_chunk()?;
        let delivery = match delivery {
            0 => Delivery::Every,
            1 => Delivery::Latest,
            _ => return None,
        };
        Some(Self { delivery, from: NodeId(u64::from_be_bytes(*from)), body: bytes.slice_ref(body) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_wire_is_as_documented() {
        let envelope = Envelope { delivery: Delivery::Latest, from: NodeId(0x0102_0304_0506_0708), body: "hi".into() };
        assert_eq!(envelope.encode(), "mz1\x01\x01\x02\x03\x04\x05\x06\x07\x08hi");
    }

    #[test]
    fn what_no_node_wrote_is_refused() {
        let written = Envelope { delivery: Delivery::Every, from: NodeId(7), body: Bytes::new() }.encode();
        assert!(Envelope::decode(&written).is_some());
        for cut in 0..written.len() {
            assert_eq!(Envelope::decode(&written.slice(..cut)), None, "{cut} bytes");
        }
        for (at, byte) in [(0, b'M'), (2, b'2'), (3, 2), (3, 255)] {
            let mut bytes = written.to_vec();
            bytes[at] = byte;
            assert_eq!(Envelope::decode(&bytes.into()), None, "byte {at} is {byte}");
        }
    }

    proptest! {
        #[test]
        fn any_body_comes_back(from: u64, latest: bool, body: Vec<u8>) {
            let delivery = if latest { Delivery::Latest } else { Delivery::Every };
            let envelope = Envelope { delivery, from: NodeId(from), body: body.into() };
            let bytes = envelope.encode();
            prop_assert_eq!(bytes.len(), OVERHEAD + envelope.body.len());
            prop_assert_eq!(Envelope::decode(&bytes), Some(envelope));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Envelope::decode(&bytes.into());
        }
    }
}
